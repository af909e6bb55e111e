package fact

// Words about the whole home. They stand on the hub.
var (
	HomeJoinOpen      = word[bool]("home.zigbee_join_open", always, "A Zigbee network of the home lets new devices join at present.")
	HomeInclusionOpen = word[bool]("home.zwave_inclusion_open", always, "A Z-Wave network of the home lets new devices join at present.")
	HomeMatterOpen    = word[bool]("home.matter_window_open", always, "A Matter device of the home accepts a new controller at present.")
	HomeDevices       = word[int64]("home.devices", always, "Number of devices of the home, the hub itself not among them.")
	HomeUntrusted     = word[int64]("home.untrusted_devices", always, "Number of devices that came after the learning period and that the owner has not called trusted.")
	HomeRadioDevices  = word[int64]("home.radio_devices", always, "Number of devices in the Zigbee and Z-Wave networks of the home.")
	HomeIPDevices     = word[int64]("home.ip_devices", always, "Number of devices of the home that are reached by Wi-Fi or Ethernet.")
	HubPageClear      = word[bool]("hub.page_clear", always, "The hub serves its own page to the home network without encryption.")
	HomeIPThings      = word[int64]("home.ip_things", always, "Number of simple things among home.ip_devices: lights, plugs, switches, remotes, sensors, sirens, covers, thermostats, valves.")
)
