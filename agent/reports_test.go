package agent_test

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
)

// TestReports plays inputs of public bug reports of programs that find devices:
// rebuilt from what the report shows, personal details replaced. What is wrong in
// an input must cost nothing else.
func TestReports(t *testing.T) {
	for _, tt := range []struct {
		name  string // the report
		check func(t *testing.T) complaints
	}{
		// Multicast DNS.
		{"python-zeroconf#17 text that is no DNS", heardBeside([]byte(`{"command","broadcast"}`))},
		{"python-zeroconf#993 random bytes", heardBeside([]byte(`\.>v~2Z` + "\x17k\x14" + `Yes/B1DC \H` + "`" + `Ij$:s` + "\x12qbrNJ0DIb\x1e"))},
		{"home-assistant#49922 AirPlay answer that ends in the middle", func(t *testing.T) complaints { return heardBeside(readHex(t, "mdns-airplay-garbage.hex"))(t) }},
		{"home-assistant#55098 a probe with fewer records than it says", func(t *testing.T) complaints { return heardBeside(readHex(t, "mdns-probe-cut.hex"))(t) }},
		{"pyatv#853 a name that is no UTF-8", heardBeside([]byte("\x00\x00\x84\x00\x00\x00\x00\x01\x00\x00\x00\x00\x05_http\x04_tcp\x05local\x00\x00\x0c\x00\x01\x00\x00\x11\x94\x00\x06\x03\xc3\x28\xff\xc0\x0c"))},
		{"home-assistant#53937 television with circular NSEC names", circularNSEC},
		{"home-assistant#48686 a laptop with very many addresses", manyAddresses},

		// UPnP descriptions.
		{"upnpclient#15 lines end as on Windows", described(strings.ReplaceAll(rendererXML, "\n", "\r\n"))},
		{"upnpclient#27 a space before the URN of a name space", described(strings.Replace(rendererXML, `xmlns=`, `xmlns:ms=" urn:microsoft-com:wmc-1-0" xmlns=`, 1))},
		{"async_upnp_client#3 no modelDescription", described(strings.Replace(rendererXML, "<modelDescription>x</modelDescription>\n", "", 1))},
		{"home-assistant#48105 not well-formed near the end", described(strings.Replace(rendererXML, "</device>", "<a b<c></device>", 1))},
		{"upnp.dart#10 status=ok in place of a description", undescribed(page(200, "", "status=ok"))},
		{"async_upnp_client#128 an empty file", undescribed(page(200, "Content-Type: text/xml\r\n", ""))},

		// Internet gateways.
		{"portmapper#53 no mapping at all", func(t *testing.T) complaints { return listed(t, nil, "") }},
		{"miniupnp#235 an error number that is none", func(t *testing.T) complaints {
			return listed(t, map[string][]answer{"GetGenericPortMappingEntry": {{Fault: 399}}}, "unknown")
		}},
		{"miniupnp#83 control answers nothing", func(t *testing.T) complaints {
			return listed(t, map[string][]answer{"GetGenericPortMappingEntry": nil, "GetExternalIPAddress": nil, "GetStatusInfo": nil}, "unknown")
		}},
		{"miniupnp#462 a mapping that leads to 0.0.0.0 by its index", func(t *testing.T) complaints {
			entry := strings.Replace(readIGD(t, "igd-amp.json").SOAP["GetGenericPortMappingEntry"][0].Text, "10.77.0.12", "0.0.0.0", 1)
			return listed(t, map[string][]answer{"GetGenericPortMappingEntry": {{Text: entry}, {Fault: 713}}}, "unknown")
		}},
		{"miniupnp#665 a gateway that says it is not connected", notConnected},
		{"TinyUPnP#75 the description never comes", silentGateway},
		{"TinyUPnP#1 a router that announces other things too", otherLocations},
		{"async_upnp_client#63 an attribute without quotes in SOAP", soapAttribute},
		{"prplOS UPNPIGD_0038 an entry that is not shown, and one after it", entryLeftOut},
		{"a text in a mapping that was not escaped", textNotEscaped},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, line := range tt.check(t) {
				t.Error(line)
			}
		})
	}
}

// heardBeside sends a packet before and after a good one of the same device.
func heardBeside(packet []byte) func(*testing.T) complaints {
	return func(t *testing.T) (c complaints) {
		good, a := readHex(t, "mdns-same-without-nsec.hex"), addr("10.77.0.11")
		h := &house{sent: map[netip.Addr][]byte{a: good}}
		h.confirm(0, cameraMAC, a.String())
		h.mdns = []heard[[]byte]{{time.Second, a, packet}, {2 * time.Second, a, good}, {3 * time.Second, a, packet}}
		s := h.scan(t, time.Minute)
		if d := s.Device(cameraID); d == nil || d.Class != "camera" || d.Model != "T8400" {
			c.errorf("the good packet was lost: %+v", d)
		}
		return c
	}
}

