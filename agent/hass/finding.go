package hass

import (
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/policy"
)

// maxAttributes bounds the attributes of an entity, in bytes of JSON: Home
// Assistant's recorder drops all attributes of a state that has 16,384 bytes or
// more of them, its own included.
const maxAttributes = 15_000

type findingState struct {
	State string      `json:"state"`
	Attr  findingAttr `json:"attr"`
}

// findingAttr holds nothing that changes while the finding stays what it is.
type findingAttr struct {
	Policy         string   `json:"policy"`
	Status         string   `json:"status"`
	Severity       string   `json:"severity"`
	Confidence     string   `json:"confidence"`
	Since          string   `json:"since,omitempty"`
	Fixed          string   `json:"fixed,omitempty"` // when it was resolved
	Summary        string   `json:"summary"`
	Evidence       string   `json:"evidence"`
	Proof          string   `json:"proof"`
	Remedy         string   `json:"remedy"`
	NotKnown       []string `json:"not_known,omitempty"`
	AcceptedReason string   `json:"accepted_reason,omitempty"`
	AcceptedUntil  string   `json:"accepted_until,omitempty"`
	Rules          []int    `json:"rules,omitempty"`
	Standards      []string `json:"standards,omitempty"`
}

// findingComponent is the entity of a finding.
func (n names) findingComponent(id discovery.ID, p *policy.Policy) component {
	topic := n.finding(id, p.ID)
	return n.entity(id, policyKey(p.ID), component{
		Platform: binarySensor, Name: title(p), DeviceClass: "problem", EntityCategory: "diagnostic",
		StateTopic: topic, ValueTemplate: "{{ value_json.state }}",
		AttributesTopic: topic, AttributesTemplate: "{{ value_json.attr | tojson }}",
	})
}

func title(p *policy.Policy) string {
	if t := plain(p.Title, maxInfo); t != "" {
		return t
	}
	return policyTopic(p.ID)
}

// findingMessage is the state of a finding, cut until its attributes fit.
func (n names) findingMessage(id discovery.ID, f policy.Finding) message {
	s := findingState{State: findingOn(f.Status)}
	var b []byte
	for scale := 1; scale == 1 || len(b) > maxAttributes; scale *= 2 {
		s.Attr = attributes(f, scale)
		b = encode(s)
	}
	return newMessage(n.finding(id, f.Policy.ID), b)
}

// findingOn is the life of a finding as Home Assistant shows it.
func findingOn(s policy.Status) string {
	switch s {
	case policy.Open, policy.Stale, policy.Away:
		return on
	case policy.Accepted, policy.Resolved:
		return off
	default:
		return none
	}
}

// attributes are those of a finding, with long texts cut to a part of their
// usual size.
func attributes(f policy.Finding, scale int) findingAttr {
	p := f.Policy
	a := findingAttr{
		Policy: cut(fact.Clean(p.ID, maxInfo), maxInfo), Status: string(f.Status), Severity: severity(f.Severity),
		Confidence: string(f.Confidence()), Since: stamp(f.Since),
		Summary: paragraph(f.Summary(), 2000/scale), Evidence: plain(report.Evidence(f), 1500/scale), Proof: plain(report.Proof(f), 1500/scale),
		Remedy: paragraph(f.Remedy(), 6000/scale), NotKnown: missing(f.Missing, 20/scale), Rules: first(p.Rules, 20/scale),
	}
	for _, r := range first(p.Refs, 20/scale) {
		a.Standards = append(a.Standards, cut(fact.Clean(r, maxInfo), maxInfo))
	}
	if f.Status == policy.Resolved {
		a.Fixed = stamp(f.Changed)
	}
	if f.Acceptance != nil {
		a.AcceptedReason = plain(f.Acceptance.Reason, 500/scale)
		a.AcceptedUntil = stamp(f.Acceptance.Until)
	}
	return a
}

func first[T any](s []T, n int) []T { return s[:min(len(s), n)] }

func missing(ms []policy.Missing, limit int) []string {
	var out []string
	for _, m := range first(ms, limit) {
		out = append(out, fact.Clean(m.Word, maxInfo)+": "+m.Why.Plain())
	}
	return out
}

// stamp writes a time as Home Assistant reads it; empty for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Truncate(time.Second).Format(time.RFC3339)
}

func severity(s policy.Severity) string {
	switch s {
	case policy.Critical:
		return "critical"
	case policy.High:
		return "high"
	case policy.Medium:
		return "medium"
	case policy.Low:
		return "low"
	case policy.Info:
		return "info"
	default:
		return "none"
	}
}

// severities, worst first.
var severities = [...]policy.Severity{policy.Critical, policy.High, policy.Medium, policy.Low, policy.Info}
