package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"golang.org/x/net/ipv4"

	"github.com/thingwarden/thingwarden/discovery/lab"
)

const (
	// marker stands in every text of the hostile host, and nowhere else.
	marker      = "Zq9"
	hostileText = marker + "#/+$ {{ 7*7 }}{% if 1 %} <script>alert(1)</script>![x](http://evil.example)\u202egpj.exe\u200b\x1b[31m"
	headerText  = marker + "#/+$ {{ 7*7 }}{% if 1 %} <script>alert(1)</script>" // a header with more is refused as a whole
	trapPort    = 18080                                                         // where nobody has any business
)

// hostile is a host that does everything wrong at once.
type hostile struct {
	t       *testing.T
	host    *lab.Host
	places  []string // that it names by SSDP
	victims []netip.Addr
	stop    chan struct{}
	running sync.WaitGroup
}

// startHostile lets it loose until the test ends. It points at the victims and
// at the hub, and lies about the victims.
func startHostile(t *testing.T, h *lab.Host, hub netip.Addr, victims ...*lab.Host) *hostile {
	t.Helper()
	e := &hostile{t: t, host: h, stop: make(chan struct{})}
	e.places = []string{
		fmt.Sprintf("http://127.0.0.1:%d/", trapPort), fmt.Sprintf("http://%s:%d/", hub, trapPort), "http://localhost/", "http://169.254.169.254/",
	}
	for _, v := range victims {
		e.victims = append(e.victims, v.IP())
		e.places = append(e.places, fmt.Sprintf("http://%s:%d/reboot", v.IP(), trapPort), fmt.Sprintf("http://%s@%s:%d/", h.IP(), v.IP(), trapPort))
	}
	for _, own := range []string{"entities", "deep", "endless", "slow", "elsewhere", "texts"} {
		e.places = append(e.places, fmt.Sprintf("http://%s/%s.xml", h.IP(), own))
	}
	for _, port := range []int{80, 443, 8080, 1883, 6053} {
		e.listen(port, e.web)
	}
	e.listen(23, e.endlessBanner)
	e.listen(2323, e.slow)
	e.group(net.IPv4(239, 255, 255, 250), 1900, e.ssdp())
	e.group(net.IPv4(224, 0, 0, 251), 5353, e.mdns())
	t.Cleanup(func() { close(e.stop); h.Remove(); e.running.Wait() })
	return e
}

func (e *hostile) listen(port int, serve func(net.Conn)) {
	ln := e.host.Listen("tcp4", fmt.Sprintf(":%d", port))
	e.running.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			e.running.Go(func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(time.Minute))
				serve(c)
			})
		}
	})
}

func (e *hostile) endlessBanner(c net.Conn) {
	for b := []byte(strings.Repeat(hostileText+" login: ", 100)); ; {
		if _, err := c.Write(b); err != nil {
			return
		}
	}
}

// slow sends a byte now and then, without end.
func (e *hostile) slow(c net.Conn) {
	for i := 0; ; i++ {
		if _, err := c.Write([]byte{"login: "[i%7]}); err != nil {
			return
		}
		select {
		case <-e.stop:
			return
		case <-time.After(300 * time.Millisecond):
		}
	}
}

// web answers every question in the worst way that fits it.
func (e *hostile) web(c net.Conn) {
	b := make([]byte, 4096)
	n, err := c.Read(b)
	if err != nil {
		return
	}
	const ok = "HTTP/1.1 200 OK\r\nServer: ShellyHTTP/1.0 " + headerText + "\r\n\r\n"
	path, _, _ := strings.Cut(string(bytes.TrimPrefix(b[:n], []byte("GET "))), " ")
	switch {
	case path == "/":
		fmt.Fprintf(c, "%s<title>%s</title><h1>Settings</h1><form>", ok, hostileText)
		e.endlessBanner(c)
	case path == "/shelly":
		fmt.Fprintf(c, "%s{\"id\":%q,\"auth_en\":true,\"x\":%s", ok, hostileText, strings.Repeat(`{"a":[`, 10_000))
	case path == "/entities.xml":
		fmt.Fprintf(c, "%s<!DOCTYPE r [<!ENTITY a \"%s\"><!ENTITY b SYSTEM \"file:///etc/passwd\">]><root>&a;&b;</root>", ok, strings.Repeat("a", 10_000))
	case path == "/deep.xml":
		fmt.Fprint(c, ok, strings.Repeat("<a>", 100_000))
	case path == "/slow.xml":
		fmt.Fprint(c, ok)
		e.slow(c)
	case path == "/texts.xml":
		fmt.Fprintf(c, "%s<root><device><deviceType>x</deviceType><friendlyName>%s</friendlyName><manufacturer>%[2]s</manufacturer><modelName>%[2]s</modelName></device></root>", ok, "{{ 7*7 }}#/+ "+marker)
	case path == "/elsewhere.xml":
		fmt.Fprintf(c, "%s<root><URLBase>http://%s:%d/</URLBase><device><deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType><serviceList><service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType><controlURL>http://%[2]s:%d/ctl</controlURL><SCPDURL>/s</SCPDURL></service></serviceList></device></root>", ok, e.victims[0], trapPort)
	case strings.HasPrefix(path, "/cm"):
		fmt.Fprintf(c, "HTTP/1.1 302 Found\r\nLocation: http://%s:%d/\r\n\r\n", e.victims[0], trapPort)
	default:
		fmt.Fprint(c, ok)
		e.endlessBanner(c)
	}
}

