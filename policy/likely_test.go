package policy

import (
	"strings"
	"testing"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

// TestLikely: what is only likely is never reported as sure, and never makes a
// finding worse.
func TestLikely(t *testing.T) {
	const severities = `severity:
  - {if: "device.class == 'light'", then: info}
  - {if: "device.class == 'lock'", then: high}
  - medium`
	s, err := Load(Options{}, pack("x", map[string]string{"x.yaml": strings.Replace(good, "severity: low", severities, 1)}))
	if err != nil {
		t.Fatal(err)
	}
	type sign struct{ value any } // only likely
	for _, tt := range []struct {
		name       string
		in         map[string]any
		result     Result
		severity   Severity
		confidence Confidence
	}{
		{"all sure", map[string]any{"device.ip_reachable": true, "telnet.open": true, "device.class": "lock"}, Fail, High, Sure},
		{"require reads a sign", map[string]any{"device.ip_reachable": true, "telnet.open": sign{true}}, Fail, Medium, Likely},
		{"require passes by a sign", map[string]any{"device.ip_reachable": true, "telnet.open": sign{false}}, Pass, 0, Likely},
		{"when reads a sign", map[string]any{"device.ip_reachable": sign{true}, "telnet.open": true}, Fail, Medium, Likely},
		{"a sign does not raise", map[string]any{"device.ip_reachable": true, "telnet.open": true, "device.class": sign{"lock"}}, Fail, Medium, Sure},
		{"a sign may lower", map[string]any{"device.ip_reachable": true, "telnet.open": true, "device.class": sign{"light"}}, Fail, Info, Sure},
		{"when is false by a sign", map[string]any{"device.ip_reachable": sign{false}, "telnet.open": true}, NotApplicable, 0, ""},
		{"unknown", map[string]any{"device.ip_reachable": sign{true}}, Unknown, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ev := fact.New("test", noon)
			for name, v := range tt.in {
				n := fact.Entry{Name: name, Value: v, By: "test", At: noon}
				if x, ok := v.(sign); ok {
					n.Value, n.Likely = x.value, true
				}
				ev.Put(n)
			}
			vs, _ := s.Evaluate(ev, noon)
			if v := vs[0]; v.Result != tt.result || v.Severity != tt.severity || v.Confidence != tt.confidence {
				t.Errorf("%s %s %q, want %s %s %q", v.Result, v.Severity, v.Confidence, tt.result, tt.severity, tt.confidence)
			}
		})
	}
}

func TestEvidenceIsChecked(t *testing.T) {
	for _, tt := range []struct{ name, evidence, want string }{
		{"no text", "telnet.open", "1:11: evidence: want an expression that gives text, this one is of type bool"},
		{"unknown word", `'"port " + telnet.prt'`, `evidence: unknown fact "telnet.prt": did you mean "telnet.port"?`},
		{"empty", `""`, "evidence: is empty"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(Options{}, pack("x", map[string]string{"x.yaml": "evidence: " + tt.evidence + "\n" + good}))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}
