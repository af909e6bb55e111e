package home

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/policy"
)

// decisionsVersion is the format of decisions.json that this version writes. 1 is
// the same without what the owner says of single devices.
const decisionsVersion = 2

// Decisions is what the owner decided and which devices are known: what can't
// be learned again. It is on disk before a decision is acknowledged.
type Decisions struct {
	Version int `json:"version"`
	// Install is a random id of this installation, part of the MQTT client id.
	Install string `json:"install"`
	// LearningFrom is when the learning period began, by the clock of then.
	LearningFrom time.Time `json:"learning_from"`
	// Learned is set once the learning period is over.
	Learned bool `json:"learned,omitempty"`
	// Old is set when the file was written by 0.1.0, which counted the learning period
	// from LearningFrom.
	Old     bool                    `json:"-"`
	Devices map[discovery.ID]*Known `json:"devices"`
	// Hidden are devices that the owner deleted in Home Assistant.
	Hidden map[discovery.ID]time.Time `json:"hidden,omitempty"`
	// PausedUntil is until when the owner wants no news; zero if not paused.
	PausedUntil time.Time `json:"paused_until,omitzero"`
}

// Known is what is remembered of a device for good.
type Known struct {
	FirstSeen time.Time                    `json:"first_seen"`
	Appeared  bool                         `json:"appeared_after_learning,omitempty"`
	Trusted   bool                         `json:"trusted,omitempty"`
	Gone      bool                         `json:"gone,omitempty"`
	Accepted  map[string]policy.Acceptance `json:"accepted,omitempty"` // by policy
	// Ended are acceptances whose date has passed: should that have been a wrong clock,
	// they hold again.
	Ended map[string]policy.Acceptance `json:"ended,omitempty"`
	// PartOf is the device as a part of which this one is shown. What was decided of
	// this one rests as long.
	PartOf discovery.ID `json:"part_of,omitempty"`
	// What the owner says of the device; it ranks above all that is learned.
	Name       string `json:"name,omitempty"`
	Class      string `json:"class,omitempty"`
	Room       string `json:"room,omitempty"`
	ListenOnly bool   `json:"listen_only,omitempty"` // never probed
	Muted      bool   `json:"muted,omitempty"`       // no event and no entity
}

func (k *Known) accept(policyID string, a policy.Acceptance) {
	if k.Accepted == nil {
		k.Accepted = map[string]policy.Acceptance{}
	}
	k.Accepted[policyID] = a
	delete(k.Ended, policyID)
}

// decided reports whether the owner decided anything about the device.
func (k *Known) decided() bool {
	return k.Trusted || len(k.Accepted) > 0 || k.Name != "" || k.Class != "" || k.Room != "" || k.ListenOnly || k.Muted || k.PartOf != ""
}

// merge adds what is known of the device under another identity.
func (k *Known) merge(from *Known) {
	if from.FirstSeen.Before(k.FirstSeen) {
		k.FirstSeen, k.Appeared = from.FirstSeen, from.Appeared
	}
	k.Trusted = k.Trusted || from.Trusted
	k.Muted = k.Muted || from.Muted
	k.PartOf = cmp.Or(k.PartOf, from.PartOf)
	k.ListenOnly = k.ListenOnly || from.ListenOnly
	k.Name, k.Class, k.Room = cmp.Or(k.Name, from.Name), cmp.Or(k.Class, from.Class), cmp.Or(k.Room, from.Room)
	for p, a := range from.Accepted {
		if b, ok := k.Accepted[p]; !ok || b.At.Before(a.At) {
			k.accept(p, a)
		}
	}
	for p, a := range from.Ended {
		if _, ok := k.Accepted[p]; !ok {
			k.end(p, a)
		}
	}
}

// end keeps an acceptance whose date has passed.
func (k *Known) end(policyID string, a policy.Acceptance) {
	if k.Ended == nil {
		k.Ended = map[string]policy.Acceptance{}
	}
	k.Ended[policyID] = a
}

