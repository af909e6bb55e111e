package hass

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/agent/report"
)

func TestParseCommand(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name, in string
		request  string
		want     report.Command
		err      string
	}{
		{"trust", `{"request":"a","action":"trust","device":"hub"}`, "a", report.Command{Action: report.Trust, Device: "hub"}, ""},
		{"accept until a date", `{"action":"accept","device":"hub","policy":"p","until":"2027-01-31"}`, "",
			report.Command{Action: report.Accept, Device: "hub", Policy: "p", Until: time.Date(2027, 2, 1, 0, 0, 0, 0, time.Local).UTC()}, ""},
		{"accept for good", `{"action":"accept","device":"hub","policy":"p","reason":"r"}`, "", report.Command{Action: report.Accept, Device: "hub", Policy: "p", Reason: "r"}, ""},
		{"recheck of a policy", `{"action":"recheck","device":"hub","policy":"p"}`, "", report.Command{Action: report.Recheck, Device: "hub", Policy: "p"}, ""},
		{"no JSON", `trust`, "", report.Command{}, "the command is not understood"},
		{"misspelt key", `{"action":"accept","device":"hub","policy":"p","utill":"2027-01-31"}`, "", report.Command{}, `unknown field "utill"`},
		{"wrong type", `{"request":7}`, "", report.Command{}, "the command is not understood"},
		{"two", `{"action":"trust","device":"hub"}{}`, "", report.Command{}, "there is more after its end"},
		{"no action", `{"request":"b","device":"hub"}`, "", report.Command{}, "names no action"},
		{"unknown action", `{"action":"explode","device":"hub"}`, "", report.Command{}, `unknown action "explode"`},
		{"no device", `{"action":"trust"}`, "", report.Command{}, "names no device"},
		{"device as a topic", `{"action":"trust","device":"a/b"}`, "", report.Command{}, `"a/b" is no device's id`},
		{"no policy", `{"action":"accept","device":"hub"}`, "", report.Command{}, "needs a policy"},
		{"policy too many", `{"action":"trust","device":"hub","policy":"p"}`, "", report.Command{}, "takes no policy"},
		{"until of something else", `{"action":"trust","device":"hub","until":"2027-01-31"}`, "", report.Command{}, "takes no until"},
		{"bad date", `{"action":"accept","device":"hub","policy":"p","until":"soon"}`, "", report.Command{}, `until "soon" is no date`},
		{"reason too long", `{"action":"accept","device":"hub","policy":"p","reason":"` + strings.Repeat("é", 501) + `"}`, "", report.Command{}, "the reason is longer than 500 characters"},
		{"reason of something else", `{"action":"trust","device":"hub","reason":"r"}`, "", report.Command{}, "takes no reason"},
		{"date that has passed", `{"action":"accept","device":"hub","policy":"p","until":"2026-01-31"}`, "", report.Command{}, "has passed"},
		{"too long", `{"request":"` + strings.Repeat("x", 5000) + `"}`, "", report.Command{}, "longer than 4096 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			request, got, err := parseCommand([]byte(tt.in), now)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error %v, want %q in it", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got); d != "" || request != tt.request {
				t.Errorf("request %q, command:\n%s", request, d)
			}
		})
	}
}

func TestParseControl(t *testing.T) {
	n := names{"home", "homeassistant"}
	for _, tt := range []struct {
		topic, payload string
		want           report.Action // empty: refused
	}{
		{"thingwarden/home/mac_1/trusted/set", "ON", report.Trust},
		{"thingwarden/home/mac_1/trusted/set", "OFF", report.Untrust},
		{"thingwarden/home/mac_1/check/set", "PRESS", report.Recheck},
		{"thingwarden/home/mac_1/check/set", "ON", ""},
		{"thingwarden/home/mac_1/trusted/set", "PRESS", ""},
		{"thingwarden/home/MAC/trusted/set", "ON", ""},
		{"thingwarden/home/mac_1/trusted/set", strings.Repeat("ON", 1000), ""},
	} {
		c, err := n.parseControl(tt.topic, []byte(tt.payload))
		if c.Action != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s %q: action %q, error %v", tt.topic, tt.payload[:min(len(tt.payload), 10)], c.Action, err)
		}
	}
}

func FuzzParseCommand(f *testing.F) {
	f.Add([]byte(`{"request":"a","action":"accept","device":"hub","policy":"p","reason":"r","until":"2027-01-31"}`))
	f.Add([]byte(`{"request":"\u202e{{ x }}","action":"trust","device":"mac_0"}`))
	f.Add([]byte(`{"until":"9999999-01-01"}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		request, c, err := parseCommand(in, time.Unix(1_000_000_000, 0))
		if len([]rune(request)) > maxRequest || strings.ContainsAny(request, "\x00\x1b\n\u202e") {
			t.Fatalf("the request is not bounded: %q", request)
		}
		if err != nil {
			if s := err.Error(); len(s) > 1000 || strings.ContainsAny(s, "\x00\x1b\n") {
				t.Fatalf("error %q", s)
			}
			return
		}
		if !idForm.MatchString(string(c.Device)) || (c.Policy == "") == (c.Action == report.Accept || c.Action == report.Unaccept) || len([]rune(c.Reason)) > report.MaxReason {
			t.Fatalf("taken: %+v", c)
		}
	})
}

func FuzzParseControl(f *testing.F) {
	f.Add("thingwarden/home/mac_1/trusted/set", []byte("ON"))
	f.Add("thingwarden/home/mac_1/check/set", []byte("PRESS"))
	f.Fuzz(func(t *testing.T, topic string, payload []byte) {
		c, err := names{"home", "homeassistant"}.parseControl(topic, payload)
		if err == nil && !idForm.MatchString(string(c.Device)) {
			t.Fatalf("taken: %+v", c)
		}
	})
}

func TestRefusalsAreLoggedOnceAMinute(t *testing.T) {
	var log bytes.Buffer
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	o := Options{Log: slog.New(slog.NewTextHandler(&log, nil)), Now: func() time.Time { return now }}
	var s seldom
	for range 1000 {
		s.warn(o, "refused")
	}
	now = now.Add(time.Minute)
	s.warn(o, "refused")
	if got := strings.Count(log.String(), "\n"); got != 2 || !strings.Contains(log.String(), "others_since=999") {
		t.Errorf("%d lines:\n%s", got, log.String())
	}
}
