package agent_test

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/text/encoding/charmap"

	"github.com/thingwarden/thingwarden/agent"
	"github.com/thingwarden/thingwarden/agent/config"
	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/source/homeassistant"
	"github.com/thingwarden/thingwarden/discovery/source/mdns"
	"github.com/thingwarden/thingwarden/discovery/source/neighbours"
	"github.com/thingwarden/thingwarden/discovery/source/ssdp"
	"github.com/thingwarden/thingwarden/policy"
)

// house is a home on a network that exists in memory only: what is heard, and
// the servers of its devices. The whole agent looks at it, in the time of a
// synctest bubble.
type house struct {
	registry []heard[discovery.Observation]  // what Home Assistant's device registry says
	kernel   []heard[[]discovery.Identifier] // what the neighbour table confirms
	mdns     []heard[[]byte]
	ssdp     []heard[[]byte]
	hosts    []netip.Addr // addresses that answer; ports without a server refuse
	tcp      map[netip.AddrPort]func(net.Conn)
	gateways []netip.Addr
	sent     map[netip.Addr][]byte // what a device answers to a question by multicast DNS
}

// heard is something that happens some time after the start.
type heard[T any] struct {
	after time.Duration
	from  netip.Addr
	what  T
}

var (
	fieldNet  = discovery.Network{Interface: "field0", Index: 1 << 30, Prefix: netip.MustParsePrefix("10.77.0.0/24"), Own: netip.MustParseAddr("10.77.0.2")}
	fieldLink = discovery.Network{Interface: "field0", Index: 1 << 30, Prefix: netip.MustParsePrefix("fe80::/64"), Own: netip.MustParseAddr("fe80::2")}
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// confirm makes the kernel confirm that a hardware address has addresses.
func (h *house) confirm(after time.Duration, mac string, addrs ...string) {
	id, ok := discovery.MAC(mac)
	if !ok {
		panic("not a MAC address: " + mac)
	}
	about := []discovery.Identifier{id}
	for _, a := range addrs {
		about = append(about, discovery.IP(addr(a)))
		h.hosts = append(h.hosts, addr(a))
	}
	h.kernel = append(h.kernel, heard[[]discovery.Identifier]{after, netip.Addr{}, about})
}

func (h *house) serve(at string, f func(net.Conn)) {
	if h.tcp == nil {
		h.tcp = map[netip.AddrPort]func(net.Conn){}
	}
	h.tcp[netip.MustParseAddrPort(at)] = f
}

func (h *house) neighbours() discovery.SourceKind {
	run := func(ctx context.Context, report func(discovery.Observation)) error {
		play(ctx, h.kernel, func(x heard[[]discovery.Identifier]) {
			e := fact.New("neighbours", time.Now())
			fact.DeviceKind.Set(e, "lan", "neighbour table")
			fact.DeviceOnline.Set(e, true, "neighbour table")
			fact.DeviceReachable.Set(e, true, "neighbour table")
			report(discovery.Observation{About: x.what, Facts: e})
		})
		<-ctx.Done()
		return nil
	}
	return standIn(neighbours.Kind, run)
}

// homeAssistant says what the device registry has.
func (h *house) homeAssistant() discovery.SourceKind {
	run := func(ctx context.Context, report func(discovery.Observation)) error {
		play(ctx, h.registry, func(x heard[discovery.Observation]) { report(x.what) })
		<-ctx.Done()
		return nil
	}
	return standIn(homeassistant.Kind, run)
}

// standIn is a source that takes the place of a real one, with its traits.
func standIn(k discovery.SourceKind, run sourceFunc) discovery.SourceKind {
	k.Default = func() discovery.SourceConfig { return run }
	return k
}

// sourceFunc is a source, and its own configuration.
type sourceFunc func(context.Context, func(discovery.Observation)) error

func (f sourceFunc) Run(ctx context.Context, report func(discovery.Observation)) error {
	return f(ctx, report)
}

func (sourceFunc) Validate() error { return nil }

func (f sourceFunc) New(discovery.Env) (discovery.Source, error) { return f, nil }

func play[T any](ctx context.Context, list []heard[T], say func(heard[T])) {
	start := time.Now()
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b heard[T]) int { return int(a.after - b.after) })
	for _, x := range list {
		select {
		case <-ctx.Done():
			return
		case <-time.After(x.after - time.Since(start)):
			say(x)
		}
	}
}

