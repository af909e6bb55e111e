package discovery

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"time"
)

// Source learns of many devices at once, for as long as it runs.
type Source interface {
	// Run reports what it sees until ctx is done, then returns nil. Any other
	// return is a failure: the agent shows it as health, marks what the source
	// said as unknown and restarts it with backoff. Report may block, and must
	// not be called after Run has returned. Run leaves no goroutine behind.
	Run(ctx context.Context, report func(Observation)) error
}

// Env is what the agent gives to sources. Of its functions only Supervisor may be
// nil.
type Env struct {
	Log *slog.Logger
	Now func() time.Time
	// MQTT is the agent's one session; nil when no broker is configured.
	MQTT MQTT
	// ListenOnly means that nothing may be sent to any device.
	ListenOnly bool
	// Devices are what the owner says of single devices in the configuration.
	Devices []OwnerDevice
	// Supervisor returns the WebSocket address and the token of the Home Assistant
	// whose app the agent is; nil if it is none.
	Supervisor func() (socket, token string)
	// Networks returns what may be looked at, as it is now.
	Networks func() Networks
	// Owners returns which devices have which addresses, as far as both are known:
	// addresses that the kernel or a connection has shown, and the strong
	// identifiers after which the devices are named. Nobody changes the map.
	Owners func() map[netip.Addr]Identifier
	// Health tells how the source is: what it cannot see, or that it is well
	// again. It is shown to the owner: one plain sentence. Call it on change.
	Health func(status Status, problem string)
	// Routed tells the IPv4 networks of the home that a source knows of from
	// somebody who is in them, in place of those told before. They may be asked if
	// nothing of the home is directly connected.
	Routed func(networks []netip.Prefix)
	// Pause is how long no further datagram may be sent, since the home has had
	// its share of this second from all sources together; 0 if one may go. Who
	// sends many asks before each; Sent takes from the share.
	Pause func() time.Duration
	// Connection waits until one more connection may be opened to the home's devices,
	// of which those of probes count too; the error is that of the context.
	Connection func(ctx context.Context) error
	// Sent counts what was sent to a device; every packet and connection that a
	// source causes is counted. An invalid address counts for the whole home.
	Sent func(to netip.Addr, packets, connections int)
}

// MQTT is the part of the MQTT session that sources use. Sources never publish.
type MQTT interface {
	// Subscribe calls fn for each message on a topic that matches the filter,
	// retained ones first, in order, one at a time, until cancel is called. It
	// survives reconnects: after one, retained messages come again. Fn must not
	// block for long.
	Subscribe(filter string, qos byte, fn func(Message)) (cancel func())
	// Connected reports whether the broker is there now, and calls fn on each
	// change until cancel is called.
	Connected(fn func(up bool)) (now bool, cancel func())
}

// Message is an MQTT message. The payload must not be changed.
type Message struct {
	Topic    string
	Payload  []byte
	Retained bool
}

// Status is the health of a part of the agent.
type Status string

// The states of health.
const (
	OK       Status = "ok"
	Degraded Status = "degraded" // works, but cannot see everything
	Down     Status = "down"
)

// Networks says which networks are looked at.
type Networks struct {
	Watched []Network
	Skipped []Skipped
	// Gateways are the addresses by which the hub reaches the Internet, as far as
	// they lie in networks that are looked at; empty where the system does not
	// tell.
	Gateways []netip.Addr
	// Routed are private IPv4 networks of the home in which the hub has no address:
	// their devices are asked as those of the others are, but nothing in them is
	// heard or resolved.
	Routed []netip.Prefix
	// Swept are those of Routed in which every address is tried: named by the owner,
	// /22 or longer, the first four.
	Swept []netip.Prefix

	// Near are the networks of interfaces that are not looked at.
	Near []netip.Prefix
}

// Network is an on-link prefix that is looked at.
type Network struct {
	Interface string       // name
	Index     int          // of the interface
	Prefix    netip.Prefix // masked
	Own       netip.Addr   // the hub's address in it
}

// Skipped is an interface or prefix that is not looked at, and why, in plain words.
type Skipped struct {
	Interface string
	Prefix    netip.Prefix // zero if the whole interface is skipped
	Reason    string
}

// OnLink returns the network in which an address lies, and whether there is one.
// A zone is taken as the name or index of the interface.
func (n Networks) OnLink(a netip.Addr) (Network, bool) {
	zone := a.Zone()
	plain := a.Unmap().WithZone("")
	for _, w := range n.Watched {
		if w.Prefix.Contains(plain) && (zone == "" || zone == w.Interface) {
			return w, true
		}
	}
	return Network{}, false
}

// Routes reports whether the address lies in a network of Routed.
func (n Networks) Routes(a netip.Addr) bool {
	return slices.ContainsFunc(n.Routed, func(p netip.Prefix) bool { return p.Contains(a) })
}

// Own reports whether the address is one of the hub's own on these networks.
func (n Networks) Own(a netip.Addr) bool {
	plain := a.Unmap().WithZone("")
	for _, w := range n.Watched {
		if w.Own == plain {
			return true
		}
	}
	return false
}
