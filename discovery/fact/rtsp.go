package fact

// Words about live video (RTSP).
var (
	RTSPOpen        = word[bool]("rtsp.open", week, "A server of live video (RTSP) answers.")
	RTSPPictureOpen = word[bool]("rtsp.picture_open", week, "The server of live video (RTSP) describes its picture to anyone, without a password.")

	RTSPServer = word[string]("rtsp.server", week, "Server header of the server of live video (RFC 7826, section 18.45; RFC 2326, section 12.36).")
)
