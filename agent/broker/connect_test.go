package broker

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
)

// TestFind: the broker is looked up until it is there, and again when what was
// found is refused.
func TestFind(t *testing.T) {
	brokers(t, func(t *testing.T, s server) {
		var lookups atomic.Int32
		m, log := session(t, Config{Find: func(context.Context) (Address, error) {
			switch lookups.Add(1) {
			case 1:
				return Address{}, errors.New("nobody has a broker")
			case 2:
				return Address{URL: "mqtt://[no]:1883"}, nil
			case 3:
				return Address{s.config.URL, s.config.Username, "yesterday's"}, nil
			default:
				return Address{s.config.URL, s.config.Username, s.config.Password}, nil
			}
		}}, "finder")
		eventually(t, "the lack of a broker is told", func() bool {
			_, problem := m.State()
			return problem == "nobody has a broker"
		})
		eventually(t, "an address that is none is told", func() bool {
			_, problem := m.State()
			return strings.HasPrefix(problem, "reading the URL of the MQTT broker: ")
		})
		eventually(t, "the refusal is told", func() bool {
			_, problem := m.State()
			return strings.Contains(problem, "refused")
		})
		connected(t, m)
		if strings.Contains(log.String(), "yesterday's") {
			t.Error("a password is in the log")
		}
	})
}

// TestFoundBrokerIsGone: what is found may not answer; that ends nothing.
func TestFoundBrokerIsGone(t *testing.T) {
	m, _ := session(t, Config{Find: func(context.Context) (Address, error) {
		return Address{URL: "mqtt://127.0.0.1:1"}, nil
	}}, "finder")
	eventually(t, "that nobody answers is told", func() bool {
		_, problem := m.State()
		return strings.Contains(problem, "connection refused")
	})
}
