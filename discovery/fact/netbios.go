package fact

// Words about NetBIOS.
var (
	NetBIOSName = word[string]("netbios.name", week, "Name of the machine in its NetBIOS node status (RFC 1002, section 4.2.18), suffix 00.")
)
