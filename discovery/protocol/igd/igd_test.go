package igd

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober"
	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
	"github.com/thingwarden/thingwarden/discovery/prober/recorded"
)

// badRouter is a router that describes itself well and answers SOAP as the test
// wants. Its connections have ended when the test has.
func badRouter(t *testing.T, soap func(c net.Conn, r *bufio.Reader)) prober.DialFunc {
	description := string(soapAnswer(t, "/ x", `HTTP/1.1 200 OK
Connection: close

<root><device><deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType><serviceList><service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType><SCPDURL>/s</SCPDURL><controlURL>/c</controlURL></service></serviceList></device></root>
`))
	var open sync.WaitGroup
	t.Cleanup(open.Wait)
	return func(context.Context, netip.AddrPort) (net.Conn, error) {
		client, server := net.Pipe()
		open.Go(func() {
			defer server.Close()
			r := bufio.NewReader(server)
			if first, err := r.Peek(3); err != nil || string(first) == "GET" {
				_, _ = http.ReadRequest(r)
				_, _ = io.WriteString(server, description)
				return
			}
			soap(server, r)
		})
		return client, nil
	}
}

// readCall reads a call, and reports whether there was one.
func readCall(r *bufio.Reader) (string, bool) {
	req, err := http.ReadRequest(r)
	if err != nil {
		return "", false
	}
	return recorded.SOAPCall(req), true
}

// Threat T3: whatever a router answers, the questions end.
func TestBadRouters(t *testing.T) {
	endless := bytes.Repeat([]byte("x"), 32<<10)
	entry := func(t *testing.T, i int) []byte {
		return soapAnswer(t, "/c GetGenericPortMappingEntry", fmt.Sprintf("NewExternalPort %d\nNewProtocol TCP\nNewInternalPort 80\nNewInternalClient 192.0.2.%d\nNewEnabled 1\nNewLeaseDuration 0\n", 1+i, i%200))
	}
	for _, tt := range []struct {
		name string
		soap func(t *testing.T) func(net.Conn, *bufio.Reader)
		want string
		most time.Duration
	}{
		{"silent", func(*testing.T) func(net.Conn, *bufio.Reader) {
			return func(c net.Conn, _ *bufio.Reader) { _, _ = io.Copy(io.Discard, c) }
		}, "wan.port_mappings ? no-answer", 20 * time.Second},
		{"endless", func(*testing.T) func(net.Conn, *bufio.Reader) {
			return func(c net.Conn, r *bufio.Reader) {
				readCall(r)
				_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
				for err == nil {
					_, err = c.Write(endless)
				}
			}
		}, "wan.port_mappings ? unreadable", 10 * time.Second},
		{"a drop at a time", func(*testing.T) func(net.Conn, *bufio.Reader) {
			return func(c net.Conn, r *bufio.Reader) {
				readCall(r)
				_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\n")
				for err == nil {
					time.Sleep(time.Second)
					_, err = io.WriteString(c, "X: y\r\n")
				}
			}
		}, "wan.port_mappings ? no-answer", 20 * time.Second},
		{"mappings without end", func(t *testing.T) func(net.Conn, *bufio.Reader) {
			var mu sync.Mutex
			n := 0
			return func(c net.Conn, r *bufio.Reader) {
				for {
					if _, ok := readCall(r); !ok {
						return
					}
					mu.Lock()
					n++
					b := entry(t, n)
					mu.Unlock()
					_, _ = c.Write(b)
				}
			}
		}, fmt.Sprintf("| GetGenericPortMappingEntry: %[1]d; not all: more than %[1]d\n", maxMappings), 20 * time.Second},
		{"mappings without end, slowly", func(t *testing.T) func(net.Conn, *bufio.Reader) {
			var mu sync.Mutex
			n := 0
			return func(c net.Conn, r *bufio.Reader) {
				if _, ok := readCall(r); !ok {
					return
				}
				time.Sleep(4 * time.Second)
				mu.Lock()
				n++
				b := entry(t, n)
				mu.Unlock()
				_, _ = c.Write(b)
			}
		}, "wan.mappings_complete ? no-answer", igdBudget + 20*time.Second},
		{"hangs up on a connection that it kept", func(t *testing.T) func(net.Conn, *bufio.Reader) {
			return func(c net.Conn, r *bufio.Reader) {
				call, ok := readCall(r)
				switch {
				case !ok:
				case strings.HasSuffix(call, " 0"):
					_, _ = c.Write(entry(t, 0))
					readCall(r) // and no answer
				default:
					_, _ = c.Write(soapAnswer(t, call, "fault 713"))
				}
			}
		}, `wan.port_mappings = [192.0.2.0 tcp/1>80] | GetGenericPortMappingEntry: 1`, 10 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				known := fact.New("test", probertest.Today)
				fact.IGDLocation.Set(known, "http://192.0.2.10:5000/d", "")
				fact.WANGateway.Set(known, true, "")
				began := time.Now()
				got := probertest.Observe(probertest.Question{Probe: Probe, Device: probertest.Device(), Known: known, LAN: netip.MustParsePrefix("192.0.2.0/24"), Touch: prober.Read, Dial: badRouter(t, tt.soap(t))})
				if !strings.Contains(got, tt.want) {
					t.Errorf("no %q in\n%s", tt.want, got)
				}
				if took := time.Since(began); took > tt.most {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

// Many mappings of one device do not push those of others out of the list.
func TestListKeepsEachDevice(t *testing.T) {
	var mappings []discovery.PortMapping
	for i := range 200 {
		mappings = append(mappings, discovery.PortMapping{Client: netip.MustParseAddr("192.0.2.1"), Proto: "tcp", External: uint16(i)})
	}
	mappings = append(mappings, discovery.PortMapping{Client: netip.MustParseAddr("192.0.2.99"), Proto: "udp", External: 9999})
	list := listed(mappings)
	if len(list) != fact.MaxItems || !strings.Contains(strings.Join(list, "\n"), "192.0.2.99 udp/9999>0") {
		t.Errorf("%d mappings: %q", len(list), list)
	}
}

func soapAnswer(t *testing.T, call, text string) []byte {
	t.Helper()
	b, err := recorded.SOAPAnswer(call, text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRecorded(t *testing.T) { probertest.Run(t, Probe) }
