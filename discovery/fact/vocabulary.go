package fact

import (
	"cmp"
	"slices"
	"time"
)

const (
	hours24 = 24 * time.Hour
	week    = 7 * hours24
	month   = 30 * hours24
	// lasting is the age of what was seen once and stays true: who saw it may
	// have been restarted since, and says no more of it.
	lasting = 10 * 365 * hours24
)

// The vocabulary. A value that a live source keeps true as long as it runs
// (a bridge's state, the neighbour table) has no MaxAge: the source says when
// it changes, and its entries become unknown (SourceDown) when it is lost.
// What a probe learned ages: a device asked a month ago may have changed since.

// Words about what a device is.
var (
	DeviceKind = word[string]("device.kind", 0, "By which network the device is reached.",
		"lan", "zigbee", "zwave", "matter", "hub")
	DeviceClass = word[string]("device.class", 0, "What sort of thing the device is.",
		"alarm", "appliance", "bridge", "camera", "car", "computer", "console", "cover", "doorbell", "garage", "hub",
		"keypad", "light", "lock", "media", "medical", "phone", "plug", "printer", "recorder", "remote", "router",
		"sensor", "siren", "storage", "switch", "thermostat", "valve", "other")
	DeviceManufacturer = word[string]("device.manufacturer", 0, "Maker of the product, as the device or its bridge names it.")
	DeviceModel        = word[string]("device.model", 0, "Model of the product.")
	DeviceFirmware     = word[string]("device.firmware", month, "Version of the firmware that runs, in the maker's own spelling.")
	DeviceHardware     = word[string]("device.hardware", 0, "Revision of the hardware.")
	DeviceHostname     = word[string]("device.hostname", 0, "Name under which the device announces itself on the network.")
	DeviceArea         = word[string]("device.area", 0, "Room or part of the home in which the device is, as the owner told Home Assistant.")
	DeviceMACVendor    = word[string]("device.mac_vendor", 0, "Company to which the device's MAC address is assigned; often the maker of the radio module only.")
	DeviceMACRandom    = word[bool]("device.mac_random", 0, "The device uses a private (randomised) MAC address.")
	DeviceReachable    = word[bool]("device.ip_reachable", 0, "The device has an address on the home network to which the hub can connect.")
	DeviceOnline       = word[bool]("device.online", 0, "The device answers at present.")
	DeviceFirstSeen    = word[time.Time]("device.first_seen", 0, "When the device was first seen.")
	DeviceAppeared     = word[bool]("device.appeared_after_learning", 0, "The device was first seen after the learning period.")
	DeviceTrusted      = word[bool]("device.trusted", 0, "The owner said that the device is known to them.")
	DeviceUpdate       = word[bool]("device.update_available", 0, "A newer firmware is ready to be installed.")
)

// Words about services on the home network.
var (
	TelnetOpen = word[bool]("telnet.open", week, "A remote log-in by Telnet answers.")
	TelnetPort = word[int64]("telnet.port", week, "TCP port of the Telnet service.")

	HTTPOpen         = word[bool]("http.open", week, "A web page is offered without encryption.")
	HTTPTitle        = word[string]("http.title", week, "Title of the front page.")
	HTTPServer       = word[string]("http.server", week, "Server header of the front page.")
	HTTPRealm        = word[string]("http.realm", week, "Realm that the log-in of the front page names.")
	HTTPTLS          = word[bool]("http.tls", week, "The device offers its web page by HTTPS too.")
	HTTPToTLS        = word[bool]("http.redirects_to_tls", week, "The unencrypted web page sends the browser on to HTTPS.")
	HTTPBasicClear   = word[bool]("http.basic_clear", week, "The unencrypted web page asks for a password that the browser then sends readable (Basic).")
	HTTPPasswordForm = word[bool]("http.password_form_clear", week, "The unencrypted web page has a password field and does not send the browser on to HTTPS.")

	TLSKeys          = word[[]string]("tls.keys", week, "Fingerprints (SHA-256) of the public keys with which the device encrypts its web page.")
	TLSKeySharedWith = word[[]string]("tls.key_shared_with", 0, "Other devices of the home that encrypt with a key of tls.keys.")

	MDNSServices = word[[]string]("mdns.services", 0, "Service types that the device announces by multicast DNS.")
)

// Words about how a device is controlled on the home network, and about its firmware.
var (
	DevicePlatform = word[string]("device.platform", month, "Family of firmware that the device runs, known by its own protocol.",
		"esphome", "shelly", "tasmota")
	DeviceFirmwareDate = word[time.Time]("device.firmware_date", month, "Day on which the firmware that runs was built, or shortly after it, as its own version tells.")

	ControlOpen      = word[bool]("control.open", week, "Anyone on the home network can control the device and change its settings: it asks for no password.")
	ControlEncrypted = word[bool]("control.encrypted", week, "The device takes orders on the home network only by an encrypted protocol.")
	HTTPSettingsOpen = word[bool]("http.settings_open", week, "A web page shows the device's settings to anyone, without a password.")
	HTTPControlsOpen = word[bool]("http.controls_open", week, "A web page lets anyone switch what the device controls, without a password.")
	MQTTOpen         = word[bool]("mqtt.open", week, "A message broker (MQTT) answers without encryption.")
	MQTTAnonymous    = word[bool]("mqtt.anonymous", week, "The message broker (MQTT) lets anyone connect without a password.")
	RTSPOpen         = word[bool]("rtsp.open", week, "A server of live video (RTSP) answers.")
	RTSPPictureOpen  = word[bool]("rtsp.picture_open", week, "The server of live video (RTSP) describes its picture to anyone, without a password.")
	WiFiAPOpen       = word[bool]("wifi.access_point_open", week, "The device runs a Wi-Fi network of its own without a password.")
)

