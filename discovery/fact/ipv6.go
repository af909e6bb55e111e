package fact

// Words about IPv6.
var (
	IPv6Global          = word[bool]("ipv6.global", always, "The device has an IPv6 address that is valid on the whole Internet.")
	IPv6FirewallOn      = word[bool]("ipv6.firewall_on", week, "The router keeps IPv6 connections from the Internet out.")
	IPv6PinholesAllowed = word[bool]("ipv6.pinholes_allowed", week, "The router opens its IPv6 firewall for any program that asks, by UPnP and without a password.")
	IPv6Unguarded       = word[bool]("ipv6.unguarded", always, "The home's router keeps no IPv6 connections out, so that nothing stands between the Internet and the device.")
)