func (h *house) dial(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	if !slices.Contains(h.hosts, to.Addr()) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	serve := h.tcp[to]
	if serve == nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	ours, theirs := net.Pipe()
	go func() {
		defer theirs.Close()
		serve(theirs)
	}()
	return ours, nil
}

// dialUDP leads to multicast DNS and to nothing else.
func (h *house) dialUDP(_ context.Context, to netip.AddrPort) (net.Conn, error) {
	answer := h.sent[to.Addr()]
	if answer == nil || to.Port() != 5353 {
		return nil, &net.OpError{Op: "read", Net: "udp", Err: syscall.ECONNREFUSED}
	}
	ours, theirs := net.Pipe()
	go func() {
		defer theirs.Close()
		b := make([]byte, 1500)
		if n, err := theirs.Read(b); err == nil && n > 2 {
			_, _ = theirs.Write(append(slices.Clone(b[:2]), answer[2:]...))
		}
	}()
	return ours, nil
}

// scan lets the agent look at the home for a while and returns what it found.
func (h *house) scan(t *testing.T, length time.Duration) *report.Snapshot {
	t.Helper()
	var got *report.Snapshot
	synctest.Test(t, func(t *testing.T) {
		cfg := config.Default()
		cfg.StateDir = t.TempDir()
		a, err := agent.New(agent.Options{
			Config: cfg, Log: slog.New(slog.DiscardHandler), Mode: agent.ModeScan,
			Sources: []discovery.SourceKind{
				h.neighbours(), h.homeAssistant(),
				mdns.KindOn(func(ctx context.Context, hear func(netip.Addr, []byte)) {
					play(ctx, h.mdns, func(x heard[[]byte]) { hear(x.from, x.what) })
				}),
				ssdp.KindOn(func(ctx context.Context, hear func(netip.Addr, []byte)) {
					play(ctx, h.ssdp, func(x heard[[]byte]) { hear(x.from, x.what) })
				}),
			},
			Dial: h.dial, DialUDP: h.dialUDP,
			Networks: func() discovery.Networks {
				return discovery.Networks{Watched: []discovery.Network{fieldNet, fieldLink}, Gateways: h.gateways}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), length)
		defer cancel()
		if err := a.Run(ctx); err != nil && ctx.Err() == nil {
			t.Fatal(err)
		}
		got = a.Snapshot()
		synctest.Wait()
	})
	return got
}

// findings are the policies that a device fails, sorted; with an "?" where
// they are only likely.
func findings(s *report.Snapshot, id discovery.ID) (out []string) {
	if d := s.Device(id); d != nil {
		for _, f := range d.Findings {
			out = append(out, f.Policy.ID)
		}
	}
	slices.Sort(out)
	return out
}

func notChecked(s *report.Snapshot, id discovery.ID, policyID string) bool {
	d := s.Device(id)
	return d != nil && slices.ContainsFunc(d.NotChecked, func(n report.NotChecked) bool { return n.Policy.ID == policyID })
}

// complaints collects what is not as it should be, so that a known failure can
// be told from a new one.
type complaints []string

func (c *complaints) errorf(format string, args ...any) {
	*c = append(*c, fmt.Sprintf(format, args...))
}

// must wants a device to have a finding.
func (c *complaints) must(s *report.Snapshot, id discovery.ID, ids ...string) {
	if got := findings(s, id); !slices.ContainsFunc(ids, func(p string) bool { return slices.Contains(got, p) }) {
		c.errorf("%s: findings %q, want %q", id, got, ids)
	}
}

// mustNot wants a device not to have a finding.
func (c *complaints) mustNot(s *report.Snapshot, id discovery.ID, policyID string) {
	if got := findings(s, id); slices.Contains(got, policyID) {
		c.errorf("%s: findings %q, want no %q", id, got, policyID)
	}
}

// answer is what comes back for one call of an action.
type answer struct {
	Fault int
	Text  string
}

func (a *answer) UnmarshalJSON(b []byte) error {
	if b[0] == '"' {
		return json.Unmarshal(b, &a.Text)
	}
	var f struct{ Fault int }
	err := json.Unmarshal(b, &f)
	a.Fault = f.Fault
	return err
}

// igd is a router's UPnP as it stands in a file of testdata/field.
type igd struct {
	Desc    string              `json:"desc"`
	Get     map[string]string   `json:"get"`
	SOAP    map[string][]answer `json:"soap"`
	Charset string              `json:"charset"`
	Port    uint16              `json:"port"`
	Path    string              `json:"path"`
}

func readIGD(t *testing.T, name string) igd {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "field", name))
	if err != nil {
		t.Fatal(err)
	}
	out := igd{Port: 5000, Path: "/rootDesc.xml"}
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// location is where the router says that its description is.
func (g igd) location(host string) string {
	return "http://" + netip.AddrPortFrom(addr(host).WithZone(""), g.Port).String() + g.Path
}

