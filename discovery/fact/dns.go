package fact

// Words about the domain name system of the home.
var (
	DNSName = word[string]("dns.name", hours24, "Name that the home's own resolver gives for the device's address (reverse DNS, RFC 1035, section 3.5).")
)
