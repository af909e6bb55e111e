package zwavejs

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/delta"
	"github.com/thingwarden/thingwarden/discovery/internal/loosejson"
	"github.com/thingwarden/thingwarden/discovery/internal/wsjson"
)

const (
	// refresh is how often everything is reported again, so that facts that age stay.
	refresh = 12 * time.Hour
	// lifeEvery is how often a node that talks is reported as alive.
	lifeEvery = time.Minute
	// badFrameShown is how long a frame that could not be read shows in the health.
	badFrameShown = 10 * time.Minute

	including = 1 // of inclusionState; 4 is SmartStart, which waits for known devices only
	dead      = 3 // of a node's status
)

// network is one Z-Wave network, as its server shows it. But for its url and
// name it is pure: frames and time in, observations out.
type network struct {
	url  *url.URL
	name string // of the url, without secrets

	// expected says that it is a problem when the server is not there.
	expected  bool
	connected bool
	err       error  // why the last connection ended; nil while connected
	spoilt    string // of the state that could not be read
	badFrame  string
	badAt     time.Time

	home      string
	own       int64
	inclusion loosejson.Flag
	proof     string // of inclusion
	nodes     map[int64]node
	heard     map[int64]time.Time
	reported  delta.Memory // by identifier
	refresh   time.Time
}

func newNetwork(u *url.URL) *network {
	return &network{url: u, name: redact(u.String()), nodes: map[int64]node{}, heard: map[int64]time.Time{}}
}

// got is what came of a frame.
type got struct {
	observations []discovery.Observation
	refresh      int64 // node whose state should be read again; 0 if none
	restart      bool  // the state must be read anew
}

// problem says what could not be read; empty if nothing.
func (n *network) problem() string {
	return strings.Join(slices.DeleteFunc([]string{n.spoilt, n.badFrame}, func(s string) bool { return s == "" }), "; ")
}

// replace takes the whole state in place of what was known.
func (n *network) replace(s fullState, now time.Time) []discovery.Observation {
	if n.home != s.home() {
		clear(n.nodes) // another stick: its nodes are others, whatever their numbers
	}
	n.home, n.own = s.home(), s.Own
	n.refresh = now.Add(refresh)
	old := n.nodes
	n.nodes = make(map[int64]node, len(s.Nodes))
	for _, x := range s.Nodes {
		n.nodes[x.ID] = x
	}
	if s.Spoilt != "" { // an entry that could not be read may be any of them
		for id, x := range old {
			if _, ok := n.nodes[id]; !ok {
				n.nodes[id] = x
			}
		}
	}
	n.setInclusion(s.Inclusion)
	return n.observe(false, now)
}

func (n *network) setInclusion(state loosejson.Number) {
	n.inclusion = loosejson.Flag{Value: state.Value == including, Known: state.Known}
	n.proof = fmt.Sprintf("controller inclusionState=%.0f", state.Value)
}

// lose is called when the connection has ended: what changes by the minute is
// then unknown.
func (n *network) lose(now time.Time) []discovery.Observation {
	n.connected = false
	n.inclusion = loosejson.Flag{}
	return n.observe(false, now)
}

// tick does what is due.
func (n *network) tick(now time.Time) []discovery.Observation {
	if n.badFrame != "" && now.Sub(n.badAt) >= badFrameShown {
		n.badFrame = ""
	}
	if n.refresh.IsZero() || now.Before(n.refresh) {
		return nil
	}
	n.refresh = now.Add(refresh)
	n.reported.RepeatAll()
	return n.observe(true, now)
}

// frame takes a frame that came after the state. One that cannot be read changes
// nothing but the health.
func (n *network) frame(b []byte, now time.Time) got {
	f, err := decodeFrame(b)
	if err == nil {
		var g got
		if g, err = n.apply(f, now); err == nil {
			return g
		}
	}
	n.badFrame, n.badAt = "a message could not be read: "+fact.Clean(err.Error(), 120), now
	return got{}
}

func (n *network) apply(f frame, now time.Time) (got, error) {
	switch f.Type {
	case "event":
		switch e := f.Event.Value; e.Source {
		case "controller":
			return n.controllerEvent(e, now)
		case "node":
			return n.nodeEvent(e, now)
		case "driver":
			return got{restart: e.Event == "driver ready"}, nil
		}
	case "result":
		if f.MessageID == "node" && f.ok() {
			return n.nodeResult(f, now)
		}
	}
	return got{}, nil
}

