package delta

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

func TestReport(t *testing.T) {
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	lamp, _ := discovery.MAC("aa:bb:cc:dd:ee:0f")
	type step struct {
		after    time.Duration
		class    string // "" for none
		name     string
		services []discovery.Service
		quiet    bool
		again    bool // must be reported again
		want     string
	}
	web := []discovery.Service{{Proto: "tcp", Port: 80, Name: "http"}}
	tests := []struct {
		name  string
		steps []step
	}{
		{"nothing new", []step{{name: "Lamp", want: "Lamp"}, {after: time.Second, name: "Lamp"}}},
		{"a new name", []step{{name: "Lamp", want: "Lamp"}, {after: time.Second, name: "Hall", want: "Hall"}}},
		{"a fact that went", []step{{class: "light", want: "class=light"}, {after: time.Second, want: "class unknown: not-told"}, {after: time.Second}}},
		{"services that went", []step{{services: web, want: "1 services"}, {after: time.Second, want: "0 services"}}},
		{"a sign of life", []step{{name: "Lamp", want: "Lamp"}, {after: time.Minute, name: "Lamp", want: "no facts"}, {after: time.Second, name: "Lamp"}}},
		{"none", []step{{name: "Lamp", want: "Lamp"}, {after: time.Minute, name: "Lamp", quiet: true}}},
		{"again", []step{{name: "Lamp", want: "Lamp"}, {after: time.Second, name: "Lamp", again: true, want: "Lamp"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var m Memory
			now := noon
			for i, s := range tt.steps {
				now = now.Add(s.after)
				e := fact.New("test", now)
				if s.class != "" {
					fact.DeviceClass.Set(e, s.class, "")
				}
				if s.again {
					m.RepeatAll()
				}
				var got []string
				o := discovery.Observation{About: []discovery.Identifier{lamp}, Name: s.name, Services: s.services, Facts: e, Quiet: s.quiet}
				m.Report("lamp", o, time.Minute, now, func(o discovery.Observation) { got = append(got, describe(o)) })
				if d := cmp.Diff(s.want, strings.Join(got, "; ")); d != "" {
					t.Errorf("step %d (-want +got):\n%s", i, d)
				}
			}
			if d := cmp.Diff([]string{"lamp"}, m.Keys()); d != "" {
				t.Errorf("keys (-want +got):\n%s", d)
			}
			m.Forget("lamp")
			if _, ok := m.Last("lamp"); ok {
				t.Error("a forgotten thing is still known")
			}
		})
	}
}

func describe(o discovery.Observation) string {
	if o.Facts == nil {
		return "no facts"
	}
	parts := []string{o.Name}
	if o.Services != nil {
		parts = append(parts, string(rune('0'+len(o.Services)))+" services")
	}
	for _, n := range o.Facts.Entries() {
		if n.Known() {
			parts = append(parts, "class="+n.Value.(string))
		} else {
			parts = append(parts, "class unknown: "+string(n.Why))
		}
	}
	return strings.TrimSpace(strings.Join(parts, " "))
}
