package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/agent/control"
	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/lab"
)

// noNetwork switches everything off that looks at the network, so that a start
// takes little time.
const noNetwork = `
sources:
  neighbours: {enabled: false}
  mdns: {enabled: false}
  ssdp: {enabled: false}
  zigbee2mqtt: {enabled: false}
  zwavejs: {enabled: false}
`

const accepted = "new-device" // the policy whose finding is accepted

// cell is one decision that the owner changes again and again: whether a device
// is trusted, or, as its reason, the acceptance of its finding.
type cell struct {
	device discovery.ID
	accept bool
	sure   string   // what was acknowledged last; "" for not trusted or not accepted
	maybe  []string // what was asked for since then without an answer
}

// next is the next decision about the cell and the value that it sets.
func (c *cell) next(n int) (report.Command, string) {
	switch {
	case !c.accept && c.sure == "":
		return report.Command{Action: "trust", Device: c.device}, "trusted"
	case !c.accept:
		return report.Command{Action: "untrust", Device: c.device}, ""
	case c.sure != "" && n%3 == 0:
		return report.Command{Action: "unaccept", Device: c.device, Policy: accepted}, ""
	default:
		reason := fmt.Sprintf("reason %d", n)
		return report.Command{Action: "accept", Device: c.device, Policy: accepted, Reason: reason}, reason
	}
}

// decider makes decisions about cells of its own, one after the other.
type decider struct {
	name  string
	cells []*cell
	send  func(context.Context, report.Command) error
	ready func(context.Context) bool
	n     int // decisions asked for
	acked int
}

// run decides until ctx is done or the agent is gone.
func (d *decider) run(ctx context.Context, t *testing.T) {
	if !d.ready(ctx) {
		return
	}
	for ctx.Err() == nil {
		d.n++
		c := d.cells[d.n%len(d.cells)]
		cmd, value := c.next(d.n)
		err := d.send(ctx, cmd)
		switch {
		case err == nil:
			c.sure, c.maybe = value, nil
			d.acked++
		case errors.Is(err, control.ErrNotRunning):
			return
		case strings.Contains(err.Error(), "there is no device"):
			time.Sleep(time.Millisecond) // the sources have not told of it yet
		case errors.Is(err, errRefused):
			t.Errorf("%s: %+v: %v", d.name, cmd, err)
			return
		default:
			c.maybe = append(c.maybe, value)
			return
		}
	}
}

// crash is an agent that is killed again and again while decisions are made.
type crash struct {
	t        *testing.T
	agent    *agent
	deciders []*decider
	kills    int
	rough    int // among them: while it was ending by itself
	early    int // among them: while it was starting
	lost     int
	restarts []time.Duration
}

func newCrash(t *testing.T, config string) *crash {
	t.Helper()
	l := lab.New(t)
	m := startBroker(t, l)
	c := &crash{t: t}
	config += brokerConfig(m) + "learning_period: 0\nlog: {level: warn}\ndevices:\n"
	number := 0
	cells := func() (out []*cell) {
		for _, accept := range []bool{false, true, false, true, false, true} {
			number++
			config += fmt.Sprintf("  - {match: \"24:0a:c4:00:00:%02x\", name: Device %d}\n", number, number)
			out = append(out, &cell{device: discovery.ID(fmt.Sprintf("mac_240ac40000%02x", number)), accept: accept})
		}
		return out
	}
	o := newOwner(t, m)
	overMQTT := &decider{name: "MQTT", cells: cells(), ready: o.waitReady, send: func(ctx context.Context, cmd report.Command) error {
		return o.do(ctx, map[string]any{"action": cmd.Action, "device": cmd.Device, "policy": cmd.Policy, "reason": cmd.Reason})
	}}
	bySocket := &decider{name: "socket", cells: cells()}
	c.deciders = []*decider{overMQTT, bySocket}
	c.agent = &agent{t: t, hub: l.Hub(), dir: t.TempDir(), file: filepath.Join(t.TempDir(), "thingwarden.yaml")}
	c.agent.configure(config)
	client := control.NewClient(c.agent.dir)
	bySocket.ready = func(ctx context.Context) bool { return c.waitControl(ctx, client) }
	bySocket.send = func(ctx context.Context, cmd report.Command) error {
		err := client.Do(ctx, cmd)
		if err != nil && !errors.Is(err, control.ErrNotRunning) && !strings.Contains(err.Error(), "the agent's answer") && !strings.Contains(err.Error(), "asking the running agent") {
			return fmt.Errorf("%w: %w", errRefused, err)
		}
		return err
	}
	return c
}

func (c *crash) waitControl(ctx context.Context, client *control.Client) bool {
	for ctx.Err() == nil {
		if _, err := client.Health(ctx); err == nil {
			return true
		}
		time.Sleep(2 * time.Millisecond)
	}
	return false
}

