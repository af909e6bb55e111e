package fact

// Words about Telnet.
var (
	TelnetOpen = word[bool]("telnet.open", week, "A remote log-in by Telnet answers.")
	TelnetPort = word[int64]("telnet.port", week, "TCP port of the Telnet service.")

	TelnetBanner = word[string]("telnet.banner", week, "Text that the Telnet service sends before anything was sent to it, options of the protocol (RFC 854) left out.")
)
