package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery/lab"
)

// pages are what a device answers by HTTP; a page that begins with "401" wants a
// log-in, of the scheme that stands behind it.
type pages map[string]string

func (p pages) serve(h *lab.Host, server string) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := p[r.URL.RequestURI()]
		if server != "" {
			w.Header().Set("Server", server)
		}
		scheme, wantsLogin := strings.CutPrefix(body, "401 ")
		switch {
		case !ok:
			http.NotFound(w, r)
		case wantsLogin:
			w.Header().Set("WWW-Authenticate", scheme)
			w.WriteHeader(http.StatusUnauthorized)
		default:
			_, _ = io.WriteString(w, body)
		}
	})
	ln := h.Listen("tcp4", ":80")
	go func() { _ = http.Serve(ln, handler) }() //nolint:gosec // a fake device, until its listener is closed
}

// replyOnce makes a device that answers the first bytes on a port with always the same.
func replyOnce(h *lab.Host, port int, reply string) {
	ln := h.Listen("tcp4", fmt.Sprintf(":%d", port))
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if _, err := c.Read(make([]byte, 256)); err == nil {
					_, _ = io.WriteString(c, reply)
					_, _ = io.Copy(io.Discard, c)
				}
			}()
		}
	}()
}

const (
	espHello  = "\x00\x1c\x02\x08\x01\x10\x0a\x1a\x16x (esphome v2026.10.1)"
	espNoKey  = "\x01\x00\x13\x01Bad indicator byte"
	espPage   = `<!DOCTYPE html><html><head></head><body><esp-app></esp-app><script src="https://oi.esphome.io/v3/www.js"></script></body></html>`
	digest    = `401 Digest realm="x", qop="auth", nonce="y"`
	needsUser = `{"WARNING":"Need user=<username>&password=<password>"}`
	status2   = "/cm?cmnd=Status%202"
)

// startDevices starts a home of common devices, most of them with a hardened twin,
// and returns what is wrong with each.
func startDevices(t testing.TB, l *lab.Lab) map[string][]string {
	t.Helper()
	want := map[string][]string{}
	device := func(name string, wrong ...string) *lab.Host {
		h := l.Host(name)
		want[macID(h)] = wrong
		return h
	}
	const shelly = "ShellyHTTP/1.0.0"
	pages{
		"/":                   "<html><head><title>Shelly</title></head></html>",
		"/shelly":             `{"id":"shellyplus1-a8032ab12345","mac":"A8032AB12345","gen":2,"ver":"1.1.0","app":"Plus1","auth_en":false}`,
		"/rpc/WiFi.GetConfig": `{"ap":{"ssid":"x","is_open":true,"enable":true},"sta":{"ssid":"Home sweet home"}}`,
		"/rpc/Sys.GetStatus":  `{"available_updates":{"stable":{"version":"1.4.4"}}}`,
	}.serve(device("shelly", "control-open", "setup-network-open", "update-waiting"), shelly)
	pages{
		"/":       digest,
		"/shelly": `{"id":"shelly1g3-54320464f17c","mac":"54320464F17C","gen":3,"ver":"1.4.4","app":"S1G3","auth_en":true}`,
	}.serve(device("shelly-hard"), shelly)
	pages{
		"/":       "<html><head><title>Shelly Switch</title></head></html>",
		"/shelly": `{"type":"SHSW-1","mac":"98CDAC1F0B2E","auth":false,"fw":"20191127-095418/v1.5.6@0d769d69"}`,
		"/status": `{"wifi_sta":{"ssid":"Home sweet home"},"update":{"has_update":false}}`,
	}.serve(device("shelly-old", "control-open", "fw-years-old"), "Mongoose/6.18")
	pages{
		"/":     "<html><head><title>Lamp - Main Menu</title></head></html>",
		status2: `{"StatusFWR":{"Version":"15.1.0(tasmota)","BuildDateTime":"2026-09-01T10:00:00"}}`,
	}.serve(device("tasmota", "control-open"), "Tasmota/15.1.0 (ESP8266EX)")
	pages{"/": digest, status2: needsUser}.serve(device("tasmota-hard"), "Tasmota/15.1.0 (ESP8266EX)")

	esp := device("esp", "control-plain", "page-controls-open")
	replyOnce(esp, 6053, espHello)
	pages{"/": espPage}.serve(esp, "")
	esp.Avahi(t, "esp", lab.AvahiService{Name: "esp", Type: "_esphomelib._tcp", Port: 6053, TXT: []string{"version=2026.10.1"}})
	hard := device("esp-hard")
	replyOnce(hard, 6053, espNoKey)
	pages{"/": digest}.serve(hard, "")
	hard.Avahi(t, "esp-hard", lab.AvahiService{Name: "esp-hard", Type: "_esphomelib._tcp", Port: 6053, TXT: []string{"version=2026.10.1", "api_encryption=Noise_NNpsk0_25519_ChaChaPoly_SHA256"}})

	device("broker", "mqtt-anonymous").Mosquitto(t, lab.MosquittoConfig{})
	device("broker-hard").Mosquitto(t, lab.MosquittoConfig{Username: "home", Password: "correct horse"})
	pages{"/": `<html><head><title>Heat pump</title></head><body><form method="post"><input name="ssid"><input name="ntp_server"></form></body></html>`}.
		serve(device("heatpump", "settings-open"), "")
	pages{"/": `<html><head><title>Weather</title></head><body>12.4 degrees</body></html>`}.serve(device("status"), "")
	device("telnet", "telnet-open").Telnetd(t, 23)
	device("basic", "http-basic-clear").Lighttpd(t, 80, "admin")
	for i := len(want); i < 20; i++ {
		device(fmt.Sprintf("clean%d", i))
	}
	return want
}

