package demo

import (
	"net"
	"net/http"
)

// newTasmota is a plug with Tasmota's firmware: with a page that wants no
// password, or with its page switched off ("WebServer 0").
func newTasmota(n byte, host string, web bool) *device {
	d := &device{addr: ip(n), host: host}
	if !web {
		return d
	}
	const version = "15.0.1(release-tasmota)"
	status := text("application/json", `{"StatusFWR":{"Version":"`+version+`","BuildDateTime":"2025-06-12T11:13:50"}}`)
	front := page("Kitchen kettle - Main Menu", `<h3>Kitchen kettle</h3><a href="https://bit.ly/tasmota">Tasmota `+version+` by Theo Arends</a>`)
	d.tcp = map[uint16]func(net.Conn){80: serveHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "Tasmota/15.0.1 (ESP8266EX)")
		if r.URL.Path == "/cm" {
			status.ServeHTTP(w, r)
			return
		}
		front.ServeHTTP(w, r)
	}))}
	return d
}
