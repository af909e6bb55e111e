// Package report is what the rest of the world gets to see: an immutable
// Snapshot of the home with its findings, and the contract of those who show
// it.
//
// It is not its job to decide what is in a snapshot (package agent does), nor
// how it looks (packages hass and web do).
package report

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/policy"
)

// Snapshot is the home at one moment. It is immutable: whoever holds one only reads.
type Snapshot struct {
	Site    string
	Version string // of Thingwarden
	At      time.Time
	// Devices are sorted by ID; the hub's own device is always among them.
	Devices []Device
	Health  []Component // sorted by name
	// Events are those of the last ten minutes, oldest first, with rising Seq.
	Events []Event
	// Blind says, in one plain sentence, that nothing of the home can be seen and
	// why; empty when something can. It is shown before everything else.
	Blind string
	// LastScan is when the last pass of the probes over the home ended; zero if none.
	LastScan time.Time
	// PausedUntil is until when the owner wants no news: there are no Events of what
	// happens before. Zero: not paused.
	PausedUntil time.Time
	// Forgotten are ids of devices that the owner or time removed and that no
	// publisher shows any more.
	Forgotten []discovery.ID
}

// Device is a device as it is shown.
type Device struct {
	discovery.Device
	// Title is the one name under which the device is shown: see Titles.
	Title string
	// Identified devices have a name or are of a known product; the title of the
	// others is a part of their address.
	Identified   bool
	Owned        bool   // Name is the owner's own
	Kind         string // lan, zigbee, zwave, matter, hub
	Class        string // "" if unknown
	Manufacturer string
	Maker        string // of the product, or else of its network chip, as people say it
	Model        string
	Firmware     string
	Hardware     string
	Room         string
	Links        Links
	Online       bool // false only if a source says that it is away
	Trusted      bool
	Hidden       bool // the owner deleted it in Home Assistant: no publisher shows it
	Muted        bool // no event and no entity, still judged and counted
	ListenOnly   bool // never probed
	// Provisional devices are not shown as devices yet: a randomised MAC that
	// nobody trusted, in its first day; or one too many in an hour.
	Provisional bool
	Facts       []fact.Entry // sorted by name
	Findings    []policy.Finding
	// Verdicts are those of all policies but the ones that do not apply to the
	// device, in the order of the catalogue. Whoever shows them never judges again.
	Verdicts   []policy.Verdict
	NotChecked []NotChecked
	Checked    int // number of policies that passed or failed
	Sent       Sent
	Parts      []discovery.ID // devices that were merged with it, sorted
}

// Links are pages of the product's maker, each an https address or "".
type Links struct {
	Updates  string `json:",omitempty"`
	Security string `json:",omitempty"`
	Manual   string `json:",omitempty"`
}

// NotChecked is a policy that could not be judged.
type NotChecked struct {
	Policy  *policy.Policy
	Missing []policy.Missing
}

// Sent counts what was sent to a device.
type Sent struct {
	Packets     int `json:"packets"`
	Connections int `json:"connections"`
}

// Component is the health of a part: a source, the broker, the policies.
type Component struct {
	Name   string
	Title  string // of a source, for people; empty for other parts
	Status discovery.Status
	Error  string // one plain sentence; empty when OK
}

// Event is something that happened, in the order of Seq.
type Event struct {
	Seq    uint64       `json:"seq"`
	At     time.Time    `json:"at"`
	Type   string       `json:"type"` // DeviceAppeared … or a policy.EventType
	Device discovery.ID `json:"device"`
	Policy string       `json:"policy,omitempty"`
	// Count is the number of devices of a DeviceSummary; Device is the hub then.
	Count int `json:"count,omitempty"`
	// PrivateAddress is set if the device, or those of a summary, are known by
	// nothing better than a random hardware address, as phones and visitors use it.
	PrivateAddress bool `json:"private_address,omitempty"`
	// Gathered is set if a DeviceSummary in the evening tells of the device as well:
	// the first private address of a day is news at once, the others can wait.
	Gathered bool           `json:"gathered,omitempty"`
	Devices  []discovery.ID `json:"devices,omitempty"` // of a DeviceSummary, where they are known
}

