// Package recorded reads and plays recorded answers of devices: text archives
// (txtar) from which tests learn what a probe makes of them, and of which the
// simulated home is made.
//
// It compares nothing (package probertest does), and it knows no probe.
package recorded

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/tools/txtar"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Device is a device that gives recorded answers. Its archive has these files:
//
//	device       optional lines "service tcp 8081 _http._tcp", "silent 80 8080"
//	             (ports that never answer), "touch connect", "name kitchen",
//	             "fact igd.location http://192.0.2.10/" (known before)
//	tcp/23       what the device sends on connection, then waits
//	tcp/1883 answer   what it sends once it was sent something
//	tcp/445 hang-up   it ends the connection once it was sent something
//	tcp/80 GET / what it answers to that question; other paths give 404
//	tcp/80 POST /ctl GetStatus 0   what it answers to a SOAP action with these
//	             arguments: whole, or "fault 713", or lines "NewName value"
//	tls/443      as tcp, inside TLS
//	udp/5351 0000   what it answers to a datagram that begins so, both in
//	             hexadecimal; others get no answer, and neither does anything that
//	             is sent to "udp/5351 silence". Other UDP ports are closed.
//	udp/38899 7b text   the same with an answer as text
//	want         what a probe makes of it, for tests
//
// Lines end in CR LF on the wire but in the body of an answer, and may hold the
// escapes of Go strings. Ports not named refuse.
type Device struct {
	Name     string
	Touch    prober.Touch // the most that the owner allows
	Services []discovery.Service
	Known    []fact.Entry // before a probe asks, without time and source
	Want     string

	silent []uint16
	udp    map[uint16]map[string][]byte // by the datagram's beginning
	open   map[uint16]*port

	serving sync.WaitGroup
}

// Parse reads an archive. The error names the file in it.
func Parse(data []byte) (*Device, error) {
	d := &Device{Touch: prober.Read, open: map[uint16]*port{}, udp: map[uint16]map[string][]byte{}}
	for _, f := range txtar.Parse(data).Files {
		var err error
		switch text := string(f.Data); {
		case f.Name == "want":
			d.Want = text
		case f.Name == "device":
			err = d.readDevice(text)
		case strings.HasPrefix(f.Name, "udp/"):
			err = d.readUDP(f.Name, text)
		default:
			err = d.readPort(f.Name, text)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	return d, nil
}

func (d *Device) readDevice(text string) error {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		var err error
		switch {
		case len(f) == 4 && f[0] == "service":
			var n uint16
			n, err = portNumber(f[2])
			d.Services = append(d.Services, discovery.Service{Proto: f[1], Port: int(n), Name: f[3]})
		case len(f) > 1 && f[0] == "silent":
			for _, p := range f[1:] {
				n, bad := portNumber(p)
				d.silent, err = append(d.silent, n), errors.Join(err, bad)
			}
		case len(f) == 2 && f[0] == "name":
			d.Name = f[1]
		case len(f) == 3 && f[0] == "fact":
			err = d.know(f[1], f[2])
		case len(f) == 2 && f[0] == "touch" && f[1] == prober.Listen.String():
			d.Touch = prober.Listen
		case len(f) == 2 && f[0] == "touch" && f[1] == prober.Connect.String():
			d.Touch = prober.Connect
		default:
			err = errors.New("not understood")
		}
		if err != nil {
			return fmt.Errorf("%q: %w", strings.TrimSpace(line), err)
		}
	}
	return nil
}

func (d *Device) know(word, value string) error {
	n := fact.Entry{Name: word, Value: value}
	switch w := fact.Lookup(word); {
	case w == nil:
		return errors.New("no such word")
	case w.Type == fact.List:
		n.Value = strings.Split(value, ",")
	case w.Type == fact.Bool:
		n.Value = value == "true"
	}
	d.Known = append(d.Known, n)
	return nil
}

func (d *Device) readPort(name, text string) error {
	name, path, isGet := strings.Cut(name, " GET ")
	name, call, isPost := strings.Cut(name, " POST ")
	name, isAnswer := strings.CutSuffix(name, " answer")
	name, hangsUp := strings.CutSuffix(name, " hang-up")
	proto, number, _ := strings.Cut(name, "/")
	n, err := portNumber(number)
	if err != nil {
		return err
	}
	p := d.open[n]
	if p == nil {
		p = &port{tls: proto == "tls", paths: map[string][]byte{}, soap: map[string][]byte{}}
		d.open[n] = p
	}
	switch {
	case isGet:
		p.paths[path], err = unescape(text, true)
	case isPost:
		p.soap[call], err = SOAPAnswer(call, text)
	case hangsUp:
		p.answers, p.hangsUp = true, true
	case isAnswer:
		p.answers = true
		p.answer, err = unescape(text, false)
	default:
		p.banner, err = unescape(text, false)
	}
	return err
}

func (d *Device) readUDP(name, text string) error {
	name, isText := strings.CutSuffix(name, " text")
	where, question, _ := strings.Cut(strings.TrimPrefix(name, "udp/"), " ")
	n, err := portNumber(where)
	if err != nil {
		return err
	}
	if d.udp[n] == nil {
		d.udp[n] = map[string][]byte{}
	}
	if question == "silence" {
		return nil
	}
	if isText {
		d.udp[n][question], err = unescape(text, false)
		return err
	}
	d.udp[n][question], err = hex.DecodeString(strings.Join(strings.Fields(text), ""))
	return err
}

func portNumber(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q is no port", s)
	}
	return uint16(n), nil
}

// unescape makes bytes of a text: lines end in CR LF, after a blank line of an
// HTTP answer in LF; the last has no end.
func unescape(text string, isHTTP bool) ([]byte, error) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	var b []byte
	end := "\r\n"
	for i, line := range lines {
		s, err := strconv.Unquote(`"` + strings.ReplaceAll(line, `"`, `\"`) + `"`)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		b = append(b, s...)
		if i < len(lines)-1 || isHTTP && end == "\r\n" {
			b = append(b, end...)
		}
		if isHTTP && line == "" {
			end = "\n"
		}
	}
	if isHTTP && end == "\r\n" {
		b = append(b, end...)
	}
	return b, nil
}

// Ports returns the open TCP ports, sorted.
func (d *Device) Ports() []uint16 { return slices.Sorted(maps.Keys(d.open)) }

// UDPPorts returns the UDP ports that are not closed, sorted.
func (d *Device) UDPPorts() []uint16 { return slices.Sorted(maps.Keys(d.udp)) }

// Silent reports whether something of the device never answers, so that asking it
// takes its time.
func (d *Device) Silent() bool { return len(d.silent)+len(d.udp) > 0 }

// Open adds the open ports of another device to those of this one.
func (d *Device) Open(other *Device) { maps.Copy(d.open, other.open) }
