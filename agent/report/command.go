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

// The actions. The undo of name, class and room is an empty value, that of
// listen_only, mute and pause the value "off", that of merge is split and the
// other way round, that of forget to be seen again.
const (
	Trust      Action = "trust" // for the hub: every device that is shown now
	Untrust    Action = "untrust"
	Accept     Action = "accept"
	Unaccept   Action = "unaccept"
	Recheck    Action = "recheck" // of the whole home when the device is the hub
	Name       Action = "name"
	Class      Action = "class"
	Room       Action = "room"
	ListenOnly Action = "listen_only" // never probe it
	Mute       Action = "mute"        // no event and no entity, still judged and counted
	Forget     Action = "forget"      // removed until it is seen again
	Merge      Action = "merge"       // the value is the id of a device that is a part of this one
	Split      Action = "split"       // the value is the id of a part that is a device of its own; empty for all parts
	Hide       Action = "hide"        // what deleting the device in Home Assistant does
	Unhide     Action = "unhide"      // for the hub: every hidden device
	Pause      Action = "pause"       // of the hub: no events until a time, when those of the pause follow
)

// Off is the value of a Command that undoes ListenOnly, Mute or Pause.
const Off = "off"

const (
	// MaxReason is the longest reason of an acceptance, in characters. A longer one
	// is refused, never cut.
	MaxReason = 500
	// MaxValue is the longest name or room, in characters. A longer one is refused.
	MaxValue = 60
	// MaxPause is for how long news can be paused at most.
	MaxPause = 7 * 24 * time.Hour
)

// Command is a decision or wish of the owner.
type Command struct {
	Action Action       `json:"action"`
	Device discovery.ID `json:"device"`
	Policy string       `json:"policy,omitempty"` // of Accept and Unaccept
	Reason string       `json:"reason,omitempty"` // of Accept; at most MaxReason characters
	Until  time.Time    `json:"until,omitzero"`   // of Accept (zero: without end) and Pause
	Value  string       `json:"value,omitempty"`  // of Name, Class, Room; an id of Merge and Split; or Off
}

// takes says which fields an action needs or may have, besides a device.
type takes struct{ policy, accepts, value, off, other, pauses bool }

func actions() map[Action]takes {
	return map[Action]takes{
		Trust: {}, Untrust: {}, Recheck: {}, Forget: {}, Hide: {}, Unhide: {},
		Accept:   {policy: true, accepts: true},
		Unaccept: {policy: true},
		Name:     {value: true}, Class: {value: true}, Room: {value: true},
		ListenOnly: {off: true}, Mute: {off: true},
		Merge: {other: true}, Split: {other: true},
		Pause: {off: true, pauses: true},
	}
}

// Actions returns all actions, in the order in which they are explained.
func Actions() []Action {
	return []Action{Trust, Untrust, Accept, Unaccept, Recheck, Name, Class, Room, ListenOnly, Mute, Forget, Merge, Split, Hide, Unhide, Pause}
}

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
	case t.pauses && c.Device != discovery.Hub:
		return errors.New("news is paused for the whole home: the device must be the hub")
	case t.pauses && (c.Value == Off) != c.Until.IsZero():
		return fmt.Errorf("the action %q needs an until, or the value %q", c.Action, Off)
	case t.pauses && c.Until.After(now.Add(MaxPause)):
		return fmt.Errorf("news can be paused for %d days at most", int(MaxPause.Hours()/24))
	case !t.accepts && !t.pauses && !c.Until.IsZero():
		return fmt.Errorf("the action %q takes no until", c.Action)
	case !t.accepts && c.Reason != "":
		return fmt.Errorf("the action %q takes no reason", c.Action)
	case utf8.RuneCountInString(c.Reason) > MaxReason:
		return fmt.Errorf("the reason is longer than %d characters", MaxReason)
	case c.Action == Merge && c.Value == "":
		return fmt.Errorf("the action %q needs the id of the other device as its value", c.Action)
	case t.other && c.Value != "" && !idForm.MatchString(c.Value):
		return fmt.Errorf("%q is no device's id", fact.Clean(c.Value, 40))
	case c.Value != "" && !t.value && !t.other && !(t.off && c.Value == Off):
		return fmt.Errorf("the action %q does not take the value %q", c.Action, fact.Clean(c.Value, 40))
	case utf8.RuneCountInString(c.Value) > MaxValue:
		return fmt.Errorf("the value is longer than %d characters", MaxValue)
	case c.Value != fact.Clean(c.Value, MaxValue):
		return errors.New("the value has characters that can't be shown, or blanks at its ends")
	}
	return checkUntil(c.Until, now)
}

func checkUntil(until, now time.Time) error {
	switch {
	case until.IsZero():
		return nil
	case !until.After(now):
		return fmt.Errorf("the time given by until, %s, has passed", until.Format(time.DateOnly))
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
