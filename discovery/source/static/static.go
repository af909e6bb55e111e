// Package static is the source of what the owner says of single devices in the
// configuration.
//
// A device that is named by a strong identifier exists because the owner says
// so, even if no other source has seen it. What the owner says is never a sign
// of life. An entry with an IP address describes whatever device has that
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
	Name: name, Title: "Your device list",
	Doc:  "Takes names and classes of devices from the owner's configuration (devices); sends nothing.",
	Rank: discovery.RankOwner, Role: discovery.Opinion,
	Default: func() discovery.SourceConfig { return &Config{} },
}

// Config is empty: what the owner says of devices is Env.Devices.
type Config struct{}

const (
	name = "static"
	// every is how often the owner's words are reported again: a device that
	// was forgotten may be back, and an address may have another owner.
	every = time.Minute
)

type source struct{ observations []discovery.Observation }

// Validate implements discovery.SourceConfig.
func (*Config) Validate() error { return nil }

// New refuses entries that cannot be understood, all of them in one error.
func (*Config) New(env discovery.Env) (discovery.Source, error) {
	s := &source{}
	var errs []error
	seen := map[discovery.Identifier]int{}
	for n, d := range env.Devices {
		o, err := observation(d, env.Now())
		if err != nil {
			errs = append(errs, fmt.Errorf("devices[%d]: %w", n, err))
			continue
		}
		if first, twice := seen[o.About[0]]; twice {
			errs = append(errs, fmt.Errorf("devices[%d]: match: %q is the device of devices[%d] again", n, d.Match, first))
			continue
		}
		seen[o.About[0]] = n
		s.observations = append(s.observations, o)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return s, nil
}

func observation(d discovery.OwnerDevice, now time.Time) (discovery.Observation, error) {
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

// Run reports the owner's words at once and again every minute.
func (s *source) Run(ctx context.Context, report func(discovery.Observation)) error {
	again := time.NewTicker(every)
	defer again.Stop()
	for {
		for _, o := range s.observations {
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
