package agent

import (
	"net/netip"
	"sync"

	"github.com/thingwarden/thingwarden/agent/home"
	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
)

// mailbox takes what must never block whoever says it: counts of what was sent,
// and health. The loop empties it.
type mailbox struct {
	wake chan struct{} // has one element while there is mail

	mu     sync.Mutex // guards everything that follows
	sent   map[netip.Addr]report.Sent
	health map[string]report.Component
}

func newMailbox() *mailbox {
	return &mailbox{wake: make(chan struct{}, 1), sent: map[netip.Addr]report.Sent{}, health: map[string]report.Component{}}
}

func (m *mailbox) addSent(to netip.Addr, packets, connections int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.sent[to]
	m.sent[to] = report.Sent{Packets: n.Packets + packets, Connections: n.Connections + connections}
}

func (m *mailbox) setHealth(name string, s discovery.Status, problem string) {
	m.mu.Lock()
	m.health[name] = report.Component{Name: name, Status: s, Error: problem}
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// empty takes the mail out, as inputs for the home.
func (m *mailbox) empty() (out []home.Input) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for to, n := range m.sent {
		out = append(out, home.Sent{To: to, Sent: n})
	}
	clear(m.sent)
	for _, h := range m.health {
		out = append(out, home.Health(h))
	}
	clear(m.health)
	return out
}
