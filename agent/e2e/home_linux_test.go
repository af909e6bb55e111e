package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery/lab"
	"github.com/thingwarden/thingwarden/discovery/lab/bridges"
)

func brokerConfig(m *lab.Mosquitto) string {
	return fmt.Sprintf("mqtt: {url: %q, username: %s, password: %s}\n", m.URL(), brokerUser, brokerPassword)
}

func startBroker(t testing.TB, l *lab.Lab) *lab.Mosquitto {
	t.Helper()
	return l.Hub().Mosquitto(t, lab.MosquittoConfig{Username: brokerUser, Password: brokerPassword})
}

func macID(h *lab.Host) string { return "mac_" + strings.ReplaceAll(h.MAC().String(), ":", "") }

// startLAN starts five devices of a home and returns what is wrong with each.
func startLAN(t testing.TB, l *lab.Lab) map[string][]string {
	t.Helper()
	_, want := startHosts(t, l)
	return want
}

// startHosts is startLAN that returns the devices too, by name.
func startHosts(t testing.TB, l *lab.Lab) (hosts map[string]*lab.Host, want map[string][]string) {
	t.Helper()
	hosts, want = map[string]*lab.Host{}, map[string][]string{}
	for name, wrong := range map[string][]string{
		"recorder": {"telnet-open"}, "printer": {"http-basic-clear"}, "plug": {"homekit-unpaired"},
		"lamp":  nil, // the plug's hardened twin
		"clean": nil,
	} {
		hosts[name] = l.Host(name)
		want[macID(hosts[name])] = wrong
	}
	hosts["recorder"].Telnetd(t, 23)
	hosts["printer"].Lighttpd(t, 80, "admin")
	hosts["plug"].Avahi(t, "plug", lab.AvahiService{Name: "Plug", Type: "_hap._tcp", Port: 5001, TXT: []string{"sf=1", "md=Lab plug", "ci=7", "id=00:11:22:33:44:55", "c#=1", "s#=1", "pv=1.1", "ff=0"}})
	hosts["lamp"].Avahi(t, "lamp", lab.AvahiService{Name: "Lamp", Type: "_hap._tcp", Port: 5001, TXT: []string{"sf=0", "md=Lab lamp", "ci=5", "id=00:11:22:33:44:66", "c#=1", "s#=1", "pv=1.1", "ff=0"}})
	return hosts, want
}

// startBridges starts the real Zigbee2MQTT and Z-Wave JS, each twice: a weak home
// and its hardened twin. It returns what the agent's configuration needs, and
// what is wrong with each device.
func startBridges(t testing.TB, l *lab.Lab, m *lab.Mosquitto) (config string, want map[string][]string) {
	t.Helper()
	zigbee, zwave := l.Host("zigbee"), l.Host("zwave")
	for _, hardened := range []bool{false, true} {
		base := map[bool]string{false: "zigbee2mqtt", true: "home/upstairs"}[hardened]
		bridges.StartZigbee2MQTT(t, zigbee, bridges.Zigbee2MQTTConfig{
			Broker: m.Addr, Username: brokerUser, Password: brokerPassword, BaseTopic: base, Hardened: hardened})
	}
	weak := bridges.StartZWaveJS(t, zwave, bridges.ZWaveJSConfig{})
	hard := bridges.StartZWaveJS(t, zwave, bridges.ZWaveJSConfig{Hardened: true, Port: 3001})
	want = map[string][]string{
		"zigbee_00124b00aabb0001": {"zigbee-default-key"},
		"zigbee_00158d0001000005": {"zigbee-unknown-device"},
		"zigbee_00158d0001000006": {"zigbee-unknown-device"},
		"zwave_cafe0001_2":        {"zwave-no-security"},
		"zwave_cafe0001_6":        {"zwave-no-security"},
		"zwave_cafe0001_10":       {"zwave-lock-not-ac"},
		"zwave_cafe0001_11":       {"zwave-s0"},
		"zwave_cafe0001_12":       {"zwave-no-security"},
		macID(zigbee):             nil,
		macID(zwave):              nil,
	}
	for _, clean := range []string{
		"zigbee_00158d0001000001", "zigbee_00158d0001000002", "zigbee_00158d0001000003", "zigbee_00158d0001000004",
		"zigbee_0017880101000007", "zigbee_a4c1380001000008",
		"zigbee_00124b00aabb1001", "zigbee_00158d0001001001", "zigbee_00158d0001001002", "zigbee_00158d0001001003",
		"zigbee_00158d0001001004", "zigbee_a4c1380001001008",
		"zwave_cafe0001_1", "zwave_cafe0001_3", "zwave_cafe0001_4", "zwave_cafe0001_5", "zwave_cafe0001_7", "zwave_cafe0001_8",
		"zwave_cafe0002_1", "zwave_cafe0002_3", "zwave_cafe0002_4", "zwave_cafe0002_5", "zwave_cafe0002_6",
	} {
		want[clean] = nil
	}
	return fmt.Sprintf("sources: {zwavejs: {urls: [%q, %q]}}\n", weak.URL, hard.URL), want
}

