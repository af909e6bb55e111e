package fact

// Words about what a device says of itself when it asks for an address (DHCP).
var (
	DHCPHostname    = word[string]("dhcp.hostname", always, "Host name option of the device's DHCP requests (RFC 2132, option 12).")
	DHCPVendorClass = word[string]("dhcp.vendor_class", always, "Vendor class identifier of the device's DHCP requests (RFC 2132, option 60).")
	DHCPParams      = word[string]("dhcp.params", always, "Numbers of the options that the device's DHCP requests ask for, in their order, with commas between them (RFC 2132, option 55).")
)
