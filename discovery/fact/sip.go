package fact

// Words about SIP.
var (
	SIPServer = word[string]("sip.server", week, "Server or User-Agent header of the device's SIP answers (RFC 3261, sections 20.35 and 20.41).")
)
