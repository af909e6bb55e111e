package prober

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// house is a Prober with devices that refuse everything, inside a bubble of synctest.
type house struct {
	*Prober
	opt   Options
	start time.Time

	mu       sync.Mutex
	probed   []string // "<seconds> <address>:<port>"
	finished []string // "<probe> <last byte of the address>"
	facts    map[discovery.ID]*fact.Evidence
	alive    int // observations that count as a sign of life
	health   []string
}

func newHouse(probes ...*Probe) *house {
	h := &house{start: time.Now(), facts: map[discovery.ID]*fact.Evidence{}}
	h.opt = Options{
		Probes: probes, Touch: Read, PerDevice: 4, PerHouse: 32, Now: time.Now,
		Networks: func() discovery.Networks { return testLAN },
		Dial: func(_ context.Context, to netip.AddrPort) (net.Conn, error) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.probed = append(h.probed, fmt.Sprintf("%v %v", time.Since(h.start).Truncate(time.Second), to))
			return nil, refuse()
		},
		Report: func(o discovery.Observation) {
			h.mu.Lock()
			defer h.mu.Unlock()
			if !o.Quiet {
				h.alive++
			}
			id := discovery.Hub
			if len(o.About) > 0 {
				id = o.About[0].ID()
			}
			for _, by := range o.Facts.FinishedBy() {
				h.finished = append(h.finished, by+" "+string(id))
			}
			if h.facts[id] == nil {
				h.facts[id] = fact.New("test", time.Now())
			}
			for _, e := range o.Facts.Entries() {
				h.facts[id].Put(e)
			}
		},
		Health: func(probe string, s discovery.Status, problem string) {
			h.health = append(h.health, fmt.Sprintf("%s %s %s", probe, s, problem))
		},
	}
	return h
}

func (h *house) run(t *testing.T) (stop func()) {
	h.Prober = New(h.opt)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := h.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	return func() { cancel(); running.Wait() }
}

func (h *house) take() (probed, finished []string) {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	probed, finished = h.probed, h.finished
	h.probed, h.finished = nil, nil
	return probed, finished
}

// probeOn is a probe that asks ports.
func probeOn(name string, ports ...uint16) *Probe {
	return &Probe{
		Name: name, Touch: Connect, Gives: []string{fact.TelnetOpen.Name()}, Every: time.Hour,
		Applies: func(discovery.Device, *fact.Evidence) bool { return true },
		Run: func(ctx context.Context, t *Target, report func(discovery.Observation)) error {
			e := t.Evidence()
			for _, p := range ports {
				_, err := t.Banner(ctx, p)
				if ctx.Err() != nil {
					return ctx.Err()
				}
				fact.TelnetOpen.Set(e, !errors.Is(err, ErrClosed), "")
			}
			report(discovery.Observation{About: t.About(), Facts: e})
			return nil
		},
	}
}

func device(n int) discovery.Device {
	d := testDevice(fmt.Sprintf("192.0.2.%d", n))
	d.ID = discovery.ID(fmt.Sprintf("mac_00005e0053%02x", n))
	d.IDs[0].Value = fmt.Sprintf("00005e0053%02x", n)
	return d
}

func evidence(set func(*fact.Evidence)) *fact.Evidence {
	e := fact.New("test", time.Now())
	if set != nil {
		set(e)
	}
	return e
}

func TestNewDeviceIsProbedAtOnceThenAtItsInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(probeOn("a", 23), probeOn("b", 23, 80))
		defer h.run(t)()
		if done, total := h.Progress(); done != 0 || total != 0 {
			t.Errorf("progress of an empty house %d of %d", done, total)
		}
		d := device(10)
		h.Update(d, evidence(nil))
		probed, finished := h.take()
		// Port 23 is shared by both probes of the pass.
		if diff := cmp.Diff([]string{"0s 192.0.2.10:23", "0s 192.0.2.10:80"}, probed); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"a " + string(d.ID), "b " + string(d.ID)}, finished); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if open, ok := fact.TelnetOpen.Get(h.facts[d.ID]); open || !ok {
			t.Errorf("telnet.open %v, %v", open, ok)
		}
		if done, total := h.Progress(); done != 1 || total != 1 || h.LastPass() != time.Now() {
			t.Errorf("progress %d of %d, last pass %v", done, total, h.LastPass())
		}
		h.Update(d, evidence(nil)) // changes nothing
		time.Sleep(time.Hour - time.Second)
		if probed, _ := h.take(); probed != nil {
			t.Errorf("asked before the interval: %v", probed)
		}
		time.Sleep(time.Hour / 8)
		if probed, _ := h.take(); len(probed) != 2 {
			t.Errorf("asked after the interval: %v", probed)
		}
	})
}

