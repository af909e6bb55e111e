package fact

import "time"

// Words about what a device is.
var (
	DeviceKind = word[string]("device.kind", always, "By which network the device is reached.",
		"lan", "zigbee", "zwave", "matter", "hub")
	DeviceClass = word[string]("device.class", always, "What sort of thing the device is.",
		"accesspoint", "alarm", "appliance", "bridge", "camera", "car", "charger", "computer", "console", "cover",
		"doorbell", "garage", "hub", "inverter", "keypad", "light", "lock", "media", "medical", "networkswitch",
		"phone", "plug", "printer", "recorder", "remote", "router", "sensor", "siren", "speaker", "storage",
		"switch", "tablet", "thermostat", "tv", "ups", "vacuum", "valve", "other")
	DeviceManufacturer = word[string]("device.manufacturer", always, "Maker of the product, as the device or its bridge names it.")
	DeviceModel        = word[string]("device.model", always, "Model of the product.")
	DeviceFirmware     = word[string]("device.firmware", month, "Version of the firmware that runs, in the maker's own spelling.")
	DeviceHardware     = word[string]("device.hardware", always, "Revision of the hardware.")
	DeviceHostname     = word[string]("device.hostname", always, "Name under which the device announces itself on the network.")
	DeviceArea         = word[string]("device.area", always, "Room or part of the home in which the device is, as the owner told Home Assistant.")
	DeviceMACVendor    = word[string]("device.mac_vendor", always, "Company to which the device's MAC address is assigned; often the maker of the radio module only.")
	DeviceMACRandom    = word[bool]("device.mac_random", always, "The device uses a private (randomised) MAC address.")
	DeviceReachable    = word[bool]("device.ip_reachable", always, "The device has an address on the home network to which the hub can connect.")
	DeviceOnline       = word[bool]("device.online", always, "The device answers at present.")
	DeviceFirstSeen    = word[time.Time]("device.first_seen", always, "When the device was first seen.")
	DeviceAppeared     = word[bool]("device.appeared_after_learning", always, "The device was first seen after the learning period.")
	DeviceTrusted      = word[bool]("device.trusted", always, "The owner said that the device is known to them.")
	DeviceListenOnly   = word[bool]("device.listen_only", always, "The owner wants the device never to be probed.")
	DeviceUpdate       = word[bool]("device.update_available", always, "A newer firmware is ready to be installed.")
	DeviceSetUp        = word[bool]("device.set_up", week, "Somebody has set the device up: it has an owner, an account or a password, by its own word.")
	DeviceReplaceable  = word[bool]("device.firmware_replaceable", week, "Anyone on the home network can put other firmware on the device: it asks for no password.")
	DeviceFirmwareDate = word[time.Time]("device.firmware_date", month, "Day on which the firmware that runs was built, or shortly after it, as its own version tells.")
	DeviceProduct      = word[string]("device.product", month, "Product or family of firmware that the device is, by the id of its card.")
	DeviceIntegration  = word[[]string]("device.integration", always, "Integrations of Home Assistant that can add the device, by their domain.")
	DeviceFriendlyName = word[string]("device.friendly_name", always, "Name that the device shows for itself, as its owner gave it.")
)
