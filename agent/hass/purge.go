package hass

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
)

// Purge clears every retained topic of a site, the configurations first, and
// returns how many there were. No publisher of that site may be running: it
// would take the empty configurations for the owner's wish to delete each
// device.
func Purge(ctx context.Context, s report.MQTT, site, prefix string) (int, error) {
	n := names{site, Options{Prefix: prefix}.withDefaults().Prefix}
	var mu sync.Mutex
	configs, others := map[string]bool{}, map[string]bool{}
	note := func(m discovery.Message) {
		if !m.Retained || len(m.Payload) == 0 {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if _, ok := n.configOf(m.Topic); ok {
			configs[m.Topic] = true
		} else if strings.HasPrefix(m.Topic, n.root()+"/") {
			others[m.Topic] = true
		}
	}
	defer s.Subscribe(n.prefix+"/device/+/config", 0, note)()
	defer s.Subscribe(n.root()+"/#", 0, note)()
	if err := s.Sync(ctx); err != nil {
		return 0, fmt.Errorf("reading our topics: %w", err)
	}
	mu.Lock()
	var clear []discovery.Message
	for _, topics := range []map[string]bool{configs, others} {
		for _, topic := range slices.Sorted(maps.Keys(topics)) {
			clear = append(clear, discovery.Message{Topic: topic, Retained: true})
		}
	}
	mu.Unlock()
	if err := s.Publish(ctx, clear...); err != nil {
		return 0, fmt.Errorf("clearing our topics: %w", err)
	}
	return len(clear), nil
}
