package homeassistant

import (
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/dnssd"
)

// FuzzReport takes any two answers or events in. What is reported of them must be clean,
// bounded, and never about an address that is not private.
func FuzzReport(f *testing.F) {
	kinds := map[string]uint8{
		"network": 0, "config/area_registry/list": 1, "config/device_registry/list": 2, "config/entity_registry/list_for_display": 3,
		"subscribe_entities": 4, "dhcp/subscribe_discovery": 5, "zeroconf/subscribe_discovery": 6, "ssdp/subscribe_discovery": 7,
	}
	files, _ := filepath.Glob("testdata/script/*.txtar")
	for _, file := range files {
		ar, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, x := range ar.Files {
			_, name, _ := strings.Cut(x.Name, " ")
			if kind, ok := kinds[name]; ok {
				line, _, _ := strings.Cut(string(x.Data), "\n")
				f.Add(kind, []byte(line), uint8(5), []byte(`{"add":[{"mac_address":"240AC4005301","hostname":"x","ip_address":"10.99.0.9"}]}`))
			}
		}
	}
	f.Fuzz(func(t *testing.T, one uint8, a []byte, two uint8, b []byte) {
		known := map[discovery.Identifier]bool{}
		report := func(o discovery.Observation) {
			if len(o.About) == 0 || len(o.About) > 2*maxIDs+maxAddresses || len(o.Services) > dnssd.MaxServices+16 {
				t.Errorf("observation %+v", o)
			}
			for _, i := range o.About {
				if addr, err := netip.ParseAddr(i.Value); !i.Strong() && (err != nil || !addr.IsPrivate()) {
					t.Errorf("observation about %v", i)
				}
				known[i] = !o.Gone
			}
			for _, n := range o.Facts.Entries() {
				if s, ok := n.Value.(string); ok && s != fact.Clean(s, fact.MaxText) {
					t.Errorf("%s = %q", n.Name, s)
				}
			}
		}
		now := time.Unix(1e9, 0)
		r := newReporter(discovery.Env{
			Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now },
			Networks: func() discovery.Networks { return discovery.Networks{} }, Routed: func([]netip.Prefix) {},
		}, report)
		r.begin(now)
		for _, x := range []struct {
			kind uint8
			data []byte
		}{{one, a}, {two, b}} {
			take(&r.home, x.kind, x.data)
			now = now.Add(time.Second)
			r.reportChanges(t.Context(), now)
		}
		r.lost(t.Context())
		r.begin(now)
		now = now.Add(leaseKept)
		r.home.forget(now)
		r.home.devices = nil
		r.reportChanges(t.Context(), now)
		for i, is := range known {
			if is && len(r.reported.Keys()) > 0 {
				t.Errorf("%v is still reported", i)
			}
		}
	})
}

func take(h *home, kind uint8, b []byte) {
	switch kind % 8 {
	case 0:
		_ = h.setAdapters(b)
	case 1:
		_ = h.setAreas(b)
	case 2:
		_ = h.setDevices(b)
	case 3:
		_ = h.setEntities(b)
	case 4:
		_ = h.takeUpdates(b)
	case 5:
		_ = h.takeLeases(b, true)
	case 6:
		_ = h.takeInstances(b)
	default:
		_ = h.takeUPnP(b)
	}
}

// FuzzSession takes any three messages in on a connection on which commands wait for
// their answers and streams are open.
func FuzzSession(f *testing.F) {
	f.Add([]byte(`{"id":1,"type":"result","success":true,"result":[]}`), []byte(`{"id":5,"type":"event","event":{"a":{}}}`), []byte(`{"id":1,"type":"result","success":false,"error":{"code":"unknown_command"}}`))
	f.Add([]byte(`{"id":9007199254740993,"type":"result"}`), []byte(`[]`), []byte(`{"id":6,"type":"result","success":true}`))
	f.Fuzz(func(t *testing.T, one, two, three []byte) {
		now := time.Unix(1e9, 0)
		env := discovery.Env{
			Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }, Health: func(discovery.Status, string) {},
			Networks: func() discovery.Networks { return discovery.Networks{} }, Routed: func([]netip.Prefix) {},
		}
		x := &connection{
			source: &source{env: env}, reporter: newReporter(env, func(discovery.Observation) {}), began: now, lastMessage: now, wait: retryFirst,
			sent: map[int64]command{}, streams: map[int64]command{}, refused: map[command]string{}, started: map[int64]bool{},
		}
		x.reporter.begin(now)
		for id, c := range opening {
			x.sent[int64(id)+1], x.streams[int64(id)+1] = c, c
		}
		commands := len(opening)
		for _, b := range [][]byte{one, two, three} {
			x.take(b)
		}
		if len(x.sent) > commands || len(x.streams) > commands || len(x.refused) > commands || len(x.started) > commands {
			t.Errorf("%d answers waited for, %d streams, %d refusals, %d started; %d commands were sent", len(x.sent), len(x.streams), len(x.refused), len(x.started), commands)
		}
		for _, code := range x.refused {
			if code != fact.Clean(code, fact.MaxText) {
				t.Errorf("refused with %q", code)
			}
		}
		x.next(now)
	})
}
