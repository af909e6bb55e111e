package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/policy"
)

// state says in plain words where a finding is in its life; empty for open.
func state(f policy.Finding) string {
	switch f.Status {
	case policy.Open:
		return ""
	case policy.Stale:
		return "seen before, could not be checked now"
	case policy.Lapsed:
		return "seen long ago, could not be checked since"
	case policy.Accepted:
		if f.Acceptance == nil {
			return "accepted by you"
		}
		text := "accepted by you"
		if !f.Acceptance.Until.IsZero() {
			text += " until " + f.Acceptance.Until.Format(time.DateOnly)
		}
		return text
	case policy.Resolved:
		return "no longer so"
	case policy.Away:
		return "when the device was last here"
	default:
		return fact.Clean(string(f.Status), 40)
	}
}

// value writes a fact's value. Text came from a device.
func value(v any, max int) string {
	switch x := v.(type) {
	case string:
		return quote(x, max)
	case []string:
		quoted := make([]string, len(x))
		for i, s := range x {
			quoted[i] = quote(s, max)
		}
		return cut("["+strings.Join(quoted, ", ")+"]", max)
	case time.Time:
		return x.Local().Format(time.DateTime)
	default:
		return cut(fmt.Sprint(v), max)
	}
}

// ago says how long ago something was.
func ago(t, now time.Time) string {
	if t.IsZero() {
		return "never"
	}
	d := now.Sub(t)
	switch {
	case d < time.Second:
		return "just now"
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days ago", int(d.Hours()/24))
	}
}
