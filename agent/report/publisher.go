package report

import (
	"context"
	"log/slog"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
)

// Publisher makes the outside world show a snapshot.
type Publisher interface {
	// Run does what is to be done beside Publish, until ctx is done. It is called
	// once; its error is a failure of the publisher alone.
	Run(ctx context.Context) error
	// Publish makes the outside world show exactly s, while Run runs. The same s
	// again sends nothing; after a reconnect it repairs whatever differs. It returns
	// when all is sent or ctx is done; an error means that the same s should be tried
	// again later.
	Publish(ctx context.Context, s *Snapshot) error
}

// PublisherKind is a publisher as the agent's list has it.
type PublisherKind struct {
	// Name is what the log and the state file call it.
	Name string
	// MQTT is set if it works through the broker: where there is none, it is not made.
	MQTT bool
	// New makes the publisher. It does no I/O but to read its files.
	New func(PublisherEnv) (Publisher, error)
}

// PublisherEnv is what a publisher gets from the agent. All functions may be called
// from any goroutine.
type PublisherEnv struct {
	Log *slog.Logger
	Now func() time.Time
	// MQTT is the session; nil unless the kind asks for it.
	MQTT MQTT
	// Snapshot returns the newest snapshot.
	Snapshot func() *Snapshot
	// Do carries out what the owner asks for; nil means that a decision is on disk.
	// Its error is one plain sentence without a secret.
	Do func(context.Context, Command) error
	// Report tells a fact of the hub itself.
	Report func(discovery.Observation)
	// Health shows how a component of the publisher is: one plain sentence.
	Health func(component string, status discovery.Status, problem string)
	// Notice says a line to the person who started the agent.
	Notice func(string)
	// Memory is what was given to Remember last, which keeps it over restarts.
	Memory   []byte
	Remember func([]byte)
}

// MQTT is the part of the MQTT session that publishers use.
type MQTT interface {
	// Subscribe and Connected are as in discovery.MQTT. When Connected's function
	// is called with false, everything that the lost connection brought has been
	// handed to the subscribers, and nothing of the next has.
	discovery.MQTT
	// Publish sends messages with QoS 1, in order, and returns when the broker has
	// acknowledged all of them. An error means that some may not have arrived.
	Publish(ctx context.Context, ms ...discovery.Message) error
	// Sync returns when all that the broker had for us when it was called,
	// retained messages of all subscriptions included, has been handed to the
	// subscribers.
	Sync(ctx context.Context) error
}
