package fact

// Words about FTP.
var (
	FTPBanner = word[string]("ftp.banner", week, "Text of the greeting, reply 220, of the FTP server (RFC 959, section 5.4).")
)
