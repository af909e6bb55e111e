// Package offline is what can be done with the files alone, without a running agent:
// to load the policies, to show what the last agent learned, to decide for the next
// one, and to clear the broker.
//
// It looks at no network. It is not its job to keep the files (package store does).
package offline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/agent/config"
	"github.com/thingwarden/thingwarden/agent/home"
	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/agent/store"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/builtin"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober"
	"github.com/thingwarden/thingwarden/discovery/product"
	"github.com/thingwarden/thingwarden/policy"
)

// ReadSnapshot returns what an agent that does not run any more had learned, as
// its files tell. It changes nothing and needs no lock. Without files it is a
// home with the hub alone.
func ReadSnapshot(cfg config.Config, version string) (*report.Snapshot, error) {
	set, err := LoadPolicies(cfg)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	h, err := offlineHome(cfg, set, version, now)
	if err != nil {
		return nil, err
	}
	return h.Snapshot(now), nil
}

// Decide carries out a decision while no agent runs: when it returns nil,
// the decision is on disk and the next agent follows it.
func Decide(cfg config.Config, d home.Decision) (err error) {
	if do, ok := d.(home.Do); ok && do.Action == report.Recheck {
		return errors.New("only a running agent can look again")
	}
	set, err := LoadPolicies(cfg)
	if err != nil {
		return err
	}
	s, err := store.Open(cfg.StateDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	now := time.Now()
	h, err := offlineHome(cfg, set, "", now)
	if err != nil {
		return err
	}
	dec, errs := h.Preview([]home.Decision{d}, now)
	if errs[0] != nil {
		return errs[0]
	}
	b, err := json.MarshalIndent(dec, "", " ")
	if err != nil {
		return fmt.Errorf("saving the decision: %w", err)
	}
	return s.Write(store.DecisionsFile, b)
}

// offlineHome is the home as its files describe it, looking at no network.
func offlineHome(cfg config.Config, set *policy.Set, version string, now time.Time) (*home.Home, error) {
	dec, err := store.ReadDecisions(cfg.StateDir, now)
	if err != nil {
		return nil, err
	}
	st, err := store.ReadState(cfg.StateDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s %w", filepath.Join(cfg.StateDir, store.StateFile), err)
	}
	cards, err := product.Load()
	if err != nil {
		return nil, err
	}
	h := home.New(home.Options{
		Site: cfg.Site, Version: version, Policies: set, Cards: cards, Watch: true, Learning: cfg.LearningPeriod, Sources: slices.Concat(builtin.Sources, prober.SearchKinds(builtin.Searches)), Decisions: dec, State: st,
		Pending:  func(discovery.Device, *fact.Evidence) *fact.Evidence { return fact.New("agent", now) },
		Networks: func() discovery.Networks { return discovery.Networks{} },
	}, now)
	if err := ApplyOwner(cfg, now, h.Knows, func(in home.Input) { h.Apply(in, now) }); err != nil {
		return nil, err
	}
	h.Apply(home.Tick{}, now)
	return h, nil
}

// ApplyOwner reports what the owner says of devices that are known. A saved state
// leaves that out, as the owner may have changed it.
func ApplyOwner(cfg config.Config, now time.Time, knows func(discovery.Identifier) bool, apply func(home.Input)) error {
	once, cancel := context.WithCancel(context.Background())
	cancel()
	for _, k := range builtin.Sources {
		c := cfg.Sources[k.Name]
		if k.Rank != discovery.RankOwner || !c.Enabled {
			continue
		}
		s, err := c.Config.New(discovery.Env{Now: func() time.Time { return now }, Devices: cfg.OwnerDevices()})
		if err != nil {
			return err
		}
		err = s.Run(once, func(o discovery.Observation) {
			if knows(o.About[0]) {
				o.By, o.At = k.Name, now
				apply(home.Observation{Observation: o})
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}
