package zwavejs

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/thingwarden/thingwarden/discovery/internal/loosejson"
	"github.com/thingwarden/thingwarden/discovery/internal/wsjson"
)

const (
	maxNodes = 2000
	maxNode  = 4095 // Z-Wave Long Range numbers end at 4000
)

// version is the first frame, which the server sends unasked.
type version struct {
	Type   loosejson.Text   `json:"type"`
	Driver loosejson.Text   `json:"driverVersion"`
	Server loosejson.Text   `json:"serverVersion"`
	Min    loosejson.Number `json:"minSchemaVersion"`
	Max    loosejson.Number `json:"maxSchemaVersion"`
}

func decodeVersion(b []byte) (version, error) {
	var v version
	if err := loosejson.Unmarshal(b, 64<<10, &v); err != nil {
		return version{}, err
	}
	if v.Type != "version" {
		return version{}, fmt.Errorf("the first frame is %q", short(v.Type))
	}
	return v, nil
}

// schema returns the newest API schema that both sides know.
func (v version) schema() (int64, error) {
	lo, okLo := v.Min.Int(0, 1<<20)
	hi, okHi := v.Max.Int(0, 1<<20)
	switch {
	case !okLo || !okHi:
		return 0, errors.New("version: no schema is named")
	case hi < schemaNeeded:
		return 0, fmt.Errorf("the server is too old: it knows schemas up to %d, needed is %d", hi, schemaNeeded)
	case lo > schemaKnown:
		return 0, fmt.Errorf("the server is too new: it knows schemas from %d, known here is %d", lo, schemaKnown)
	}
	return min(hi, schemaKnown), nil
}

// frame is any later frame.
type frame struct {
	Type      loosejson.Text         `json:"type"`
	MessageID loosejson.Text         `json:"messageId"`
	Success   loosejson.Flag         `json:"success"`
	ErrorCode loosejson.Text         `json:"errorCode"`
	Result    json.RawMessage        `json:"result"`
	Event     loosejson.Maybe[event] `json:"event"`
}

func decodeFrame(b []byte) (frame, error) {
	var f frame
	err := loosejson.Unmarshal(b, wsjson.MaxFrame, &f)
	return f, err
}

func (f frame) ok() bool { return f.Success.Value }

func (f frame) failure() error {
	if f.ok() {
		return nil
	}
	return fmt.Errorf("the server refused: %q", short(f.ErrorCode))
}

// event is what is kept of an event. Its arguments, among which are values and
// keys, are not.
type event struct {
	Source    loosejson.Text             `json:"source"` // driver, controller, node
	Event     loosejson.Text             `json:"event"`
	NodeID    loosejson.Number           `json:"nodeId"`
	Node      loosejson.Maybe[nodeState] `json:"node"`      // of a node added or removed
	NodeState loosejson.Maybe[nodeState] `json:"nodeState"` // of a node ready
	State     loosejson.Number           `json:"state"`     // of inclusion state changed
}

// fullState is the answer to start_listening.
type fullState struct {
	Home      int64 // home id
	Own       int64 // node id of the controller
	Inclusion loosejson.Number
	Nodes     []node
	Spoilt    string // why entries were left out
}

func (f fullState) home() string { return fmt.Sprintf("%08x", f.Home) }

func decodeState(b []byte) (fullState, error) {
	var m struct {
		State loosejson.Maybe[struct {
			Controller loosejson.Maybe[struct {
				Home      loosejson.Number `json:"homeId"`
				Own       loosejson.Number `json:"ownNodeId"`
				Inclusion loosejson.Number `json:"inclusionState"`
			}] `json:"controller"`
			Nodes []json.RawMessage `json:"nodes"`
		}] `json:"state"`
	}
	if err := loosejson.Unmarshal(b, wsjson.MaxFrame, &m); err != nil {
		return fullState{}, fmt.Errorf("state: %w", err)
	}
	c := m.State.Value.Controller.Value
	var f fullState
	var ok bool
	if f.Home, ok = c.Home.Int(1, 1<<32-1); !ok {
		return fullState{}, errors.New("state: no home id; the Z-Wave stick may not be ready")
	}
	f.Own, _ = c.Own.Int(1, maxNode)
	f.Inclusion = c.Inclusion
	seen := map[int64]bool{}
	for i, raw := range m.State.Value.Nodes {
		var s nodeState
		n, ok := node{}, json.Unmarshal(raw, &s) == nil
		if ok {
			n, ok = s.node()
		}
		switch {
		case !ok || seen[n.ID]:
			f.Spoilt = fmt.Sprintf("entry %d of the nodes has no node id of its own", i+1)
			continue
		case len(f.Nodes) == maxNodes:
			f.Spoilt = fmt.Sprintf("more than %d nodes", maxNodes)
			return f, nil
		}
		if f.Own == 0 && s.IsController.Value {
			f.Own = n.ID
		}
		seen[n.ID] = true
		f.Nodes = append(f.Nodes, n)
	}
	if !seen[f.Own] {
		return fullState{}, errors.New("state: the controller is not among the nodes; the Z-Wave stick may not be ready")
	}
	return f, nil
}

