package fact

// Words about live video (RTSP).
var (
	RTSPOpen        = word[bool]("rtsp.open", week, "A server of live video (RTSP) answers.")
	RTSPPictureOpen = word[bool]("rtsp.picture_open", week, "The server of live video (RTSP) describes its picture to anyone, without a password.")

	RTSPLocation = word[string]("rtsp.location", week, "URL of the device's live video, as it reports it by ONVIF to anyone who asks.")

	RTSPServer = word[string]("rtsp.server", week, "Server header of the server of live video (RFC 7826, section 18.45; RFC 2326, section 12.36).")
)