func (n *network) controllerEvent(e event, now time.Time) (got, error) {
	switch e.Event {
	case "inclusion state changed":
		n.setInclusion(e.State)
	case "inclusion started":
		n.inclusion, n.proof = loosejson.Flag{Value: true, Known: true}, "event inclusion started"
	case "inclusion stopped", "inclusion failed":
		n.inclusion, n.proof = loosejson.Flag{Known: true}, "event "+string(e.Event)
	case "node added":
		x, ok := e.Node.Value.node()
		if !ok {
			return got{}, fmt.Errorf("node added without a valid node id")
		}
		if _, known := n.nodes[x.ID]; !known && len(n.nodes) >= maxNodes {
			return got{}, fmt.Errorf("more than %d nodes", maxNodes)
		}
		n.nodes[x.ID] = x
		return got{observations: n.alive(x.ID, now)}, nil
	case "node removed":
		id, ok := e.Node.Value.ID.Int(1, maxNode)
		if !ok {
			id, ok = e.NodeID.Int(1, maxNode)
		}
		if !ok || id == n.own {
			return got{}, fmt.Errorf("node removed without a valid node id")
		}
		delete(n.nodes, id)
		delete(n.heard, id)
	default:
		return got{}, nil
	}
	return got{observations: n.observe(false, now)}, nil
}

// status is what a node's event says of its status.
var status = map[loosejson.Text]float64{"sleep": 1, "wake up": 2, "dead": dead, "alive": 4}

func (n *network) nodeEvent(e event, now time.Time) (got, error) {
	id, ok := e.NodeID.Int(1, maxNode)
	x, known := n.nodes[id]
	if !ok || !known {
		return got{}, nil // of a node that was just removed
	}
	switch e.Event {
	case "ready", "interview completed", "firmware update finished":
		if s, ok := e.NodeState.Value.node(); ok && s.ID == id {
			n.nodes[id] = s
			return got{observations: n.alive(id, now)}, nil
		}
		return got{observations: n.alive(id, now), refresh: id}, nil
	case "interview failed", "interview started":
		return got{refresh: id}, nil
	case "alive", "dead", "sleep", "wake up":
		x.Status = loosejson.Number{Value: status[e.Event], Known: true}
		n.nodes[id] = x
		if e.Event == "alive" || e.Event == "wake up" {
			return got{observations: n.alive(id, now)}, nil
		}
		return got{observations: n.observe(false, now)}, nil
	case "value updated", "value notification", "notification":
		if now.Sub(n.heard[id]) >= lifeEvery {
			return got{observations: n.alive(id, now)}, nil
		}
	}
	return got{}, nil
}

func (n *network) nodeResult(f frame, now time.Time) (got, error) {
	var m struct {
		State loosejson.Maybe[nodeState] `json:"state"`
	}
	if err := loosejson.Unmarshal(f.Result, wsjson.MaxFrame, &m); err != nil {
		return got{}, fmt.Errorf("state of a node: %w", err)
	}
	x, ok := m.State.Value.node()
	if _, known := n.nodes[x.ID]; !ok || !known {
		return got{}, nil
	}
	n.nodes[x.ID] = x
	return got{observations: n.observe(false, now)}, nil
}

// id returns the identifier of a node.
func (n *network) id(node int64) discovery.Identifier {
	return discovery.Identifier{Kind: discovery.ZWaveID, Value: fmt.Sprintf("%s_%d", n.home, node)}
}

// alive reports a node that was heard, and everything else that changed.
func (n *network) alive(node int64, now time.Time) []discovery.Observation {
	n.heard[node] = now
	n.reported.Repeat(n.id(node).Value)
	out := n.observe(false, now)
	for i := range out {
		if out[i].About[0] == n.id(node) {
			out[i].Quiet = false
		}
	}
	return out
}

// observe returns observations of the nodes whose state differs from what was
// reported. With life they are signs of life of the nodes that the server can hear.
func (n *network) observe(life bool, now time.Time) []discovery.Observation {
	var out []discovery.Observation
	listed := map[string]bool{}
	for _, num := range slices.Sorted(maps.Keys(n.nodes)) {
		id := n.id(num)
		listed[id.Value] = true
		o := n.observation(n.nodes[num], now)
		online, known := fact.DeviceOnline.Get(o.Facts)
		o.Quiet = !life || !known || !online
		if n.reported.Changed(id.Value, o, now) {
			out = append(out, o)
		}
	}
	for _, id := range n.reported.Keys() {
		if !listed[id] {
			n.reported.Forget(id)
			out = append(out, discovery.Observation{About: []discovery.Identifier{{Kind: discovery.ZWaveID, Value: id}}, Gone: true})
		}
	}
	return out
}