// mostPerAddress is how many connections a scan makes to an address of a device.
const mostPerAddress = 14

// TestDevices: a scan of 20 seconds judges 20 devices, names what is wrong with
// each and nothing else, and asks each no more than a few questions.
func TestDevices(t *testing.T) {
	l := lab.New(t)
	want := startDevices(t, l)
	file := t.TempDir() + "/thingwarden.yaml"
	write(t, file, fmt.Sprintf("state_dir: %s\nnetwork: {prefixes: [%s]}\n", t.TempDir(), lab.LAN0.IPv4))
	out, _ := runCLI(t, "scan", "--format", "json", "--for", "20s", "--config", file)
	var home struct {
		Devices []struct {
			ID         string
			IP         []string
			Findings   []struct{ Policy string }
			NotChecked []struct {
				Policy  string
				Missing []struct{ Fact, Reason string }
			} `json:"not_checked"`
			Sent struct{ Connections int }
		}
	}
	if err := json.Unmarshal([]byte(out), &home); err != nil {
		t.Fatal(err)
	}
	got, most := map[string][]string{}, 0
	for _, d := range home.Devices {
		if d.ID == "hub" {
			continue
		}
		got[d.ID] = nil
		for _, f := range d.Findings {
			got[d.ID] = append(got[d.ID], f.Policy)
		}
		slices.Sort(got[d.ID])
		for _, p := range d.NotChecked {
			for _, m := range p.Missing {
				if m.Reason == "not-asked" && m.Fact != "device.firmware_date" {
					t.Errorf("%s: %s is not checked: nobody asked for %s", d.ID, p.Policy, m.Fact)
				}
			}
		}
		most = max(most, d.Sent.Connections)
		if d.Sent.Connections == 0 || d.Sent.Connections > mostPerAddress*len(d.IP) {
			t.Errorf("%s: %d connections to %q", d.ID, d.Sent.Connections, d.IP)
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("findings (-want +got):\n%s", d)
	}
	if strings.Contains(out, "Home sweet home") {
		t.Error("the scan shows the name of a Wi-Fi, which devices told beside what was asked")
	}
	t.Logf("%d devices, at most %d connections to one", len(got), most)
}