func TestIntervalsAreSpreadAndSteady(t *testing.T) {
	p, seen := &Probe{Every: 8 * time.Hour}, map[time.Duration]bool{}
	for n := range 50 {
		got := interval(p, device(n).ID)
		if got < p.Every || got >= p.Every+time.Hour || got != interval(p, device(n).ID) {
			t.Errorf("interval %v", got)
		}
		seen[got.Truncate(time.Minute)] = true
	}
	if len(seen) < 25 {
		t.Errorf("50 devices share %d moments", len(seen))
	}
}

func TestDevicesThatAreNotProbed(t *testing.T) {
	class := func(c string) func(*fact.Evidence) {
		return func(e *fact.Evidence) { fact.DeviceClass.Set(e, c, "") }
	}
	routed := device(10)
	routed.IDs = []discovery.Identifier{discovery.IP(netip.MustParseAddr("198.51.100.7"))}
	for _, tt := range []struct {
		name   string
		device discovery.Device
		set    func(*fact.Evidence)
		opt    func(*Options)
		probed bool
		why    fact.Why // of the word that the probe gives
	}{
		{"anyone", device(10), nil, nil, true, fact.NotProbed},
		{"medical", device(10), class("medical"), nil, false, fact.NotProbed},
		{"alarm", device(10), class("alarm"), nil, false, fact.NotProbed},
		{"named by the owner", device(10), nil, func(o *Options) {
			o.NeverProbe = func(d discovery.Device, _ *fact.Evidence) bool { return d.ID == device(10).ID }
		}, false, fact.NotProbed},
		{"listen only", device(10), nil, func(o *Options) { o.Touch = Listen }, false, fact.TouchLevel},
		{"no connections", device(10), nil, func(o *Options) { o.PerHouse = 0 }, false, fact.TouchLevel},
		{"no connections to a device", device(10), nil, func(o *Options) { o.PerDevice = 0 }, false, fact.TouchLevel},
		{"owner allows less", device(10), nil, func(o *Options) {
			o.DeviceTouch = func(discovery.Device) (Touch, bool) { return Listen, true }
		}, false, fact.TouchLevel},
		{"owner allows more", device(10), nil, func(o *Options) {
			o.Touch, o.DeviceTouch = Listen, func(discovery.Device) (Touch, bool) { return Read, true }
		}, true, fact.NotProbed},
		{"away", device(10), func(e *fact.Evidence) { fact.DeviceOnline.Set(e, false, "") }, nil, false, fact.NotProbed},
		{"outside the networks", routed, nil, nil, false, fact.NotProbed},
		{"left alone by an earlier run", device(11), nil, nil, false, fact.NotProbed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(probeOn("a", 23))
				if tt.opt != nil {
					tt.opt(&h.opt)
				}
				defer h.run(t)()
				h.Restore([]discovery.ID{device(11).ID})
				e := evidence(tt.set)
				if n, _ := h.Pending(tt.device, e).Entry(fact.TelnetOpen.Name()); n.Why != tt.why || n.By != "a" {
					t.Errorf("pending: %+v, want %v", n, tt.why)
				}
				h.Update(tt.device, e)
				if probed, _ := h.take(); (len(probed) > 0) != tt.probed {
					t.Errorf("asked %v", probed)
				}
				if done, total := h.Progress(); done != total {
					t.Errorf("progress %d of %d", done, total)
				}
			})
		})
	}
}

func TestApplicable(t *testing.T) {
	read := probeOn("read", 80)
	read.Touch, read.Gives = Read, []string{fact.HTTPOpen.Name(), fact.TelnetOpen.Name()}
	never := probeOn("never", 1)
	never.Applies = func(discovery.Device, *fact.Evidence) bool { return false }
	panics := probeOn("panics", 1)
	panics.Applies = func(discovery.Device, *fact.Evidence) bool { panic("x") }
	done := probeOn("done", 1)
	done.Gives = []string{fact.TelnetPort.Name()}
	e := evidence(func(e *fact.Evidence) { e.Finish("done") })
	got := Applicable([]*Probe{read, probeOn("telnet", 23), never, panics, done}, device(10), e, Connect).Entries()
	want := []fact.Entry{
		{Name: fact.HTTPOpen.Name(), By: "read", Why: fact.TouchLevel},
		{Name: fact.TelnetOpen.Name(), By: "telnet", Why: fact.NotProbed},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRecheckClearAndRemove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(probeOn("a", 23))
		defer h.run(t)()
		d := device(10)
		h.Update(d, evidence(nil))
		h.take()
		time.Sleep(time.Second)
		h.Recheck(d.ID)
		if probed, _ := h.take(); len(probed) != 1 {
			t.Errorf("after recheck asked %v", probed)
		}
		h.Update(d, evidence(func(e *fact.Evidence) { fact.DeviceOnline.Set(e, false, "") }))
		time.Sleep(2 * time.Hour)
		if probed, _ := h.take(); len(probed) != 0 {
			t.Errorf("while away asked %v", probed)
		}
		h.Recheck(d.ID)
		if probed, _ := h.take(); len(probed) != 1 {
			t.Errorf("after recheck while away asked %v", probed)
		}
		h.Update(d, evidence(func(e *fact.Evidence) { fact.DeviceOnline.Set(e, true, "") }))
		h.Remove(d.ID)
		h.Recheck(d.ID)
		time.Sleep(2 * time.Hour)
		if probed, _ := h.take(); len(probed) != 0 {
			t.Errorf("after its removal asked %v", probed)
		}
	})
}

