package home

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

const (
	// transferFormat and transferVersion are how a Transfer says what it is.
	transferFormat  = "thingwarden decisions"
	transferVersion = 1
	// MaxTransfer is the size of the largest Transfer that is read, in bytes.
	MaxTransfer = 8 << 20
	// maxPolicyID is the length of the longest id of a policy, in bytes.
	maxPolicyID = 200
)

// Transfer is what the owner decided, on its way to another hub or site. It holds
// no secret, and nothing of the installation that it is from.
type Transfer struct {
	Format   string                  `json:"format"`
	Version  int                     `json:"version"`
	Exported time.Time               `json:"exported"`
	Devices  map[discovery.ID]*Known `json:"devices"`
	// Hidden are devices that the owner deleted in Home Assistant.
	Hidden map[discovery.ID]time.Time `json:"hidden,omitempty"`
}

// Export returns the decisions to be taken elsewhere, and the devices of which not
// all can be: an address alone is another device's in another network.
func (d *Decisions) Export(now time.Time) (t *Transfer, left []discovery.ID) {
	own := d.clone()
	t = &Transfer{Format: transferFormat, Version: transferVersion, Exported: now.UTC().Round(0), Devices: own.Devices, Hidden: own.Hidden}
	for id, k := range t.Devices {
		if !lasting(id) {
			if k.decided() {
				left = append(left, id)
			}
			delete(t.Devices, id)
			continue
		}
		if k.PartOf != "" && !lasting(k.PartOf) {
			k.PartOf = ""
			left = append(left, id)
		}
		k.Gone, k.Ended = false, nil
	}
	maps.DeleteFunc(t.Hidden, func(id discovery.ID, _ time.Time) bool { return !lasting(id) })
	slices.Sort(left)
	return t, left
}

// lasting reports whether an id names the same device in another network.
func lasting(id discovery.ID) bool {
	i, ok := discovery.ParseID(string(id))
	return ok && i.Strong() && i.ID() == id
}

// ParseTransfer reads a Transfer. An error says at which line, or of which device,
// what is wrong.
func ParseTransfer(b []byte) (*Transfer, error) {
	if len(b) > MaxTransfer {
		return nil, fmt.Errorf("larger than %d MiB", MaxTransfer>>20)
	}
	var head struct {
		Format  string `json:"format"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, placed(b, err)
	}
	switch {
	case head.Format != transferFormat:
		return nil, fmt.Errorf("format: want %q, have %q: this is no file that `thingwarden export` wrote", transferFormat, fact.Clean(head.Format, 40))
	case head.Version > transferVersion:
		return nil, fmt.Errorf("version: %d is of a newer Thingwarden; this one reads up to %d", head.Version, transferVersion)
	case head.Version < 1:
		return nil, fmt.Errorf("version: want 1 or more, have %d", head.Version)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	var t Transfer
	if err := dec.Decode(&t); err != nil {
		return nil, placed(b, err)
	}
	return &t, t.validate()
}

// placed adds the line to an error of JSON that knows its place.
func placed(b []byte, err error) error {
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("line %d: not valid JSON: %w", line(b, e.Offset), err)
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("line %d: %s: want %s, have %s", line(b, e.Offset), e.Field, e.Type, e.Value)
	}
	return err
}

func line(b []byte, offset int64) int {
	return 1 + bytes.Count(b[:min(max(offset, 0), int64(len(b)))], []byte("\n"))
}

func (t *Transfer) validate() error {
	var errs []error
	if len(t.Devices) > maxKnown || len(t.Hidden) > maxKnown {
		return fmt.Errorf("devices: there are more than %d", maxKnown)
	}
	for _, id := range slices.Sorted(maps.Keys(t.Devices)) {
		at := fmt.Sprintf("devices.%s", fact.Clean(string(id), 40))
		switch k := t.Devices[id]; {
		case !lasting(id):
			errs = append(errs, fmt.Errorf("%s: this is no device's lasting id", at))
		case k == nil:
			errs = append(errs, fmt.Errorf("%s: is empty", at))
		default:
			errs = append(errs, k.validate(at))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(t.Hidden)) {
		if !lasting(id) {
			errs = append(errs, fmt.Errorf("hidden.%s: this is no device's lasting id", fact.Clean(string(id), 40)))
		}
	}
	return errors.Join(errs...)
}

// validate holds what is said of a device against what its owner could have said.
func (k *Known) validate(at string) error {
	var errs []error
	wrong := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s.%s: %s", at, key, fmt.Sprintf(format, args...)))
	}
	for key, value := range map[string]string{"name": k.Name, "room": k.Room} {
		if utf8.RuneCountInString(value) > report.MaxValue || value != fact.Clean(value, report.MaxValue) {
			wrong(key, "want one line of at most %d characters", report.MaxValue)
		}
	}
	if k.Class != "" && !slices.Contains(fact.Lookup(fact.DeviceClass.Name()).Values, k.Class) {
		wrong("class", "unknown class %q", fact.Clean(k.Class, 40))
	}
	if k.PartOf != "" && !lasting(k.PartOf) {
		wrong("part_of", "%q is no device's lasting id", fact.Clean(string(k.PartOf), 40))
	}
	if k.FirstSeen.IsZero() {
		wrong("first_seen", "is missing")
	}
	for _, id := range slices.Sorted(maps.Keys(k.Accepted)) {
		a := k.Accepted[id]
		if id == "" || len(id) > maxPolicyID || id != fact.Clean(id, maxPolicyID) {
			wrong("accepted", "%q is no policy's id", fact.Clean(id, 40))
		}
		if a.Reason != fact.Clean(a.Reason, report.MaxReason) {
			wrong("accepted."+fact.Clean(id, 40)+".reason", "want at most %d characters", report.MaxReason)
		}
	}
	return errors.Join(errs...)
}

// merge adds what was decided elsewhere. What was decided here stays: where the two
// differ in a name, type or room, it is the one from here; of two acceptances of one
// finding it is the newer.
func (d *Decisions) merge(t *Transfer) {
	for id, from := range t.Devices {
		k := *from
		k.Accepted, k.Ended = maps.Clone(from.Accepted), nil
		if to := d.Devices[id]; to != nil {
			to.merge(&k)
		} else {
			d.Devices[id] = &k
		}
	}
	d.flatten()
	for id, at := range t.Hidden {
		if _, hidden := d.Hidden[id]; !hidden {
			d.Hidden[id] = at
		}
	}
}

func (i Import) preview(c *Home, dec *Decisions, _ time.Time) error {
	dec.merge(i.Transfer)
	for id := range i.Devices {
		k := dec.Devices[id]
		k.Accepted = c.set.RenewAcceptances(k.Accepted)
	}
	return nil
}

func (i Import) apply(c *Home, now time.Time) error {
	if err := i.preview(c, c.dec, now); err != nil {
		return err
	}
	c.out.Decisions = true
	c.join(now)
	for _, id := range c.inv.IDs() {
		c.dirty[id] = true
	}
	return nil
}
