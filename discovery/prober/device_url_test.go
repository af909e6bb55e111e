package prober

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func TestDeviceURL(t *testing.T) {
	own := []netip.Addr{netip.MustParseAddr("192.168.1.1"), netip.MustParseAddr("fe80::1%eth0")}
	for _, tt := range []struct {
		name, base, ref string
		port            uint16
		path            string // "" if refused
	}{
		{"own", "", "http://192.168.1.1:5000/rootDesc.xml", 5000, "/rootDesc.xml"},
		{"usual port", "", "http://192.168.1.1/d?x=1", 80, "/d?x=1"},
		{"no path", "", "http://192.168.1.1:1900", 1900, "/"},
		{"IPv6", "", "http://[fe80::1]:80/d", 80, "/d"},
		{"relative", "http://192.168.1.1:5000/a/b.xml", "c", 5000, "/a/c"},
		{"absolute path", "http://192.168.1.1:5000/a/b.xml", "/ctl?x", 5000, "/ctl?x"},
		{"own from own", "http://192.168.1.1:5000/a", "http://192.168.1.1:49000/ctl", 49000, "/ctl"},
		{"spaces are escaped", "", "http://192.168.1.1/a b", 80, "/a%20b"},
		{"another host", "", "http://192.168.1.2:5000/", 0, ""},
		{"another host from own", "http://192.168.1.1:5000/a", "//192.168.1.2/ctl", 0, ""},
		{"loopback", "", "http://127.0.0.1/", 0, ""},
		{"loopback, mapped", "", "http://[::ffff:127.0.0.1]/", 0, ""},
		{"own, mapped", "", "http://[::ffff:192.168.1.1]/", 0, ""},
		{"loopback in other spellings", "", "http://0x7f000001/", 0, ""},
		{"number", "", "http://3232235777/", 0, ""},
		{"cloud metadata", "", "http://169.254.169.254/latest", 0, ""},
		{"name", "", "http://router.local/", 0, ""},
		{"localhost", "", "http://localhost/", 0, ""},
		{"user", "", "http://192.168.1.1@evil.example/", 0, ""},
		{"user at own", "", "http://a:b@192.168.1.1/", 0, ""},
		{"https", "", "https://192.168.1.1/", 0, ""},
		{"file", "", "file:///etc/passwd", 0, ""},
		{"gopher", "", "gopher://192.168.1.1/", 0, ""},
		{"opaque", "", "http:192.168.1.1", 0, ""},
		{"no host", "", "/d.xml", 0, ""},
		{"printer", "", "http://192.168.1.1:9100/", 0, ""},
		{"port 0", "", "http://192.168.1.1:0/", 0, ""},
		{"port too large", "", "http://192.168.1.1:65616/", 0, ""},
		{"space in the query", "", "http://192.168.1.1/?a b", 0, ""},
		{"line break", "", "http://192.168.1.1/\r\nX: y", 0, ""},
		{"empty", "", "", 0, ""},
		{"long", "", "http://192.168.1.1/" + strings.Repeat("a", maxURL), 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			at, path, err := DeviceURL(tt.base, tt.ref, own)
			if at.Port() != tt.port || path != tt.path || (err == nil) != (tt.path != "") || err != nil && !errors.Is(err, ErrForbidden) {
				t.Errorf("got %d %q, %v; want %d %q", at.Port(), path, err, tt.port, tt.path)
			}
		})
	}
}

func FuzzDeviceURL(f *testing.F) {
	f.Add("http://192.168.1.1:5000/", "//[::1]/%2f", "http://192.168.1.1@x/")
	f.Fuzz(func(t *testing.T, base, ref, alone string) {
		own := []netip.Addr{netip.MustParseAddr("192.168.1.1")}
		for _, in := range [][2]string{{base, ref}, {"", alone}} {
			at, path, err := DeviceURL(in[0], in[1], own)
			if err == nil && (neverPort(at.Port()) || at.Addr() != own[0] || !strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "?") || strings.ContainsAny(path, "\r\n \x00")) {
				t.Errorf("%q gives %v, path %q", in, at, path)
			}
		}
	})
}
