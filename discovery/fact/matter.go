package fact

// Words about Matter.
var (
	MatterAnnounced  = word[bool]("matter.announced_open", always, "The device announces that it accepts a new Matter controller; anybody can announce that, so the device itself is asked.")
	MatterWindowOpen = word[bool]("matter.window_open", always, "The device accepts a new Matter controller at present.")
	MatterJoined     = word[bool]("matter.commissioned", always, "The device belongs to at least one Matter fabric.")
	MatterFabrics    = word[int64]("matter.fabrics", always, "Number of Matter fabrics under which the device announces itself.")
)
