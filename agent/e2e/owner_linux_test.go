package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/thingwarden/thingwarden/discovery/lab"
)

// errRefused means that the agent answered a command with an error.
var errRefused = errors.New("refused")

// answer is what the agent says to a command on MQTT.
type answer struct {
	Request string `json:"request"`
	OK      bool   `json:"ok"`
	Error   string `json:"error"`
}

// owner gives commands over MQTT, as an automation does.
type owner struct {
	t      testing.TB
	client mqtt.Client

	mu      sync.Mutex
	last    int
	waiting map[string]chan answer
}

func newOwner(t testing.TB, m *lab.Mosquitto) *owner {
	t.Helper()
	o := &owner{t: t, waiting: map[string]chan answer{}}
	opts := mqtt.NewClientOptions().AddBroker("tcp://" + m.Addr).SetClientID("owner").
		SetUsername(brokerUser).SetPassword(brokerPassword)
	opts.SetOnConnectHandler(func(c mqtt.Client) {
		c.Subscribe("thingwarden/home/command/result", 1, func(_ mqtt.Client, m mqtt.Message) { o.answered(m.Payload()) })
	})
	o.client = mqtt.NewClient(opts)
	if tok := o.client.Connect(); !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
		t.Fatalf("connecting to the broker: %v", tok.Error())
	}
	t.Cleanup(func() { o.client.Disconnect(100) })
	return o
}

func (o *owner) answered(payload []byte) {
	var a answer
	if err := json.Unmarshal(payload, &a); err != nil {
		o.t.Errorf("answer %s: %v", payload, err)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if ch := o.waiting[a.Request]; ch != nil {
		ch <- a
		delete(o.waiting, a.Request)
	}
}

// do gives a command and waits for the answer. A refusal is an errRefused; any
// other error says that it is not known what became of the command.
func (o *owner) do(ctx context.Context, command map[string]any) error {
	o.mu.Lock()
	o.last++
	request := fmt.Sprint("request ", o.last)
	ch := make(chan answer, 1)
	o.waiting[request] = ch
	o.mu.Unlock()
	with := map[string]any{"request": request}
	maps.Copy(with, command)
	o.client.Publish("thingwarden/home/command", 1, false, mustJSON(o.t, with))
	select {
	case a := <-ch:
		if !a.OK {
			return fmt.Errorf("%w: %s", errRefused, a.Error)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// must is do for a command that has to succeed.
func (o *owner) must(command map[string]any) {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(o.t.Context(), 10*time.Second)
	defer cancel()
	if err := o.do(ctx, command); err != nil {
		o.t.Fatalf("%v: %v", command, err)
	}
}

// waitReady waits until the agent takes commands over MQTT: what is sent before
// that is lost.
func (o *owner) waitReady(ctx context.Context) bool {
	for ctx.Err() == nil {
		try, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		err := o.do(try, nil)
		cancel()
		if errors.Is(err, errRefused) {
			return true // it names no action
		}
	}
	return false
}
