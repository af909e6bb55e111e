package zigbee2mqtt

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/loosejson"
)

// Sizes above which a message is not read.
const (
	maxMessage = 1 << 20 // Zigbee2MQTT's own default for mqtt.maximum_packet_size
	maxDevices = 8 << 20 // bridge/devices: 1 to 3 KB a device
	maxName    = 256     // of a friendly name or base topic, in bytes
)

// info is what is kept of <base>/bridge/info. The message also holds the whole
// configuration, of which nothing is decoded.
type info struct {
	Version    loosejson.Text
	PermitJoin loosejson.Flag
	// PermitJoinEnd is when the window closes, in milliseconds since 1970; there
	// only while it is open, and only since Zigbee2MQTT 2.0.
	PermitJoinEnd loosejson.Number
	Coordinator   discovery.Identifier // zero if unknown
	Radio         string               // type of the coordinator, such as "zStack3x0"
	Revision      string               // of its firmware
	DefaultIDs    loosejson.Flag
	IDs           string // proof of DefaultIDs
}

func decodeInfo(b []byte) (info, error) {
	var m struct {
		Version     loosejson.Text   `json:"version"`
		PermitJoin  loosejson.Flag   `json:"permit_join"`
		End         loosejson.Number `json:"permit_join_end"`
		Coordinator loosejson.Maybe[struct {
			IEEE loosejson.Text `json:"ieee_address"`
			Type loosejson.Text `json:"type"`
			Meta loosejson.Maybe[struct {
				Revision loosejson.Text `json:"revision"`
			}] `json:"meta"`
		}] `json:"coordinator"`
		Network loosejson.Maybe[struct {
			Pan    json.RawMessage `json:"pan_id"`
			ExtPan json.RawMessage `json:"extended_pan_id"`
		}] `json:"network"`
	}
	if err := loosejson.Unmarshal(b, maxMessage, &m); err != nil {
		return info{}, err
	}
	if m.Version == "" {
		return info{}, errors.New("no version")
	}
	if !m.PermitJoin.Known {
		return info{}, errors.New("permit_join is neither true nor false")
	}
	c := m.Coordinator.Value
	i := info{Version: m.Version, PermitJoin: m.PermitJoin, PermitJoinEnd: m.End,
		Radio: string(c.Type), Revision: string(c.Meta.Value.Revision)}
	i.Coordinator, _ = discovery.Zigbee(string(c.IEEE))
	i.DefaultIDs, i.IDs = defaultIDs(m.Network.Value.Pan, m.Network.Value.ExtPan)
	return i, nil
}

// defaultIDs compares the network's identifiers with those of Zigbee2MQTT's
// sample configuration, whose network key is printed in its documentation. The
// key itself is never in bridge/info.
func defaultIDs(pan, ext json.RawMessage) (loosejson.Flag, string) {
	var p, e loosejson.Number
	if json.Unmarshal(pan, &p) != nil || json.Unmarshal(ext, &e) != nil || !p.Known || !e.Known {
		return loosejson.Flag{}, ""
	}
	const samplePan, sampleExt = 0x1a62, 0xdddddddddddddddd
	// Version 1 wrote the 64 bits as a number, which JavaScript rounds.
	same := p.Value == samplePan && math.Abs(e.Value-sampleExt) < 4096
	proof := fmt.Sprintf("network.pan_id=%s extended_pan_id=%s", pan, strings.Trim(string(ext), `"`))
	return loosejson.Flag{Value: same, Known: true}, proof
}

// member is what is kept of an entry of <base>/bridge/devices.
type member struct {
	ID          discovery.Identifier
	Name        string // friendly name; also its part of the topic
	Type        string // Coordinator, Router, EndDevice, GreenPower, Unknown
	Maker       string
	Model       string
	Firmware    string
	Supported   loosejson.Flag
	Interview   string // in the vocabulary's spelling, "" if unknown
	Class       string // in the vocabulary's spelling, "" if unknown
	ClassProof  string
	ViaJoin     bool // known from bridge/event only, not listed yet
	InterviewBy string
}

func (m member) coordinator() bool { return m.Type == "Coordinator" }

