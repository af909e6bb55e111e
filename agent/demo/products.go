package demo

import (
	"fmt"
	"net"

	"github.com/thingwarden/thingwarden/discovery/prober/recorded"
	"github.com/thingwarden/thingwarden/discovery/product"
)

// productDevices are devices that give the recorded answers of products that have
// probes of their own; each product is there once as many are set up, and once as it
// should be.
func (h *Home) productDevices() ([]*device, error) {
	lastMonth := h.now().UTC().AddDate(0, -1, 0)
	var out []*device
	for _, x := range []struct {
		n              byte
		host           string
		maker, answers string // "" if nothing of it answers
		services       []service
	}{
		{11, "shellyplus1-00005e00530b", "shelly", "gen2-open", []service{
			{name: "shellyplus1-00005e00530b", kind: "_shelly._tcp", port: 80, txt: []string{"app=Plus1", "ver=1.1.0", "gen=2"}},
			{name: "Garden light", kind: "_http._tcp", port: 80, txt: []string{"gen=2"}},
		}},
		{12, "shelly1g3-00005e00530c", "shelly", "gen3-protected", []service{
			{name: "shelly1g3-00005e00530c", kind: "_shelly._tcp", port: 80, txt: []string{"app=S1G3", "ver=1.4.4", "gen=3"}},
			{name: "Hall light", kind: "_http._tcp", port: 80, txt: []string{"gen=3"}},
		}},
		{13, "tasmota-8A1F02-3842", "tasmota", "api-off", nil},
		{14, "tasmota-77C0DE-1502", "", "", nil}, // its page is switched off
		{15, "greenhouse", "esphome", "old-web-open", []service{esphomeAPI("greenhouse", "Greenhouse", "1.15.3")}},
		{16, "doorbell-chime", "esphome", "encrypted", []service{
			esphomeAPI("doorbell-chime", "Doorbell chime", fmt.Sprintf("%d.%d.1", lastMonth.Year(), lastMonth.Month()),
				"api_encryption=Noise_NNpsk0_25519_ChaChaPoly_SHA256"),
		}},
	} {
		d := &device{addr: ip(x.n), host: x.host, services: x.services, tcp: map[uint16]func(net.Conn){}}
		if x.maker != "" {
			if err := d.play(x.maker, x.answers); err != nil {
				return nil, err
			}
		}
		out = append(out, d)
	}
	return out, nil
}

// esphomeAPI is how a device announces ESPHome's native API.
func esphomeAPI(host, name, version string, txt ...string) service {
	return service{name: host, kind: "_esphomelib._tcp", port: 6053,
		txt: append([]string{"friendly_name=" + name, "version=" + version, "platform=ESP32", "board=esp32dev"}, txt...)}
}

// play lets the device give recorded answers.
func (d *device) play(maker, answers string) error {
	archive, err := product.Recorded(maker, answers)
	if err != nil {
		return err
	}
	r, err := recorded.Parse(archive)
	if err != nil {
		return fmt.Errorf("%s/%s: %w", maker, answers, err)
	}
	for _, port := range r.Ports() {
		d.tcp[port] = func(c net.Conn) { r.Serve(port, c) }
	}
	return nil
}