// Words about the router and its doors: ways in from the Internet that it keeps open.
var (
	WANGateway    = word[bool]("wan.gateway", 0, "The hub reaches the Internet through this device; where that cannot be seen, the owner called it the router.")
	WANNested     = word[bool]("wan.nested", week, "The router's own outside address is a private one: another router, or the provider's, stands before it.")
	WANDoors      = word[[]string]("wan.doors", hours24, "Doors from the Internet that the router keeps open, mostly because a program asked for them: device, outside and inside port.")
	WANDoorsStale = word[[]string]("wan.doors_stale", 0, "Doors of wan.doors that lead to an address at which no device has been seen for a week.")
	WANOpenPorts  = word[[]string]("wan.open_ports", 0, "Doors of the home's router that lead from the Internet to this device.")
	WANOpenTCP    = word[[]string]("wan.open_tcp", 0, "Numbers of the TCP ports, outside and inside, of the doors in wan.open_ports.")

	IGDLocation = word[string]("igd.location", 0, "Where the device describes itself as the home's Internet gateway (UPnP).")
	IGDOn       = word[bool]("igd.on", week, "The router opens doors from the Internet for any program that asks, by UPnP and without a password.")
	NATPMPOn    = word[bool]("natpmp.on", week, "The router opens doors from the Internet for any program that asks, by NAT-PMP or PCP and without a password.")

	IPv6Global          = word[bool]("ipv6.global", 0, "The device has an IPv6 address that is valid on the whole Internet.")
	IPv6FirewallOn      = word[bool]("ipv6.firewall_on", week, "The router keeps IPv6 connections from the Internet out.")
	IPv6PinholesAllowed = word[bool]("ipv6.pinholes_allowed", week, "The router opens its IPv6 firewall for any program that asks, by UPnP and without a password.")
	IPv6Unguarded       = word[bool]("ipv6.unguarded", 0, "The home's router keeps no IPv6 connections out, so that nothing stands between the Internet and the device.")

	UPnPLocations = word[[]string]("upnp.locations", 0, "Where the device describes itself by UPnP.")
)

// Words about addresses.
var (
	AddressDisputed  = word[[]string]("address.disputed", 0, "Addresses that another MAC address had first and that the device claims by turns with it, each with that MAC address.")
	AddressConflicts = word[[]string]("address.conflicts", 0, "Addresses of address.disputed that belong to another device, not to another interface of this one.")
)

// Words about HomeKit and Matter.
var (
	HomeKitPaired    = word[bool]("homekit.paired", 0, "A HomeKit controller has been paired with the accessory.")
	MatterWindowOpen = word[bool]("matter.window_open", 0, "The device accepts a new Matter controller at present.")
	MatterJoined     = word[bool]("matter.commissioned", 0, "The device belongs to at least one Matter fabric.")
	MatterFabrics    = word[int64]("matter.fabrics", 0, "Number of Matter fabrics under which the device announces itself.")
)

// Words about Zigbee. Those of a whole network stand on its coordinator.
var (
	ZigbeeJoinOpen      = word[bool]("zigbee.join_open", 0, "The Zigbee network lets new devices join at present.")
	ZigbeeJoinOpenSince = word[time.Time]("zigbee.join_open_since", 0, "Since when the Zigbee network has been open without a break.")
	ZigbeeJoinOpenDay   = word[int64]("zigbee.join_open_day", 0, "Seconds for which the Zigbee network was open in the last 24 hours.")
	ZigbeeDefaultIDs    = word[bool]("zigbee.default_ids", 0, "The Zigbee network has the PAN identifiers of the sample configuration, which comes with a published network key.")
	ZigbeeRole          = word[string]("zigbee.role", 0, "Role of the device in the Zigbee network.", "coordinator", "router", "end-device", "green-power", "unknown")
	ZigbeeSupported     = word[bool]("zigbee.supported", 0, "The bridge knows this make and model.")
	ZigbeeInterview     = word[string]("zigbee.interview", 0, "How far the bridge got in asking the device what it is.", "pending", "in-progress", "successful", "failed")
	ZigbeeUninvited     = word[bool]("zigbee.joined_uninvited", lasting, "The device joined while the bridge said that joining was closed.")
	ZigbeeBridgeVersion = word[string]("zigbee.bridge_version", 0, "Version of the bridge software.")
)