type deviceEntry struct {
	IEEE           loosejson.Text                    `json:"ieee_address"`
	Name           loosejson.Text                    `json:"friendly_name"`
	Type           loosejson.Text                    `json:"type"`
	Manufacturer   loosejson.Text                    `json:"manufacturer"`
	ModelID        loosejson.Text                    `json:"model_id"`
	SoftwareBuild  loosejson.Text                    `json:"software_build_id"`
	Supported      loosejson.Flag                    `json:"supported"`
	InterviewState loosejson.Text                    `json:"interview_state"`
	Interviewing   loosejson.Flag                    `json:"interviewing"`
	Completed      loosejson.Flag                    `json:"interview_completed"`
	Definition     loosejson.Maybe[definition]       `json:"definition"`
	Endpoints      loosejson.Maybe[map[string]point] `json:"endpoints"`
}

type definition struct {
	Vendor      loosejson.Text         `json:"vendor"`
	Model       loosejson.Text         `json:"model"`
	Description loosejson.Text         `json:"description"`
	Exposes     loosejson.List[expose] `json:"exposes"`
}

type expose struct {
	Type loosejson.Text `json:"type"`
	Name loosejson.Text `json:"name"`
}

type point struct {
	Clusters loosejson.Maybe[struct {
		Input  loosejson.List[loosejson.Text] `json:"input"`
		Output loosejson.List[loosejson.Text] `json:"output"`
	}] `json:"clusters"`
}

// decodeDevices returns the members of the network. Spoilt says why entries
// were left out; the others are good all the same.
func decodeDevices(b []byte, limit int) (list []member, spoilt string, err error) {
	var raw []json.RawMessage
	if err := loosejson.Unmarshal(b, maxDevices, &raw); err != nil {
		return nil, "", err
	}
	seen := map[discovery.Identifier]bool{}
	coordinator := false
	for n, r := range raw {
		var e deviceEntry
		id, ok := discovery.Identifier{}, json.Unmarshal(r, &e) == nil
		if ok {
			id, ok = discovery.Zigbee(string(e.IEEE))
		}
		switch {
		case !ok:
			spoilt = fmt.Sprintf("entry %d has no valid ieee_address", n+1)
			continue
		case seen[id]:
			spoilt = fmt.Sprintf("entry %d repeats %s", n+1, id.Value)
			continue
		case len(list) == limit:
			return list, fmt.Sprintf("more than %d devices", limit), nil
		}
		seen[id] = true
		m := e.member(id)
		coordinator = coordinator || m.coordinator()
		list = append(list, m)
	}
	if !coordinator {
		return nil, "", errors.New("no coordinator in the list")
	}
	return list, spoilt, nil
}

func (e deviceEntry) member(id discovery.Identifier) member {
	m := member{ID: id, Name: string(e.Name), Type: string(e.Type), Firmware: string(e.SoftwareBuild),
		Supported: e.Supported}
	if len(m.Name) > maxName {
		m.Name = ""
	}
	d := e.Definition.Value
	m.Maker, m.Model = string(d.Vendor), string(d.Model)
	if m.Maker == "" || !e.Supported.Value {
		m.Maker = string(e.Manufacturer)
	}
	if m.Model == "" || !e.Supported.Value {
		m.Model = string(e.ModelID)
	}
	m.Interview, m.InterviewBy = interview(e)
	m.Class, m.ClassProof = classOf(e)
	return m
}

// interview returns how far the interview got. Zigbee2MQTT 2.0 and newer say it
// in interview_state, older ones in two flags.
func interview(e deviceEntry) (state, proof string) {
	if e.InterviewState != "" {
		proof = "interview_state=" + string(e.InterviewState)
		state := strings.ReplaceAll(strings.ToLower(string(e.InterviewState)), "_", "-")
		if !slices.Contains(fact.Lookup(fact.ZigbeeInterview.Name()).Values, state) {
			return "", proof // of a version to come
		}
		return state, proof
	}
	switch {
	case e.Completed.Value:
		return "successful", "interview_completed=true"
	case e.Interviewing.Value:
		return "in-progress", "interviewing=true"
	case e.Completed.Known:
		return "pending", "interview_completed=false"
	}
	return "", ""
}

