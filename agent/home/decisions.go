package home

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/policy"
)

// decisionsVersion is the format of decisions.json that this version writes.
const decisionsVersion = 1

// Decisions is what the owner decided and which devices are known: what can't
// be learned again. It is on disk before a decision is acknowledged.
type Decisions struct {
	Version int `json:"version"`
	// Install is a random id of this installation, part of the MQTT client id.
	Install string `json:"install"`
	// LearningFrom is when the learning period began.
	LearningFrom time.Time               `json:"learning_from"`
	Devices      map[discovery.ID]*Known `json:"devices"`
	// Hidden are devices that the owner deleted in Home Assistant.
	Hidden map[discovery.ID]time.Time `json:"hidden,omitempty"`
}

// Known is what is remembered of a device for good.
type Known struct {
	FirstSeen time.Time                    `json:"first_seen"`
	Appeared  bool                         `json:"appeared_after_learning,omitempty"`
	Trusted   bool                         `json:"trusted,omitempty"`
	Gone      bool                         `json:"gone,omitempty"`
	Accepted  map[string]policy.Acceptance `json:"accepted,omitempty"` // by policy
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
	d.Version = decisionsVersion
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

// decided reports whether the owner decided anything about the device.
func (d *Decisions) decided(id discovery.ID) bool {
	k := d.Devices[id]
	return k != nil && (k.Trusted || len(k.Accepted) > 0)
}

// rename moves what is known to a better identity. Decisions about either hold.
func (d *Decisions) rename(old, id discovery.ID) {
	if at, ok := d.Hidden[old]; ok {
		delete(d.Hidden, old)
		d.Hidden[id] = at
	}
	from := d.Devices[old]
	if from == nil {
		return
	}
	delete(d.Devices, old)
	to := d.Devices[id]
	if to == nil {
		d.Devices[id] = from
		return
	}
	if from.FirstSeen.Before(to.FirstSeen) {
		to.FirstSeen = from.FirstSeen
		to.Appeared = from.Appeared
	}
	to.Trusted = to.Trusted || from.Trusted
	for p, a := range from.Accepted {
		if to.Accepted == nil {
			to.Accepted = map[string]policy.Acceptance{}
		}
		if _, ok := to.Accepted[p]; !ok {
			to.Accepted[p] = a
		}
	}
}

// HiddenIDs returns the devices that the owner deleted in Home Assistant, sorted.
func (d *Decisions) HiddenIDs() []discovery.ID { return slices.Sorted(maps.Keys(d.Hidden)) }

// setHidden replaces them, and reports whether that changed anything.
func (d *Decisions) setHidden(ids []discovery.ID, now time.Time) bool {
	next := make(map[discovery.ID]time.Time, len(ids))
	for _, id := range ids {
		at, ok := d.Hidden[id]
		if !ok {
			at = now.UTC().Round(0)
		}
		next[id] = at
	}
	if maps.EqualFunc(next, d.Hidden, time.Time.Equal) {
		return false
	}
	d.Hidden = next
	return true
}
