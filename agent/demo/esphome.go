package demo

import (
	"fmt"
	"io"
	"net"
)

const esphomePort = 6053

// esphomeSetup is how an ESPHome device was set up.
type esphomeSetup struct {
	version   string
	encrypted bool
	page      bool
}

// openESPHome was set up years ago and never looked at again.
var openESPHome = esphomeSetup{version: "2023.5.5", page: true}

// closedESPHome was set up last month.
func (h *Home) closedESPHome() esphomeSetup {
	at := h.now().UTC().AddDate(0, -1, 0)
	return esphomeSetup{version: fmt.Sprintf("%d.%d.1", at.Year(), at.Month()), encrypted: true}
}

// newESPHome is a device with ESPHome's firmware.
func newESPHome(n byte, host, name string, s esphomeSetup) *device {
	txt := []string{"friendly_name=" + name, "version=" + s.version, "platform=ESP32", "board=esp32dev"}
	if s.encrypted {
		txt = append(txt, "api_encryption=Noise_NNpsk0_25519_ChaChaPoly_SHA256")
	}
	d := &device{
		addr: ip(n), host: host, tcp: map[uint16]func(net.Conn){esphomePort: func(c net.Conn) { answerESPHome(c, host, s) }},
		services: []service{{name: host, kind: "_esphomelib._tcp", port: esphomePort, txt: txt}},
	}
	if s.page {
		d.tcp[80] = serveHTTP(page(name+" Web Server", `<esp-app></esp-app><script src="https://oi.esphome.io/v2/www.js"></script>`))
	}
	return d
}

// answerESPHome answers a plaintext HelloRequest (esphome.io, native API): with a
// HelloResponse, or by the marker of an encrypted frame and a refusal.
func answerESPHome(c net.Conn, host string, s esphomeSetup) {
	if _, err := io.ReadFull(c, make([]byte, 3)); err != nil {
		return
	}
	if s.encrypted {
		const reason = "\x00Bad indicator byte"
		_, _ = c.Write(append([]byte{1, 0, byte(len(reason))}, reason...))
		return
	}
	info := host + " (esphome v" + s.version + ")"
	hello := append([]byte{1 << 3, 1, 2 << 3, 9, 3<<3 | 2, byte(len(info))}, info...)
	if _, err := c.Write(append([]byte{0, byte(len(hello)), 2}, hello...)); err == nil {
		_, _ = io.Copy(io.Discard, c)
	}
}
