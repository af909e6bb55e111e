package cli

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/policy"
)

// seenMost is how many devices the advice on one policy lists with what was seen;
// the table has them all.
const seenMost = 10

// writeReport shows a home to a person: what can't be seen first, then what is
// wrong, what to do, what is there, and what was not checked.
func writeReport(w screen, s *report.Snapshot) {
	if s.Blind != "" {
		fmt.Fprint(w, paragraph("", s.Blind), "\n")
	}
	all := rows(s)
	fmt.Fprint(w, paragraph("", summary(s, all)))
	if len(all) > 0 {
		fmt.Fprintln(w)
		writeFindings(w, all)
		writeAdvice(w, all)
	}
	writeDevices(w, s)
	writeNotChecked(w, s)
	writeHealth(w, s)
	if len(all) > 0 && all[0].finding.Actionable() {
		fmt.Fprintln(w)
		writeFirst(w, all[0])
	}
}

// writeFirst says which finding is the worst, on which device, and what to do.
func writeFirst(w screen, r row) {
	fmt.Fprintln(w, w.heading("DO THIS FIRST"))
	fmt.Fprint(w, paragraph("", fmt.Sprintf("%s: %s on %s (%s)", r.finding.Severity, title(r.finding), located(r.device), r.finding.Policy.ID)))
	if seen := evidence(r.finding); seen != "" {
		fmt.Fprint(w, paragraph("  Seen:  ", seen))
	}
	fmt.Fprint(w, steps("  To do: ", r.finding.Remedy()))
}

// evidence is how a finding shows, safe to print; empty if nothing tells.
func evidence(f policy.Finding) string {
	if e := report.Evidence(f); e != "" {
		return quote(e, fact.MaxText)
	}
	return ""
}

// summary is the whole result in a sentence or two. It never says that all is
// well: only what was looked at and found.
func summary(s *report.Snapshot, all []row) string {
	devices := 0
	checked, open, accepted := 0, 0, 0
	for _, d := range s.Devices {
		if d.ID != discovery.Hub {
			devices++
		}
		checked += d.Checked
		open += len(d.NotChecked)
		for _, f := range d.Findings {
			if f.Status == policy.Accepted {
				accepted++
			}
		}
	}
	text := count(devices, "device") + ", " + count(len(all), "finding")
	if n := s.Counts(); len(all) > 0 {
		var by []string
		for sev := policy.Critical; sev >= policy.Info; sev-- {
			if n[sev] > 0 {
				by = append(by, fmt.Sprintf("%d %s", n[sev], sev))
			}
		}
		text += ": " + strings.Join(by, ", ")
	}
	text += fmt.Sprintf(". %s done, %d not possible", count(checked, "check"), open)
	if accepted > 0 {
		text += "; " + count(accepted, "finding") + " accepted by you"
	}
	return text + "."
}

func writeFindings(w screen, all []row) {
	t := table{head: []string{"SEVERITY", "DEVICE", "ADDRESS", "WHAT IS WRONG"}, least: []int{severityWide, 20, 18, 26}, wrap: true}
	for _, r := range all {
		t.add(r.finding.Severity, r.finding.Severity.String(), name(r.device), address(r.device), title(r.finding))
	}
	t.write(w)
}

// writeAdvice says once for each policy why it matters, how we know and what to do.
func writeAdvice(w screen, all []row) {
	byPolicy := map[string][]row{}
	var order []string
	for _, r := range all {
		// One remedy once: products have steps of their own.
		key := r.finding.Policy.ID + "\n" + r.finding.Summary() + "\n" + r.finding.Remedy()
		if byPolicy[key] == nil {
			order = append(order, key)
		}
		byPolicy[key] = append(byPolicy[key], r)
	}
	fmt.Fprintf(w, "\n%s\n", w.heading("WHAT TO DO"))
	for _, key := range order {
		group := byPolicy[key]
		p := group[0].finding.Policy
		fmt.Fprint(w, paragraph("", fmt.Sprintf("%s (%s)", p.Title, p.ID)))
		fmt.Fprint(w, paragraph("  ", group[0].finding.Summary()))
		for i, r := range group {
			if i == seenMost {
				fmt.Fprintf(w, "  Seen:  and on %s more\n", count(len(group)-seenMost, "device"))
				break
			}
			seen := label(r.device, 40)
			if e := evidence(r.finding); e != "" {
				seen += ": " + e
			}
			fmt.Fprint(w, paragraph("  Seen:  ", seen))
		}
		fmt.Fprint(w, steps("  To do: ", group[0].finding.Remedy()), "\n")
	}
}