// announced is the answer to a search by SSDP.
func (g igd) announced(host string) []byte {
	const kind = "urn:schemas-upnp-org:device:InternetGatewayDevice:1"
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=1800\r\nEXT:\r\nST: %[1]s\r\nUSN: uuid:0::%[1]s\r\nLOCATION: %[2]s\r\n\r\n", kind, g.location(host))
}

func (g igd) serve(c net.Conn) {
	in := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		status, text := g.answer(r, string(body))
		if g.Charset == "latin-1" {
			if text, err = charmap.ISO8859_1.NewEncoder().String(text); err != nil {
				panic(err)
			}
		}
		fmt.Fprintf(c, "HTTP/1.1 %d %s\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s", status, http.StatusText(status), len(text), text)
	}
}

func (g igd) answer(r *http.Request, body string) (status int, text string) {
	if r.Method == http.MethodGet {
		if r.URL.Path == g.Path {
			return 200, g.Desc
		}
		if text, ok := g.Get[r.URL.Path]; ok {
			return 200, text
		}
		return 404, ""
	}
	service, action, _ := strings.Cut(strings.Trim(r.Header.Get("Soapaction"), `"`), "#")
	list := g.SOAP[action]
	a := answer{Fault: 401}
	if n := len(list); n > 0 {
		i := 0
		if _, rest, ok := strings.Cut(body, "<NewPortMappingIndex>"); ok {
			digits, _, _ := strings.Cut(rest, "<")
			i, _ = strconv.Atoi(digits)
		}
		a = list[min(i, n-1)]
	}
	const envelope = `<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>%s</s:Body></s:Envelope>`
	if a.Fault != 0 {
		return 500, fmt.Sprintf(envelope, fmt.Sprintf(`<s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail><UPnPError xmlns="urn:schemas-upnp-org:control-1-0"><errorCode>%d</errorCode></UPnPError></detail></s:Fault>`, a.Fault))
	}
	return 200, fmt.Sprintf(envelope, fmt.Sprintf(`<u:%[1]sResponse xmlns:u=%[2]q>%[3]s</u:%[1]sResponse>`, action, service, a.Text))
}

// page answers one request with a status and a body.
func page(status int, header, body string) func(net.Conn) {
	return func(c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			fmt.Fprintf(c, "HTTP/1.1 %d %s\r\n%sContent-Length: %d\r\nConnection: close\r\n\r\n%s", status, http.StatusText(status), header, len(body), body)
		}
	}
}

const (
	routerMAC, cameraMAC, extenderMAC = "00:00:5e:00:53:01", "00:00:5e:00:53:0b", "00:00:5e:00:53:0c"
	routerID, cameraID, extenderID    = discovery.ID("mac_00005e005301"), discovery.ID("mac_00005e00530b"), discovery.ID("mac_00005e00530c")
)

