package fact

// Words about HomeKit.
var (
	HomeKitPaired = word[bool]("homekit.paired", always, "A HomeKit controller has been paired with the accessory.")
)
