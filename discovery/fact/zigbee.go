package fact

import "time"

// Words about Zigbee. Those of a whole network stand on its coordinator.
var (
	ZigbeeJoinOpen      = word[bool]("zigbee.join_open", always, "The Zigbee network lets new devices join at present.")
	ZigbeeJoinOpenSince = word[time.Time]("zigbee.join_open_since", always, "Since when the Zigbee network has been open without a break.")
	ZigbeeJoinOpenDay   = word[int64]("zigbee.join_open_day", always, "Seconds for which the Zigbee network was open in the last 24 hours.")
	ZigbeeDefaultIDs    = word[bool]("zigbee.default_ids", always, "The Zigbee network has the PAN identifiers of the sample configuration, which comes with a published network key.")
	ZigbeeRole          = word[string]("zigbee.role", always, "Role of the device in the Zigbee network.", "coordinator", "router", "end-device", "green-power", "unknown")
	ZigbeeSupported     = word[bool]("zigbee.supported", always, "The bridge knows this make and model.")
	ZigbeeInterview     = word[string]("zigbee.interview", always, "How far the bridge got in asking the device what it is.", "pending", "in-progress", "successful", "failed")
	ZigbeeUninvited     = word[bool]("zigbee.joined_uninvited", lasting, "The device joined while the bridge said that joining was closed.")
	ZigbeeBridgeVersion = word[string]("zigbee.bridge_version", always, "Version of the bridge software.")
)
