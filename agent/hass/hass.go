// Package hass shows a snapshot of the home in Home Assistant, through MQTT
// discovery: a device for each device, an entity for each finding, an event for
// each change; and it takes the owner's commands that come back.
//
// Its core is pure: messages makes every topic and payload from a snapshot. The
// Publisher compares them with what the broker holds and sends only what is
// missing or differs.
//
// It is not this package's job to judge, to decide what is in a snapshot, to
// keep the connection (package broker does), or to carry out commands (package
// agent does). What a real Home Assistant does with each message was measured;
// its documentation: https://www.home-assistant.io/integrations/mqtt/
package hass

import (
	"context"
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
)

// Memory is what a Publisher remembers over restarts.
type Memory struct {
	// Published are the devices whose configuration the broker has acknowledged.
	Published []discovery.ID `json:"published,omitempty"`
	// Event is the Seq of the last event that the broker acknowledged.
	Event uint64 `json:"event,omitempty"`
}

// Options are what a Publisher needs to know. Site, Command and Log are
// required; New fills in the rest.
type Options struct {
	Site       string // [a-z0-9]{1,16}
	Prefix     string // of Home Assistant's discovery topics; default "homeassistant"
	BirthTopic string // on which Home Assistant says "online"; default "homeassistant/status"
	SupportURL string // shown in Home Assistant's log beside our name
	// Page is the address of our page as Home Assistant leads there; empty for none.
	// Of an app's page (homeassistant://app/…) Home Assistant opens only the first.
	Page string
	// Command carries out what the owner asks for, and hides what they deleted in
	// Home Assistant. Its error is told to them, and
	// should be one plain sentence without a secret.
	Command func(context.Context, report.Command) error
	// Memory is what was last given to Remember, which keeps it.
	Memory   Memory
	Remember func(Memory)
	// Health takes whether what is published arrives, and if not, why.
	Health func(discovery.Status, string)
	Log    *slog.Logger
	Now    func() time.Time
	// Jitter is how long to wait after Home Assistant's birth message; default
	// one to five seconds, so that not all publishers answer at once.
	Jitter func() time.Duration
	// Settle is how long Home Assistant takes to listen to our event entities once
	// it knows of them, and to set up what a configuration names before it can take
	// the device's next one; default three seconds. What is sent before is lost.
	Settle func() time.Duration
	// ReadWithin is how long reading our topics from the broker may take; default
	// twenty seconds.
	ReadWithin time.Duration
	// Linger is how long a removed component stays in its device's configuration
	// in the form that removes its entity, so that a Home Assistant that is just
	// starting sees it; default ten minutes.
	Linger time.Duration
}

func (o Options) withDefaults() Options {
	if o.Prefix == "" {
		o.Prefix = "homeassistant"
	}
	if o.BirthTopic == "" {
		o.BirthTopic = "homeassistant/status"
	}
	if o.SupportURL == "" {
		o.SupportURL = "https://github.com/thingwarden/thingwarden"
	}
	if o.Remember == nil {
		o.Remember = func(Memory) {}
	}
	if o.Health == nil {
		o.Health = func(discovery.Status, string) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Jitter == nil {
		o.Jitter = func() time.Duration { return time.Second + rand.N(4*time.Second) }
	}
	if o.Settle == nil {
		o.Settle = func() time.Duration { return 3 * time.Second }
	}
	if o.ReadWithin == 0 {
		o.ReadWithin = 20 * time.Second
	}
	if o.Linger == 0 {
		o.Linger = 10 * time.Minute
	}
	return o
}

// NewPublisher returns a publisher for one site. Of the options it fills in those that
// env has.
func NewPublisher(env report.PublisherEnv, o Options) *Publisher {
	o.Command, o.Log, o.Now = env.Do, env.Log, env.Now
	o.Health = func(s discovery.Status, problem string) { env.Health("publishing", s, problem) }
	if env.Memory != nil {
		if err := json.Unmarshal(env.Memory, &o.Memory); err != nil {
			o.Log.Warn("what was published is not known any more", "err", err)
		}
	}
	o.Remember = func(m Memory) {
		b, err := json.Marshal(m)
		if err != nil {
			o.Log.Error("remembering what was published", "err", err)
			return
		}
		env.Remember(b)
	}
	return New(env.MQTT, o)
}