// event is what is kept of <base>/bridge/event.
type event struct {
	Type   string // device_joined, device_interview, device_leave, device_announce
	ID     discovery.Identifier
	Name   string
	Status string // of an interview: started, successful, failed
	// Supported comes with a successful interview.
	Supported loosejson.Flag
}

func decodeEvent(b []byte) (event, error) {
	var m struct {
		Type loosejson.Text `json:"type"`
		Data loosejson.Maybe[struct {
			IEEE      loosejson.Text `json:"ieee_address"`
			Name      loosejson.Text `json:"friendly_name"`
			Status    loosejson.Text `json:"status"`
			Supported loosejson.Flag `json:"supported"`
		}] `json:"data"`
	}
	if err := loosejson.Unmarshal(b, maxMessage, &m); err != nil {
		return event{}, err
	}
	d := m.Data.Value
	e := event{Type: string(m.Type), Name: string(d.Name), Status: string(d.Status), Supported: d.Supported}
	if len(e.Name) > maxName {
		e.Name = ""
	}
	if !strings.HasPrefix(e.Type, "device_") {
		return event{}, nil // events of groups and of the future
	}
	id, ok := discovery.Zigbee(string(d.IEEE))
	if !ok {
		return event{}, errors.New("no valid ieee_address")
	}
	e.ID = id
	return e, nil
}

// decodeOnline reads bridge/state and availability: {"state":"online"}, or the
// bare word of Zigbee2MQTT 1.
func decodeOnline(b []byte) (online bool, err error) {
	word := strings.TrimSpace(string(b[:min(len(b), 16)]))
	if strings.HasPrefix(word, "{") {
		var m struct {
			State loosejson.Text `json:"state"`
		}
		if err := loosejson.Unmarshal(b, maxMessage, &m); err != nil {
			return false, err
		}
		word = string(m.State)
	}
	switch word {
	case "online":
		return true, nil
	case "offline":
		return false, nil
	}
	return false, fmt.Errorf("state is neither online nor offline: %q", word[:min(len(word), 16)])
}

// state is what is kept of a device's own topic.
type state struct {
	Update loosejson.Flag // a newer firmware is there
	Proof  string
	// LastSeen is when the bridge last heard the device; zero if unknown.
	LastSeen time.Time
}

// decodeState reads <base>/<friendly name>. Everything but update and last_seen
// is the home's business and is not decoded.
func decodeState(b []byte) (state, error) {
	var m struct {
		Update loosejson.Maybe[struct {
			State     loosejson.Text   `json:"state"`
			Installed loosejson.Number `json:"installed_version"`
			Latest    loosejson.Number `json:"latest_version"`
			Source    loosejson.Text   `json:"latest_source"`
		}] `json:"update"`
		Available loosejson.Flag `json:"update_available"` // before Zigbee2MQTT 2.0
		LastSeen  loosejson.Text `json:"last_seen"`
	}
	if err := loosejson.Unmarshal(b, maxMessage, &m); err != nil {
		return state{}, err
	}
	u := m.Update.Value
	s := state{LastSeen: lastSeen(string(m.LastSeen))}
	switch {
	case u.State == "available" || u.State == "updating" || u.State == "scheduled":
		s.Update = loosejson.Flag{Value: true, Known: true}
	case u.State == "idle" && u.Source != "":
		// Without a source the look-up found no entry for this device: idle then
		// says nothing.
		s.Update = loosejson.Flag{Known: true}
	case u.State == "":
		s.Update = m.Available
	}
	if s.Update.Known {
		s.Proof = fmt.Sprintf("update.state=%s installed_version=%.0f latest_version=%.0f", u.State, u.Installed.Value, u.Latest.Value)
	}
	return s, nil
}

// lastSeen reads the spellings of advanced.last_seen: ISO 8601, or milliseconds.
func lastSeen(s string) time.Time {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05-0700"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t
		}
	}
	var n loosejson.Number
	if json.Unmarshal([]byte(s), &n) == nil {
		if ms, ok := n.Int(1, 1<<50); ok {
			return time.UnixMilli(ms)
		}
	}
	return time.Time{}
}
