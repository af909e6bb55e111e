package answer

// Tristate is yes, no or unclear.
type Tristate int

// The values of a Tristate. The zero value is Unclear.
const (
	Unclear Tristate = iota
	Yes
	No
)
