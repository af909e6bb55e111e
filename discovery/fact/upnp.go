package fact

// Words about UPnP.
var (
	UPnPLocations = word[[]string]("upnp.locations", always, "Where the device describes itself by UPnP.")

	UPnPFriendlyName = word[string]("upnp.friendly_name", always, "friendlyName of the device's UPnP description (UPnP Device Architecture 2.0, section 2.3).")
	UPnPManufacturer = word[string]("upnp.manufacturer", always, "manufacturer of the device's UPnP description.")
	UPnPModel        = word[string]("upnp.model", always, "modelName of the device's UPnP description.")
	UPnPModelNumber  = word[string]("upnp.model_number", always, "modelNumber of the device's UPnP description.")
	UPnPDeviceType   = word[string]("upnp.device_type", always, "deviceType of the root device of the device's UPnP description.")

	SSDPServer = word[string]("ssdp.server", always, "SERVER header with which the device announces itself by UPnP (UPnP Device Architecture 2.0, section 1.2.2).")
)