// withRouter is a home with a router at 10.77.0.1 and a camera at 10.77.0.11.
func withRouter(g igd) *house {
	h := &house{gateways: []netip.Addr{addr("10.77.0.1")}}
	h.confirm(0, routerMAC, "10.77.0.1")
	h.confirm(0, cameraMAC, "10.77.0.11")
	h.serve(fmt.Sprintf("10.77.0.1:%d", g.Port), g.serve)
	h.ssdp = []heard[[]byte]{{0, addr("10.77.0.1"), g.announced("10.77.0.1")}}
	return h
}

func readHex(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "field", name))
	if err != nil {
		t.Fatal(err)
	}
	out, err := hex.DecodeString(strings.Join(strings.Fields(string(b)), ""))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// knownFailure says that a case fails today. It fails the test when the case
// does not, so that the mark goes with the fault.
func knownFailure(t *testing.T, why string, c complaints) {
	t.Helper()
	if len(c) == 0 {
		t.Errorf("passes now: remove the mark %q", why)
		return
	}
	t.Logf("known failure (%s):\n%s", why, strings.Join(c, "\n"))
}

// Public bug reports of programs that do this job, each with the right value.
// Known is why a case still fails.
func TestField(t *testing.T) {
	for _, tt := range []struct {
		name  string
		known string
		check func(t *testing.T) complaints
	}{
		{"A1 a router that has UPnP on IPv4 only", "", routerOnTwoFamilies},
		{"A2 an extender gives its MAC to three devices", "", behindAnExtender},
		{"A3 registry entries with the MAC of a repeater", "", registryOfRepeater},
		{"B1 multicast DNS with a name pointer that leads nowhere", "", func(t *testing.T) complaints { return homeKitCamera(t, "mdns-bad-nsec.hex") }},
		{"B1 the same without that record", "", func(t *testing.T) complaints { return homeKitCamera(t, "mdns-same-without-nsec.hex") }},
		{"B2 a bare ampersand in a mapping", "", func(t *testing.T) complaints { return openPort(t, readIGD(t, "igd-amp.json")) }},
		{"B2 Latin-1 in a mapping", "", func(t *testing.T) complaints { return openPort(t, readIGD(t, "igd-latin.json")) }},
		{"B3 a description in ISO-8859-1", "", descriptionInLatin1},
		{"C1 permission that is needed", "", permissionNeeded},
		{"C2 an access point that describes a gateway", "", accessPoint},
		{"C3 a mapping to a host name", "", func(t *testing.T) complaints { return mappingToName(t, "IndoorCam") }},
		{"C3 a mapping of another protocol", "", func(t *testing.T) complaints {
			return mappingNotUnderstood(t, "<NewProtocol>TCP</NewProtocol>", "<NewProtocol>TCP_UDP</NewProtocol>")
		}},
		{"C3 a mapping without NewEnabled", "", func(t *testing.T) complaints {
			return mappingNotUnderstood(t, "<NewEnabled>1</NewEnabled>", "")
		}},
		{"C4 a router that lists the asker's own mappings only", "", ownMappingsOnly},
		{"F3 a forged announcement", "", forgedAnnouncement},
		{"E1 ESPHome that takes a key from whoever comes first", "", esphomeWithoutKey},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := tt.check(t)
			if tt.known != "" {
				knownFailure(t, tt.known, c)
				return
			}
			for _, line := range c {
				t.Error(line)
			}
		})
	}
}

func routerOnTwoFamilies(t *testing.T) complaints {
	return twoFamilies(t, 0, 0, 20*time.Second, time.Second)
}

