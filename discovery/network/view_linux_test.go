package network

import (
	"log/slog"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/lab"
)

func TestFollowChanges(t *testing.T) {
	l := lab.New(t)
	var changed func() bool
	l.Hub().Do(func() { changed = followChanges() })
	changed()
	for _, tt := range []struct {
		name string
		args []string
		want bool
	}{
		{"nothing", nil, false},
		{"an address", []string{"addr", "add", "192.168.7.2/24", "dev", "lan0"}, true},
		{"nothing since", nil, false},
		{"a route", []string{"route", "add", "default", "via", "192.168.7.1"}, true},
		{"a link", []string{"link", "set", "lan0", "mtu", "1400"}, true},
	} {
		if len(tt.args) > 0 {
			l.Hub().Run(t, "ip", tt.args...)
		}
		if got := changed(); got != tt.want {
			t.Errorf("%s: changed %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestView(t *testing.T) {
	l := lab.New(t)
	var v *View
	var err error
	l.Hub().Do(func() {
		v, err = NewView([]netip.Prefix{lab.LAN0.IPv4, netip.MustParsePrefix("192.168.7.0/24")}, slog.New(slog.DiscardHandler))
	})
	if err != nil {
		t.Fatal(err)
	}
	networks := func() (n discovery.Networks) {
		l.Hub().Do(func() { n = v.Networks() })
		return n
	}
	has := func() bool {
		return slices.ContainsFunc(networks().Watched, func(w discovery.Network) bool { return w.Own.String() == "192.168.7.2" })
	}
	if has() {
		t.Fatal("a network is there before its address")
	}
	l.Hub().Run(t, "ip", "addr", "add", "192.168.7.2/24", "dev", "lan0")
	lab.WaitFor(t, 5*time.Second, "the new network", has)
	time.Sleep(2 * keepFor) // kernel and clock are real
	networks()
	read := v.read
	time.Sleep(2 * keepFor)
	networks()
	if !v.read.Equal(read) {
		t.Error("the networks are read again though nothing has changed")
	}
}

func TestViewRefusesPrefixes(t *testing.T) {
	if _, err := NewView([]netip.Prefix{netip.MustParsePrefix("8.8.8.0/24")}, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("no error for a public prefix")
	}
}