// A refusal is a sign of life, silence is none.
func TestSilenceIsNoSignOfLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(probeOn("a", 23))
		refuses := h.opt.Dial
		h.opt.Dial = func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
			if to.Addr() == testAddr {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return refuses(ctx, to)
		}
		defer h.run(t)()
		h.Update(device(10), evidence(nil))
		time.Sleep(time.Minute)
		if _, finished := h.take(); len(finished) != 1 || h.alive != 0 {
			t.Errorf("after silence: finished %v, %d signs of life", finished, h.alive)
		}
		h.Update(device(11), evidence(nil))
		if _, finished := h.take(); len(finished) != 1 || h.alive != 1 {
			t.Errorf("after a refusal: finished %v, %d signs of life", finished, h.alive)
		}
	})
}

// A pass that is under way stops at once when its device goes or the agent ends.
func TestStopInThePass(t *testing.T) {
	for _, how := range []string{"remove", "end"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(probeOn("a", 23))
				h.opt.Dial = func(ctx context.Context, _ netip.AddrPort) (net.Conn, error) {
					<-ctx.Done()
					return nil, ctx.Err()
				}
				stop := h.run(t)
				defer stop()
				h.Update(device(10), evidence(nil))
				time.Sleep(time.Second)
				if how == "remove" {
					h.Remove(device(10).ID)
				} else {
					stop()
				}
				if _, finished := h.take(); finished != nil || time.Since(h.start) != time.Second {
					t.Errorf("finished %v after %v", finished, time.Since(h.start))
				}
			})
		})
	}
}

func TestRestoredEvidenceIsNotProbedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(probeOn("a", 23))
		defer h.run(t)()
		e := fact.New("a", time.Now().Add(-30*time.Minute))
		fact.TelnetOpen.Set(e, false, "")
		e.Finish("a")
		h.Update(device(10), e)
		if probed, _ := h.take(); len(probed) != 0 {
			t.Errorf("asked %v", probed)
		}
		time.Sleep(30*time.Minute + time.Hour/8)
		if probed, _ := h.take(); len(probed) != 1 {
			t.Errorf("asked %v", probed)
		}
	})
}

// The owner's word counts at once also where an earlier run looked not long ago, and
// for a device that has been away ever since.
func TestRecheckOfADeviceThatWasAwayFromTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(probeOn("a", 23))
		defer h.run(t)()
		e := fact.New("a", time.Now().Add(-30*time.Minute))
		fact.TelnetOpen.Set(e, false, "")
		fact.DeviceOnline.Set(e, false, "")
		e.Finish("a")
		h.Update(device(10), e)
		h.take()
		h.Recheck(device(10).ID)
		if probed, _ := h.take(); len(probed) != 1 {
			t.Errorf("asked %v", probed)
		}
	})
}

// A probe that applies by what another one learned runs in the same pass.
func TestProbesOfOnePassSeeEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := probeOn("a", 80)
		first.Applies = func(_ discovery.Device, e *fact.Evidence) bool { _, ok := fact.TelnetOpen.Get(e); return ok }
		h := newHouse(first, probeOn("b", 80))
		defer h.run(t)()
		h.Update(device(10), evidence(nil))
		probed, finished := h.take()
		if len(probed) != 1 || len(finished) != 2 || !strings.HasPrefix(finished[1], "a ") {
			t.Errorf("asked %v, finished %v", probed, finished)
		}
	})
}

func TestADefectiveProbeHarmsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := probeOn("bad")
		broken := true
		bad.Run = func(context.Context, *Target, func(discovery.Observation)) error {
			if broken {
				panic("index out of range")
			}
			return nil
		}
		bad.Gives = []string{fact.HTTPOpen.Name()}
		h := newHouse(bad, probeOn("good", 23))
		defer h.run(t)()
		d := device(10)
		h.Update(d, evidence(nil))
		if _, finished := h.take(); len(finished) != 2 {
			t.Errorf("finished %v", finished)
		}
		if n, _ := h.facts[d.ID].Entry(fact.HTTPOpen.Name()); n.Why != fact.Unreadable {
			t.Errorf("word of the defective probe: %+v", n)
		}
		broken = false
		h.Recheck(d.ID)
		h.take()
		want := []string{`bad degraded The check "bad" failed on 1 devices, mac_00005e00530a among them: panic: index out of range.`, "bad ok "}
		if diff := cmp.Diff(want, h.health); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