// twoFamilies is a router with UPnP on IPv4 only: when the kernel confirms its
// link-local address, knows of its IPv4 address, and confirms that, and when the
// answer to a search comes.
func twoFamilies(t *testing.T, six, claim, four, ssdp time.Duration) (c complaints) {
	g := readIGD(t, "igd-amp.json")
	h := withRouter(g)
	router := h.kernel[0].what
	h.kernel = h.kernel[1:]
	h.hosts = append(h.hosts, addr("fe80::1%field0"))
	mac := router[0]
	h.kernel = append(h.kernel,
		heard[[]discovery.Identifier]{six, netip.Addr{}, []discovery.Identifier{mac, discovery.IP(addr("fe80::1%field0"))}},
		heard[[]discovery.Identifier]{claim, netip.Addr{}, []discovery.Identifier{mac, discovery.Claimed(addr("10.77.0.1"))}},
		heard[[]discovery.Identifier]{four, netip.Addr{}, []discovery.Identifier{mac, discovery.IP(addr("10.77.0.1"))}})
	h.ssdp[0].after = ssdp
	s := h.scan(t, 3*time.Minute)
	c.must(s, cameraID, "wan-port-mapping")
	c.must(s, routerID, "igd-upnp-on")
	return c
}

// In whatever order the addresses of a router are confirmed, its open port is
// found.
func TestRouterOnTwoFamilies(t *testing.T) {
	found := 0
	const starts = 50
	for seed := range uint64(starts) {
		r := rand.New(rand.NewPCG(seed, 1))
		some := func() time.Duration { return time.Duration(r.IntN(30_000)) * time.Millisecond }
		if c := twoFamilies(t, some(), some(), some(), some()); len(c) > 0 {
			t.Errorf("start %d: %q", seed, c)
		} else {
			found++
		}
	}
	t.Logf("the open port was found in %d of %d starts", found, starts)
}

func behindAnExtender(t *testing.T) (c complaints) {
	h := &house{gateways: []netip.Addr{addr("10.77.0.1")}}
	h.confirm(0, routerMAC, "10.77.0.1")
	h.confirm(0, extenderMAC, "10.77.0.12", "10.77.0.31", "10.77.0.32")
	h.serve("10.77.0.12:80", page(200, "", "<html><title>Extender</title></html>"))
	h.serve("10.77.0.31:554", openRTSP)
	h.serve("10.77.0.32:80", openShelly)
	s := h.scan(t, 2*time.Minute)
	var rtsp, shelly discovery.ID
	for _, d := range s.Devices {
		for _, f := range findings(s, d.ID) {
			switch f {
			case "camera-open":
				rtsp = d.ID
			case "control-open":
				shelly = d.ID
			}
		}
	}
	if rtsp == "" || shelly == "" || rtsp == shelly {
		c.errorf("open RTSP on %q, Shelly without password on %q, want both, on two devices", rtsp, shelly)
	}
	if rtsp == extenderID || shelly == extenderID {
		c.errorf("the extender has another device's finding")
	}
	return c
}

// openRTSP answers DESCRIBE without a log-in (RFC 2326 section 10.2).
func openRTSP(c net.Conn) {
	in := bufio.NewReader(c)
	for {
		seq := ""
		first, err := in.ReadString('\n')
		if err != nil {
			return
		}
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			if line = strings.TrimSpace(line); line == "" {
				break
			}
			if name, value, _ := strings.Cut(line, ":"); strings.EqualFold(name, "CSeq") {
				seq = strings.TrimSpace(value)
			}
		}
		switch method, _, _ := strings.Cut(first, " "); method {
		case "DESCRIBE":
			const sdp = "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=Session\r\nm=video 0 RTP/AVP 96\r\n"
			fmt.Fprintf(c, "RTSP/1.0 200 OK\r\nCSeq: %s\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", seq, len(sdp), sdp)
		default:
			fmt.Fprintf(c, "RTSP/1.0 200 OK\r\nCSeq: %s\r\nPublic: OPTIONS, DESCRIBE\r\n\r\n", seq)
		}
	}
}

// openShelly answers as a Shelly of the second generation without a password.
func openShelly(c net.Conn) {
	r, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		return
	}
	status, body := 404, ""
	switch r.URL.Path {
	case "/":
		status, body = 200, "<html><title>Shelly Plus 1</title></html>"
	case "/shelly":
		status, body = 200, `{"name":null,"id":"shellyplus1-00005e005320","mac":"00005E005320","model":"SNSW-001X16EU","gen":2,"fw_id":"20240430-105751/1.3.0-g6d2d8f5","ver":"1.3.0","app":"Plus1","auth_en":false,"auth_domain":null}`
	}
	fmt.Fprintf(c, "HTTP/1.1 %d %s\r\nServer: ShellyHTTP/1.0.0\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", status, http.StatusText(status), len(body), body)
}

