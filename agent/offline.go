package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/thingwarden/thingwarden/agent/config"
	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/source"
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
	c, err := offlineCore(cfg, set, now)
	if err != nil {
		return nil, err
	}
	c.judge(now)
	return c.snapshot(cfg.Site, version, "", now), nil
}

// DecideOffline carries out a decision while no agent runs: when it returns nil,
// the decision is on disk and the next agent follows it.
func DecideOffline(cfg config.Config, cmd Command) (err error) {
	if cmd.Action == Recheck {
		return errors.New("only a running agent can look again")
	}
	set, err := LoadPolicies(cfg)
	if err != nil {
		return err
	}
	s, err := openStore(cfg.StateDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	now := time.Now()
	c, err := offlineCore(cfg, set, now)
	if err != nil {
		return err
	}
	c.judge(now)
	if err := c.decide(cmd, now); err != nil {
		return err
	}
	b, err := json.MarshalIndent(c.dec, "", " ")
	if err != nil {
		return fmt.Errorf("saving the decision: %w", err)
	}
	return s.write(decisionsFile, b)
}

// offlineCore is the agent's core as its files tell, looking at no network.
func offlineCore(cfg config.Config, set *policy.Set, now time.Time) (*core, error) {
	dec, err := readDecisions(cfg.StateDir, now)
	if err != nil {
		return nil, err
	}
	st, err := readState(cfg.StateDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s %w", filepath.Join(cfg.StateDir, stateFile), err)
	}
	c := newCore(coreOptions{
		set: set, watch: true, learning: cfg.LearningPeriod, precedence: precedence, dec: dec, state: st,
		pending:  func(discovery.Device, *fact.Evidence) *fact.Evidence { return fact.New("agent", now) },
		networks: func() discovery.Networks { return discovery.Networks{} },
	}, now)
	return c, c.hearOwner(cfg, now)
}

// hearOwner takes in what the owner says of devices that are known. A saved state
// leaves that out, as the owner may have changed it.
func (c *core) hearOwner(cfg config.Config, now time.Time) error {
	sc, enabled := sourceConfig(cfg, source.Static.Name)
	if !enabled {
		return nil
	}
	s, err := source.Static.New(sc, discovery.Env{Now: func() time.Time { return now }})
	if err != nil {
		return err
	}
	once, cancel := context.WithCancel(context.Background())
	cancel()
	return s.Run(once, func(o discovery.Observation) {
		if _, known := c.inv.Find(o.About[0]); known {
			o.By, o.At = source.Static.Name, now
			c.observe(o, now)
		}
	})
}
