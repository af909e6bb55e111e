package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

// renamed are the policies of version 0.1.0 that named a product, and what they
// are part of now. Configurations, decisions and automations of owners have the
// old ids, so they are understood for ever.
var renamed = map[string]string{
	"esphome-api-plain":   "control-plain",
	"esphome-web-open":    "page-controls-open",
	"fw-shelly-update":    "update-waiting",
	"fw-update-available": "update-waiting",
	"fw-update-zigbee":    "update-waiting",
	"rtsp-open":           "camera-open",
	"shelly-no-auth":      "control-open",
	"shelly-open-ap":      "setup-network-open",
	"tasmota-no-password": "control-open",
	"web-admin-open":      "settings-open",
}

// Current returns the id under which the policy of an id of version 0.1.0 stands
// in the set now, and any other id as it is.
func (s *Set) Current(id string) string {
	if now, ok := renamed[id]; ok && s.byID[id] == nil {
		return now
	}
	return id
}

// becomes reports whether the policy of the old id, and no other, became the new
// one: then a policy of an owner's pack with the old id can take its place. Where
// several became one, taking its place would lose what the others report.
func becomes(old, id string) bool {
	n := 0
	for _, now := range renamed {
		if now == id {
			n++
		}
	}
	return renamed[old] == id && n == 1
}

// override puts a policy of a pack among those of the packs before it.
func override(byID map[string]*rule, r *rule) (warning string) {
	id := r.policy.ID
	now, old := renamed[id]
	if !old || byID[now] == nil {
		byID[id] = r
		return ""
	}
	if becomes(id, now) {
		r.policy.ID = now
		byID[now] = r
		return fmt.Sprintf("%s: policy %q is called %q now: rename it", r.policy.File, id, now)
	}
	byID[id] = r
	return fmt.Sprintf("%s: policy %q is part of %q now, so that both are checked: rename it to replace that one, or disable it", r.policy.File, id, now)
}

// sentence is a port mapping as version 0.1.0 wrote it into list words.
var sentence = regexp.MustCompile(`^(?:(\S+) )?(tcp|udp) (\d+) to (\d+), for (?:good|a time)(?:, only from ([^\s,"]+))?(?:, ".*")?$`)

// item is how an item of a list word is compared with what was accepted: port
// mappings of version 0.1.0 as the token that stands for them now. Its text and
// how long it stays are not in it; an acceptance never depended on them alone.
func item(word, text string) string {
	if w := fact.Lookup(word); w != nil {
		word = w.Name
	}
	if m := sentence.FindStringSubmatch(text); m != nil {
		text = m[2] + "/" + m[3] + ">" + m[4]
		if m[1] != "" {
			text = m[1] + " " + text
		}
		if m[5] != "" {
			text += " from " + m[5]
		}
	}
	return word + "=" + text
}

// renew brings the items of an acceptance into today's form.
func (a *Acceptance) renew() {
	var items []string
	for _, x := range a.Items {
		word, text, _ := strings.Cut(x, "=")
		items = append(items, item(word, text))
	}
	slices.Sort(items)
	a.Items = slices.Compact(items)
}

// RenewAcceptances returns what the owner accepted on a device, by policy, under the
// ids and items of today. What was accepted under version 0.1.0 stays accepted;
// where two of its policies became one, both count.
func (s *Set) RenewAcceptances(of map[string]Acceptance) map[string]Acceptance {
	if of == nil {
		return nil
	}
	out := make(map[string]Acceptance, len(of))
	for _, id := range sortedKeys(of) {
		a := of[id]
		a.renew()
		id = s.Current(id)
		if other, has := out[id]; has {
			a = other.join(a)
		}
		out[id] = a
	}
	return out
}

// join makes one acceptance of two whose policies became one: it covers what
// either covered, for as long as either lasted.
func (a Acceptance) join(b Acceptance) Acceptance {
	if b.At.Before(a.At) {
		a, b = b, a
	}
	if b.Reason != a.Reason && b.Reason != "" {
		a.Reason = strings.TrimPrefix(a.Reason+"; "+b.Reason, "; ")
	}
	if b.Until.IsZero() || !a.Until.IsZero() && b.Until.After(a.Until) {
		a.Until = b.Until
	}
	a.Severity = max(a.Severity, b.Severity)
	a.Items = append(slices.Clone(a.Items), b.Items...)
	a.renew()
	return a
}

// join makes one record of two whose policies became one: a problem comes before
// what is none, and then the older one.
func (r Record) join(o Record) Record {
	rank := func(x Record) int {
		return slices.Index([]Status{"", Resolved, Lapsed, Accepted, Stale, Away, Open}, x.Status)
	}
	if d := rank(r) - rank(o); d < 0 || d == 0 && o.Since.Before(r.Since) {
		r, o = o, r
	}
	r.Severity = max(r.Severity, o.Severity)
	return r
}
