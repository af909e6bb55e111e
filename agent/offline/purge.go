package offline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/thingwarden/thingwarden/agent/broker"
	"github.com/thingwarden/thingwarden/agent/config"
	"github.com/thingwarden/thingwarden/agent/hass"
	"github.com/thingwarden/thingwarden/agent/store"
)

// connectFor is how long a purge waits for the broker.
const connectFor = 5 * time.Second

// Purge clears every retained topic of ours from the configured broker and
// returns how many there were. It is refused while an agent runs, which would
// publish them again.
func Purge(ctx context.Context, cfg config.Config, log *slog.Logger) (n int, err error) {
	if cfg.MQTT.URL == "" {
		return 0, errors.New("no MQTT broker is configured, so there is nothing to clear: set mqtt.url")
	}
	s, err := store.Open(cfg.StateDir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	bc := broker.Config{
		URL: cfg.MQTT.URL, Username: cfg.MQTT.Username, Password: cfg.MQTT.Password,
		ClientID: broker.PassingClientID("purge"), SyncTopic: hass.SyncTopic(cfg.Site),
	}
	if bc.TLS, err = broker.TrustCA(cfg.MQTT.CAFile); err != nil {
		return 0, fmt.Errorf("mqtt.ca_file: %w", err)
	}
	m := broker.New(bc, log)
	ended := make(chan error, 1)
	runCtx, stop := context.WithCancel(ctx)
	go func() { ended <- m.Run(runCtx) }()
	defer func() {
		stop()
		err = errors.Join(err, <-ended)
	}()
	if err := m.Await(ctx, connectFor); err != nil {
		return 0, err
	}
	return hass.Purge(ctx, broker.MQTT{S: m}, cfg.Site, cfg.MQTT.DiscoveryPrefix)
}
