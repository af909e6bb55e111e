package control

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/policy"
)

// snapshot is a report.Snapshot on its way to the command line: each policy
// stands in it once, and by its id wherever it is used. Fields of the same name
// as an embedded struct's take its place in JSON.
type snapshot struct {
	report.Snapshot
	Devices  []device
	Policies map[string]policy.Policy
}

type device struct {
	report.Device
	Findings   []finding
	Verdicts   []verdict
	NotChecked []notChecked
}

type finding struct {
	policy.Finding
	Policy string
}

type verdict struct {
	policy.Verdict
	Policy string
}

type notChecked struct {
	Policy  string
	Missing []policy.Missing
}

func encode(s *report.Snapshot) ([]byte, error) {
	out := snapshot{Snapshot: *s, Policies: map[string]policy.Policy{}}
	name := func(p *policy.Policy) string {
		if _, known := out.Policies[p.ID]; !known {
			plain := *p
			plain.Examples = nil // long, and of no use to the other side
			out.Policies[p.ID] = plain
		}
		return p.ID
	}
	for _, d := range s.Devices {
		x := device{Device: d}
		for _, f := range d.Findings {
			x.Findings = append(x.Findings, finding{f, name(f.Policy)})
		}
		for _, v := range d.Verdicts {
			x.Verdicts = append(x.Verdicts, verdict{v, name(v.Policy)})
		}
		for _, n := range d.NotChecked {
			x.NotChecked = append(x.NotChecked, notChecked{name(n.Policy), n.Missing})
		}
		out.Devices = append(out.Devices, x)
	}
	b, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("writing the snapshot: %w", err)
	}
	return b, nil
}

// decode is the inverse of encode. Facts that this version does not know are
// left out.
func decode(b []byte) (*report.Snapshot, error) {
	var in snapshot
	if err := json.Unmarshal(b, &in); err != nil {
		return nil, fmt.Errorf("reading the agent's answer: %w", err)
	}
	policies := map[string]*policy.Policy{}
	for id, p := range in.Policies {
		policies[id] = &p
	}
	for _, x := range in.Devices {
		d, err := x.decode(policies)
		if err != nil {
			return nil, fmt.Errorf("reading the agent's answer: %w", err)
		}
		in.Snapshot.Devices = append(in.Snapshot.Devices, d)
	}
	return &in.Snapshot, nil
}

func (x device) decode(policies map[string]*policy.Policy) (report.Device, error) {
	d := x.Device
	var missing error
	find := func(id string) *policy.Policy {
		p := policies[id]
		if p == nil {
			missing = fmt.Errorf("policy %q is missing in it", id)
		}
		return p
	}
	d.Facts = slices.DeleteFunc(d.Facts, func(e fact.Entry) bool { return e.Name == "" })
	for _, f := range x.Findings {
		f.Finding.Policy = find(f.Policy)
		d.Findings = append(d.Findings, f.Finding)
	}
	for _, v := range x.Verdicts {
		v.Verdict.Policy = find(v.Policy)
		d.Verdicts = append(d.Verdicts, v.Verdict)
	}
	for _, n := range x.NotChecked {
		d.NotChecked = append(d.NotChecked, report.NotChecked{Policy: find(n.Policy), Missing: n.Missing})
	}
	return d, missing
}

func newBody(b []byte) io.Reader {
	if b == nil {
		return nil
	}
	return bytes.NewReader(b)
}
