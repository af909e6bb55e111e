package home

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/policy"
)

// first-service fails to run where a device announces nothing.
const fragilePolicy = `id: first-service
title: The first service
severity: low
confidence: sure
rules: []
when: "true"
require: mdns.services[0] == "_a._tcp"
summary: A test.
remedy: None.
refs: [a test]
examples:
  - {facts: {mdns.services: [_a._tcp]}, want: pass}
  - {facts: {mdns.services: [_b._tcp]}, want: fail}
  - {facts: {}, want: unknown}
`

func TestPolicyThatFailsIsReportedUntilItIsWell(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "first-service.yaml"), []byte(fragilePolicy), 0o600); err != nil {
		t.Fatal(err)
	}
	set, err := policy.Load(policy.Options{}, append(policy.Builtin(), policy.DirPack(dir))...)
	if err != nil {
		t.Fatal(err)
	}
	h := newHome(t, 24*time.Hour)
	h.o.Policies = set
	h.Home = New(h.o, h.now)
	services := func(n int, list ...string) {
		h.see(n, func(e *fact.Evidence) { fact.MDNSServices.Set(e, list, "") })
	}
	status := func() discovery.Status { return h.health["policy first-service"].Status }
	services(1)
	services(2)
	if status() != discovery.Degraded {
		t.Errorf("health %q while it can't be evaluated", status())
	}
	services(1, "_a._tcp")
	if status() != discovery.Degraded {
		t.Errorf("health %q while it fails on another device", status())
	}
	h.removed("mac_000c43000002", h.now)
	if status() != discovery.OK {
		t.Errorf("health %q when it fails no more", status())
	}
}
