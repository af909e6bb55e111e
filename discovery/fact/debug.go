package fact

// Words about ports for those who develop programs.
var (
	DebugOpen = word[bool]("debug.open", week, "A debug port of the device lets anyone on the home network install and run programs, without a key.")
)