func circularNSEC(t *testing.T) (c complaints) {
	h := &house{}
	h.confirm(0, cameraMAC, "10.77.0.11")
	h.mdns = []heard[[]byte]{{time.Second, addr("10.77.0.11"), readHex(t, "mdns-androidtv-circular-nsec.hex")}}
	s := h.scan(t, time.Minute)
	d := s.Device(cameraID)
	if d == nil || d.Name != "TV Beneden" || d.Class == "phone" || !slices.ContainsFunc(d.Services, func(s discovery.Service) bool { return s.Name == "_androidtvremote._tcp" && s.Port == 6466 }) {
		c.errorf("%+v, want TV Beneden, no phone, with _androidtvremote._tcp at 6466", d)
	}
	return c
}

// manyAddresses is a packet of almost 9,000 bytes with one address after the other.
func manyAddresses(t *testing.T) (c complaints) {
	good := readHex(t, "mdns-same-without-nsec.hex")
	b := slices.Clone(good)
	for n := range 250 {
		b = append(b, "\x06laptop\x05local\x00\x00\x1c\x00\x01\x00\x00\x00\x3c\x00\x10\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
		b = append(b, byte(n))
		b[7]++
		if b[7] == 0 {
			b[6]++
		}
	}
	return heardBeside(b)(t)
}

const rendererXML = `<?xml version="1.0"?>
<root xmlns="urn:schemas-upnp-org:device-1-0">
<specVersion><major>1</major><minor>0</minor></specVersion>
<device>
<deviceType>urn:schemas-upnp-org:device:MediaRenderer:1</deviceType>
<friendlyName>UpMpd</friendlyName>
<manufacturer>Example Industries</manufacturer>
<modelDescription>x</modelDescription>
<modelName>UpMPD</modelName>
<UDN>uuid:00000000-0000-0000-0000-000000000002</UDN>
</device>
</root>
`

func renderer(t *testing.T, serve func(net.Conn)) (*house, igd) {
	h, g := &house{}, igd{Port: 49152, Path: "/description.xml"}
	h.confirm(0, cameraMAC, "10.77.0.11")
	h.serve("10.77.0.11:49152", serve)
	h.ssdp = []heard[[]byte]{{0, addr("10.77.0.11"), fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\nUSN: uuid:0::upnp:rootdevice\r\nLOCATION: %s\r\n\r\n", g.location("10.77.0.11"))}}
	return h, g
}

func described(xml string) func(*testing.T) complaints {
	return func(t *testing.T) (c complaints) {
		h, _ := renderer(t, page(200, "Content-Type: text/xml\r\n", xml))
		if d := h.scan(t, time.Minute).Device(cameraID); d == nil || d.Manufacturer != "Example Industries" || d.Model != "UpMPD" {
			c.errorf("%+v, want UpMPD of Example Industries", d)
		}
		return c
	}
}

func undescribed(serve func(net.Conn)) func(*testing.T) complaints {
	return func(t *testing.T) (c complaints) {
		h, _ := renderer(t, serve)
		s := h.scan(t, time.Minute)
		if d := s.Device(cameraID); d == nil || d.Model != "" {
			c.errorf("%+v, want a device without a model", d)
		}
		for _, x := range s.Health {
			if x.Status != "ok" && x.Name != "mdns" { // nothing was heard there
				c.errorf("health of %s: %s", x.Name, x.Error)
			}
		}
		return c
	}
}

// listed is a router whose answers are changed; want is "" for a list that is
// known to be empty, "unknown" for one that is not known.
func listed(t *testing.T, change map[string][]answer, want string) (c complaints) {
	g := readIGD(t, "igd-amp.json")
	g.SOAP["GetGenericPortMappingEntry"] = []answer{{Fault: 713}}
	maps.Copy(g.SOAP, change)
	s := withRouter(g).scan(t, time.Minute)
	c.must(s, routerID, "igd-upnp-on")
	if unknown := notChecked(s, routerID, "wan-port-mapping-stale"); unknown != (want == "unknown") {
		c.errorf("wan-port-mapping-stale not checked: %v, want %q", unknown, want)
	}
	if unknown := notChecked(s, cameraID, "wan-port-mapping"); unknown != (want == "unknown") {
		c.errorf("wan-port-mapping of the camera not checked: %v, want %q", unknown, want)
	}
	return c
}

// notConnected is the home's router while its line is down: what it offers counts.
func notConnected(t *testing.T) complaints {
	return listed(t, map[string][]answer{
		"GetStatusInfo":        {{Text: "<NewConnectionStatus>Disconnected</NewConnectionStatus>"}},
		"GetExternalIPAddress": {{Text: "<NewExternalIPAddress>0.0.0.0</NewExternalIPAddress>"}},
	}, "")
}

func silentGateway(t *testing.T) (c complaints) {
	g := readIGD(t, "igd-amp.json")
	h := withRouter(g)
	h.serve("10.77.0.1:5000", func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	s := h.scan(t, time.Minute)
	if !notChecked(s, routerID, "igd-upnp-on") || !notChecked(s, cameraID, "wan-port-mapping") {
		c.errorf("a router that announces UPnP and does not answer counts as checked")
	}
	return c
}

func otherLocations(t *testing.T) complaints {
	g := readIGD(t, "igd-amp.json")
	h := withRouter(g)
	for _, kind := range []string{"urn:schemas-wifialliance-org:device:WFADevice:1", "upnp:rootdevice"} {
		h.ssdp = append(h.ssdp, heard[[]byte]{time.Second, addr("10.77.0.1"),
			fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nST: %[1]s\r\nUSN: uuid:1::%[1]s\r\nLocation: http://10.77.0.1:1990/WFADevice.xml\r\n\r\n", kind)})
	}
	var c complaints
	c.must(h.scan(t, time.Minute), cameraID, "wan-port-mapping")
	return c
}

// soapAttribute has an envelope that no strict reader takes.
func soapAttribute(t *testing.T) (c complaints) {
	g := readIGD(t, "igd-amp.json")
	h := withRouter(g)
	h.serve("10.77.0.1:5000", rewritten(g, `s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"`, `s:encodingStyle=http://schemas.xmlsoap.org/soap/encoding/`))
	s := h.scan(t, time.Minute)
	if !slices.Contains(findings(s, cameraID), "wan-port-mapping") && !notChecked(s, cameraID, "wan-port-mapping") {
		c.errorf("the mapping is neither found nor is anything not checked")
	}
	return c
}

// rewritten serves a router with something else in its answers to SOAP.
func rewritten(g igd, from, to string) func(net.Conn) {
	return func(c net.Conn) {
		in := bufio.NewReader(c)
		for {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			body, _ := io.ReadAll(r.Body)
			status, text := g.answer(r, string(body))
			text = strings.Replace(strings.Replace(text, `<s:Envelope `, `<s:Envelope s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/" `, 1), from, to, 1)
			fmt.Fprintf(c, "HTTP/1.1 %d %s\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s", status, http.StatusText(status), len(text), text)
		}
	}
}

// entryLeftOut has an error at the number of an entry that may not be seen.
func entryLeftOut(t *testing.T) (c complaints) {
	g := readIGD(t, "igd-amp.json")
	g.SOAP["GetGenericPortMappingEntry"][0] = answer{Fault: 714}
	s := withRouter(g).scan(t, time.Minute)
	c.must(s, cameraID, "wan-port-mapping")
	if !notChecked(s, routerID, "wan-port-mapping-stale") {
		c.errorf("a list with a hole is known whole")
	}
	return c
}

// textNotEscaped has markup in a text that a program chose: it must not hide its
// own mapping, nor the next.
func textNotEscaped(t *testing.T) (c complaints) {
	for _, text := range []string{"2 < 3", "</NewPortMappingDescription><NewEnabled>0</NewEnabled>", "<b>", "&#0;", "]]>", "<!DOCTYPE a>", "</s:Body>"} {
		g := readIGD(t, "igd-amp.json")
		list := g.SOAP["GetGenericPortMappingEntry"]
		list[0].Text = strings.Replace(strings.Replace(list[0].Text, "Chat & Play", text, 1), "10.77.0.12", "10.77.0.11", 1)
		g.SOAP["GetGenericPortMappingEntry"] = []answer{list[0], {Fault: 713}}
		var own complaints
		own.must(withRouter(g).scan(t, time.Minute), cameraID, "wan-port-mapping")
		g.SOAP["GetGenericPortMappingEntry"] = list
		own.must(withRouter(g).scan(t, time.Minute), cameraID, "wan-port-mapping")
		for _, line := range own {
			c.errorf("text %q: %s", text, line)
		}
	}
	return c
}
