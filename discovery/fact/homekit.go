package fact

// Words about HomeKit.
var (
	HomeKitAnnounced = word[bool]("homekit.announced_paired", always, "The device announces that a HomeKit controller has been paired with it; anybody can announce that, so the device itself is asked.")

	HomeKitPaired = word[bool]("homekit.paired", always, "A HomeKit controller has been paired with the accessory.")
)
