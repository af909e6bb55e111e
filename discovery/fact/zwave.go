package fact

// Words about Z-Wave. Those of a whole network stand on its controller.
var (
	ZWaveInclusionOpen = word[bool]("zwave.inclusion_open", always, "The Z-Wave network lets new devices join at present.")
	ZWaveSecurity      = word[string]("zwave.security", always, "Highest security class that was granted to the device.",
		"none", "s0", "s2-unauthenticated", "s2-authenticated", "s2-access-control")
	ZWaveSupportsS2 = word[bool]("zwave.supports_s2", always, "The device can do Security 2.")
	ZWaveEntry      = word[bool]("zwave.entry_control", always, "The device opens or guards a way into the home: lock, garage door, keypad.")
	ZWaveStatus     = word[string]("zwave.status", always, "What the controller says of the device.", "unknown", "asleep", "awake", "dead", "alive")
)
