// Package demo is a simulated home, for people who want to see what Thingwarden
// does before it looks at theirs, and for tests of the whole pipeline.
//
// Some devices are weak, some are well set up, and one attacks who looks at it.
// They speak their real protocols, in memory: probes reach them by Home.Dial, at
// addresses of 192.0.2.0/24, which RFC 5737 keeps for documentation. What
// devices announce is read by the real sources for multicast DNS and SSDP; a
// Zigbee2MQTT on an MQTT broker and a Z-Wave JS server, both on the loopback
// interface, are read by the real sources for them. Only the neighbour table,
// which a kernel would keep, is made up here as a whole.
//
// It is not this package's job to find, judge or show anything: package agent
// does, without knowing that the home is simulated.
package demo

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/thingwarden/thingwarden/agent"
	"github.com/thingwarden/thingwarden/agent/config"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/source/mdns"
	"github.com/thingwarden/thingwarden/discovery/source/ssdp"
	"github.com/thingwarden/thingwarden/discovery/source/static"
)

// Site is the site under which the simulated home is published, so that it never
// mixes with a real one on the same broker.
const Site = "demo"

// learningPeriod is for how long the devices of the home count as known.
const learningPeriod = 10 * time.Second

// Home is a simulated home. Its methods are safe for concurrent use.
type Home struct {
	log    *slog.Logger
	now    func() time.Time
	cert   tls.Certificate
	zigbee *zigbee2mqtt
	zwave  *zwaveJS

	ctx    context.Context // of all conversations
	cancel context.CancelFunc
	talks  sync.WaitGroup

	mu      sync.Mutex // guards what follows and what the devices have as state
	devices map[netip.Addr]*device
	changed chan struct{} // closed when devices come or go
	router  router
	camera  camera
}

// New starts a simulated home. Dir is a folder for its own use, which has to be
// there. The home must be closed.
func New(dir string, log *slog.Logger) (*Home, error) {
	h := &Home{log: log, now: time.Now, devices: map[netip.Addr]*device{}, changed: make(chan struct{})}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	err := h.start(dir)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting the simulated home: %w", err), h.Close())
	}
	return h, nil
}

func (h *Home) start(dir string) (err error) {
	if h.cert, err = selfSigned("nas.local", h.now()); err != nil {
		return err
	}
	h.camera.telnet = true
	h.router.start()
	products, err := h.productDevices()
	if err != nil {
		return err
	}
	for _, d := range append(products, h.firstDevices()...) {
		h.devices[d.addr] = d
	}
	if h.zwave, err = startZWaveJS(h.log); err != nil {
		return err
	}
	h.zigbee, err = startZigbee2MQTT(h.ctx, dir, h.now, h.log)
	return err
}

// Close ends all devices, and every conversation with them.
func (h *Home) Close() error {
	h.cancel()
	h.talks.Wait()
	var errs []error
	if h.zigbee != nil {
		errs = append(errs, h.zigbee.close())
	}
	if h.zwave != nil {
		errs = append(errs, h.zwave.close())
	}
	return errors.Join(errs...)
}

// Configure returns the configuration with which an agent watches the home. Of
// the owner's it keeps the broker, the policies, the language and the log; the
// rest is about a real home.
func Configure(owner config.Config, stateDir string) config.Config {
	c := config.Default()
	c.MQTT, c.Policies, c.Language, c.Log, c.File = owner.MQTT, owner.Policies, owner.Language, owner.Log, owner.File
	c.Site, c.StateDir, c.LearningPeriod = Site, stateDir, learningPeriod
	c.Web.Listen = pageAddress(c.Web.Listen)
	c.Devices = []config.Device{{Match: console.String(), Name: "Games console", Class: "console"}}
	return c
}

// pageAddress is where the page of the demo listens: at the usual address, or, if
// an agent has that already, at any other port.
func pageAddress(usual string) string {
	l, err := net.Listen("tcp", usual)
	if err != nil {
		return "127.0.0.1:0"
	}
	_ = l.Close()
	return usual
}

// Place makes an agent with these options look at the home, and at nothing else.
func (h *Home) Place(o *agent.Options) {
	o.Sources = []discovery.SourceKind{
		mdns.KindOn(h.multicastDNS), h.neighbours(), ssdp.KindOn(h.upnp), static.Kind, h.zigbee.kind(), h.zwave.kind(),
	}
	o.Dial, o.DialUDP, o.Networks = h.Dial, h.DialUDP, networks
}

// networks is the home's one network, as the hub sees it.
func networks() discovery.Networks {
	return discovery.Networks{
		Watched:  []discovery.Network{{Interface: "demo0", Index: 1 << 30, Prefix: netip.PrefixFrom(ip(0), 24), Own: hub}},
		Gateways: []netip.Addr{gateway},
	}
}

// ip is an address of the home.
func ip(n byte) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, n}) }
