package homeassistant

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestNothingElseIsSent: a command that is not in the list is refused, as are all
// that change something, and the list is what it was when it was last thought over.
func TestNothingElseIsSent(t *testing.T) {
	for _, c := range []command{
		``, `"type":"call_service","domain":"light","service":"turn_on"`, `"type":"config/device_registry/remove","device_id":"x"`,
		`"type":"config/device_registry/update","device_id":"x"`, `"type":"network/configure","config":{}`, `"type":"fire_event","event_type":"x"`,
		`"type":"subscribe_events"`, `"type":"get_states"`, ping + `,"type":"call_service"`, "\"type\":\"ping\"}\n{",
	} {
		if b, err := encode(1, c); err == nil {
			t.Errorf("command %q was let through: %s", c, b)
		}
	}
	var got []string
	for _, c := range allowed {
		b, err := encode(7, c)
		if err != nil || !strings.HasPrefix(string(b), `{"id":7,"type":"`) {
			t.Errorf("command %s: %s, %v", c, b, err)
		}
		got = append(got, string(c))
		if c != ping && lacks[c] == "" {
			t.Errorf("command %s: nothing says what is missing without it", c)
		}
	}
	slices.Sort(got)
	want := []string{
		`"type":"config/area_registry/list"`,
		`"type":"config/device_registry/list"`,
		`"type":"config/entity_registry/list_for_display"`,
		`"type":"dhcp/subscribe_discovery"`,
		`"type":"network"`,
		`"type":"ping"`,
		`"type":"ssdp/subscribe_discovery"`,
		`"type":"subscribe_entities","include":{"domains":["update"]}`,
		`"type":"subscribe_events","event_type":"area_registry_updated"`,
		`"type":"subscribe_events","event_type":"device_registry_updated"`,
		`"type":"subscribe_events","event_type":"entity_registry_updated"`,
		`"type":"zeroconf/subscribe_discovery"`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("commands that are sent (-want +got):\n%s", diff)
	}
}

func TestRefusedToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, h := newServer(), newHarness()
		srv.setUp(true)
		srv.set(func() { srv.refuse = true })
		h.start(t, Config{URL: "http://192.0.2.1:8123", Token: token}, srv)
		time.Sleep(time.Hour)
		synctest.Wait()
		got := h.Take()
		if strings.Count(got, "health down Home Assistant does not accept the token") != 1 || strings.Count(got, "\n") != 1 {
			t.Errorf("reported %q", got)
		}
		srv.set(func() { srv.refuse = false })
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := h.Take(); !strings.Contains(got, "health ok") {
			t.Errorf("reported %q after the token was accepted", got)
		}
	})
}

// TestSilence: a Home Assistant that goes without a word is noticed.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, h := newServer(), newHarness()
		srv.setUp(true)
		srv.set(func() { srv.silent = true })
		h.start(t, Config{URL: "http://192.0.2.1:8123", Token: token}, srv)
		time.Sleep(silentAfter + time.Second)
		synctest.Wait()
		if got := h.Take(); !strings.Contains(got, "health down Home Assistant cannot be reached (it no longer answers)") {
			t.Errorf("reported %q", got)
		}
	})
}

// TestPing: a silent Home Assistant is pinged, and answers.
func TestPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, h := newServer(), newHarness()
		srv.setUp(true)
		h.start(t, Config{URL: "http://192.0.2.1:8123", Token: token}, srv)
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := h.Take(); strings.Contains(got, "down") {
			t.Errorf("reported %q", got)
		}
		srv.mu.Lock()
		defer srv.mu.Unlock()
		if n := slices.IndexFunc(srv.got, func(s string) bool { return strings.Contains(s, string(ping)) }); n < 0 {
			t.Errorf("no ping among %d commands", len(srv.got))
		}
	})
}

func TestNotSetUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness()
		h.start(t, Config{}, newServer())
		if got := h.Take(); !strings.HasPrefix(got, "health ok Not configured") {
			t.Errorf("reported %q", got)
		}
	})
}

func TestSocketURL(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"http://homeassistant.local:8123", "ws://homeassistant.local:8123/api/websocket"},
		{"https://ha.example.org/", "wss://ha.example.org/api/websocket"},
		{"http://ha/base/?x#y", "ws://ha/base/api/websocket"},
		{"ws://supervisor/core/websocket", "ws://supervisor/core/websocket"},
		{"http://u:p@ha", ""}, {"ftp://ha", ""}, {"ha:8123", ""}, {"http://", ""},
	} {
		u, err := socketURL(tt.in)
		got := ""
		if err == nil {
			got = u.String()
		}
		if got != tt.want {
			t.Errorf("%q: %q (%v), want %q", tt.in, got, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "u:p") {
			t.Errorf("%q: the error shows a password: %v", tt.in, err)
		}
	}
}
