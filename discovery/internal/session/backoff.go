package session

import "time"

const (
	minBackoff = time.Second
	// MaxBackoff is the longest time that backoff returns.
	MaxBackoff = time.Minute
)

// backoff returns how long a source waits before it connects again: from 1 s,
// doubling with each attempt in vain, which count from 0, to MaxBackoff, less up to
// half of it so that many clients don't come back as one. Random is from 0 to 1.
func backoff(attempt int, random float64) time.Duration {
	d := MaxBackoff
	if attempt < 6 {
		d = minBackoff << attempt
	}
	return d - time.Duration(random*float64(d)/2)
}
