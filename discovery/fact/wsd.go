package fact

// Words about WS-Discovery.
var (
	WSDTypes  = word[[]string]("wsd.types", always, "Types that the device announces by WS-Discovery, without their namespace prefix (WS-Discovery 1.1, section 5.3).")
	WSDScopes = word[[]string]("wsd.scopes", always, "Scopes that the device announces by WS-Discovery; of an ONVIF device they name hardware and name (ONVIF Core Specification, section 7.3.2.2).")
)