func writeDevices(w screen, s *report.Snapshot) {
	var devices []*report.Device
	for i := range s.Devices {
		if s.Devices[i].ID != discovery.Hub {
			devices = append(devices, &s.Devices[i])
		}
	}
	if len(devices) == 0 {
		return
	}
	slices.SortStableFunc(devices, func(a, b *report.Device) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), compareAddress(a, b))
	})
	if len(rows(s)) == 0 {
		fmt.Fprintln(w)
	}
	t := table{head: []string{"DEVICE", "ADDRESS", "WHAT IT IS"}, least: []int{24, 18, 26}}
	for _, d := range devices {
		t.add(0, name(d), address(d), product(d))
	}
	t.write(w)
}

func compareAddress(a, b *report.Device) int {
	x, y := a.Addrs(), b.Addrs()
	if len(x) > 0 && len(y) > 0 {
		return x[0].Compare(y[0])
	}
	return cmp.Or(cmp.Compare(len(y), len(x)), cmp.Compare(a.ID, b.ID))
}

// product says what a device is: its class, or else its network, and maker and
// model in quotation marks, because the device or its bridge says so.
func product(d *report.Device) string {
	var parts []string
	if d.Class != "" {
		parts = append(parts, fact.Clean(d.Class, 20))
	} else if network := map[string]string{"zigbee": "Zigbee device", "zwave": "Z-Wave device", "matter": "Matter device"}[d.Kind]; network != "" {
		parts = append(parts, network)
	}
	if text := strings.TrimSpace(cmp.Or(d.Maker, d.Manufacturer) + " " + d.Model); text != "" {
		parts = append(parts, quote(text, columns))
	}
	return strings.Join(parts, ", ")
}

// writeNotChecked says what was not checked and why, most frequent reason first:
// what was not looked at is not thereby well.
func writeNotChecked(w screen, s *report.Snapshot) {
	total := 0
	times, policies := map[fact.Why]int{}, map[fact.Why]map[string]bool{}
	for _, d := range s.Devices {
		for _, n := range d.NotChecked {
			total++
			reason := fact.NotProbed
			if len(n.Missing) > 0 {
				reason = n.Missing[0].Why
			}
			times[reason]++
			if policies[reason] == nil {
				policies[reason] = map[string]bool{}
			}
			policies[reason][n.Policy.ID] = true
		}
	}
	if total == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s (%s; they count neither for nor against you)\n", w.heading("NOT CHECKED"), count(total, "check"))
	reasons := slices.SortedFunc(maps.Keys(times), func(a, b fact.Why) int {
		return cmp.Or(cmp.Compare(times[b], times[a]), cmp.Compare(a, b))
	})
	for _, reason := range reasons {
		ids := slices.Sorted(maps.Keys(policies[reason]))
		fmt.Fprint(w, paragraph(fmt.Sprintf("%5d  ", times[reason]), reason.Plain()+": "+strings.Join(ids, ", ")))
	}
}

// writeHealth says what does not work as it should.
func writeHealth(w screen, s *report.Snapshot) {
	first := true
	for _, h := range s.Health {
		if h.Status == discovery.OK || h.Error == s.Blind {
			continue // what can't be seen at all stands at the top
		}
		if first {
			fmt.Fprintf(w, "\n%s\n", w.heading("WHAT IS NOT WATCHED FULLY"))
			first = false
		}
		fmt.Fprint(w, paragraph("  "+cmp.Or(h.Title, h.Name)+": ", fact.Clean(h.Error, 500)))
	}
}