// group sends messages to a multicast group, all of them twice a second.
func (e *hostile) group(ip net.IP, port int, messages [][]byte) {
	c := e.host.ListenPacket("udp4", fmt.Sprintf(":%d", port))
	e.host.Do(func() {
		ifi, err := net.InterfaceByName("lan0")
		if err == nil {
			err = ipv4.NewPacketConn(c).SetMulticastInterface(ifi)
		}
		if err != nil {
			e.t.Error(err)
		}
	})
	e.running.Go(func() {
		for {
			for _, m := range messages {
				_, _ = c.WriteTo(m, &net.UDPAddr{IP: ip, Port: port})
			}
			select {
			case <-e.stop:
				return
			case <-time.After(500 * time.Millisecond):
			}
		}
	})
}

func (e *hostile) ssdp() (out [][]byte) {
	for i, place := range e.places {
		kind := []string{"upnp:rootdevice", "urn:schemas-upnp-org:device:InternetGatewayDevice:1"}[i%2]
		out = append(out, fmt.Appendf(nil, "NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nNTS: ssdp:alive\r\nNT: %s\r\nUSN: uuid:%s::%[1]s\r\nSERVER: %[2]s\r\nLOCATION: %s\r\n\r\n", kind, headerText, place))
	}
	return append(out, []byte("NOTIFY * HTTP/1.1\r\nNTS: ssdp:alive\r\nSERVER: "+hostileText+"\r\nLOCATION: "+e.places[0]+"\r\n\r\n"), []byte(strings.Repeat("NOTIFY ", 1000)))
}

// mdns says that each victim is a HomeKit accessory open for pairing, gives its
// own accessory hostile texts, and sends a TXT record of 10,000 bytes.
func (e *hostile) mdns() (out [][]byte) {
	accessory := func(instance, host string, a netip.Addr, txt ...string) {
		on := dns.Fqdn(escapeLabel(instance) + "._hap._tcp.local")
		m := &dns.Msg{MsgHdr: dns.MsgHdr{Response: true}, Answer: []dns.RR{
			&dns.PTR{Hdr: header("_hap._tcp.local.", dns.TypePTR), Ptr: on},
			&dns.SRV{Hdr: header(on, dns.TypeSRV), Port: 80, Target: host},
			&dns.TXT{Hdr: header(on, dns.TypeTXT), Txt: txt},
			&dns.A{Hdr: header(host, dns.TypeA), A: a.AsSlice()},
		}}
		b, err := m.Pack()
		if err != nil {
			e.t.Fatal(err)
		}
		out = append(out, b)
	}
	for i, v := range e.victims {
		accessory(fmt.Sprintf("Lie %d", i), fmt.Sprintf("victim%d.local.", i), v, "sf=1", "md=lie", "id=66:66:66:66:66:66")
		accessory("Lamp", "lamp.local.", v, "sf=1", "md=lie", "id=66:66:66:66:66:66")
	}
	accessory(hostileText[:60], "evil.local.", e.host.IP(), "sf=1", "md="+hostileText, "ci=7")
	accessory("Long", "evil.local.", e.host.IP(), slices.Repeat([]string{"x=" + strings.Repeat("y", 250)}, 40)...)
	return out
}

func header(name string, kind uint16) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: kind, Class: dns.ClassINET, Ttl: 4500}
}

// escapeLabel writes a DNS label as dns.Msg wants it: every byte by its number.
func escapeLabel(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		fmt.Fprintf(&b, `\%03d`, c)
	}
	return b.String()
}

// trap counts who comes to a port at which nobody has any business.
func trap(h *lab.Host) *atomic.Int64 {
	var n atomic.Int64
	ln := h.Listen("tcp4", fmt.Sprintf(":%d", trapPort))
	go func() {
		_ = http.Serve(ln, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { n.Add(1) })) //nolint:gosec // until its listener is closed
	}()
	return &n
}

