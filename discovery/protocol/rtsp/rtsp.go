// Package rtsp looks for cameras that show their live video to anyone (RFC 2326).
package rtsp

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/netip"
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Probe looks for a camera that describes its picture to anyone (RFC 2326). It
// asks for the path "/" and for the one that the camera itself reported: lists of
// paths are how cameras are broken into.
var Probe = &prober.Probe{
	Name:    "rtsp",
	Doc:     "Asks TCP ports 554 and 8554, and one announced by multicast DNS, once to describe their live video (RTSP), and where the camera itself reports it by ONVIF, to see whether a password is wanted; fetches no picture and logs in nowhere.",
	Touch:   prober.Read,
	Gives:   []string{fact.RTSPOpen.Name(), fact.RTSPPictureOpen.Name(), fact.RTSPServer.Name()},
	Every:   12 * time.Hour,
	Follows: []string{fact.RTSPLocation.Name()},
	Applies: func(d discovery.Device, ev *fact.Evidence) bool {
		class, _ := fact.DeviceClass.Get(ev)
		return prober.Reachable(d, ev) && !slices.Contains(noVideo, class)
	},
	Run: run,
}

// noVideo are classes of devices that show nobody a live picture.
var noVideo = []string{
	"car", "charger", "console", "inverter", "light", "lock", "networkswitch", "phone", "plug", "printer", "remote", "sensor",
	"speaker", "switch", "tablet", "thermostat", "ups", "valve",
}

func run(ctx context.Context, t *prober.Target, report func(discovery.Observation)) error {
	o := discovery.Observation{About: t.About(), Facts: t.Evidence()}
	list := []uint16{554, 8554}
	if p := prober.AnnouncedPort(t.Device(), "_rtsp._tcp", 554); !slices.Contains(list, p) {
		list = append(list, p)
	}
	var v videos
	var err error
	if o.Services, err = v.Services(ctx, "rtsp", list, func(port uint16) bool {
		answer, err := describeRTSP(ctx, t, port, "/")
		return v.add(port, "/", answer, err)
	}); err != nil {
		return err
	}
	if port, path, ok := location(t); ok {
		answer, err := describeRTSP(ctx, t, port, path)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		v.addLocation(port, path, answer, err)
	}
	v.setFacts(o.Facts)
	report(o)
	return nil
}

// maxRTSP is the most that is read of an answer, in bytes. That of a
// camera with several streams has about 2 KB.
const maxRTSP = 16 << 10

// location returns where the device reported its video to be, unless that is "/".
func location(t *prober.Target) (port uint16, path string, ok bool) {
	text, known := fact.RTSPLocation.Get(t.Known())
	u, err := url.Parse(text)
	if !known || err != nil || u.Scheme != "rtsp" {
		return 0, "", false
	}
	host, err := netip.ParseAddr(u.Hostname())
	if err != nil || host.WithZone("") != t.Addr().WithZone("") {
		return 0, "", false
	}
	number, err := strconv.ParseUint(cmp.Or(u.Port(), "554"), 10, 16)
	path = u.RequestURI()
	odd := func(r rune) bool { return r <= ' ' || r >= 0x7f }
	return uint16(number), path, err == nil && path != "/" && !strings.ContainsFunc(path, odd)
}

// describeRTSP asks for the description of what is at a path (RFC 2326 section 10.2).
// It is no set-up and begins no session.
func describeRTSP(ctx context.Context, t *prober.Target, port uint16, path string) (rtspAnswer, error) {
	c, err := t.Dial(ctx, port)
	if err != nil {
		return rtspAnswer{}, err
	}
	defer c.Close() //nolint:errcheck // nothing can be done about it
	host := netip.AddrPortFrom(t.Addr().WithZone(""), port)
	_, err = fmt.Fprintf(c, "DESCRIBE rtsp://%s%s RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\nUser-Agent: Thingwarden\r\n\r\n", host, path)
	if err != nil {
		return rtspAnswer{}, err
	}
	return readRTSP(io.LimitReader(c, maxRTSP))
}