// node is what is kept of a node.
type node struct {
	ID            int64
	Name          string
	Maker         string
	Model         string
	Description   string
	Firmware      string
	Generic       int64 // key of the generic device class, 0 if unknown
	Specific      int64
	ClassLabel    string           // labels of both
	Classes       map[int64]bool   // command classes
	ClassesListed bool             // those without values, too
	Security      loosejson.Number // highestSecurityClass
	Status        loosejson.Number
	Interviewed   bool // as far as its security class
}

type nodeState struct {
	ID           loosejson.Number `json:"nodeId"`
	Name         loosejson.Text   `json:"name"`
	Location     loosejson.Text   `json:"location"`
	Label        loosejson.Text   `json:"label"`
	Manufacturer loosejson.Text   `json:"manufacturer"` // from schema 47 on
	Firmware     loosejson.Text   `json:"firmwareVersion"`
	Status       loosejson.Number `json:"status"`
	Highest      loosejson.Number `json:"highestSecurityClass"`
	Stage        loosejson.Text   `json:"interviewStage"`
	IsController loosejson.Flag   `json:"isControllerNode"`
	Config       loosejson.Maybe[struct {
		Manufacturer loosejson.Text `json:"manufacturer"`
		Label        loosejson.Text `json:"label"`
		Description  loosejson.Text `json:"description"`
	}] `json:"deviceConfig"`
	Class     loosejson.Maybe[deviceClass]  `json:"deviceClass"`
	Commands  loosejson.List[commandClass]  `json:"commandClasses"` // old schemas
	Endpoints loosejson.List[endpointState] `json:"endpoints"`
	Values    loosejson.List[struct {
		Class loosejson.Number `json:"commandClass"`
	}] `json:"values"`
}

type deviceClass struct {
	Generic  loosejson.Maybe[classKey] `json:"generic"`
	Specific loosejson.Maybe[classKey] `json:"specific"`
}

type classKey struct {
	Key   loosejson.Number `json:"key"`
	Label loosejson.Text   `json:"label"`
}

type endpointState struct {
	Commands loosejson.List[commandClass] `json:"commandClasses"`
}

type commandClass struct {
	ID loosejson.Number `json:"id"`
}

// node returns what is kept, and false if there is no valid node id.
func (s nodeState) node() (node, bool) {
	id, ok := s.ID.Int(1, maxNode)
	if !ok {
		return node{}, false
	}
	d, c := s.Config.Value, s.Class.Value
	n := node{ID: id, Name: string(s.Name), Maker: string(s.Manufacturer), Model: string(s.Label), Description: string(d.Description),
		Firmware: string(s.Firmware), Security: s.Highest, Status: s.Status, Classes: map[int64]bool{},
		ClassLabel: string(c.Generic.Value.Label + " / " + c.Specific.Value.Label)}
	if n.Maker == "" {
		n.Maker = string(d.Manufacturer)
	}
	if n.Model == "" {
		n.Model = string(d.Label)
	}
	if n.Name == "" {
		n.Name = n.Model
	}
	if s.Location != "" && n.Name != "" {
		n.Name += ", " + string(s.Location)
	}
	n.Generic, _ = c.Generic.Value.Key.Int(0, 255)
	n.Specific, _ = c.Specific.Value.Key.Int(0, 255)
	add := func(id loosejson.Number) {
		if cc, ok := id.Int(1, 0xffff); ok {
			n.Classes[cc] = true
		}
	}
	for _, cc := range s.Commands {
		add(cc.ID)
	}
	for _, e := range s.Endpoints {
		for _, cc := range e.Commands {
			add(cc.ID)
		}
	}
	n.ClassesListed = len(n.Classes) > 0
	n.Interviewed = interviewed(string(s.Stage), n)
	for _, v := range s.Values {
		add(v.Class)
	}
	return n, true
}

// interviewed reports whether an interview has got so far that the security class
// is known (zwave-js, InterviewStage: the driver finds it out after the node
// information, and until then has "none").
func interviewed(stage string, n node) bool {
	switch strings.ToLower(stage) {
	case "none", "protocolinfo", "nodeinfo", "0", "1", "2":
		return false
	case "": // the server does not say
		return n.ClassesListed || n.isAlive()
	}
	return true
}

// isAlive reports whether the controller hears the node.
func (n node) isAlive() bool {
	s, ok := n.Status.Int(1, 4)
	return ok && s != dead
}

func short(t loosejson.Text) string { return string(t[:min(len(t), 32)]) }
