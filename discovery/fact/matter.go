package fact

// Words about Matter.
var (
	MatterWindowOpen = word[bool]("matter.window_open", always, "The device accepts a new Matter controller at present.")
	MatterJoined     = word[bool]("matter.commissioned", always, "The device belongs to at least one Matter fabric.")
	MatterFabrics    = word[int64]("matter.fabrics", always, "Number of Matter fabrics under which the device announces itself.")
)
