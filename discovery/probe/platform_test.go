package probe

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// A device is asked a product's question only if it shows itself as that product.
func TestLooksLike(t *testing.T) {
	type words map[fact.Fact[string]]string
	addr := []discovery.Identifier{discovery.IP(deviceAddr)}
	for _, tt := range []struct {
		name  string
		d     discovery.Device
		facts words
		want  string // names of the product probes
	}{
		{"nothing is known", discovery.Device{}, nil, ""},
		{"by its service", discovery.Device{Services: []discovery.Service{{Proto: "tcp", Port: 80, Name: "_shelly._tcp"}}}, nil, "shelly"},
		{"by its service, ESPHome", discovery.Device{Services: []discovery.Service{{Proto: "tcp", Port: 6053, Name: "_esphomelib._tcp"}}}, nil, "esphome"},
		{"by what is known", discovery.Device{}, words{fact.DeviceProduct: "esphome"}, "esphome"},
		{"by its name", discovery.Device{Name: "ShellyPlus1-a8032ab12345"}, nil, "shelly"},
		{"by its host name", discovery.Device{Name: "Kitchen"}, words{fact.DeviceHostname: "shelly1pm-98CDAC"}, "shelly"},
		{"a name that an owner gave", discovery.Device{Name: "Shelly in the kitchen"}, nil, ""},
		{"by its host name, Tasmota", discovery.Device{}, words{fact.DeviceHostname: "tasmota-1A2B3C-6955"}, "tasmota"},
		{"by its server", discovery.Device{}, words{fact.HTTPServer: "ShellyHTTP/1.0.0"}, "shelly"},
		{"by its realm", discovery.Device{}, words{fact.HTTPRealm: "shelly1-98CDAC1F0B2E"}, "shelly"},
		{"by its title", discovery.Device{}, words{fact.HTTPTitle: "Tasmota - Main Menu"}, "tasmota"},
		{"another page", discovery.Device{}, words{fact.HTTPTitle: "Router", fact.HTTPServer: "lighttpd"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.d.IDs = addr
			ev := fact.New("test", today)
			for w, v := range tt.facts {
				w.Set(ev, v, "")
			}
			var got []string
			for _, p := range []*prober.Probe{ESPHome, Shelly, Tasmota} {
				if p.Applies(tt.d, ev) {
					got = append(got, p.Name)
				}
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("applying: %q, want %q", s, tt.want)
			}
			tt.d.IDs = nil
			if slices.ContainsFunc([]*prober.Probe{ESPHome, MQTT, Shelly, Tasmota}, func(p *prober.Probe) bool { return p.Applies(tt.d, ev) }) {
				t.Error("a device without an address is asked")
			}
		})
	}
}

func TestMQTTApplies(t *testing.T) {
	for _, tt := range []struct {
		id    discovery.ID
		class string
		want  bool
	}{
		{"mac_00005e005301", "", true},
		{"mac_00005e005301", "computer", true},
		{"mac_00005e005301", "phone", false},
		{"mac_00005e005301", "printer", false},
		{discovery.Hub, "hub", false},
	} {
		ev := fact.New("test", today)
		if tt.class != "" {
			fact.DeviceClass.Set(ev, tt.class, "")
		}
		d := discovery.Device{ID: tt.id, IDs: []discovery.Identifier{discovery.IP(deviceAddr)}}
		if got := MQTT.Applies(d, ev); got != tt.want {
			t.Errorf("MQTT applies to %s of class %q: %v", tt.id, tt.class, got)
		}
	}
}

// The front page of one device is fetched once, whichever probes look at it.
func TestFrontPageIsAskedOnce(t *testing.T) {
	tr := readTranscript(t, HTTP, "testdata/http/product-page.txtar")
	tr.open[6053] = readTranscript(t, ESPHome, "testdata/esphome/plain.txtar").open[6053]
	asked := map[uint16]int{}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		finished := make(chan string, 10)
		prober := prober.New(prober.Options{
			Probes: []*prober.Probe{ESPHome, HTTP, Shelly, Tasmota}, Touch: prober.Read, PerDevice: 16, PerHouse: 128, Now: time.Now,
			Dial: func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
				asked[to.Port()]++ // of one device, so one at a time
				return tr.dialPipe(ctx, to)
			},
			Networks: func() discovery.Networks {
				return discovery.Networks{Looked: []discovery.Network{{Interface: "lan0", Prefix: netip.MustParsePrefix("192.0.2.0/24")}}}
			},
			Report: func(o discovery.Observation) {
				for _, by := range o.Facts.FinishedBy() {
					finished <- by
				}
			},
		})
		running := make(chan struct{})
		go func() { _ = prober.Run(ctx); close(running) }()
		ev := fact.New("test", time.Now())
		fact.DeviceProduct.Set(ev, "esphome", "")
		prober.Update(discovery.Device{ID: "ip_192_0_2_10", IDs: []discovery.Identifier{discovery.IP(deviceAddr)}, Name: "shelly1-98CDAC"}, ev)
		var names []string
		for range 4 {
			names = append(names, <-finished)
		}
		cancel()
		<-running
		tr.serving.Wait()
		if got := strings.Join(names, " "); got != "esphome http shelly tasmota" {
			t.Errorf("probes: %s", got)
		}
	})
	// Of port 80: the front page, /shelly, and Tasmota's command; the page says Tasmota.
	for port, want := range map[uint16]int{80: 3, 443: 1, 6053: 1} {
		if asked[port] != want {
			t.Errorf("tcp/%d: %d connections, want %d", port, asked[port], want)
		}
	}
}

// However much a device sends, an answer that is cut is no answer.
func TestHugeJSON(t *testing.T) {
	for _, tt := range []struct {
		name string
		r    prober.Response
		ok   bool
	}{
		{"small", prober.Response{Body: []byte(`{"type":"SHSW-1","mac":"98CDAC1F0B2E","auth":false}`)}, true},
		{"cut", prober.Response{Body: []byte(`{"type":"SHSW-1","mac":"98CDAC1F0B2E","auth":false}`), Truncated: true}, false},
		{"huge", prober.Response{Body: append([]byte(`{"type":"SHSW-1","mac":"98CDAC1F0B2E","auth":false}`), bytes.Repeat([]byte(" "), maxJSON)...)}, false},
		{"many sections", prober.Response{Body: []byte(manySections(maxSections))}, false},
		{"not too many sections", prober.Response{Body: []byte(manySections(maxSections - 1))}, true},
		{"two values", prober.Response{Body: []byte(`{"type":"SHSW-1","mac":"98CDAC1F0B2E"}{}`)}, false},
		{"the last of two same names counts", prober.Response{Body: []byte(`{"type":"","type":"SHSW-1","mac":"98CDAC1F0B2E"}`)}, true},
		{"a number too large", prober.Response{Body: []byte(`{"gen":1e999,"type":"SHSW-1","mac":"98CDAC1F0B2E"}`)}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, ok := decode(&tt.r, shellyInfo.valid); ok != tt.ok {
				t.Errorf("read: %v, want %v", ok, tt.ok)
			}
		})
	}
}

func manySections(n int) string {
	var b strings.Builder
	b.WriteString(`{"z":{"type":"SHSW-1","mac":"98CDAC1F0B2E"}`)
	for i := range n {
		b.WriteString(`,"a` + strings.Repeat("b", i) + `":1`)
	}
	return b.String() + "}"
}
