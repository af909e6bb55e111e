package report

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// Action is what a Command asks for.
type Action string

// The actions.
const (
	Trust    Action = "trust"
	Untrust  Action = "untrust"
	Accept   Action = "accept"
	Unaccept Action = "unaccept"
	Recheck  Action = "recheck" // of the whole home when the device is the hub
)

// MaxReason is the longest reason of an acceptance, in characters. A longer one
// is refused, never cut.
const MaxReason = 500

// Command is a decision or wish of the owner.
type Command struct {
	Action Action       `json:"action"`
	Device discovery.ID `json:"device"`
	Policy string       `json:"policy,omitempty"` // of Accept and Unaccept
	Reason string       `json:"reason,omitempty"` // of Accept; at most MaxReason characters
	Until  time.Time    `json:"until,omitzero"`   // of Accept; zero: without end
}

// takes says which fields an action needs or may have, besides a device.
type takes struct{ policy, accepts bool }

func actions() map[Action]takes {
	return map[Action]takes{
		Trust: {}, Untrust: {}, Recheck: {},
		Accept:   {policy: true, accepts: true},
		Unaccept: {policy: true},
	}
}

// Actions returns all actions, in the order in which they are explained.
func Actions() []Action { return []Action{Trust, Untrust, Accept, Unaccept, Recheck} }

var idForm = regexp.MustCompile(`^[a-z0-9_]{1,40}$`)

// Validate checks a command as far as that takes no knowledge of the home: that
// the device and the policy exist is for whoever carries it out to check. The
// error is one plain sentence with all foreign text cleaned.
func (c Command) Validate(now time.Time) error {
	t, known := actions()[c.Action]
	switch {
	case c.Action == "":
		return errors.New("the command names no action")
	case !known:
		return fmt.Errorf("unknown action %q; there are %s", fact.Clean(string(c.Action), 40), commaSeparated(Actions()))
	case c.Device == "":
		return errors.New("the command names no device")
	case !idForm.MatchString(string(c.Device)):
		return fmt.Errorf("%q is no device's id", fact.Clean(string(c.Device), 40))
	case t.policy && c.Policy == "":
		return fmt.Errorf("the action %q needs a policy", c.Action)
	case !t.policy && c.Policy != "" && c.Action != Recheck:
		return fmt.Errorf("the action %q takes no policy", c.Action)
	case len(c.Policy) > 200:
		return errors.New("the policy's id is too long")
	case !t.accepts && !c.Until.IsZero():
		return fmt.Errorf("the action %q takes no until", c.Action)
	case !t.accepts && c.Reason != "":
		return fmt.Errorf("the action %q takes no reason", c.Action)
	case utf8.RuneCountInString(c.Reason) > MaxReason:
		return fmt.Errorf("the reason is longer than %d characters", MaxReason)
	}
	return checkUntil(c.Until, now)
}

func checkUntil(until, now time.Time) error {
	switch {
	case until.IsZero():
		return nil
	case !until.After(now):
		return fmt.Errorf("the date until which to accept, %s, has passed", until.Format(time.DateOnly))
	case until.UTC().Year() > 9999: // RFC 3339, in which times stand in files, ends there
		return errors.New("the date until which to accept is too far away; leave it out to accept without an end")
	default:
		return nil
	}
}

func commaSeparated(all []Action) string {
	var out []string
	for _, a := range all {
		out = append(out, string(a))
	}
	return strings.Join(out, ", ")
}
