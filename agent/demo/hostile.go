package demo

import (
	"io"
	"net"
	"net/http"
	"strings"
)

// hostileName has what breaks topics, terminals, pages and templates.
const hostileName = "#/+ \u202e<script>alert(1)</script>{{ states('lock.door') }}\x1b[2J"

// newHostile attacks whoever looks at it: by its texts, by pages that never end,
// by naming addresses of others as its own, and by speaking for the camera.
func newHostile() *device {
	endless := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Server", hostileName)
		w.Header().Set("Content-Type", "text/html")
		block := strings.Repeat("<div>{{ 1 }}", 4096)
		for {
			if _, err := io.WriteString(w, block); err != nil {
				return
			}
		}
	})
	away := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "http://127.0.0.1:8123/")
		w.WriteHeader(http.StatusFound)
	})
	return &device{
		addr: hostileAt, host: "homeassistant",
		tcp: map[uint16]func(net.Conn){
			telnetPort: greet("\x1b]0;owned\x07\u202e{{ 7 * 7 }}<b>login: "),
			80:         serveHTTP(endless), 8080: serveHTTP(away), 443: greet("no TLS at all"), 1883: greet("\x20\xff\xff\xff\xff"),
			6053: greet(strings.Repeat("\x00\xff", 1000)),
			5000: serveHTTP(endless),
		},
		services: []service{
			{name: hostileName, kind: "_http._tcp", port: 80, txt: []string{"path=" + hostileName}},
			{name: hostileName, kind: "_esphomelib._tcp", port: 6053, txt: []string{"friendly_name=" + hostileName, "version=" + hostileName}},
		},
		foreign: []service{
			{name: "Porch camera", kind: "_hap._tcp", port: 80, txt: []string{"md=Forged", "sf=1"}, host: "porch-camera", addr: cameraAt},
		},
		kinds: []string{igdKind},
		locations: []string{
			"http://" + gateway.String() + ":5000/rootDesc.xml", "http://127.0.0.1:8123/", "http://" + hub.String() + "/", "http://localhost/x",
			"http://169.254.169.254/latest/meta-data/", "file:///etc/passwd", "http://" + hostileAt.String() + ":5000/" + strings.Repeat("x", 80),
		},
	}
}

// newPlug is cheap: Telnet is open, and it has itself let in from the Internet.
func newPlug() *device {
	return &device{
		addr: plugAt, host: "wifi-plug",
		tcp: map[uint16]func(net.Conn){
			telnetPort: greet("\xff\xfd\x01\r\nwifi-plug login: "),
			80:         serveHTTP(page("Plug", `<script src="plug.js"></script>`)),
		},
		services: []service{{name: "Bargain plug", kind: "_http._tcp", port: 80}},
	}
}

// plugMapping is what the plug asks the router for. What it calls that is text like
// any other of a device.
var plugMapping = mapping{"TCP", 2323, telnetPort, plugAt, "cloud \u202e<b>\r\nhelp"}
