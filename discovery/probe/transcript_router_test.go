package probe

import (
	"context"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// know notes a word that is known before the probe asks.
func (tr *transcript) know(t *testing.T, word, value string) {
	t.Helper()
	n := fact.Entry{Name: word, Value: value, By: "test", At: today}
	switch w := fact.Lookup(word); {
	case w == nil:
	case w.Type == fact.List:
		n.Value = strings.Split(value, ",")
	case w.Type == fact.Bool:
		n.Value = value == "true"
	}
	if !tr.facts.Put(n) {
		t.Fatalf("%s: no such fact: %s %s", tr.file, word, value)
	}
}

// soapAnswer makes an answer of its short forms.
func soapAnswer(t *testing.T, call, text string) []byte {
	t.Helper()
	if strings.HasPrefix(text, "HTTP/") {
		return unescape(t, text, true)
	}
	status, body := "200 OK", ""
	if code, ok := strings.CutPrefix(strings.TrimSpace(text), "fault "); ok {
		status = "500 Internal Server Error"
		body = `<s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail><UPnPError xmlns="urn:schemas-upnp-org:control-1-0"><errorCode>` +
			code + `</errorCode><errorDescription>no</errorDescription></UPnPError></detail></s:Fault>`
	} else {
		action := strings.Fields(call)[1]
		for line := range strings.Lines(text) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
			var b strings.Builder
			_ = xml.EscapeText(&b, unescape(t, value, false))
			body += "<" + name + ">" + b.String() + "</" + name + ">"
		}
		body = `<u:` + action + `Response xmlns:u="x">` + body + `</u:` + action + `Response>`
	}
	body = `<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>` + body + `</s:Body></s:Envelope>`
	return fmt.Appendf(nil, "HTTP/1.1 %s\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body)
}

// soapCall is a request as transcripts name it: path, action and arguments. It
// is not found when header and body do not say the same.
func soapCall(req *http.Request) string {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return err.Error()
	}
	root, err := parseXML(body)
	if err != nil || len(root.child("Body").children) != 1 {
		return fmt.Sprintf("unreadable: %s", body)
	}
	action := root.child("Body").children[0]
	service, name, _ := strings.Cut(strings.Trim(req.Header.Get("SOAPAction"), `"`), "#")
	if name != action.name || !strings.Contains(string(body), `xmlns:u="`+service+`"`) {
		return fmt.Sprintf("header %s, body %s", req.Header.Get("SOAPAction"), body)
	}
	call := path.Clean(req.RequestURI) + " " + name
	for _, a := range action.children {
		call += " " + a.text
	}
	return call
}

func (tr *transcript) readUDP(t *testing.T, f txtar.File) {
	t.Helper()
	where, question, _ := strings.Cut(strings.TrimPrefix(f.Name, "udp/"), " ")
	port := portNumber(t, where)
	if tr.udp[port] == nil {
		tr.udp[port] = map[string][]byte{}
	}
	if question != "silence" {
		b, err := hex.DecodeString(strings.Join(strings.Fields(string(f.Data)), ""))
		if err != nil {
			t.Fatalf("%s: %s: %v", tr.file, f.Name, err)
		}
		tr.udp[port][question] = b
	}
}

// takesTime reports whether something in the transcript never answers.
func (tr *transcript) takesTime() bool { return len(tr.silent)+len(tr.udp) > 0 }

func (tr *transcript) dialPipeUDP(_ context.Context, to netip.AddrPort) (net.Conn, error) {
	answers := tr.udp[to.Port()]
	client, server := net.Pipe()
	if answers == nil {
		_ = server.Close()
		return unreachable{client}, nil
	}
	tr.serving.Go(func() {
		defer server.Close()
		b := make([]byte, 2048)
		for {
			n, err := server.Read(b)
			if err != nil {
				return
			}
			for question, answer := range answers {
				if strings.HasPrefix(hex.EncodeToString(b[:n]), question) {
					_, _ = server.Write(answer)
				}
			}
		}
	})
	return client, nil
}

// unreachable is a socket towards a closed UDP port.
type unreachable struct{ net.Conn }

func (unreachable) Write(b []byte) (int, error) { return len(b), nil }

func (unreachable) Read([]byte) (int, error) {
	return 0, &net.OpError{Op: "read", Net: "udp", Err: os.NewSyscallError("read", syscall.ECONNREFUSED)}
}

// closedUDP returns a dialer to a port on loopback at which nothing listens: a
// closed UDP port is what a real socket has to show.
func closedUDP(t *testing.T) prober.DialFunc {
	t.Helper()
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := netip.MustParseAddrPort(c.LocalAddr().String())
	_ = c.Close()
	return func(ctx context.Context, _ netip.AddrPort) (net.Conn, error) {
		return prober.NetDialUDP(ctx, closed)
	}
}
