package hass

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseCommand(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     Command
		err      string
	}{
		{"trust", `{"request":"a","action":"trust","device":"hub"}`, Command{Request: "a", Action: Trust, Device: "hub"}, ""},
		{"accept until a date", `{"action":"accept","device":"hub","policy":"p","until":"2027-01-31"}`,
			Command{Action: Accept, Device: "hub", Policy: "p", Until: time.Date(2027, 2, 1, 0, 0, 0, 0, time.Local).UTC()}, ""},
		{"accept for good", `{"action":"accept","device":"hub","policy":"p","reason":"r"}`, Command{Action: Accept, Device: "hub", Policy: "p", Reason: "r"}, ""},
		{"recheck of a policy", `{"action":"recheck","device":"hub","policy":"p"}`, Command{Action: Recheck, Device: "hub", Policy: "p"}, ""},
		{"no JSON", `trust`, Command{}, "the command is not understood"},
		{"misspelt key", `{"action":"accept","device":"hub","policy":"p","utill":"2027-01-31"}`, Command{}, `unknown field "utill"`},
		{"wrong type", `{"request":7}`, Command{}, "the command is not understood"},
		{"two", `{"action":"trust","device":"hub"}{}`, Command{}, "there is more after its end"},
		{"no action", `{"request":"b","device":"hub"}`, Command{}, "names no action"},
		{"unknown action", `{"action":"explode","device":"hub"}`, Command{}, `unknown action "explode"`},
		{"no device", `{"action":"trust"}`, Command{}, `"" is no device's id`},
		{"device as a topic", `{"action":"trust","device":"a/b"}`, Command{}, `"a/b" is no device's id`},
		{"no policy", `{"action":"accept","device":"hub"}`, Command{}, "needs a policy"},
		{"policy too many", `{"action":"trust","device":"hub","policy":"p"}`, Command{}, "takes no policy"},
		{"until of something else", `{"action":"trust","device":"hub","until":"2027-01-31"}`, Command{}, "takes no until"},
		{"bad date", `{"action":"accept","device":"hub","policy":"p","until":"soon"}`, Command{}, `until "soon" is no date`},
		{"too long", `{"request":"` + strings.Repeat("x", 5000) + `"}`, Command{}, "longer than 4096 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseCommand([]byte(tt.in))
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error %v, want %q in it", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestParseControl(t *testing.T) {
	n := names{"home", "homeassistant"}
	for _, tt := range []struct {
		topic, payload string
		want           Action // empty: refused
	}{
		{"thingwarden/home/mac_1/trusted/set", "ON", Trust},
		{"thingwarden/home/mac_1/trusted/set", "OFF", Untrust},
		{"thingwarden/home/mac_1/check/set", "PRESS", Recheck},
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
		c, err := parseCommand(in)
		if len([]rune(c.Request)) > maxRequest || len([]rune(c.Reason)) > maxReason || strings.ContainsAny(c.Request+c.Reason, "\x00\x1b\n\u202e") {
			t.Fatalf("texts are not bounded: %+v", c)
		}
		if err != nil {
			if s := err.Error(); len(s) > 1000 || strings.ContainsAny(s, "\x00\x1b\n") {
				t.Fatalf("error %q", s)
			}
			return
		}
		if !idForm.MatchString(string(c.Device)) || (c.Policy == "") == (c.Action == Accept || c.Action == Unaccept) {
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