// Words about Z-Wave. Those of a whole network stand on its controller.
var (
	ZWaveInclusionOpen = word[bool]("zwave.inclusion_open", 0, "The Z-Wave network lets new devices join at present.")
	ZWaveSecurity      = word[string]("zwave.security", 0, "Highest security class that was granted to the device.",
		"none", "s0", "s2-unauthenticated", "s2-authenticated", "s2-access-control")
	ZWaveSupportsS2 = word[bool]("zwave.supports_s2", 0, "The device can do Security 2.")
	ZWaveEntry      = word[bool]("zwave.entry_control", 0, "The device opens or guards a way into the home: lock, garage door, keypad.")
	ZWaveStatus     = word[string]("zwave.status", 0, "What the controller says of the device.", "unknown", "asleep", "awake", "dead", "alive")
)

// Words about the whole home. They stand on the hub.
var (
	HomeJoinOpen      = word[bool]("home.zigbee_join_open", 0, "A Zigbee network of the home lets new devices join at present.")
	HomeInclusionOpen = word[bool]("home.zwave_inclusion_open", 0, "A Z-Wave network of the home lets new devices join at present.")
	HomeMatterOpen    = word[bool]("home.matter_window_open", 0, "A Matter device of the home accepts a new controller at present.")
	HomeDevices       = word[int64]("home.devices", 0, "Number of devices of the home, the hub itself not among them.")
	HomeUntrusted     = word[int64]("home.untrusted_devices", 0, "Number of devices that came after the learning period and that the owner has not called trusted.")
	HomeRadioDevices  = word[int64]("home.radio_devices", 0, "Number of devices in the Zigbee and Z-Wave networks of the home.")
	HomeIPDevices     = word[int64]("home.ip_devices", 0, "Number of devices of the home that are reached by Wi-Fi or Ethernet.")
	HomeIPThings      = word[int64]("home.ip_things", 0, "Number of simple things among home.ip_devices: lights, plugs, switches, remotes, sensors, sirens, covers, thermostats, valves.")
)

type words struct {
	byName map[string]*Word
	sorted []*Word
}

// vocabulary is filled by the declarations above, which Go initialises in
// order of dependency, and never changes afterwards.
var vocabulary = newWords()

func newWords() *words {
	all := []*Word{
		DeviceKind.word, DeviceClass.word, DeviceManufacturer.word, DeviceModel.word, DeviceFirmware.word,
		DeviceHardware.word, DeviceHostname.word, DeviceMACVendor.word, DeviceMACRandom.word, DeviceReachable.word,
		DeviceOnline.word, DeviceArea.word, DeviceFirstSeen.word, DeviceAppeared.word, DeviceTrusted.word, DeviceUpdate.word,
		TelnetOpen.word, TelnetPort.word,
		HTTPOpen.word, HTTPTitle.word, HTTPServer.word, HTTPRealm.word, HTTPTLS.word, HTTPToTLS.word,
		HTTPBasicClear.word, HTTPPasswordForm.word, TLSKeys.word, TLSKeySharedWith.word, MDNSServices.word,
		AddressDisputed.word, AddressConflicts.word,
		HomeKitPaired.word, MatterWindowOpen.word, MatterJoined.word, MatterFabrics.word,
		ZigbeeJoinOpen.word, ZigbeeJoinOpenSince.word, ZigbeeJoinOpenDay.word, ZigbeeDefaultIDs.word, ZigbeeRole.word,
		ZigbeeSupported.word, ZigbeeInterview.word, ZigbeeUninvited.word, ZigbeeBridgeVersion.word,
		ZWaveInclusionOpen.word, ZWaveSecurity.word, ZWaveSupportsS2.word, ZWaveEntry.word, ZWaveStatus.word,
		DevicePlatform.word, DeviceFirmwareDate.word, ControlOpen.word, ControlEncrypted.word, HTTPSettingsOpen.word, HTTPControlsOpen.word,
		MQTTOpen.word, MQTTAnonymous.word, RTSPOpen.word, RTSPPictureOpen.word, WiFiAPOpen.word,
		WANGateway.word, WANNested.word, WANDoors.word, WANDoorsStale.word, WANOpenPorts.word, WANOpenTCP.word,
		IGDLocation.word, IGDOn.word, NATPMPOn.word, IPv6Global.word, IPv6FirewallOn.word, IPv6PinholesAllowed.word,
		IPv6Unguarded.word, UPnPLocations.word,
		HomeJoinOpen.word, HomeInclusionOpen.word, HomeMatterOpen.word,
		HomeDevices.word, HomeUntrusted.word, HomeRadioDevices.word, HomeIPDevices.word, HomeIPThings.word,
	}
	slices.SortFunc(all, func(a, b *Word) int { return cmp.Compare(a.Name, b.Name) })
	w := &words{byName: make(map[string]*Word, len(all)), sorted: all}
	for _, x := range all {
		w.byName[x.Name] = x
	}
	return w
}

func word[T Value](name string, maxAge time.Duration, doc string, values ...string) Fact[T] {
	var zero T
	return Fact[T]{&Word{Name: name, Type: typeOf(any(zero)), MaxAge: maxAge, Doc: doc, Values: values}}
}