// NewDecisions returns those of an installation that begins now.
func NewDecisions(now time.Time) *Decisions {
	id := make([]byte, 4)
	rand.Read(id)
	return &Decisions{
		Version: decisionsVersion, Install: hex.EncodeToString(id), LearningFrom: now.UTC().Round(0),
		Devices: map[discovery.ID]*Known{}, Hidden: map[discovery.ID]time.Time{},
	}
}

// ErrNewerVersion means that a file was written by a newer Thingwarden.
var ErrNewerVersion = errors.New("was written by a newer version of Thingwarden; install that version, or restore an older copy of the file")

// ParseDecisions reads a file of decisions.
func ParseDecisions(b []byte) (*Decisions, error) {
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, fmt.Errorf("is damaged: %w", err)
	}
	if head.Version > decisionsVersion {
		return nil, ErrNewerVersion
	}
	var d Decisions
	if err := json.Unmarshal(b, &d); err != nil {
		return nil, fmt.Errorf("is damaged: %w", err)
	}
	if head.Version < 1 || d.Install == "" || d.LearningFrom.IsZero() {
		return nil, errors.New("is damaged: version, install or learning_from is missing")
	}
	d.Version, d.Old = decisionsVersion, head.Version == 1
	if d.Devices == nil {
		d.Devices = map[discovery.ID]*Known{}
	}
	if d.Hidden == nil {
		d.Hidden = map[discovery.ID]time.Time{}
	}
	maps.DeleteFunc(d.Devices, func(_ discovery.ID, k *Known) bool { return k == nil })
	return &d, nil
}

// device returns what is remembered of a device, making it if need be.
func (d *Decisions) device(id discovery.ID, now time.Time) *Known {
	k := d.Devices[id]
	if k == nil {
		k = &Known{FirstSeen: now.UTC().Round(0)}
		d.Devices[id] = k
	}
	return k
}

// decided reports whether the owner decided anything about the device, such as that
// another is a part of it.
func (d *Decisions) decided(id discovery.ID) bool {
	k := d.Devices[id]
	return k != nil && (k.decided() || len(d.parts(id)) > 0)
}

// rename moves what is known to a better identity. Decisions about either hold.
func (d *Decisions) rename(old, id discovery.ID) {
	defer d.flatten()
	if at, ok := d.Hidden[old]; ok {
		delete(d.Hidden, old)
		d.Hidden[id] = at
	}
	for part, k := range d.Devices {
		if k.PartOf == old && part != id {
			k.PartOf = id
		}
	}
	from := d.Devices[old]
	if from == nil {
		return
	}
	if from.PartOf == id {
		from.PartOf = ""
	}
	delete(d.Devices, old)
	to := d.Devices[id]
	if to == nil {
		d.Devices[id] = from
		return
	}
	to.merge(from)
}

// NotAfter takes times in the future for now: they were noted by a clock that was
// wrong.
func (d *Decisions) NotAfter(now time.Time) {
	for _, k := range d.Devices {
		k.FirstSeen = notAfter(k.FirstSeen, now)
		for _, all := range []map[string]policy.Acceptance{k.Accepted, k.Ended} {
			for id, a := range all {
				a.At = notAfter(a.At, now)
				all[id] = a
			}
		}
	}
	for id, at := range d.Hidden {
		d.Hidden[id] = notAfter(at, now)
	}
	if d.PausedUntil.After(now.Add(report.MaxPause)) {
		d.PausedUntil = now.UTC().Round(0)
	}
}

func notAfter(t, now time.Time) time.Time {
	if t.After(now) {
		return now.UTC().Round(0)
	}
	return t
}

// clone returns a deep copy.
func (d *Decisions) clone() *Decisions {
	out := *d
	out.Hidden = maps.Clone(d.Hidden)
	out.Devices = make(map[discovery.ID]*Known, len(d.Devices))
	for id, k := range d.Devices {
		c := *k
		c.Accepted, c.Ended = maps.Clone(k.Accepted), maps.Clone(k.Ended)
		out.Devices[id] = &c
	}
	return &out
}
