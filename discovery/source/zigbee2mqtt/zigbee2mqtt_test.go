package zigbee2mqtt

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/source/sourcetest"
)

const (
	stick    = "00124b0000000001"
	infoOpen = `{"version":"2.14.1","permit_join":true,"permit_join_end":%d,"coordinator":{"ieee_address":"0x` + stick + `"}}`
	infoShut = `{"version":"2.14.1","permit_join":false,"coordinator":{"ieee_address":"0x` + stick + `"}}`
)

func TestConfiguration(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  Config
		want string
	}{
		{"default", Config{}, ""},
		{"deep base topic", Config{BaseTopics: []string{"site/house/zigbee"}}, ""},
		{"wildcard", Config{BaseTopics: []string{"zigbee/#"}}, `"zigbee/#" is not a topic`},
		{"empty", Config{BaseTopics: []string{""}}, `"" is not a topic`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.cfg.Validate()
			if got := fmt.Sprint(err); tt.want == "" && err != nil || !strings.Contains(got, tt.want) {
				t.Errorf("got error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestNoBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var health []string
		env := discovery.Env{Log: slog.New(slog.DiscardHandler), Now: time.Now, Sent: func(netip.Addr, int, int) {},
			Health: func(s discovery.Status, problem string) { health = append(health, string(s)+" "+problem) }}
		src, err := new(Config).New(env)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := src.Run(ctx, func(discovery.Observation) { t.Error("something was reported") }); err != nil {
			t.Errorf("Run: %v", err)
		}
		if d := cmp.Diff([]string{"degraded No MQTT broker is configured, so Thingwarden cannot see Zigbee devices."}, health); d != "" {
			t.Error(d)
		}
	})
}

func TestNothingFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, Config{})
		time.Sleep(time.Hour)
		if d := cmp.Diff("health ok\n", h.Take()); d != "" {
			t.Error(d)
		}
	})
}

func TestFilters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, Config{BaseTopics: []string{"a/b/c"}})
		h.broker.Publish("a/b/c/bridge/info", infoShut, true)
		h.broker.Publish("a/b/c/bridge/devices", `[{"ieee_address":"0x`+stick+`","type":"Coordinator"},
			{"ieee_address":"0x01","friendly_name":"hall/none"},
			{"ieee_address":"0x0000000000000001","friendly_name":"hall/lamp"},
			{"ieee_address":"0x0000000000000002","friendly_name":"hall/#"},
			{"ieee_address":"0x0000000000000003","friendly_name":"bridge/definitions"},
			{"ieee_address":"0x0000000000000004","friendly_name":"flat"}]`, true)
		synctest.Wait()
		want := []string{"+/+/bridge/info", "+/bridge/info", "a/b/c/+", "a/b/c/+/availability", "a/b/c/bridge/devices",
			"a/b/c/bridge/event", "a/b/c/bridge/info", "a/b/c/bridge/state", "a/b/c/hall/lamp", "a/b/c/hall/lamp/availability"}
		if d := cmp.Diff(want, h.broker.Filters()); d != "" {
			t.Error(d)
		}
	})
}

// TestOpenWindow follows a network that an automation keeps open.
func TestOpenWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, Config{})
		began := time.Now()
		h.broker.Publish("zigbee2mqtt/bridge/state", "online", true)
		h.broker.Publish("zigbee2mqtt/bridge/info", infoShut, true)
		for range 20 {
			h.broker.Publish("zigbee2mqtt/bridge/info", fmt.Sprintf(infoOpen, clock.Add(time.Since(began)+254*time.Second).UnixMilli()), false)
			synctest.Wait()
			time.Sleep(240 * time.Second)
		}
		since, _ := sourcetest.Last(h.World, stick, fact.ZigbeeJoinOpenSince)
		if !since.Equal(clock) {
			t.Errorf("open since %v, want %v", since, clock)
		}
		day, _ := sourcetest.Last(h.World, stick, fact.ZigbeeJoinOpenDay)
		if day < 4740 || day > 4800 {
			t.Errorf("open for %d s in the last day, want the last minute's 4800", day)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if open, known := sourcetest.Last(h.World, stick, fact.ZigbeeJoinOpen); open || !known {
			t.Errorf("after permit_join_end: open %v, known %v", open, known)
		}
		time.Sleep(25 * time.Hour)
		synctest.Wait()
		if day, known := sourcetest.Last(h.World, stick, fact.ZigbeeJoinOpenDay); day != 0 || !known {
			t.Errorf("a day later: open for %d s, known %v", day, known)
		}
	})
}

