package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery/lab"
)

// sight is what the source homeassistant shows of a home: how the app sees it,
// which has no network but that of the apps.
type sight struct {
	Devices []struct {
		ID       string         `json:"id"`
		Name     string         `json:"name"`
		Kind     string         `json:"kind"`
		IP       []string       `json:"ip"`
		Sources  []string       `json:"sources"`
		Facts    map[string]any `json:"facts"`
		Findings []struct {
			Policy string `json:"policy"`
			Status string `json:"status"`
		} `json:"findings"`
	} `json:"devices"`
	Health []struct {
		Component string `json:"component"`
		Status    string `json:"status"`
		Error     string `json:"error"`
	} `json:"health"`
}

// TestHomeAssistantAsSource: a home in which a real Home Assistant is, looked at
// from a network of its own, as that of the apps is one. All that is seen of the
// home comes from Home Assistant, and by TCP by way of a router.
func TestHomeAssistantAsSource(t *testing.T) {
	if _, err := exec.LookPath("iptables"); err != nil {
		lab.SkipOrFail(t, "e2e", "iptables is not installed")
	}
	binary(t)
	l := lab.New(t)
	hub := l.Hub()
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	// As Docker does for the network of the apps; the bridge of it comes with the app.
	hub.Run(t, "iptables", "-t", "nat", "-A", "POSTROUTING", "-s", lab.LAN1.IPv4.String(), "-o", lab.LAN0.Name, "-j", "MASQUERADE")
	broker := startBroker(t, l)
	o := look(t, broker)
	l.Host("router").Dnsmasq(t)
	plug := l.Host("plug")
	plug.Avahi(t, "plug", lab.AvahiService{Name: "Plug. Two", Type: "_hap._tcp", Port: 5001, TXT: []string{
		"sf=1", "md=Lab plug", "ci=7", "id=00:11:22:33:44:55", "c#=1", "s#=1", "pv=1.1", "ff=0"}})
	media := l.Host("media")
	media.Minidlna(t, "Media box")
	camera := l.Host("camera", lab.WithMAC("24:0a:c4:00:53:01"), lab.WithAddrs())
	camera.Telnetd(t, 23)
	app := l.Host("app", lab.On(lab.LAN1), lab.WithGateway("10.98.0.2"))

	ha := startHomeAssistant(t, hub, broker, camera.MAC().String())
	s := ha.connect(t)
	lab.WaitFor(t, time.Minute, "Home Assistant to listen to DHCP", func() bool {
		// /proc/self is the first thread, which may stand in another namespace for good.
		b, err := os.ReadFile("/proc/thread-self/net/packet")
		return err == nil && strings.Count(string(b), "\n") > 1
	})
	camera.Udhcpc(t, "porch-cam", "")
	update := func(id, device, version string) {
		o.publish("homeassistant/update/"+id+"/config", fmt.Sprintf(`{"name": "Firmware", "unique_id": %q, "device_class": "firmware",`+
			`"state_topic": "lab/%s", "device": %s}`, id, id, device), true)
		o.publish("lab/"+id, fmt.Sprintf(`{"installed_version": "1.0", "latest_version": %q}`, version), true)
	}
	update("cam", `{"connections": [["mac", "`+camera.MAC().String()+`"]], "name": "Porch", "manufacturer": "Lab", "model": "Cam 1", "sw_version": "1.0", "suggested_area": "Garden"}`, "1.1")
	update("door", `{"identifiers": ["zigbee2mqtt_0x00158d0001a2b3c4"], "name": "Door sensor", "manufacturer": "Aqara"}`, "1.0")

	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	write(t, token, ha.token+"\n")
	source := "sources: {homeassistant: {url: \"http://10.99.0.2:8123\", token_file: " + token + "}}\n"

	// The agent beside Home Assistant publishes there, and reads there too: its own
	// devices must not come back to it.
	beside := startAgent(t, hub, brokerConfig(broker)+"learning_period: 1h\n"+source)
	s.waitState(2*time.Minute, macID(camera)+"_update_waiting", "on")
	s.waitState(time.Minute, macID(camera)+"_telnet_open", "on")

	t.Run("from the network of the apps", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "config.yaml")
		write(t, file, "state_dir: "+t.TempDir()+"\n"+source)
		got, out := scanOn(t, app, file)
		want := map[string][]string{
			macID(camera):               {"telnet-open", "update-waiting"},
			"zigbee_00158d0001a2b3c4":   nil,
			addrID(plug.IP().String()):  {"homekit-unpaired"},
			addrID(media.IP().String()): nil,
		}
		if d := cmp.Diff(want, findings(got)); d != "" {
			t.Errorf("devices and findings (-want +got):\n%s", d)
		}
		for _, d := range got.Devices {
			if d.ID == macID(camera) && (d.Name != "Camera as the router knows it" || d.Facts["device.area"] == nil || !slices.Contains(d.Sources, "homeassistant")) {
				t.Errorf("camera: %+v", d)
			}
		}
		for _, h := range got.Health {
			if h.Component == "homeassistant" && h.Status != "ok" || h.Component == "network" && h.Status != "ok" {
				t.Errorf("%s is %s: %s", h.Component, h.Status, h.Error)
			}
		}
		if strings.Contains(out, ha.token) || strings.Contains(beside.Output(), ha.token) {
			t.Error("the token was told")
		}
	})
	t.Run("beside Home Assistant", func(t *testing.T) {
		got, _ := scanOn(t, hub, beside.file)
		for _, d := range got.Devices {
			if strings.HasPrefix(d.ID, "ip_") {
				t.Errorf("%s is a device twice: %+v", d.ID, d)
			}
			if d.ID == macID(camera) && !(slices.Contains(d.Sources, "homeassistant") && slices.Contains(d.Sources, "neighbours")) {
				t.Errorf("camera is seen by %v", d.Sources)
			}
		}
	})
	ha.checkLog(t)
}

func addrID(ip string) string { return "ip_" + strings.ReplaceAll(ip, ".", "_") }

// findings are the ids of what is open on each device but the hub.
func findings(s sight) map[string][]string {
	out := map[string][]string{}
	for _, d := range s.Devices {
		if d.Kind == "hub" {
			continue
		}
		out[d.ID] = nil
		for _, f := range d.Findings {
			if f.Status == "open" {
				out[d.ID] = append(out[d.ID], f.Policy)
			}
		}
		slices.Sort(out[d.ID])
	}
	return out
}

// scanOn looks once from a host.
func scanOn(t *testing.T, h *lab.Host, config string) (s sight, stdout string) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "scan.json")
	p := h.Start(t, "sh", "-c", fmt.Sprintf("exec %s scan --for 40s --format json --config %s >%s", binary(t), config, out))
	if err := p.Wait(2 * time.Minute); err != nil {
		t.Fatalf("scan: %v\n%s", err, p.Output())
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatalf("scan: %v\n%s", err, b)
	}
	return s, string(b)
}
