package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/thingwarden/thingwarden/agent"
	"github.com/thingwarden/thingwarden/agent/config"
	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

const (
	lockZ, strangerZ, stickZ, newcomerZ = "zigbee_00158d00de300002", "zigbee_00158d00de300666", "zigbee_00124b00de300001", "zigbee_00158d00de300005"
	hostile, plug, theCamera, theRouter = "mac_00005e005342", "mac_00005e00531e", "mac_00005e00530a", "mac_00005e005301"
)

// firstFindings are all that is wrong in the home at first, by device. Devices
// that are not named are as they should be.
func firstFindings() map[discovery.ID][]string {
	return map[discovery.ID][]string{
		theRouter:          {"info fw-version-unknown", "low natpmp-pcp-on", "medium igd-upnp-on"},
		theCamera:          {"critical wan-port-mapping", "high camera-open", "high telnet-open", "info fw-version-unknown", "medium http-basic-clear"},
		"mac_00005e00530b": {"high setup-network-open", "medium control-open", "medium update-waiting"},
		"mac_00005e00530d": {"medium control-open"},
		"mac_00005e00530f": {"medium control-plain", "medium fw-years-old", "medium page-controls-open"},
		"mac_00005e005311": {"info fw-version-unknown", "medium settings-open"},
		"mac_00005e005313": {"low homekit-unpaired"},
		"mac_00005e005315": {"high mqtt-anonymous"},
		"mac_00005e005317": {"low wan-port-mapping"},
		hostile:            {"high telnet-open"},
		stickZ:             {"low zigbee-default-key"},
		lockZ:              {"medium update-waiting"},
		strangerZ:          {"low zigbee-unknown-device"},
		"zwave_dec0de01_5": {"high zwave-no-security"},
		"zwave_dec0de01_6": {"high zwave-lock-not-ac"},
		"zwave_dec0de01_7": {"low zwave-s0"},
	}
}

// lastFindings are those at the end of the story.
func lastFindings() map[discovery.ID][]string {
	all := firstFindings()
	all[theRouter] = []string{"info fw-version-unknown"}
	all[theCamera] = []string{"high camera-open", "info fw-version-unknown", "medium http-basic-clear"}
	delete(all, "mac_00005e005317")
	all[plug] = []string{"high telnet-open"}
	all[newcomerZ] = []string{"info new-device"}
	return all
}

// storyEvents are what must come of each step, at least.
var storyEvents = [][]string{
	{"device_appeared " + plug, "finding_opened " + plug + " new-device", "finding_opened " + plug + " telnet-open"},
	{"finding_opened " + plug + " wan-port-mapping"},
	{"finding_resolved " + theCamera + " telnet-open"},
	{"finding_opened " + stickZ + " zigbee-join-open", "device_appeared " + newcomerZ},
	{"finding_resolved " + stickZ + " zigbee-join-open"},
	{"finding_resolved " + plug + " wan-port-mapping", "finding_resolved " + theCamera + " wan-port-mapping", "finding_resolved " + theRouter + " igd-upnp-on"},
	{"device_trusted " + plug, "finding_resolved " + plug + " new-device"},
}

// watched is an agent that watches a simulated home.
type watched struct {
	t    *testing.T
	home *Home
	*agent.Agent

	mu     sync.Mutex
	probed map[netip.Addr]bool // by probes
}

// watch starts a home and an agent, both as in the demo, only that the agent asks
// as fast as it ever may.
func watch(t *testing.T) *watched {
	t.Helper()
	before := goleak.IgnoreCurrent()
	dir := t.TempDir()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	home, err := New(dir, log)
	if err != nil {
		t.Fatal(err)
	}
	w := &watched{t: t, home: home, probed: map[netip.Addr]bool{}}
	c := Configure(config.Default(), dir)
	c.MQTT.Listen = "127.0.0.1:0"
	c.Network.ConnectionsPerSecond = config.Pace{Device: prober.MaxPerDevice, House: prober.MaxPerHouse}
	opt := agent.Options{Config: c, Log: log, Version: "test", Mode: agent.ModeRun}
	home.Place(&opt)
	opt.Dial, opt.DialUDP = w.note(opt.Dial), w.note(opt.DialUDP)
	if w.Agent, err = agent.New(opt); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the agent ended with %v", err)
		}
		if err := home.Close(); err != nil {
			t.Errorf("closing the home: %v", err)
		}
		goleak.VerifyNone(t, before)
	})
	return w
}

func (w *watched) note(dial prober.DialFunc) prober.DialFunc {
	return func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
		w.mu.Lock()
		w.probed[to.Addr()] = true
		w.mu.Unlock()
		return dial(ctx, to)
	}
}

