// Package static is the source of what the owner says of single devices in the
// configuration.
//
// A device that is named by a strong identifier exists because the owner says
// so, even if no other source has seen it. What the owner says is never a sign
// of life. An entry with an IP address speaks only of whatever device has that
// address at the time. It is not this package's job to read the configuration
// file.
package static

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// Kind is the source of the devices that the owner lists.
var Kind = discovery.SourceKind{
	Name: name,
	Doc:  "Takes names and classes of devices from the owner's configuration; asks nobody.",
	New:  newSource,
}

// Config is the configuration of the source.
type Config struct{ Devices []Device }

// Device is what the owner says of one device.
type Device struct {
	Match string // as discovery.ParseID reads it
	Name  string // "" leaves the name to others
	Class string // a value of fact.DeviceClass; "" leaves it to others
}

const (
	name = "static"
	// every is how often the owner's words are told again: a device that
	// everybody had forgotten may be back, and an address may have another owner.
	every = time.Minute
)

type source struct{ said []discovery.Observation }

// newStatic refuses entries that cannot be understood, all of them in one error.
func newSource(cfg any, env discovery.Env) (discovery.Source, error) {
	c, ok := cfg.(Config)
	if !ok {
		return nil, fmt.Errorf("configuration of type %T, want Config", cfg)
	}
	s := &source{}
	var errs []error
	seen := map[discovery.Identifier]int{}
	for n, d := range c.Devices {
		o, err := d.observation(env.Now())
		if err != nil {
			errs = append(errs, fmt.Errorf("devices[%d]: %w", n, err))
			continue
		}
		if first, twice := seen[o.About[0]]; twice {
			errs = append(errs, fmt.Errorf("devices[%d]: match: %q is the device of devices[%d] again", n, d.Match, first))
			continue
		}
		seen[o.About[0]] = n
		s.said = append(s.said, o)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return s, nil
}

func (d Device) observation(now time.Time) (discovery.Observation, error) {
	id, ok := discovery.ParseID(d.Match)
	if !ok {
		return discovery.Observation{}, fmt.Errorf("match: %q is no MAC address, IP address, 0x with an IEEE address, or device id", d.Match)
	}
	e := fact.New(name, now)
	if d.Class != "" {
		if classes := fact.Lookup(fact.DeviceClass.Name()).Values; !slices.Contains(classes, d.Class) {
			return discovery.Observation{}, fmt.Errorf("class: %q is none of %s", d.Class, strings.Join(classes, ", "))
		}
		fact.DeviceClass.Set(e, d.Class, "devices: match "+d.Match)
	}
	return discovery.Observation{About: []discovery.Identifier{id}, Name: d.Name, Facts: e, Quiet: true}, nil
}

// Run tells the owner's words at once and again every minute.
func (s *source) Run(ctx context.Context, report func(discovery.Observation)) error {
	again := time.NewTicker(every)
	defer again.Stop()
	for {
		for _, o := range s.said {
			o.Facts = o.Facts.Clone()
			report(o)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-again.C:
		}
	}
}
