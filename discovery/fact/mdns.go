package fact

// Words about multicast DNS.
var (
	MDNSServices = word[[]string]("mdns.services", always, "Service types that the device announces by multicast DNS.")

	MDNSTXT = word[[]string]("mdns.txt", always, "What TXT records of the services that the device announces say of its kind, as key=value with the key in lower case (RFC 6763, section 6): manufacturer, model, firmware and the like; never serial numbers, keys or names that an owner gave.")
)
