package home

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// simulated is a device of testdata/homes.txt.
type simulated struct {
	line          int
	class, vendor string
	shows         map[string]string // by word; lists with a comma and a space
}

func simulatedHomes(t *testing.T) map[string][]simulated {
	t.Helper()
	text, err := os.ReadFile("testdata/homes.txt")
	if err != nil {
		t.Fatal(err)
	}
	homes, home := map[string][]simulated{}, ""
	for i, line := range strings.Split(string(text), "\n") {
		if name, ok := strings.CutPrefix(line, "home "); ok {
			home = name
			continue
		}
		if line == "" || line[0] == '#' {
			continue
		}
		parts := strings.SplitN(line, " | ", 3)
		if len(parts) != 3 {
			t.Fatalf("homes.txt:%d: want class | vendor | what it shows", i+1)
		}
		d := simulated{line: i + 1, class: parts[0], vendor: parts[1], shows: map[string]string{}}
		for pair := range strings.SplitSeq(parts[2], "; ") {
			word, value, ok := strings.Cut(pair, "=")
			if !ok || fact.Lookup(word) == nil {
				t.Fatalf("homes.txt:%d: no word in %q", i+1, pair)
			}
			d.shows[word] = value
		}
		homes[home] = append(homes[home], d)
	}
	return homes
}

// evidence is what the device shows; words of one protocol come from one answer.
func (d simulated) evidence(t *testing.T, now time.Time) *fact.Evidence {
	t.Helper()
	e := fact.New("test", now)
	fact.DeviceKind.Set(e, "lan", "")
	if fact.DeviceMACRandom.Set(e, d.vendor == "-", ""); d.vendor != "-" {
		fact.DeviceMACVendor.Set(e, d.vendor, "")
	}
	for word, value := range d.shows {
		n := fact.Entry{Name: word, Value: value, By: "test", At: now, Proof: "recorded"}
		if fact.Lookup(word).Type == fact.List {
			n.Value = strings.Split(value, ", ")
		}
		if !e.Put(n) {
			t.Fatalf("homes.txt:%d: %s does not hold %q", d.line, word, value)
		}
	}
	return e
}

// TestTwoHomes: in homes of usual devices, at least 95 of 100 have a name that a
// person would know, at least 90 the right class, and none a wrong one.
func TestTwoHomes(t *testing.T) {
	for name, devices := range simulatedHomes(t) {
		t.Run(name, func(t *testing.T) {
			h := newHome(t, 24*time.Hour)
			for i, d := range devices {
				mac, _ := discovery.MAC(fmt.Sprintf("000c43%06x", i))
				h.observe(discovery.Observation{By: "test", At: h.now, About: []discovery.Identifier{mac}, Facts: d.evidence(t, h.now)}, h.now)
			}
			h.tick(h.now)
			s := h.Snapshot(h.now)
			named, right := 0, 0
			for i, d := range devices {
				got := s.Device(discovery.ID(fmt.Sprintf("mac_000c43%06x", i)))
				if got == nil {
					t.Fatalf("homes.txt:%d: no device", d.line)
				}
				if got.Identified {
					named++
				}
				switch got.Class {
				case d.class:
					right++
				case "":
				default:
					t.Errorf("homes.txt:%d: class %q of %q, want %q", d.line, got.Class, got.Title, d.class)
				}
				t.Logf("%-14s %-14s %s", d.class, got.Class, got.Title)
			}
			n := len(devices)
			t.Logf("%d devices: %d named, %d of the right class", n, named, right)
			if named*100 < n*95 || right*100 < n*90 {
				t.Errorf("%d of %d named and %d of the right class, want 95 %% and 90 %%", named, n, right)
			}
		})
	}
}
