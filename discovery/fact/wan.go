package fact

// Words about ways in from the Internet through the home's router.
var (
	WANGateway           = word[bool]("wan.gateway", always, "The hub reaches the Internet through this device; where that cannot be seen, the owner called it the router.")
	WANNested            = word[bool]("wan.nested", week, "The router's own outside address is a private one: another router, or the provider's, stands before it.")
	WANPortMappings      = word[[]string]("wan.port_mappings", hours24, "Port mappings of the router, most of which a program asked for, as the device, external and internal port: 192.0.2.20 tcp/8554>554.")
	WANMappingsComplete  = word[bool]("wan.mappings_complete", hours24, "The router's list of port mappings was read whole and has everybody's: what is not in wan.port_mappings is not mapped by it.")
	WANPortMappingsStale = word[[]string]("wan.port_mappings_stale", always, "Port mappings of wan.port_mappings that lead to an address at which no device has been seen for a week.")
	WANOpenPorts         = word[[]string]("wan.open_ports", always, "Port mappings of the home's router that lead from the Internet to this device, as external and internal port: tcp/8554>554.")
	WANOpenTCP           = word[[]string]("wan.open_tcp", always, "Numbers of the TCP ports, external and internal, of the mappings in wan.open_ports.")

	IGDLocation = word[string]("igd.location", always, "Where the device describes itself as the home's Internet gateway (UPnP).")
	IGDOn       = word[bool]("igd.on", week, "The router offers to map ports to the Internet for any program that asks, by UPnP and without a password; some do so only for devices that the owner allowed.")

	NATPMPOn = word[bool]("natpmp.on", week, "The router maps ports to the Internet for any program that asks, by NAT-PMP or PCP and without a password.")
)