// TestAges: facts that age are reported again before they do.
func TestAges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, Config{})
		h.broker.Publish("z/bridge/state", "online", true)
		h.broker.Publish("z/bridge/info", infoShut, true)
		h.broker.Publish("z/bridge/devices", `[{"ieee_address":"0x`+stick+`","type":"Coordinator"},
			{"ieee_address":"0x0000000000000001","friendly_name":"on","software_build_id":1.5},
			{"ieee_address":"0x0000000000000002","friendly_name":"off"},
			{"ieee_address":"0x0000000000000003","friendly_name":"not told"}]`, true)
		h.broker.Publish("z/on/availability", "online", true)
		h.broker.Publish("z/off/availability", "offline", true)
		synctest.Wait()
		h.Take()
		time.Sleep(refresh)
		synctest.Wait()
		got := map[string]string{}
		for line := range strings.Lines(h.Take()) {
			if f := strings.Fields(line); f[0] == "zigbee" {
				got[f[1]] = "alive"
				if f[len(f)-1] == "quiet" {
					got[f[1]] = "quiet"
				}
			}
		}
		want := map[string]string{stick: "alive", "0000000000000001": "alive", "0000000000000002": "quiet", "0000000000000003": "quiet"}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		if v, _ := sourcetest.Last(h.World, "0000000000000001", fact.DeviceFirmware); v != "1.5" {
			t.Errorf("firmware %q, want 1.5", v)
		}
	})
}

// TestTalkative: a device that sends every second is reported once a minute.
func TestTalkative(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, Config{})
		h.broker.Publish("z/bridge/state", "online", true)
		h.broker.Publish("z/bridge/info", infoShut, true)
		h.broker.Publish("z/bridge/devices", `[{"ieee_address":"0x`+stick+`","type":"Coordinator"},
			{"ieee_address":"0x0000000000000001","friendly_name":"meter"}]`, true)
		synctest.Wait()
		h.Take()
		for range 600 {
			h.broker.Publish("z/meter", `{"power":7}`, false)
			time.Sleep(time.Second)
		}
		if n := strings.Count(h.Take(), "zigbee 0000000000000001"); n != 10 {
			t.Errorf("%d reports in ten minutes, want 10", n)
		}
		h.broker.Publish("z/meter", fmt.Sprintf(`{"power":7,"last_seen":%d}`, clock.UnixMilli()), false)
		synctest.Wait()
		if s := h.Take(); s != "" {
			t.Errorf("a state sent again from the cache was taken as a sign of life:\n%s", s)
		}
	})
}

func TestTooMuch(t *testing.T) {
	b := newInbox()
	for range maxItems + 1 {
		b.put(item{})
	}
	if _, err := b.take(); err == nil {
		t.Error("messages were lost and nothing was said")
	}
	b = newInbox()
	for range 5 {
		b.put(item{msg: discovery.Message{Payload: make([]byte, maxDevices)}})
	}
	if _, err := b.take(); err == nil {
		t.Error("messages were lost and nothing was said")
	}
}

func TestManyInstances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, Config{})
		for i := range 3 * maxBridges {
			h.broker.Publish(fmt.Sprintf("z%d/bridge/info", i), infoShut, true)
			synctest.Wait()
		}
		if n := len(h.broker.Filters()); n > 2+5*maxBridges {
			t.Errorf("%d subscriptions", n)
		}
		if got := h.Take(); !strings.Contains(got, "health degraded More than 16 Zigbee2MQTT instances") {
			t.Errorf("health does not say it:\n%s", got)
		}
	})
}

func TestManyDevices(t *testing.T) {
	var list strings.Builder
	fmt.Fprintf(&list, `[{"ieee_address":"0x%s","type":"Coordinator"}`, stick)
	for i := range maxMembers + 5 {
		fmt.Fprintf(&list, `,{"ieee_address":"0x%016x"}`, i+1)
	}
	list.WriteString("]")
	got, spoilt, err := decodeDevices([]byte(list.String()), maxMembers)
	if len(got) != maxMembers || spoilt != "more than 2000 devices" || err != nil {
		t.Errorf("%d devices, %q, %v", len(got), spoilt, err)
	}
}
