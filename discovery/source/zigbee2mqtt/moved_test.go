package zigbee2mqtt

import (
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/internal/loosejson"
)

// A device that was moved to another instance stands in the lists of both: the one
// that hears it speaks for it, in whatever order their messages come.
func TestMovedDevice(t *testing.T) {
	id := discovery.Identifier{Kind: discovery.ZigbeeID, Value: "00158d0001000006"}
	yes, no := loosejson.Flag{Value: true, Known: true}, loosejson.Flag{Known: true}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	instance := func(base string, avail loosejson.Flag, heard time.Time) *bridge {
		b := &bridge{base: base, listed: true, state: yes, members: map[discovery.Identifier]member{id: {Name: "sensor"}},
			avail: map[string]loosejson.Flag{}, heard: map[discovery.Identifier]time.Time{}}
		if avail.Known {
			b.avail["sensor"] = avail
		}
		if !heard.IsZero() {
			b.heard[id] = heard
		}
		return b
	}
	for _, tt := range []struct {
		name     string
		old, new *bridge
	}{
		{"one hears it", instance("a", no, time.Time{}), instance("b", yes, time.Time{})},
		{"one does not, the other does not say", instance("a", no, time.Time{}), instance("b", loosejson.Flag{}, time.Time{})},
		{"one heard it later", instance("a", loosejson.Flag{}, now), instance("b", loosejson.Flag{}, now.Add(time.Hour))},
		{"neither says: always the same", instance("b", loosejson.Flag{}, time.Time{}), instance("a", loosejson.Flag{}, time.Time{})},
	} {
		for _, order := range [][]*bridge{{tt.old, tt.new}, {tt.new, tt.old}} {
			h := &home{}
			h.bridges = append(h.bridges, order...)
			if got := h.owner(id); got != tt.new {
				t.Errorf("%s: %s speaks for it, want %s", tt.name, got.base, tt.new.base)
			}
		}
	}
}
