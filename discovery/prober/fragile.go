package prober

import (
	"maps"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// fragileWithin is how soon after a probe a device must fall silent for the
// probe to be the likely cause; after fragileAfter passes in a row it is left alone.
const (
	fragileWithin = time.Minute
	fragileAfter  = 2
)

// sleeping are classes of devices that fall silent by themselves: they run on
// batteries, leave the house or are switched off.
var sleeping = []string{
	"car", "computer", "console", "doorbell", "keypad", "lock", "media", "phone", "printer", "remote", "sensor",
	"speaker", "tablet", "tv", "vacuum",
}

// noteOnline takes in whether the device is away now.
func (p *Prober) noteOnline(s *subject, away bool) {
	fell := away && !s.away
	s.away = away
	if !fell || s.struck || s.probed.IsZero() || p.opt.Now().Sub(s.probed) > fragileWithin {
		return
	}
	if class, _ := fact.DeviceClass.Get(s.evidence); slices.Contains(sleeping, class) {
		return
	}
	s.struck = true
	if s.strikes++; s.strikes >= fragileAfter {
		p.fragile[s.device.ID] = true
		p.opt.Log.Warn("device falls silent when it is probed, left alone from now on", "device", s.device.ID)
	}
}

// noteProbed notes that a device was sent something just now.
func (p *Prober) noteProbed(id discovery.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.subjects[id]; s != nil {
		s.probed = p.opt.Now()
	}
}

// Fragile returns the devices that are left alone because they fell silent
// within a minute after being asked, twice in a row; sorted.
func (p *Prober) Fragile() []discovery.ID {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(maps.Keys(p.fragile))
}

// Restore takes up the devices that an earlier run left alone. Call it before Run.
func (p *Prober) Restore(fragile []discovery.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range fragile {
		p.fragile[id] = true
	}
}

// Clear lets a device be asked again that was left alone: the owner's word.
func (p *Prober) Clear(id discovery.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.fragile, id)
	if s := p.subjects[id]; s != nil {
		s.strikes, s.struck = 0, false
		p.plan(s)
	}
	p.wakeUp()
}