// published returns the devices that are in Home Assistant's discovery topics, and
// the findings of each that are a problem.
func (o *onlooker) published() map[string][]string {
	got := map[string][]string{}
	for _, topic := range o.topics("homeassistant/device/thingwarden_home_") {
		id := strings.TrimSuffix(strings.TrimPrefix(topic, "homeassistant/device/thingwarden_home_"), "/config")
		got[id] = nil
		for _, topic := range o.topics("thingwarden/home/" + id + "/") {
			p := topic[strings.LastIndexByte(topic, '/')+1:]
			if state, _ := o.finding(id, p); state == "ON" && p != "state" {
				got[id] = append(got[id], p)
			}
		}
		slices.Sort(got[id])
	}
	return got
}

// TestHome is the main job: every device of a home with everything in it is on
// the broker with the right findings, and a hardened device has none. A scan
// says the same.
func TestHome(t *testing.T) {
	l := lab.New(t)
	m := startBroker(t, l)
	want := startLAN(t, l)
	config, bridged := startBridges(t, l, m)
	maps.Copy(want, bridged)
	want["hub"] = nil
	config += brokerConfig(m)
	o := look(t, m)
	a := startAgent(t, l.Hub(), config)

	started := time.Now()
	poll(2*time.Minute, func() bool { return cmp.Equal(want, o.published()) })
	t.Logf("the whole home, %d devices, was on the broker %v after the start", len(want), time.Since(started).Round(time.Second/10))
	// A wrong alarm may come later than the right ones: wait until all were asked.
	lab.WaitFor(t, time.Minute, "every device to have been asked", func() bool {
		for id := range want {
			_, state := o.device(id)
			attr, _ := state["attr"].(map[string]any)
			by := fmt.Sprint(attr["seen_by"])
			if strings.HasPrefix(id, "mac_") && (!strings.Contains(by, "http") || !strings.Contains(by, "telnet")) {
				return false
			}
		}
		return true
	})
	if d := cmp.Diff(want, o.published()); d != "" {
		t.Errorf("findings on the broker (-want +got):\n%s", d)
	}
	got, _, code := scan(t, "--for", "15s", "--fail-on", "critical", "--config", a.file)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("findings of the scan (-want +got):\n%s", d)
	}
	if code != 0 {
		t.Errorf("exit code %d of the scan, want 0: nothing is critical", code)
	}
	if config, _ := o.device("hub"); config == nil {
		t.Error("the hub is not published")
	}
	if status, _ := o.get("thingwarden/home/status"); string(status) != "online" {
		t.Errorf("status %q, want online", status)
	}
	if err := a.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := a.Wait(10 * time.Second); err != nil {
		t.Errorf("clean stop: %v", err)
	}
	lab.WaitFor(t, 2*time.Second, "the farewell", func() bool {
		status, _ := o.get("thingwarden/home/status")
		return string(status) == "offline"
	})
}

// poll waits until done, but not longer than the timeout; what is missing then is
// for the caller to say.
func poll(timeout time.Duration, done func() bool) {
	for end := time.Now().Add(timeout); !done() && time.Now().Before(end); {
		time.Sleep(100 * time.Millisecond)
	}
}