func homeKitCamera(t *testing.T, name string) (c complaints) {
	h := &house{}
	h.confirm(0, cameraMAC, "10.77.0.11")
	h.mdns = []heard[[]byte]{{time.Second, addr("10.77.0.11"), readHex(t, name)}}
	h.sent = map[netip.Addr][]byte{addr("10.77.0.11"): readHex(t, name)}
	s := h.scan(t, time.Minute)
	d := s.Device(cameraID)
	if d == nil {
		c.errorf("no camera")
		return c
	}
	if d.Name != "IndoorCam 2K-0000" || d.Class != "camera" || d.Model != "T8400" {
		c.errorf("name %q, class %q, model %q, want IndoorCam 2K-0000, camera, T8400", d.Name, d.Class, d.Model)
	}
	c.must(s, cameraID, "homekit-unpaired", "not-set-up")
	return c
}

func openPort(t *testing.T, g igd) (c complaints) {
	s := withRouter(g).scan(t, time.Minute)
	c.must(s, cameraID, "wan-port-mapping")
	return c
}

func descriptionInLatin1(t *testing.T) complaints {
	g := readIGD(t, "igd-latin.json")
	g.Desc = strings.Replace(g.Desc, `<?xml version="1.0"?>`, `<?xml version="1.0" encoding="ISO-8859-1"?>`, 1)
	g.Desc = strings.Replace(g.Desc, "Home router", "Küche", 1)
	g.SOAP["GetGenericPortMappingEntry"] = g.SOAP["GetGenericPortMappingEntry"][1:]
	return openPort(t, g)
}

func permissionNeeded(t *testing.T) (c complaints) {
	s := withRouter(readIGD(t, "igd-fritz.json")).scan(t, time.Minute)
	d := s.Device(routerID)
	for _, f := range d.Findings {
		if f.Policy.ID == "igd-upnp-on" && f.Confidence() == policy.Sure {
			c.errorf("igd-upnp-on is sure, want likely at most")
		}
	}
	return c
}

func accessPoint(t *testing.T) (c complaints) {
	g := readIGD(t, "igd-client-mode.json")
	h := withRouter(g)
	h.ssdp = []heard[[]byte]{{0, addr("10.77.0.11"), g.announced("10.77.0.11")}}
	h.serve(fmt.Sprintf("10.77.0.11:%d", g.Port), g.serve)
	s := h.scan(t, time.Minute)
	c.mustNot(s, cameraID, "igd-upnp-on")
	if d := s.Device(cameraID); d == nil || d.Manufacturer != "AVM Berlin" {
		c.errorf("the access point was not asked")
	}
	return c
}

// mappingToName has a mapping to a host name. The port is found on the device of
// that name, or the list is not known whole.
func mappingToName(t *testing.T, name string) (c complaints) {
	g := readIGD(t, "igd-host.json")
	s := withRouter(g).scan(t, time.Minute)
	if !slices.Contains(findings(s, cameraID), "wan-port-mapping") && !notChecked(s, cameraID, "wan-port-mapping") {
		c.errorf("%s: the mapping to %q is neither found nor is anything not checked", cameraID, name)
	}
	if d := s.Device(routerID); d != nil && !notChecked(s, routerID, "wan-port-mapping-stale") {
		c.errorf("%s: wan-port-mapping-stale is checked with a list that is not whole", routerID)
	}
	return c
}

// mappingNotUnderstood changes the one mapping of the list. Either the port is
// found all the same or the list is not known whole.
func mappingNotUnderstood(t *testing.T, from, to string) (c complaints) {
	g := readIGD(t, "igd-amp.json")
	list := g.SOAP["GetGenericPortMappingEntry"][1:]
	changed := strings.Replace(list[0].Text, from, to, 1)
	if changed == list[0].Text {
		t.Fatalf("no %q in the mapping", from)
	}
	list[0].Text = changed
	g.SOAP["GetGenericPortMappingEntry"] = list
	s := withRouter(g).scan(t, time.Minute)
	if !slices.Contains(findings(s, cameraID), "wan-port-mapping") && !notChecked(s, cameraID, "wan-port-mapping") {
		c.errorf("%s: a mapping with %q is neither found nor is anything not checked", cameraID, to)
	}
	return c
}

