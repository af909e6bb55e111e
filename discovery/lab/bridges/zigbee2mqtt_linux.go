package bridges

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/discovery/lab"
)

// Zigbee2MQTTConfig says which Zigbee home to play.
type Zigbee2MQTTConfig struct {
	Broker    string // host:port of the MQTT broker
	Username  string // at the broker; "" for none
	Password  string
	BaseTopic string // "" means zigbee2mqtt
	Hardened  bool   // the hardened twin
}

// Zigbee2MQTT is a running bridge that can be killed and started again.
type Zigbee2MQTT struct {
	*lab.Proc               // of the last start
	Coordinator      string // IEEE addresses, as 0x and 16 hex digits
	Newcomer         string // a device that is not paired yet
	host             *lab.Host
	cfg              Zigbee2MQTTConfig
	modules, dir     string
	profile, control string
}

// radio is what the Go side needs of radio-*.json.
type radio struct {
	Coordinator string
	Devices     []struct {
		Name, IEEE       string
		Paired, Disabled bool
	}
}

// StartZigbee2MQTT starts the bridge on a host and waits until it has started.
func StartZigbee2MQTT(t testing.TB, h *lab.Host, cfg Zigbee2MQTTConfig) *Zigbee2MQTT {
	t.Helper()
	// The folder must be outside of any git repository, whose commit the program
	// would take for its own.
	z := &Zigbee2MQTT{host: h, cfg: cfg, modules: installed(t), dir: t.TempDir()}
	name := "radio-weak.json"
	if cfg.Hardened {
		name = "radio-hardened.json"
	}
	if z.cfg.BaseTopic == "" {
		z.cfg.BaseTopic = "zigbee2mqtt"
	}
	put(t, z.dir, "preload.cjs")
	z.profile = put(t, z.dir, name)
	z.control = write(t, z.dir, "control", nil)
	var r radio
	b, err := os.ReadFile(z.profile)
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil {
		t.Fatalf("read %s: %v", name, err)
	}
	z.Coordinator = r.Coordinator
	for _, d := range r.Devices {
		if !d.Paired {
			z.Newcomer = d.IEEE
		}
	}
	write(t, z.dir, "data/configuration.yaml", z.configuration(r))
	write(t, z.dir, "data/ota_index.json", []byte(otaIndex))
	z.Start(t)
	return z
}

// otaIndex offers a newer firmware for the plug of the weak home.
const otaIndex = `[{"url": "http://127.0.0.1:9/outlet.ota", "fileName": "outlet.ota", "fileVersion": 587765297, "fileSize": 100000,
	"manufacturerCode": 4476, "imageType": 4353, "sha512": "00", "otaHeaderString": "outlet"}]`

func (z *Zigbee2MQTT) configuration(r radio) []byte {
	var y strings.Builder
	fmt.Fprintf(&y, "version: 5\nserial: {port: /dev/null, adapter: zstack}\nfrontend: {enabled: false}\nhomeassistant: {enabled: true}\n")
	fmt.Fprintf(&y, "availability: {enabled: true}\nota: {zigbee_ota_override_index_location: ota_index.json}\n")
	fmt.Fprintf(&y, "mqtt: {base_topic: %q, server: \"mqtt://%s\"", z.cfg.BaseTopic, z.cfg.Broker)
	if z.cfg.Username != "" {
		fmt.Fprintf(&y, ", user: %q, password: %q", z.cfg.Username, z.cfg.Password)
	}
	fmt.Fprintf(&y, "}\nadvanced: {log_output: [console], last_seen: ISO_8601")
	if z.cfg.Hardened {
		y.WriteString(", network_key: GENERATE, pan_id: GENERATE, ext_pan_id: GENERATE")
	} else {
		y.WriteString(", network_key: [1, 3, 5, 7, 9, 11, 13, 15, 0, 2, 4, 6, 8, 10, 12, 13], pan_id: 0x1a62")
		y.WriteString(", ext_pan_id: [221, 221, 221, 221, 221, 221, 221, 221]")
	}
	y.WriteString("}\ndevices:\n")
	for _, d := range r.Devices {
		if d.Paired && d.Name != "" {
			fmt.Fprintf(&y, "  %q: {friendly_name: %q, disabled: %t}\n", d.IEEE, d.Name, d.Disabled)
		}
	}
	return []byte(y.String())
}

// Start starts the bridge, again after Stop or Kill, and waits until it has started.
func (z *Zigbee2MQTT) Start(t testing.TB) {
	t.Helper()
	cmd := exec.Command("node", "-r", filepath.Join(z.dir, "preload.cjs"), filepath.Join(z.modules, "zigbee2mqtt", "index.js"))
	cmd.Dir = z.dir
	cmd.Env = append(os.Environ(), "ZIGBEE2MQTT_DATA="+filepath.Join(z.dir, "data"), "RADIO="+z.profile, "RADIO_CONTROL="+z.control)
	z.Proc = z.host.StartCmd(t, cmd)
	z.WaitOutput(t, time.Minute, "Zigbee2MQTT started!")
}

// PermitJoin opens the network for a time, as the bridge's page does; 0 closes it.
func (z *Zigbee2MQTT) PermitJoin(t testing.TB, d time.Duration) {
	t.Helper()
	host, port, err := net.SplitHostPort(z.cfg.Broker)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-h", host, "-p", port, "-t", z.cfg.BaseTopic + "/bridge/request/permit_join",
		"-m", fmt.Sprintf(`{"time": %d}`, d/time.Second)}
	if z.cfg.Username != "" {
		args = append(args, "-u", z.cfg.Username, "-P", z.cfg.Password)
	}
	z.host.Run(t, "mosquitto_pub", args...)
}

// Join makes a device of the simulated radio join, whether the network is open
// or not; Leave makes it leave; Report makes it send its state and ask for newer
// firmware. The address is 0x and 16 hex digits.
func (z *Zigbee2MQTT) Join(t testing.TB, ieee string) { t.Helper(); z.publish(t, "join", ieee) }

// Leave makes a device leave.
func (z *Zigbee2MQTT) Leave(t testing.TB, ieee string) { t.Helper(); z.publish(t, "leave", ieee) }

// Report makes a device send its state and ask for newer firmware.
func (z *Zigbee2MQTT) Report(t testing.TB, ieee string) { t.Helper(); z.publish(t, "report", ieee) }

func (z *Zigbee2MQTT) publish(t testing.TB, what, ieee string) {
	t.Helper()
	f, err := os.OpenFile(z.control, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = fmt.Fprintf(f, "{%q: %q}\n", what, ieee)
		if e := f.Close(); err == nil {
			err = e
		}
	}
	if err != nil {
		t.Fatalf("command to the radio: %v", err)
	}
}
