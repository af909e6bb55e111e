package clients

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober"
	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
	"github.com/thingwarden/thingwarden/discovery/prober/recorded"
	"github.com/thingwarden/thingwarden/discovery/product/tplink"
)

// kasaFixture is what python-kasa's tests keep of a real device.
type kasaFixture struct {
	System struct {
		Sysinfo json.RawMessage `json:"get_sysinfo"`
	} `json:"system"`
	Discovery json.RawMessage `json:"discovery_result"`
}

// From the answers of real devices our probe reads who may control them, and takes
// none for new that has an owner.
func TestRecordedKasaDevices(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(installed(t), "kasa", "tests", "fixtures", "*", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, file := range files {
		var f kasaFixture
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if json.Unmarshal(b, &f) != nil {
			continue // not of a device
		}
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		switch {
		case len(f.Discovery) > 0:
			t.Run(name, func(t *testing.T) { count[newer(t, f.Discovery)]++ })
		case strings.Contains(string(f.System.Sysinfo), `"IOT.IPCAMERA"`):
			// Recorded after a log-in, by another protocol.
		case len(f.System.Sysinfo) > 0:
			t.Run(name, func(t *testing.T) { older(t, f.System.Sysinfo) })
			count["open"]++
		}
	}
	t.Logf("recorded devices: %v", count)
	if count["open"] < 60 || count["in use"] < 60 || count["new"] < 3 {
		t.Errorf("too few recorded devices: %v", count)
	}
}

// older plays the answer of a device with the old protocol.
func older(t *testing.T, sysinfo json.RawMessage) {
	var told struct {
		Model   string `json:"model"`
		Version string `json:"sw_ver"`
	}
	if err := json.Unmarshal(sysinfo, &told); err != nil {
		t.Fatal(err)
	}
	body := fmt.Appendf(nil, `{"system":{"get_sysinfo":%s}}`, sysinfo)
	key := byte(171)
	for i := range body {
		key ^= body[i]
		body[i] = key
	}
	said := askRecorded(t, "tcp/9999 answer", append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...))
	for _, want := range []string{"control.open = true |", "device.model = " + told.Model + " |", "device.firmware = " + told.Version + " |", "device.class = "} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q:\n%s", want, said)
		}
	}
}

// newer plays what a device with the newer protocol tells before a log-in, and
// returns what state it is in.
func newer(t *testing.T, result json.RawMessage) string {
	// Older recordings have the result without the frame around it.
	var whole struct {
		Result json.RawMessage `json:"result"`
	}
	if json.Unmarshal(result, &whole) == nil && len(whole.Result) > 0 {
		result = whole.Result
	}
	var told struct {
		Model   string  `json:"device_model"`
		Factory bool    `json:"factory_default"`
		Owner   *string `json:"owner"`
	}
	if err := json.Unmarshal(result, &told); err != nil {
		t.Fatal(err)
	}
	frame := append([]byte{2, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, fmt.Appendf(nil, `{"error_code":0,"result":%s}`, result)...)
	said := askRecorded(t, "udp/20002 020000 text", frame)
	for _, want := range []string{"control.open = false |", "device.model = " + told.Model + " |"} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q:\n%s", want, said)
		}
	}
	owned := told.Owner != nil && *told.Owner != ""
	isNew := strings.Contains(said, "device.set_up = false") || strings.Contains(said, "device.set_up ~ false")
	if want := told.Factory && !owned; isNew != want {
		t.Errorf("new: %v, want %v (factory_default=%v, owner: %v):\n%s", isNew, want, told.Factory, owned, said)
	}
	switch {
	case isNew:
		return "new"
	case strings.Contains(said, "device.set_up = true"):
		return "in use"
	default:
		return "not told"
	}
}

// askRecorded lets the probe ask a device that gives one recorded answer.
func askRecorded(t *testing.T, port string, reply []byte) (said string) {
	t.Helper()
	var escaped strings.Builder
	for _, b := range reply {
		fmt.Fprintf(&escaped, `\x%02x`, b)
	}
	d, err := recorded.Parse(fmt.Appendf(nil, "-- %s --\n%s\n", port, escaped.String()))
	if err != nil {
		t.Fatal(err)
	}
	known := fact.New("test", probertest.Today)
	fact.DeviceProduct.Set(known, "tplink", "")
	synctest.Test(t, func(*testing.T) {
		said = probertest.Observe(probertest.Question{
			Probe: tplink.Probe, Device: probertest.Device(), Known: known, LAN: netip.MustParsePrefix("192.0.2.0/24"),
			Touch: prober.Read, Dial: d.Dial, DialUDP: d.DialUDP,
		})
		d.Wait()
	})
	return said
}
