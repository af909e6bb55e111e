package cli

import (
	"cmp"
	"slices"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/policy"
)

// row is a finding with the device that has it.
type row struct {
	device  *report.Device
	finding policy.Finding
}

// rows are all findings that count, worst first, then by policy and device.
func rows(s *report.Snapshot) []row {
	var out []row
	for i := range s.Devices {
		for _, f := range problems(&s.Devices[i]) {
			out = append(out, row{&s.Devices[i], f})
		}
	}
	slices.SortStableFunc(out, func(a, b row) int {
		return cmp.Or(compareFindings(a.finding, b.finding), cmp.Compare(a.device.ID, b.device.ID))
	})
	return out
}

func sortFindings(fs []policy.Finding) { slices.SortStableFunc(fs, compareFindings) }

func compareFindings(a, b policy.Finding) int {
	return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(a.Policy.ID, b.Policy.ID))
}

// worst is the highest severity among findings that count; 0 if there is none.
func worst(s *report.Snapshot) policy.Severity {
	if all := rows(s); len(all) > 0 {
		return all[0].finding.Severity
	}
	return 0
}

// title is what is wrong, and how sure that is.
func title(f policy.Finding) string {
	t := f.Policy.Title
	if f.Confidence() == policy.Likely {
		t += " (likely)"
	}
	if more := state(f); more != "" {
		t += " (" + more + ")"
	}
	return t
}
