package report

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/thingwarden/thingwarden/policy"
)

// The types of `scan --format json`; its schema is agent/scan.schema.json. Lists
// are never null.
type scanJSON struct {
	Version  string       `json:"version"`
	Started  time.Time    `json:"started"`
	Finished time.Time    `json:"finished"`
	Devices  []deviceJSON `json:"devices"`
	Health   []healthJSON `json:"health"`
}

type deviceJSON struct {
	ID           string              `json:"id"`
	Name         string              `json:"name"`
	Kind         string              `json:"kind"`
	Class        string              `json:"class"`
	MAC          []string            `json:"mac"`
	IP           []string            `json:"ip"`
	Manufacturer string              `json:"manufacturer"`
	Model        string              `json:"model"`
	Firmware     string              `json:"firmware"`
	Via          string              `json:"via"`
	Sources      []string            `json:"sources"`
	FirstSeen    time.Time           `json:"first_seen"`
	LastSeen     time.Time           `json:"last_seen"`
	Services     []serviceJSON       `json:"services"`
	Facts        map[string]factJSON `json:"facts"`
	Findings     []findingJSON       `json:"findings"`
	NotChecked   []notCheckedJSON    `json:"not_checked"`
	Sent         Sent                `json:"sent"`
}

type serviceJSON struct {
	Proto string `json:"proto"`
	Port  int    `json:"port"`
	Name  string `json:"name"`
}

type factJSON struct {
	Value  any       `json:"value"`
	Proof  string    `json:"proof"`
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Likely bool      `json:"likely,omitempty"`
}

type findingJSON struct {
	Policy     string    `json:"policy"`
	Severity   string    `json:"severity"`
	Confidence string    `json:"confidence"`
	Status     string    `json:"status"`
	Since      time.Time `json:"since"`
	Evidence   string    `json:"evidence"`
	Proof      string    `json:"proof"`
	Remedy     string    `json:"remedy"`
	Rules      []int     `json:"rules"`
}

type notCheckedJSON struct {
	Policy  string        `json:"policy"`
	Missing []missingJSON `json:"missing"`
}

type missingJSON struct {
	Fact   string `json:"fact"`
	Reason string `json:"reason"`
}

type healthJSON struct {
	Component string `json:"component"`
	Status    string `json:"status"`
	Error     string `json:"error"`
}

// WriteJSON writes a snapshot as `scan --format json` does, to w. Started and
// finished are when looking began and ended.
func WriteJSON(w io.Writer, s *Snapshot, started, finished time.Time) error {
	out := scanJSON{Version: s.Version, Started: started.UTC(), Finished: finished.UTC(), Devices: []deviceJSON{}, Health: []healthJSON{}}
	for _, d := range s.Devices {
		out.Devices = append(out.Devices, deviceOf(d))
	}
	for _, h := range s.Health {
		out.Health = append(out.Health, healthJSON{h.Name, string(h.Status), h.Error})
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	if err := enc.Encode(out); err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	return nil
}

func deviceOf(d Device) deviceJSON {
	out := deviceJSON{
		ID: string(d.ID), Name: d.Title, Kind: d.Kind, Class: d.Class, MAC: list(d.MACs()), IP: []string{},
		Manufacturer: d.Manufacturer, Model: d.Model, Firmware: d.Firmware, Via: string(d.Via), Sources: list(d.Sources),
		FirstSeen: d.FirstSeen.UTC(), LastSeen: d.LastSeen.UTC(), Services: []serviceJSON{}, Facts: map[string]factJSON{},
		Findings: []findingJSON{}, NotChecked: []notCheckedJSON{}, Sent: d.Sent,
	}
	for _, a := range d.Addrs() {
		out.IP = append(out.IP, a.String())
	}
	for _, s := range d.Services {
		out.Services = append(out.Services, serviceJSON(s))
	}
	for _, f := range d.Facts {
		if f.Known() {
			out.Facts[f.Name] = factJSON{f.Value, f.Proof, f.By, f.At.UTC(), f.Likely}
		}
	}
	for _, f := range d.Findings {
		if f.Status == policy.Lapsed {
			continue // neither a finding any more nor well; its policy is under not_checked
		}
		out.Findings = append(out.Findings, findingJSON{
			Policy: f.Policy.ID, Severity: f.Severity.String(), Confidence: string(f.Confidence()), Status: string(f.Status),
			Since: f.Since.UTC(), Evidence: Evidence(f), Proof: Proof(f), Remedy: f.Remedy(), Rules: list(f.Policy.Rules),
		})
	}
	for _, n := range d.NotChecked {
		x := notCheckedJSON{Policy: n.Policy.ID, Missing: []missingJSON{}}
		for _, m := range n.Missing {
			x.Missing = append(x.Missing, missingJSON{m.Word, string(m.Why)})
		}
		out.NotChecked = append(out.NotChecked, x)
	}
	return out
}

// list is the same list, empty instead of nil.
func list[T any](in []T) []T {
	if in == nil {
		return []T{}
	}
	return in
}