// cycle starts the agent, checks that what was decided before is in force, and
// kills it while decisions are made.
func (c *crash) cycle() {
	c.t.Helper()
	began := time.Now()
	c.agent.start()
	if rand.N(8) == 0 {
		c.early++
		time.Sleep(rand.N(150 * time.Millisecond))
		c.kill()
		return
	}
	c.checkForce()
	c.restarts = append(c.restarts, time.Since(began))
	ctx, cancel := context.WithCancel(c.t.Context())
	var all sync.WaitGroup
	for _, d := range c.deciders {
		all.Go(func() { d.run(ctx, c.t) })
	}
	time.Sleep(20*time.Millisecond + rand.N(150*time.Millisecond))
	if rand.N(4) == 0 {
		c.rough++
		_ = c.agent.Signal(syscall.SIGTERM) // it also writes all that it learned
		time.Sleep(rand.N(20 * time.Millisecond))
	}
	c.agent.Kill()
	time.Sleep(5 * time.Millisecond) // answers that were given are on their way
	cancel()
	all.Wait()
	c.kill()
}

// kill kills the agent, if it was not before, and checks what it left.
func (c *crash) kill() {
	c.t.Helper()
	c.agent.Kill()
	c.kills++
	temp, err := filepath.Glob(filepath.Join(c.agent.dir, ".*.tmp-*"))
	if err != nil || len(temp) > 1 {
		c.t.Errorf("temporary files %v, want at most the one that was being written (%v)", temp, err)
	}
	if aside, _ := filepath.Glob(filepath.Join(c.agent.dir, "*unusable*")); len(aside) > 0 {
		c.t.Fatalf("a file could not be read: %v", aside)
	}
	c.settle(c.onDisk())
}

// onDisk reads the file as it is.
func (c *crash) onDisk() func(*cell) string {
	c.t.Helper()
	var f struct {
		Devices map[discovery.ID]struct {
			Trusted  bool
			Accepted map[string]struct{ Reason string }
		}
	}
	b, err := os.ReadFile(filepath.Join(c.agent.dir, "decisions.json"))
	if errors.Is(err, os.ErrNotExist) {
		return func(*cell) string { return "" } // killed before the first
	}
	if err == nil {
		err = json.Unmarshal(b, &f)
	}
	if err != nil {
		c.t.Fatalf("the decisions can't be read: %v\n%s", err, b)
	}
	return func(x *cell) string {
		d := f.Devices[x.device]
		switch {
		case x.accept:
			return d.Accepted[accepted].Reason
		case d.Trusted:
			return "trusted"
		default:
			return ""
		}
	}
}

// settle checks every decision, and takes what is there as what was decided.
func (c *crash) settle(is func(*cell) string) {
	c.t.Helper()
	for _, d := range c.deciders {
		for _, x := range d.cells {
			got := is(x)
			if got != x.sure && !slices.Contains(x.maybe, got) {
				c.lost++
				c.t.Errorf("kill %d: %s is %q, acknowledged was %q, asked for later %q", c.kills, x.device, got, x.sure, x.maybe)
			}
			x.sure, x.maybe = got, nil
		}
	}
}

// checkForce waits until the restarted agent shows all decisions that were on
// disk.
func (c *crash) checkForce() {
	c.t.Helper()
	client := control.NewClient(c.agent.dir)
	var s *report.Snapshot
	differs := "nothing"
	deadline := time.Now().Add(20 * time.Second)
	for differs != "" {
		if time.Now().After(deadline) {
			c.t.Fatalf("after kill %d the restarted agent does not follow: %s", c.kills, differs)
		}
		var err error
		if s, err = client.Snapshot(c.t.Context()); err != nil {
			differs = err.Error()
			time.Sleep(2 * time.Millisecond)
			continue
		}
		differs = c.differs(s)
	}
}

func (c *crash) differs(s *report.Snapshot) string {
	for _, d := range c.deciders {
		for _, x := range d.cells {
			shown := s.Device(x.device)
			if shown == nil {
				return string(x.device) + " is not there"
			}
			got := ""
			if !x.accept && shown.Trusted {
				got = "trusted"
			}
			for _, f := range shown.Findings {
				if x.accept && f.Policy.ID == accepted && f.Acceptance != nil {
					got = f.Acceptance.Reason
				}
			}
			if got != x.sure {
				return fmt.Sprintf("%s is %q, decided was %q", x.device, got, x.sure)
			}
		}
	}
	return ""
}

func (c *crash) report() {
	c.t.Helper()
	acked, probes := 0, 0
	for _, d := range c.deciders {
		acked, probes = acked+d.acked, probes+d.n
		if d.acked == 0 {
			c.t.Errorf("no decision by %s was acknowledged", d.name)
		}
	}
	slices.Sort(c.restarts)
	c.t.Logf("%d kills (%d while starting, %d while ending): %d decisions asked for, %d acknowledged, %d lost; median from start to decisions in force %v",
		c.kills, c.early, c.rough, probes, acked, c.lost, c.restarts[len(c.restarts)/2].Round(time.Millisecond))
}

// TestKill kills the agent 200 times at random moments while decisions are made
// over MQTT and the control socket: none that was acknowledged is lost.
func TestKill(t *testing.T) {
	for _, tt := range []struct {
		name, config string
		kills        int
	}{
		{"without network", noNetwork, 180},
		{"with all sources", "", 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCrash(t, tt.config)
			for range tt.kills {
				c.cycle()
			}
			c.report()
		})
	}
}
