package demo

import (
	"fmt"
	"net"
	"net/http"
)

// openShelly and closedShelly are two ways to set up the same product.
const (
	openShelly   = true
	closedShelly = false
)

// newShelly is a Shelly of the second generation (Shelly API documentation,
// "Shelly.GetDeviceInfo", "WiFi.GetConfig", "Sys.GetStatus"). The open one has no
// password and a Wi-Fi of its own that is open too, and an update waits.
func newShelly(n byte, name string, open bool) *device {
	id := fmt.Sprintf("00005e0053%02X", n)
	host := "shellyplus1-00005e0053" + fmt.Sprintf("%02x", n)
	version := "1.6.2"
	if open {
		version = "1.1.0"
	}
	info := fmt.Sprintf(`{"name":%q,"id":%q,"mac":%q,"slot":0,"model":"SNSW-001X16EU","gen":2,"ver":%q,"app":"Plus1","auth_en":%t,"auth_domain":null}`,
		name, host, id, version, !open)
	refuse := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Digest qop="auth", realm=%q, nonce="60dc2e8e", algorithm=SHA-256`, host))
		w.WriteHeader(http.StatusUnauthorized)
	})
	const kind = "application/json"
	paths := map[string]http.Handler{"/": refuse, "/shelly": text(kind, info), "/rpc/WiFi.GetConfig": refuse, "/rpc/Sys.GetStatus": refuse}
	if open {
		paths["/"] = page("Shelly Web Interface", `<script src="main.js"></script>`)
		paths["/rpc/WiFi.GetConfig"] = text(kind, `{"ap":{"ssid":"ShellyPlus1","is_open":true,"enable":true},"sta":{"enable":true}}`)
		paths["/rpc/Sys.GetStatus"] = text(kind, `{"uptime":15938,"available_updates":{"stable":{"version":"1.6.2"}}}`)
	}
	return &device{
		addr: ip(n), host: host, tcp: map[uint16]func(net.Conn){80: serveHTTP(only(paths))},
		services: []service{
			{name: host, kind: "_shelly._tcp", port: 80, txt: []string{"app=Plus1", "ver=" + version, "gen=2"}},
			{name: name, kind: "_http._tcp", port: 80, txt: []string{"gen=2"}},
		},
	}
}
