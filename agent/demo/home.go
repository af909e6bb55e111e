package demo

import (
	"net"
	"net/http"
	"net/netip"
)

// The addresses of the home, as far as somebody else needs to know them.
var (
	gateway   = ip(1)
	hub       = ip(2)
	cameraAt  = ip(10)
	console   = ip(23)
	plugAt    = ip(30)
	hostileAt = ip(66)
)

// firstDevices are those that are there from the start, beside productDevices.
func (h *Home) firstDevices() []*device {
	return []*device{
		h.newRouter(), h.newCamera(),
		newPrinter(17), newTV(18), newHomeKit(19, "Bedside lamp", "5", false), newHomeKit(20, "Heating", "9", true),
		newMQTTBroker(21, "cellar-pi", mqttOpen), h.newNAS(22), {addr: console, host: "games-console"},
		newHostile(),
	}
}

// newPrinter shows its settings to anyone.
func newPrinter(n byte) *device {
	return &device{
		addr: ip(n), host: "office-printer",
		tcp: map[uint16]func(net.Conn){80: serveHTTP(page("Office printer - Settings",
			`<form method="post"><input name="hostname"><input name="wifi_ssid"><button>Save</button></form>`)),
		},
		services: []service{
			{name: "Office printer", kind: "_ipp._tcp", port: 631, txt: []string{"ty=Paperjet 300", "rp=ipp/print"}},
			{name: "Office printer", kind: "_http._tcp", port: 80},
		},
	}
}

// newTV is a television with nothing to complain about.
func newTV(n byte) *device {
	const kind, port = "urn:schemas-upnp-org:device:MediaRenderer:1", 7676
	return &device{
		addr: ip(n), host: "living-room-tv", kinds: []string{kind}, locations: []string{"http://" + netip.AddrPortFrom(ip(n), port).String() + "/tv.xml"},
		tcp: map[uint16]func(net.Conn){port: serveHTTP(only(map[string]http.Handler{"/tv.xml": description(kind, "Living room TV", "Lumora", "L55")}))},
	}
}

// newHomeKit is an accessory with its category ("ci") and its status flag ("sf")
// of the HomeKit Accessory Protocol: 1 while nobody has paired it.
func newHomeKit(n byte, name, category string, paired bool) *device {
	flag := "sf=1"
	if paired {
		flag = "sf=0"
	}
	return &device{addr: ip(n), host: hostOf(name), services: []service{
		{name: name, kind: "_hap._tcp", port: 51827, txt: []string{"md=" + name, flag, "ci=" + category}},
	}}
}

// newNAS is as it should be: its page by HTTPS only, its broker with a password.
func (h *Home) newNAS(n byte) *device {
	d := newMQTTBroker(n, "nas", mqttClosed)
	d.tcp[80] = serveHTTP(http.RedirectHandler("https://"+d.addr.String()+"/", http.StatusMovedPermanently))
	d.tcp[443] = serveTLS(h.cert, page("NAS", `<form method="post"><input type="password" name="password"></form>`))
	d.services = []service{{name: "NAS", kind: "_smb._tcp", port: 445}}
	return d
}
