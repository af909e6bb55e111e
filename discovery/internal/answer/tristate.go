package answer

// Tristate is yes, no or not to be told.
type Tristate int

const (
	Unclear Tristate = iota
	Yes
	No
)