// TestHostileHost is a home of five ordinary devices and a host that does
// everything wrong at once. The five are judged as if it were not there, nobody is
// asked for its sake, it gets no more than anybody may, and what it says stays on
// its own record, unable to do harm.
func TestHostileHost(t *testing.T) {
	l := lab.New(t)
	m := startBroker(t, l)
	hosts, want := startHosts(t, l)
	want["hub"] = nil
	victims := []*lab.Host{hosts["lamp"], hosts["clean"], hosts["recorder"]}
	traps := []*atomic.Int64{trap(l.Hub())}
	for _, v := range victims {
		traps = append(traps, trap(v))
	}
	evil := l.Host("evil")
	wire := evil.Capture(t)
	startHostile(t, evil, l.Hub().IP(), victims...)

	o := look(t, m)
	began := time.Now()
	startAgent(t, l.Hub(), brokerConfig(m))
	others := func(got map[string][]string) map[string][]string { delete(got, macID(evil)); return got }
	everything := []string{"http", "igd", "mqtt", "shelly", "telnet", "upnp"}
	poll(2*time.Minute, func() bool {
		for id := range want {
			if strings.HasPrefix(id, "mac_") && !o.probedBy(id, "http", "telnet") {
				return false
			}
		}
		return o.probedBy(macID(evil), everything...) && cmp.Equal(want, others(o.published()))
	})
	took := time.Since(began)
	if d := cmp.Diff(want, others(o.published())); d != "" {
		t.Errorf("findings of the others (-want +got):\n%s", d)
	}
	if !o.probedBy(macID(evil), everything...) {
		_, state := o.device(macID(evil))
		t.Errorf("the hostile host was not asked everything: %v", state)
	}
	for i, n := range traps {
		if n.Load() > 0 {
			t.Errorf("trap %d: %d connections", i, n.Load())
		}
	}
	// Four connections a second, and what was open at the start.
	if n := wire.Connections(); n == 0 || n > 4*int(took.Seconds())+8 {
		t.Errorf("the hostile host got %d connections in %v", n, took)
	}
	t.Logf("all were asked after %v; the hostile host got %d connections", took.Round(time.Second/10), wire.Connections())
	checkTopics(t, o, macID(evil))

	got, s, _ := scan(t, "--for", "20s", "--config", writeScan(t))
	if d := cmp.Diff(want, others(got)); d != "" {
		t.Errorf("findings of the others in a scan (-want +got):\n%s", d)
	}
	for _, d := range s.Devices {
		// The ports of a device, at all of its addresses together.
		if most := mostPerAddress * max(1, len(d.IP)); d.Sent.Connections > most {
			t.Errorf("%s: %d connections in a scan, want at most %d", d.ID, d.Sent.Connections, most)
		}
		if d.ID != "hub" && d.Sent.Packets > 10 { // the hub's are to everybody
			t.Errorf("%s: %d datagrams in a scan", d.ID, d.Sent.Packets)
		}
	}
	for i, n := range traps {
		if n.Load() > 0 {
			t.Errorf("trap %d: %d connections after the scan", i, n.Load())
		}
	}
}

func writeScan(t *testing.T) string {
	t.Helper()
	file := t.TempDir() + "/thingwarden.yaml"
	write(t, file, fmt.Sprintf("state_dir: %s\nnetwork: {prefixes: [%s]}\n", t.TempDir(), lab.LAN0.IPv4))
	return file
}

// checkTopics checks that what the hostile host says is on its own topics only,
// in no topic's name and in no template, and has lost its signs.
func checkTopics(t *testing.T, o *onlooker, evil string) {
	t.Helper()
	form := regexp.MustCompile(`^(thingwarden/home|homeassistant/device/thingwarden_home_)[a-z0-9_/-]*$`)
	said := false
	for _, topic := range o.topics("") {
		payload, _ := o.get(topic)
		if !form.MatchString(topic) {
			t.Errorf("topic %q", topic)
		}
		if topic == "thingwarden/home/status" || topic == "thingwarden/home/sync" {
			continue
		}
		var v any
		if err := json.Unmarshal(payload, &v); err != nil {
			t.Errorf("%s is no JSON: %v", topic, err)
		}
		if !strings.HasSuffix(topic, "/config") && len(payload) > 16<<10 {
			t.Errorf("%s has %d bytes", topic, len(payload))
		}
		eachText(v, "", func(key, text string) {
			if !strings.Contains(text, marker) {
				return
			}
			said = true
			if !strings.Contains(topic, evil) || strings.HasSuffix(key, "_template") || strings.HasSuffix(key, "_topic") || strings.HasSuffix(key, "_t") {
				t.Errorf("%s: the hostile host's text in %q: %q", topic, key, text)
			}
			if strings.ContainsAny(text, "<>{}\x1b\u202e\u200b") || strings.Contains(text, "://") {
				t.Errorf("%s: %q is %q", topic, key, text)
			}
		})
	}
	if !said {
		t.Error("nothing that the hostile host says is shown: the test tells nothing")
	}
}

// probedBy reports whether probes have asked a device.
func (o *onlooker) probedBy(id string, probes ...string) bool {
	_, state := o.device(id)
	attr, _ := state["attr"].(map[string]any)
	by := fmt.Sprint(attr["seen_by"])
	return !slices.ContainsFunc(probes, func(p string) bool { return !strings.Contains(by, p) })
}

// eachText calls f for every string of a JSON value, and every key of an object.
func eachText(v any, key string, f func(key, text string)) {
	switch x := v.(type) {
	case string:
		f(key, x)
	case []any:
		for _, e := range x {
			eachText(e, key, f)
		}
	case map[string]any:
		for k, e := range x {
			f("", k)
			eachText(e, k, f)
		}
	}
}