func ownMappingsOnly(t *testing.T) (c complaints) {
	s := withRouter(readIGD(t, "igd-fritz.json")).scan(t, time.Minute)
	if !notChecked(s, cameraID, "wan-port-mapping") {
		c.errorf("%s: wan-port-mapping is checked", cameraID)
	}
	return c
}

// registryOfRepeater has two cameras of which Home Assistant's registry has the
// MAC address of the repeater in front of them.
func registryOfRepeater(t *testing.T) (c complaints) {
	h := &house{gateways: []netip.Addr{addr("10.77.0.1")}}
	h.confirm(0, routerMAC, "10.77.0.1")
	h.confirm(0, extenderMAC, "10.77.0.12", "10.77.0.31", "10.77.0.32")
	h.serve("10.77.0.12:80", page(200, "", "<html><title>Extender</title></html>"))
	h.serve("10.77.0.31:554", openRTSP)
	h.serve("10.77.0.32:554", openRTSP)
	mac, _ := discovery.MAC(extenderMAC)
	for i, model := range []string{"C-1", "C-2"} {
		e := fact.New("homeassistant", time.Time{})
		fact.DeviceKind.Set(e, "lan", "device registry")
		fact.DeviceManufacturer.Set(e, "Maker", "manufacturer=Maker")
		fact.DeviceModel.Set(e, model, "model="+model)
		h.registry = append(h.registry, heard[discovery.Observation]{time.Second, netip.Addr{}, discovery.Observation{
			About: []discovery.Identifier{discovery.Part(mac, model), discovery.Claimed(addr(fmt.Sprintf("10.77.0.3%d", i+1)))}, Name: "Camera " + model, Facts: e, Quiet: true,
		}})
	}
	s := h.scan(t, 2*time.Minute)
	open := map[string]bool{}
	for _, d := range s.Devices {
		if slices.Contains(findings(s, d.ID), "camera-open") {
			open[d.Model] = true
		}
	}
	if !open["C-1"] || !open["C-2"] {
		c.errorf("open RTSP on models %v, want both C-1 and C-2, apart", open)
	}
	return c
}

// esphomeWithoutKey speaks encrypted frames, and has no key yet.
func esphomeWithoutKey(t *testing.T) (c complaints) {
	h := &house{}
	h.confirm(0, cameraMAC, "10.77.0.13")
	h.mdns = []heard[[]byte]{{time.Second, addr("10.77.0.13"), readHex(t, "esphome-zeropsk.hex")}}
	h.serve("10.77.0.13:6053", func(c net.Conn) {
		if _, err := io.ReadFull(c, make([]byte, 3)); err == nil {
			_, _ = c.Write([]byte("\x01\x00\x13\x00Bad indicator byte"))
		}
	})
	c.must(h.scan(t, time.Minute), cameraID, "esphome-api-plain", "control-plain", "not-set-up")
	return c
}

// forgedAnnouncement says in the name of a camera that it waits for HomeKit; asked
// itself, the camera says nothing (threat T12).
func forgedAnnouncement(t *testing.T) (c complaints) {
	h := &house{}
	h.confirm(0, cameraMAC, "10.77.0.11")
	h.mdns = []heard[[]byte]{{time.Second, addr("10.77.0.11"), readHex(t, "mdns-same-without-nsec.hex")}}
	s := h.scan(t, time.Minute)
	c.mustNot(s, cameraID, "homekit-unpaired")
	c.mustNot(s, cameraID, "not-set-up")
	if !notChecked(s, cameraID, "homekit-unpaired") && !notChecked(s, cameraID, "not-set-up") {
		c.errorf("it counts as checked")
	}
	return c
}
