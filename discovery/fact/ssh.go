package fact

// Words about SSH.
var (
	SSHBanner = word[string]("ssh.banner", week, "Identification string of the SSH server (RFC 4253, section 4.2).")
)
