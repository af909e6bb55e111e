package http

import (
	"regexp"
	"testing"

	"github.com/thingwarden/thingwarden/discovery/prober"
	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
)

// Two products with probes of their own, whose pages are left to those.
func TestRecorded(t *testing.T) {
	probertest.Run(t, Probe,
		&prober.Probe{Name: "page", Signs: &prober.Signs{Page: regexp.MustCompile(`\bTasmota\b`)}},
		&prober.Probe{Name: "script", Signs: &prober.Signs{Script: regexp.MustCompile(`esphome\.io/`)}},
	)
}