// The events of devices.
const (
	DeviceAppeared   = "device_appeared"
	DeviceIdentified = "device_identified" // after DeviceAppeared: it has a name or product, or 20 s have passed
	DeviceSummary    = "device_summary"    // several devices, none of which has an event of its own
	DeviceReturned   = "device_returned"
	DeviceGone       = "device_gone"
	DeviceTrusted    = "device_trusted" // of the hub: all devices at once
)

// DeviceEvents returns the types of events of devices.
func DeviceEvents() []string {
	return []string{DeviceAppeared, DeviceIdentified, DeviceSummary, DeviceReturned, DeviceGone, DeviceTrusted}
}

// Score is 100 less the points of all findings that are problems, at least 0; nil
// when nothing was checked and nothing is known to be wrong. A device that is away
// keeps what was found.
func (d Device) Score() *int {
	lost, known := d.lost()
	if !known {
		return nil
	}
	score := max(100-lost, 0)
	return &score
}

// lost are the points that the problems of a device cost, and whether anything is
// known of it.
func (d Device) lost() (points int, known bool) {
	known = d.Checked > 0
	for _, f := range d.Findings {
		if f.Problem() {
			points, known = points+Cost(f.Severity), true
		}
	}
	return points, known
}

// Cost is how many points a problem of a severity costs.
func Cost(s policy.Severity) int {
	switch s {
	case policy.Critical:
		return 40
	case policy.High:
		return 20
	case policy.Medium:
		return 8
	case policy.Low:
		return 2
	default:
		return 0
	}
}

// Score is that of the home, from 100 down to 0 with one decimal: 100 · 100 / (100 +
// all points lost), so that every fix moves it; nil when nothing was checked.
func (s *Snapshot) Score() *float64 {
	all, known := 0, false
	for _, d := range s.Devices {
		lost, some := d.lost()
		all, known = all+lost, known || some
	}
	if !known {
		return nil
	}
	score := math.Round(10*100*100/float64(100+all)) / 10
	return &score
}

// Accepted is the number of findings that the owner accepted. They cost no points,
// and are always shown beside the score.
func (s *Snapshot) Accepted() (n int) {
	for _, d := range s.Devices {
		for _, f := range d.Findings {
			if f.Status == policy.Accepted {
				n++
			}
		}
	}
	return n
}

// Hidden is the number of devices that the owner deleted in Home Assistant.
func (s *Snapshot) Hidden() (n int) {
	for _, d := range s.Devices {
		if d.Hidden {
			n++
		}
	}
	return n
}

// Counts returns the number of findings that are problems, by severity.
func (s *Snapshot) Counts() map[policy.Severity]int {
	n := map[policy.Severity]int{}
	for _, d := range s.Devices {
		for _, f := range d.Findings {
			if f.Problem() {
				n[f.Severity]++
			}
		}
	}
	return n
}

// Device returns the device of that id, or nil.
func (s *Snapshot) Device(id discovery.ID) *Device {
	for i := range s.Devices {
		if s.Devices[i].ID == id {
			return &s.Devices[i]
		}
	}
	return nil
}

// Evidence says what was seen, as a sentence; where the policy has none, as Proof.
func Evidence(f policy.Finding) string {
	if f.Seen.Evidence != "" {
		return f.Seen.Evidence
	}
	return Proof(f)
}

// Proof is the proof of a finding in one line: what was seen, and by what. How the
// device is known at all is left out where there is better.
func Proof(f policy.Finding) string {
	var proofs, identity []string
	for _, e := range f.Proof {
		into := &proofs
		if strings.HasPrefix(e.Name, "device.") {
			into = &identity
		}
		if e.Proof != "" && !slices.Contains(*into, e.Proof) {
			*into = append(*into, e.Proof)
		}
	}
	if len(proofs) == 0 {
		proofs = identity
	}
	return fact.Clean(strings.Join(proofs, "; "), 500)
}