// await waits until diff finds nothing, and fails with what it found if that takes
// too long.
func (w *watched) await(what string, diff func(*report.Snapshot) string) {
	w.t.Helper()
	deadline := time.Now().Add(90 * time.Second)
	for {
		d := diff(w.Snapshot())
		if d == "" {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%s: %s", what, d)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// settled is what differs from the findings wanted, or says that devices are
// still being asked.
func (w *watched) settled(want map[discovery.ID][]string) func(*report.Snapshot) string {
	return func(s *report.Snapshot) string {
		if done, all := w.Progress(); done < all {
			return fmt.Sprintf("%d of %d devices asked; findings (-want +got):\n%s", done, all, cmp.Diff(want, findings(s)))
		}
		return cmp.Diff(want, findings(s))
	}
}

func findings(s *report.Snapshot) map[discovery.ID][]string {
	out := map[discovery.ID][]string{}
	for _, d := range s.Devices {
		for _, f := range d.Findings {
			if f.Problem() {
				out[d.ID] = append(out[d.ID], f.Severity.String()+" "+f.Policy.ID)
			}
		}
		slices.Sort(out[d.ID])
	}
	return out
}

func events(s *report.Snapshot) []string {
	var out []string
	for _, e := range s.Events {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s", e.Type, e.Device, e.Policy)))
	}
	return out
}

func TestHome(t *testing.T) {
	w := watch(t)
	began := time.Now()
	w.await("the first look", w.settled(firstFindings()))
	t.Logf("first look took %v", time.Since(began))
	for _, e := range events(w.Snapshot()) {
		if strings.HasPrefix(e, report.DeviceAppeared) {
			t.Errorf("a device of the first look is news: %s", e)
		}
	}
	w.await("the devices", func(s *report.Snapshot) string { return cmp.Diff(27, len(s.Devices)-1) }) // without the hub
	checkHostile(t, w)
	w.await("the end of learning", func(*report.Snapshot) string {
		if time.Since(began) > learningPeriod {
			return ""
		}
		return "not over"
	})

	story := Story()
	if len(story) != len(storyEvents) {
		t.Fatalf("%d steps, events for %d", len(story), len(storyEvents))
	}
	for i, step := range story {
		if err := step.do(t.Context(), w.home, w.Agent); err != nil {
			t.Fatalf("%s: %v", step.Soon, err)
		}
		w.await(step.Soon, func(s *report.Snapshot) string {
			got := events(s)
			for _, want := range storyEvents[i] {
				if !slices.Contains(got, want) {
					return fmt.Sprintf("no event %q among\n%s", want, strings.Join(got, "\n"))
				}
			}
			return ""
		})
	}
	w.await("the end of the story", w.settled(lastFindings()))
	checkHostile(t, w)
	checkProbed(t, w)
	checkHealth(t, w.Snapshot())
}

var goodID = regexp.MustCompile(`^[a-z0-9_]{1,40}$`)

// checkHostile checks that what hostile devices say does no harm, neither by
// itself nor to others.
func checkHostile(t *testing.T, w *watched) {
	t.Helper()
	s := w.Snapshot()
	for _, d := range s.Devices {
		if !goodID.MatchString(string(d.ID)) {
			t.Errorf("id %q", d.ID)
		}
		texts := []string{d.Name, d.Manufacturer, d.Model, d.Firmware}
		for _, e := range d.Facts {
			texts = append(texts, e.Proof)
			if v, ok := e.Value.(string); ok {
				texts = append(texts, v)
			}
		}
		for _, text := range texts {
			if text != fact.Clean(text, len(text)+1) {
				t.Errorf("%s: %q is not clean", d.ID, text)
			}
		}
	}
	for _, f := range s.Device(hostile).Facts {
		switch f.Name {
		case fact.IGDLocation.Name(), fact.UPnPLocations.Name():
			for location := range strings.FieldsSeq(strings.Trim(fmt.Sprint(f.Value), "[]")) {
				if !strings.HasPrefix(location, "http://"+hostileAt.String()+":5000/") && f.Known() {
					t.Errorf("a place elsewhere is believed: %s = %s", f.Name, location)
				}
			}
		case fact.WANPortMappings.Name(), fact.WANGateway.Name(), fact.MQTTAnonymous.Name():
			if f.Known() && f.Value != false {
				t.Errorf("believed of the hostile device: %s = %v", f.Name, f.Value)
			}
		}
	}
	for _, f := range s.Device(theCamera).Facts {
		if f.Name == fact.HomeKitPaired.Name() || strings.Contains(fmt.Sprint(f.Value), "Forged") {
			t.Errorf("the camera is what another says: %s = %v", f.Name, f.Value)
		}
	}
}

// checkProbed checks that all devices were asked, and nothing else.
func checkProbed(t *testing.T, w *watched) {
	t.Helper()
	want := map[netip.Addr]bool{}
	all, _ := w.home.present()
	for _, d := range all {
		want[d.addr] = true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if diff := cmp.Diff(want, w.probed, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

func checkHealth(t *testing.T, s *report.Snapshot) {
	t.Helper()
	if s.Blind != "" {
		t.Errorf("blind: %s", s.Blind)
	}
	var got []string
	for _, h := range s.Health {
		if h.Status != discovery.OK {
			got = append(got, fmt.Sprintf("%s %s: %s", h.Name, h.Status, h.Error))
		}
	}
	want := []string{"mdns degraded: The device at 192.0.2.66 announces services of other devices, as a multicast DNS repeater does. " +
		"Thingwarden ignores what it announces for them."}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("health (-want +got):\n%s", diff)
	}
}

// TestStoryIsInOrder also holds that devices are known before anything happens.
func TestStoryIsInOrder(t *testing.T) {
	last := 2 * learningPeriod
	for _, s := range Story() {
		if s.At < last {
			t.Errorf("%s: at %v, after what is at %v", s.Soon, s.At, last)
		}
		last = s.At
	}
}

// Whoever asks where no device is waits in vain, as on a real network.
func TestDialUnusedAddress(t *testing.T) {
	home, err := New(t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer home.Close() //nolint:errcheck // tested elsewhere
	for name, dial := range map[string]prober.DialFunc{"tcp": home.Dial, "udp": home.DialUDP} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		if _, err := dial(ctx, netip.AddrPortFrom(ip(200), 80)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: got %v", name, err)
		}
		cancel()
	}
}
