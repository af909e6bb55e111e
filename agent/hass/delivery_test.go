package hass

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/agent/broker"
	"github.com/thingwarden/thingwarden/agent/broker/brokertest"
	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
)

// shownHealth is the health that a publisher shows, on a clock that the test moves.
type shownHealth struct {
	mu      sync.Mutex
	now     time.Time
	problem string
	status  discovery.Status
}

func (h *shownHealth) options(o *Options) {
	o.Now = func() time.Time {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.now
	}
	o.Health = func(s discovery.Status, problem string) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.status, h.problem = s, problem
	}
}

func (h *shownHealth) health() (discovery.Status, string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.status, h.problem
}

func (h *shownHealth) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

// TestDeliveryIsVerified: a broker that does not take or give what it should is told
// within a minute, and it is well again by itself when the broker is.
func TestDeliveryIsVerified(t *testing.T) {
	const all = "user thingwarden\ntopic readwrite #\n"
	for _, tt := range []struct{ name, acl, conf, want string }{
		{"configurations may not be written", "user thingwarden\ntopic readwrite thingwarden/#\ntopic read homeassistant/#\n", "", "does not pass on what Thingwarden publishes"},
		{"nothing may be read", "user thingwarden\ntopic write #\n", "", "does not let Thingwarden read its own topics"},
		{"large messages are refused", all, "message_size_limit 2500", "message_size_limit"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			acl := filepath.Join(t.TempDir(), "acl")
			allow := func(s string) {
				if err := os.WriteFile(acl, []byte(s), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			allow(tt.acl)
			m := brokertest.StartMosquittoWith(t, false, "acl_file "+acl+"\n"+tt.conf)
			b := server{config: broker.Config{URL: m.URL(), Username: brokertest.Username, Password: brokertest.Password}}
			h := &shownHealth{now: noon}
			a := startAgent(t, b, Memory{}, func(o *Options) {
				h.options(o)
				o.ReadWithin = 3 * time.Second // of which two must pass within a minute
			})
			s := snapshot()
			s.Events = nil
			began := time.Now()
			for step := 0; ; step++ {
				_ = a.p.Publish(t.Context(), s) // is refused, or seems to go well
				if status, problem := h.health(); status == discovery.Degraded {
					if !strings.Contains(problem, tt.want) {
						t.Fatalf("health says %q, want %q", problem, tt.want)
					}
					break
				}
				if time.Since(began) > 50*time.Second {
					t.Fatal("health says nothing")
				}
				time.Sleep(100 * time.Millisecond)
				if step == 1 {
					h.pass(echoDue + time.Second)
				}
			}
			m.Kill()
			allow(all)
			m.Configure("acl_file " + acl)
			m.Start()
			o := observe(t, b, "observer")
			eventually(t, "well again", func() bool {
				h.pass(time.Second)
				_ = a.p.Publish(t.Context(), s)
				status, _ := h.health()
				return status == discovery.OK
			})
			o.expect(wanted(s))
		})
	}
}

// TestMassDeletionIsNotTheOwners is about threat T10 of the catalogue.
func TestMassDeletionIsNotTheOwners(t *testing.T) {
	brokers(t, func(t *testing.T, b server) {
		h := &shownHealth{now: noon}
		o := observe(t, b, "observer")
		a := startAgent(t, b, Memory{}, h.options)
		s := large(6)
		a.publish(s)
		o.expect(wanted(s))
		// Three are the owner's, one after the other.
		for i := range 3 {
			o.send(at.config(s.Devices[i+1].ID), "", true)
		}
		eventually(t, "hidden", func() bool { return len(a.hidden()) == 3 })
		// The fourth within a minute is somebody else's, and so are those before.
		h.pass(10 * time.Second)
		o.send(at.config(s.Devices[4].ID), "", true)
		o.send(at.config(discovery.Hub), "", true)
		eventually(t, "told", func() bool {
			_, problem := h.health()
			return strings.Contains(problem, "Somebody clears Thingwarden's topics")
		})
		eventually(t, "taken back", func() bool { return len(a.commanded(report.Unhide)) == 3 })
		s = large(6)
		s.At = s.At.Add(time.Minute)
		a.publish(s)
		o.expect(wanted(s))
		if hidden := a.hidden(); len(hidden) != 3 {
			t.Errorf("%v were hidden", hidden)
		}
		// It is over after an hour.
		h.pass(suspectFor)
		a.publish(s)
		if status, problem := h.health(); status != discovery.OK {
			t.Errorf("an hour later health says %q", problem)
		}
	})
}

// Two agents of one site, or somebody who forges on and on, are told in health, and
// that it is over.
func TestTwoAgentsOfOneSiteAreTold(t *testing.T) {
	m := brokertest.StartMosquitto(t, false)
	b := server{config: broker.Config{URL: m.URL(), Username: brokertest.Username, Password: brokertest.Password}}
	first, second := &shownHealth{now: noon}, &shownHealth{now: noon}
	a := startAgent(t, b, Memory{}, first.options)
	other := startAgent(t, b, Memory{}, second.options)
	mine, theirs := large(3), large(4)
	a.publish(mine)
	other.publish(theirs)
	fought := func(h *shownHealth) bool {
		h.pass(50 * time.Millisecond)
		status, problem := h.health()
		return status == discovery.Degraded && strings.Contains(problem, "give each a site of its own")
	}
	eventually(t, "told by the first", func() bool { second.pass(50 * time.Millisecond); return fought(first) })
	eventually(t, "told by the second", func() bool { first.pass(50 * time.Millisecond); return fought(second) })
	other.end()
	eventually(t, "over", func() bool {
		first.pass(time.Second)
		_ = a.p.Publish(t.Context(), mine)
		status, _ := first.health()
		return status == discovery.OK
	})
}
