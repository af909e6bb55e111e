package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/thingwarden/thingwarden/agent/broker"
	"github.com/thingwarden/thingwarden/discovery"
	real "github.com/thingwarden/thingwarden/discovery/source/zigbee2mqtt"
)

// zigbeeBase is Zigbee2MQTT's own default.
const zigbeeBase = "zigbee2mqtt"

// zigbeeMembers are a coordinator with the identifiers of the sample
// configuration, a lock with an update waiting, two devices as they should be, and
// one that nobody knows and whose texts attack.
var zigbeeMembers = []string{
	`{"ieee_address":"0x00124b00de300001","type":"Coordinator","friendly_name":"Coordinator","supported":true,"interview_state":"SUCCESSFUL"}`,
	`{"ieee_address":"0x00158d00de300002","type":"EndDevice","friendly_name":"Cellar door","supported":true,"interview_state":"SUCCESSFUL","software_build_id":"1.1.0","definition":{"vendor":"Bolton","model":"ZL1","description":"Door lock","exposes":[{"type":"lock"}]}}`,
	`{"ieee_address":"0x00158d00de300003","type":"Router","friendly_name":"Desk lamp","supported":true,"interview_state":"SUCCESSFUL","software_build_id":"2.3.087","definition":{"vendor":"Lumora","model":"B22","description":"Bulb","exposes":[{"type":"light"}]}}`,
	`{"ieee_address":"0x00158d00de300004","type":"EndDevice","friendly_name":"Hall motion","supported":true,"interview_state":"SUCCESSFUL","definition":{"vendor":"Dripper","model":"M1","description":"Motion sensor","exposes":[{"type":"binary","name":"occupancy"}]}}`,
	`{"ieee_address":"0x00158d00de300666","type":"Router","friendly_name":"attic/\u202e<b>{{ 1 }}","supported":false,"interview_state":"FAILED","manufacturer":"<img src=x onerror=alert(1)>","model_id":"#+/ {{ states.lock }}","definition":null}`,
}

// zigbeeNewcomer joins when the network is opened.
const zigbeeNewcomer = `{"ieee_address":"0x00158d00de300005","type":"EndDevice","friendly_name":"Bathroom window","supported":true,"interview_state":"SUCCESSFUL","definition":{"vendor":"Dripper","model":"C1","description":"Contact sensor","exposes":[{"type":"binary","name":"contact"}]}}`

// zigbee2mqtt is a Zigbee2MQTT with the broker that it speaks to. That broker is
// not the owner's: what is simulated must not mix with a Zigbee2MQTT of theirs.
type zigbee2mqtt struct {
	now    func() time.Time
	broker *broker.Embedded
	its    *broker.Session // Zigbee2MQTT's
	ours   *broker.Session // of the source
	stop   context.CancelFunc
	ended  sync.WaitGroup

	mu      sync.Mutex // guards members and orders what is published
	members []string
}

func startZigbee2MQTT(ctx context.Context, dir string, now func() time.Time, log *slog.Logger) (*zigbee2mqtt, error) {
	b, err := broker.StartEmbedded("127.0.0.1:0", filepath.Join(dir, "zigbee-credentials"), log)
	if err != nil {
		return nil, fmt.Errorf("starting the simulated Zigbee2MQTT: %w", err)
	}
	z := &zigbee2mqtt{now: now, broker: b, members: slices.Clone(zigbeeMembers)}
	ctx, z.stop = context.WithCancel(ctx)
	session := func(id string) *broker.Session {
		s := broker.New(broker.Config{URL: b.URL(), Username: b.Username, Password: b.Password, ClientID: id}, log)
		z.ended.Go(func() { _ = s.Run(ctx) }) // nil, or a URL that does not parse
		return s
	}
	z.its, z.ours = session("zigbee2mqtt"), session("demo-source")
	if err := z.appear(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("starting the simulated Zigbee2MQTT: %w", err), z.close())
	}
	return z, nil
}

// appear publishes what Zigbee2MQTT keeps on the broker.
func (z *zigbee2mqtt) appear(ctx context.Context) error {
	if err := z.its.Await(ctx, 30*time.Second); err != nil {
		return err
	}
	if err := z.publish(ctx, "bridge/state", `{"state":"online"}`); err != nil {
		return err
	}
	if err := z.permitJoin(ctx, false); err != nil {
		return err
	}
	if err := z.list(ctx); err != nil {
		return err
	}
	return z.publish(ctx, "Cellar door",
		`{"lock_state":"lock","update":{"state":"available","installed_version":17,"latest_version":21,"latest_source":"https://example.com/zl1.ota"}}`)
}

func (z *zigbee2mqtt) publish(ctx context.Context, topic, payload string) error {
	retained := topic != "bridge/event"
	return z.its.Publish(ctx, broker.Message{Topic: zigbeeBase + "/" + topic, Payload: []byte(payload), QoS: 1, Retained: retained})
}

// list publishes who is in the network.
func (z *zigbee2mqtt) list(ctx context.Context) error {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.publish(ctx, "bridge/devices", "["+strings.Join(z.members, ",")+"]")
}

// permitJoin opens the network for newcomers, or closes it.
func (z *zigbee2mqtt) permitJoin(ctx context.Context, open bool) error {
	info := map[string]any{
		"version": "2.6.3", "permit_join": open,
		"coordinator": map[string]any{"ieee_address": "0x00124b00de300001", "type": "zStack3x0", "meta": map[string]any{"revision": 20240710}},
		"network":     map[string]any{"channel": 11, "pan_id": 0x1a62, "extended_pan_id": "0xdddddddddddddddd"},
	}
	if open {
		info["permit_join_end"] = z.now().Add(254 * time.Second).UnixMilli()
	}
	b, err := json.Marshal(info)
	if err != nil {
		return fmt.Errorf("describing the simulated Zigbee2MQTT: %w", err)
	}
	return z.publish(ctx, "bridge/info", string(b))
}

// join lets the newcomer in.
func (z *zigbee2mqtt) join(ctx context.Context) error {
	const id = `"friendly_name":"Bathroom window","ieee_address":"0x00158d00de300005"`
	if err := z.publish(ctx, "bridge/event", `{"type":"device_joined","data":{`+id+`}}`); err != nil {
		return err
	}
	z.mu.Lock()
	z.members = append(z.members, zigbeeNewcomer)
	z.mu.Unlock()
	if err := z.publish(ctx, "bridge/event", `{"type":"device_interview","data":{`+id+`,"status":"successful","supported":true}}`); err != nil {
		return err
	}
	return z.list(ctx)
}

// kind is the real source, listening on this broker.
func (z *zigbee2mqtt) kind() discovery.SourceKind {
	k := real.Kind
	k.Default = func() discovery.SourceConfig { return onBroker{z} }
	return k
}

// onBroker is the configuration of the real source, on the simulated one's broker.
type onBroker struct{ z *zigbee2mqtt }

func (onBroker) Validate() error { return nil }

func (b onBroker) New(env discovery.Env) (discovery.Source, error) {
	env.MQTT = listener{b.z.ours}
	return real.Kind.Default().New(env)
}

func (z *zigbee2mqtt) close() error {
	z.stop()
	z.ended.Wait()
	return z.broker.Close()
}

// listener makes the session fit what sources want of one.
type listener struct{ *broker.Session }

// Subscribe implements discovery.MQTT.
func (l listener) Subscribe(filter string, qos byte, fn func(discovery.Message)) func() {
	return l.Session.Subscribe(filter, qos, func(m broker.Message) {
		fn(discovery.Message{Topic: m.Topic, Payload: m.Payload, Retained: m.Retained})
	})
}
