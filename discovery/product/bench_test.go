package product

import (
	"runtime"
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

// plenty is the evidence of a device that shows much: a television with a web
// page, and all kinds of announcements.
func plenty() *fact.Evidence {
	ev := fact.New("test", time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC))
	for w, v := range map[fact.Fact[string]]string{
		fact.HTTPTitle: "Living room TV", fact.HTTPServer: "lighttpd/1.4.59", fact.HTTPRealm: "Media server 4711",
		fact.TLSSubject: "CN=192.168.1.20,O=Acme Corporation", fact.TLSIssuer: "CN=Acme Root CA", fact.TelnetBanner: "acme login:",
		fact.RTSPServer: "GStreamer RTSP server", fact.UPnPFriendlyName: "[TV] Living room", fact.UPnPManufacturer: "Acme Electronics",
		fact.UPnPModel: "AC55X900", fact.UPnPModelNumber: "1.0", fact.UPnPDeviceType: "urn:schemas-upnp-org:device:MediaRenderer:1",
		fact.SSDPServer: "Linux/4.9 UPnP/1.0 AcmeUPnP/1.2", fact.DHCPHostname: "acme-tv", fact.DHCPVendorClass: "dhcpcd-6.8.2:Linux-4.9",
		fact.DHCPParams: "1,121,33,3,6,12,15,26,28,42,51,54,58,59,119", fact.DeviceHostname: "acme-tv", fact.DeviceMACVendor: "Acme Electronics Co.,Ltd",
	} {
		w.Set(ev, v, "tcp/80: "+v)
	}
	fact.MDNSServices.Set(ev, []string{"_airplay._tcp", "_raop._tcp", "_http._tcp", "_googlecast._tcp", "_spotify-connect._tcp", "_hap._tcp"}, "")
	fact.MDNSTXT.Set(ev, []string{"am=AC55X900", "ci=31", "ff=0", "integrator=Acme", "manufacturer=Acme Electronics", "md=AC55X900",
		"model=AC55X900", "os=1.2.3", "rpmd=AppleTV6,2", "ty=Acme", "ver=1", "version=1.2", "vp=1+2"}, "")
	return ev
}

func BenchmarkRecognise(b *testing.B) {
	c, ev := load(b), plenty()
	c.Recognise(ev)
	for b.Loop() {
		c.Recognise(ev)
	}
}

func BenchmarkSuggest(b *testing.B) {
	c, ev := load(b), plenty()
	for b.Loop() {
		c.Suggest(ev, []string{"00:00:5e:00:53:01"}, []string{"Living room TV"})
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		load(b)
	}
}

// TestMemory: the cards take at most 4 MiB, expressions that are in use among
// them.
func TestMemory(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	c := load(t)
	c.Recognise(plenty())
	runtime.GC()
	runtime.ReadMemStats(&after)
	const most = 4 << 20
	if n := int64(after.HeapAlloc) - int64(before.HeapAlloc); n > most {
		t.Errorf("%d bytes for %d cards, want at most %d", n, len(c.All()), most)
	} else {
		t.Logf("%d bytes for %d cards", n, len(c.All()))
	}
	runtime.KeepAlive(c)
}
