package home

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// TestPrivateAddresses: the first device of a day with a private address is news
// at once, the others are gathered until the evening; none is dropped.
func TestPrivateAddresses(t *testing.T) {
	random := func(e *fact.Evidence) { fact.DeviceMACRandom.Set(e, true, "") }
	named := func(e *fact.Evidence) {
		random(e)
		fact.DHCPHostname.Set(e, "Galaxy-S23", "")
		fact.DeviceFriendlyName.Set(e, "iPhone", "")
	}
	for _, tt := range []struct {
		name string
		run  func(h *testHome)
		want []string
	}{
		{"one is no summary", func(h *testHome) { h.see(1, random); h.wait(24 * time.Hour) },
			[]string{"12:00 appeared 1 private"}},
		{"the others in the evening", func(h *testHome) { h.see(1, random); h.see(2, random); h.see(3, named); h.wait(24 * time.Hour) },
			[]string{"12:00 appeared 1 private", "12:00 appeared 2 private gathered", "12:00 appeared 3 private gathered",
				"20:00 summary of 2 private"}},
		{"a summary each evening", func(h *testHome) {
			h.see(1, random)
			h.see(2, random)
			h.wait(9 * time.Hour)
			h.see(3, random)
			h.see(4, random)
			h.wait(24 * time.Hour)
		}, []string{"12:00 appeared 1 private", "12:00 appeared 2 private gathered",
			"20:00 summary of 1 private", "21:00 appeared 3 private", "21:00 appeared 4 private gathered",
			"20:00 summary of 1 private"}},
		{"trusted meanwhile", func(h *testHome) {
			h.see(1, random)
			h.do(report.Command{Action: report.Trust, Device: h.see(2, random)})
			h.wait(24 * time.Hour)
		}, []string{"12:00 appeared 1 private", "12:00 appeared 2 private gathered", "12:00 trusted 2"}},
		{"over a restart", func(h *testHome) {
			h.see(1, random)
			h.see(2, random)
			h.restart()
			h.wait(24 * time.Hour)
		}, []string{"12:00 appeared 1 private", "12:00 appeared 2 private gathered", "20:00 summary of 1 private"}},
		{"other devices are not gathered", func(h *testHome) { h.see(1, random); h.see(2, nil); h.wait(24 * time.Hour) },
			[]string{"12:00 appeared 1 private", "12:00 appeared 2"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHome(t, 0)
			var got []string
			arrived := map[discovery.ID]report.Event{}
			tt.run(h)
			for _, n := range h.told {
				switch n.Type {
				case report.DeviceAppeared:
					got = append(got, describe(n))
					arrived[n.Device] = n
				case report.DeviceSummary, report.DeviceTrusted:
					got = append(got, describe(n))
				case report.DeviceIdentified:
					if a := arrived[n.Device]; n.PrivateAddress != a.PrivateAddress || n.Gathered != a.Gathered {
						t.Errorf("identified as %s, appeared as %s", describe(n), describe(a))
					}
				}
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("events (-want +got):\n%s", d)
			}
		})
	}
}

func describe(e report.Event) string {
	out := e.At.Format("15:04") + " " + strings.TrimPrefix(e.Type, "device_")
	if e.Type == report.DeviceSummary {
		out += fmt.Sprintf(" of %d", e.Count)
	} else {
		out += " " + strings.TrimLeft(strings.TrimPrefix(string(e.Device), "mac_000c43"), "0")
	}
	if e.PrivateAddress {
		out += " private"
	}
	if e.Gathered {
		out += " gathered"
	}
	return out
}