// TestNewHostIsPublishedWithinASecond measures the time from a new host's only
// packet to its retained configuration on the broker.
func TestNewHostIsPublishedWithinASecond(t *testing.T) {
	l := lab.New(t)
	m := startBroker(t, l)
	o := look(t, m)
	startAgent(t, l.Hub(), brokerConfig(m)+"learning_period: 0\n")
	lab.WaitFor(t, 20*time.Second, "the agent", func() bool { c, _ := o.device("hub"); return c != nil })
	var hosts []*lab.Host
	for i := range 20 {
		hosts = append(hosts, l.Host(fmt.Sprintf("new%d", i), lab.Silent(), lab.WithAddrs()))
	}
	time.Sleep(2 * time.Second) // nobody tells when a bridge port forwards

	var took []time.Duration
	for i, h := range hosts {
		// An address that nobody has said yet can't be found by the sweep.
		ip := netip.AddrFrom4([4]byte{10, 99, 0, byte(100 + i)})
		h.Run(t, "ip", "addr", "add", ip.String()+"/24", "dev", "lan0")
		start := time.Now()
		switch i % 3 {
		case 0:
			h.Run(t, "arping", "-U", "-c", "1", "-w", "1", "-I", "lan0", ip.String())
		case 1:
			h.Start(t, "busybox", "udhcpc", "-i", "lan0", "-n", "-q", "-t", "1", "-T", "1", "-s", "/bin/true")
		default:
			announce(t, h, ip)
		}
		id := macID(h)
		lab.WaitFor(t, 10*time.Second, "the new host "+id, func() bool { c, _ := o.device(id); return c != nil })
		_, since := o.get("homeassistant/device/thingwarden_home_" + id + "/config")
		took = append(took, since.Sub(start))
	}
	slices.Sort(took)
	p95 := took[len(took)*95/100-1]
	t.Logf("from the packet to the retained device, 20 hosts: median %v, p95 %v, most %v", took[len(took)/2], p95, took[len(took)-1])
	if p95 > time.Second {
		t.Errorf("p95 %v, want at most 1s", p95)
	}
	lab.WaitFor(t, 5*time.Second, "an event for each", func() bool { return o.count("device_appeared") >= 20 })
	if n := o.count("device_appeared"); n != 20 {
		t.Errorf("%d events of new devices, want 20", n)
	}
}

// announce sends one multicast DNS announcement (RFC 6762 section 8.3).
func announce(t testing.TB, h *lab.Host, own netip.Addr) {
	t.Helper()
	conn := h.ListenPacket("udp4", own.String()+":5353")
	defer conn.Close()
	// A response with one A record, thing.local, for the host's own address.
	b := []byte("\x00\x00\x84\x00\x00\x00\x00\x01\x00\x00\x00\x00\x05thing\x05local\x00\x00\x01\x80\x01\x00\x00\x00\x78\x00\x04")
	ip := own.As4()
	if _, err := conn.WriteTo(append(b, ip[:]...), &net.UDPAddr{IP: net.IPv4(224, 0, 0, 251), Port: 5353}); err != nil {
		t.Fatal(err)
	}
}

func (o *onlooker) count(eventType string) (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range o.events {
		if e["event_type"] == eventType {
			n++
		}
	}
	return n
}

// scanned is the part of `scan --format json` that the tests look at.
type scanned struct {
	Devices []struct {
		ID       string
		Kind     string
		IP       []string
		Findings []struct{ Policy, Status string }
		Sent     struct{ Packets, Connections int }
	}
}

func scan(t testing.TB, args ...string) (map[string][]string, scanned, int) {
	t.Helper()
	out, code := runCLI(t, append([]string{"scan", "--format", "json"}, args...)...)
	var s scanned
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		t.Fatalf("scan printed no JSON: %v\n%s", err, out)
	}
	got := map[string][]string{}
	for _, d := range s.Devices {
		got[d.ID] = nil
		for _, f := range d.Findings {
			got[d.ID] = append(got[d.ID], f.Policy)
		}
		slices.Sort(got[d.ID])
	}
	return got, s, code
}

func TestScan(t *testing.T) {
	l := lab.New(t)
	want := startLAN(t, l)
	a := &agent{t: t, hub: l.Hub(), dir: t.TempDir(), file: t.TempDir() + "/thingwarden.yaml"}
	a.configure("")
	got, s, code := scan(t, "--for", "15s", "--fail-on", "high", "--config", a.file)
	if code != 2 {
		t.Errorf("exit code %d, want 2: there is a finding of high severity", code)
	}
	want["hub"] = nil
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("findings (-want +got):\n%s", d)
	}
	for _, d := range s.Devices {
		if d.Kind == "lan" && d.Sent.Connections == 0 {
			t.Errorf("%s: nothing is counted as sent", d.ID)
		}
	}
	table, _ := a.cli("scan", "--for", "10s")
	for line := range strings.SplitSeq(table, "\n") {
		if n := len([]rune(line)); n > 80 {
			t.Errorf("line of %d columns: %q", n, line)
		}
	}
	t.Logf("\n%s", table)
}