// rtspAnswer is the answer of a server of live video.
type rtspAnswer struct {
	status int    // 0: another protocol
	line   string // the first line, cleaned
	server string // its Server header, cleaned
	video  bool   // it describes a picture
	tuner  bool   // what it describes is broadcast television
}

// tunerSession begins the name of the session that a receiver for television
// describes while somebody watches (SAT>IP Protocol Specification 1.2.2, section
// 3.5.7): routers with a cable tuner do, and nobody's home is to be seen there.
const tunerSession = "s=SatIPServer:"

var statusLine = regexp.MustCompile(`^RTSP/\d\.\d (\d{3})( |$)`)

// readRTSP reads an answer. What ends early is taken for what there is.
func readRTSP(r io.Reader) (rtspAnswer, error) {
	b := bufio.NewReader(r)
	head := textproto.NewReader(b)
	line, err := head.ReadLine()
	if err != nil && line == "" {
		return rtspAnswer{}, err
	}
	d := rtspAnswer{line: fact.Clean(line, 80)}
	m := statusLine.FindStringSubmatch(line)
	if m == nil {
		return d, nil
	}
	d.status, _ = strconv.Atoi(m[1])
	fields, err := head.ReadMIMEHeader()
	d.server = fact.Clean(fields.Get("Server"), fact.MaxText)
	if d.status != 200 {
		return d, nil
	}
	length, lerr := strconv.Atoi(fields.Get("Content-Length"))
	if err != nil || lerr != nil || length < 0 || length > maxRTSP {
		return d, nil
	}
	body := make([]byte, length)
	n, _ := io.ReadFull(b, body)
	for l := range strings.Lines(string(body[:n])) {
		d.video = d.video || strings.HasPrefix(l, "m=video ") // RFC 8866 section 5.14
		d.tuner = d.tuner || strings.HasPrefix(l, tunerSession)
	}
	return d, nil
}

// videos is what all ports answered.
type videos struct {
	answer.Ports
	open   string // proof of one that shows its picture
	server string // first Server header, and its proof
	by     string
	vague  []uint16 // those whose picture is elsewhere, or that said nothing of it
}

// add takes in what a port answered and reports whether it serves live video.
func (v *videos) add(port uint16, path string, d rtspAnswer, err error) bool {
	proof := fmt.Sprintf("tcp/%d: DESCRIBE %s: %s", port, path, d.line)
	if !v.Answered(port, proof, d.status != 0, err) {
		return false
	}
	if v.server == "" && d.server != "" {
		v.server, v.by = d.server, fmt.Sprintf("tcp/%d: %s", port, d.server)
	}
	switch {
	case d.tuner:
		v.Found[len(v.Found)-1] = proof + ", SatIPServer"
	case d.video:
		v.open = proof + ", m=video"
	case d.status != 401 && d.status != 403: // those want a password, or let nobody in
		v.vague = append(v.vague, port)
	}
	return true
}

// addLocation takes in what was answered where the device reported its video: there
// it does not matter that another path of the port says nothing.
func (v *videos) addLocation(port uint16, path string, d rtspAnswer, err error) {
	if v.add(port, path, d, err) && (d.status == 401 || d.status == 403) {
		v.vague = slices.DeleteFunc(v.vague, func(p uint16) bool { return p == port })
	}
}

func (v *videos) setFacts(e *fact.Evidence) {
	v.SetOpen(e, fact.RTSPOpen)
	if v.server != "" {
		fact.RTSPServer.Set(e, v.server, v.by)
	} else if n, _ := e.Entry(fact.RTSPOpen.Name()); n.Value == true {
		fact.RTSPServer.Unknown(e, fact.NotReported)
	} else {
		fact.RTSPServer.Unknown(e, cmp.Or(n.Why, fact.Refused))
	}
	if v.open != "" {
		fact.RTSPPictureOpen.Set(e, true, v.open)
		return
	}
	v.SetClosed(e, fact.RTSPPictureOpen, len(v.vague) > 0)
}
