package session

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBackoff(t *testing.T) {
	var got []time.Duration
	for attempt := range 9 {
		if half := backoff(attempt, 1); half*2 != backoff(attempt, 0) {
			t.Errorf("attempt %d: jitter goes down to %v of %v", attempt, half, backoff(attempt, 0))
		}
		got = append(got, backoff(attempt, 0)/time.Second)
	}
	if d := cmp.Diff([]time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60}, got); d != "" {
		t.Error(d)
	}
}
