package builtin

import (
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
	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
)

// A device is asked a product's question only if it shows itself as that product,
// and nothing at all without an address.
func TestProductProbesApply(t *testing.T) {
	type words map[fact.Fact[string]]string
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
		{"by its service, WLED", discovery.Device{Services: []discovery.Service{{Proto: "tcp", Port: 80, Name: "_wled._tcp"}}}, nil, "wled"},
		{"one of several products", discovery.Device{}, words{fact.DeviceProduct: "tapo-hub"}, "tplink"},
		{"another page", discovery.Device{}, words{fact.HTTPTitle: "Router", fact.HTTPServer: "lighttpd"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ev := fact.New("test", probertest.Today)
			for w, v := range tt.facts {
				w.Set(ev, v, "")
			}
			tt.d.IDs = []discovery.Identifier{discovery.IP(probertest.Addr)}
			var got []string
			for _, p := range Probes {
				if p.Signs != nil && p.Applies(tt.d, ev) {
					got = append(got, p.Name)
				}
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("applying: %q, want %q", s, tt.want)
			}
			tt.d.IDs = nil
			for _, p := range Probes {
				if p.Applies(tt.d, ev) {
					t.Errorf("%s applies to a device without an address", p.Name)
				}
			}
		})
	}
}

// The front page of one device is fetched once, whichever probes look at it.
func TestFrontPageIsFetchedOnce(t *testing.T) {
	wanted := slices.DeleteFunc(slices.Clone(Probes), func(p *prober.Probe) bool { return p.Signs == nil && p.Name != "http" })
	r := probertest.Read(t, "../protocol/http/testdata/product-page.txtar")
	r.Open(probertest.Read(t, "../product/esphome/plain.txtar"))
	fetched := map[uint16]int{}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		finished := make(chan string, 10)
		p := prober.New(prober.Options{
			Probes: wanted, Touch: prober.Read, PerDevice: 16, PerHouse: 128, Now: time.Now,
			Dial: func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
				fetched[to.Port()]++ // of one device, so one at a time
				return r.Dial(ctx, to)
			},
			Networks: func() discovery.Networks {
				return discovery.Networks{Watched: []discovery.Network{{Interface: "lan0", Prefix: netip.MustParsePrefix("192.0.2.0/24")}}}
			},
			Report: func(o discovery.Observation) {
				for _, by := range o.Facts.FinishedBy() {
					finished <- by
				}
			},
		})
		running := make(chan struct{})
		go func() { _ = p.Run(ctx); close(running) }()
		ev := fact.New("test", time.Now())
		fact.DeviceProduct.Set(ev, "esphome", "")
		p.Update(discovery.Device{ID: "ip_192_0_2_10", IDs: []discovery.Identifier{discovery.IP(probertest.Addr)}, Name: "shelly1-98CDAC"}, ev)
		var names []string
		for range 4 {
			names = append(names, <-finished)
		}
		cancel()
		<-running
		r.Wait()
		if got := strings.Join(names, " "); got != "esphome http shelly tasmota" {
			t.Errorf("probes: %s", got)
		}
	})
	// Of port 80: the front page, /shelly, and Tasmota's command; the page says Tasmota.
	for port, want := range map[uint16]int{80: 3, 443: 1, 6053: 1} {
		if fetched[port] != want {
			t.Errorf("tcp/%d: %d connections, want %d", port, fetched[port], want)
		}
	}
}
