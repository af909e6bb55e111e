package ssdp

import (
	"errors"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/koron/go-ssdp"
	"golang.org/x/time/rate"

	"github.com/thingwarden/thingwarden/discovery"
)

const (
	// floodRate is how many packets a second, and floodBurst how many at once,
	// are too many: the Monitor starts a goroutine for each.
	floodRate  = 1000
	floodBurst = 2000
	// floodRest is how long it is then switched off.
	floodRest = 30 * time.Second
	// startFor is how long a Monitor has to start before it is closed: its
	// goroutine reads what Close takes away, and would crash the program.
	startFor = 100 * time.Millisecond
)

// listener hears announcements. Only one goroutine may call it, but hear and
// count, which the Monitor's goroutines call.
type listener struct {
	gate  *gate
	env   discovery.Env
	flood chan struct{} // signalled when too much comes in

	monitor *ssdp.Monitor
	started time.Time
	rest    time.Time
	problem string

	mu      sync.Mutex
	packets *rate.Limiter
}

// start listens on the networks' interfaces, unless it does so already, and
// reports whether it does so again after a flood.
func (l *listener) start(networks []discovery.Network) (again bool) {
	if l.monitor != nil || len(networks) == 0 || time.Now().Before(l.rest) {
		return false
	}
	var interfaces []net.Interface
	for _, w := range networks {
		ifi, err := net.InterfaceByIndex(w.Index)
		if err == nil && !slices.ContainsFunc(interfaces, func(i net.Interface) bool { return i.Index == ifi.Index }) {
			interfaces = append(interfaces, *ifi)
		}
	}
	if len(interfaces) == 0 {
		return false
	}
	l.mu.Lock()
	l.packets = rate.NewLimiter(floodRate, floodBurst)
	l.mu.Unlock()
	// The package knows no other way; it reads this in Start and nowhere else.
	ssdp.Interfaces = interfaces
	m := &ssdp.Monitor{
		Alive: func(m *ssdp.AliveMessage) {
			l.receive(m.From, message{kind: m.Type, location: m.Location, server: m.Server})
		},
		Bye:    func(*ssdp.ByeMessage) { l.count() },
		Search: func(*ssdp.SearchMessage) { l.count() },
	}
	err := m.Start()
	ssdp.Interfaces = nil
	if err != nil {
		l.setHealth("Thingwarden cannot listen on UDP port 1900, so it misses the announcements of UPnP devices.")
		l.env.Log.Debug("SSDP monitor did not start", "error", err)
		return false
	}
	again = !l.rest.IsZero()
	l.monitor, l.started, l.rest = m, time.Now(), time.Time{}
	l.setHealth("")
	return again
}

// stop stops listening; what is being handled may still be passed on.
func (l *listener) stop() {
	if l.monitor != nil {
		time.Sleep(time.Until(l.started.Add(startFor)))
		_ = l.monitor.Close()
		l.monitor = nil
	}
}

// flooded stops listening for a while. Searches go on.
func (l *listener) flooded() {
	l.stop()
	l.rest = time.Now().Add(floodRest)
	l.setHealth("A machine floods the network with UPnP announcements, so Thingwarden ignores them for the moment.")
}

func (l *listener) setHealth(problem string) {
	if problem == l.problem {
		return
	}
	l.problem = problem
	if problem == "" {
		l.env.Health(discovery.OK, "")
		return
	}
	l.env.Health(discovery.Degraded, problem)
}

func (l *listener) receive(from net.Addr, m message) {
	if !l.count() {
		return
	}
	if sender, ok := l.gate.admits(from); ok {
		m.from = sender
		l.gate.pass(m)
	}
}

// count counts a packet and reports whether there is time for it.
func (l *listener) count() bool {
	l.mu.Lock()
	ok := l.packets.Allow()
	l.mu.Unlock()
	if !ok {
		select {
		case l.flood <- struct{}{}:
		default:
		}
	}
	return ok
}

func isClosed(err error) bool { return errors.Is(err, net.ErrClosed) }
