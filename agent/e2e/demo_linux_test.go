package e2e

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/discovery/lab"
)

// TestDemoIsSilent: the demo sends nothing to the network that the hub is in, not
// even a question for who has an address, and both signals end it cleanly.
func TestDemoIsSilent(t *testing.T) {
	l := lab.New(t)
	wire := l.Host("onlooker").Capture(t)
	hub := l.Hub().MAC()
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		demo := l.Hub().Start(t, binary(t), "demo")
		lab.WaitFor(t, 90*time.Second, "the plug of the demo to have opened its port", func() bool {
			text := strings.Join(strings.Fields(demo.Output()), " ")
			return strings.Contains(text, `critical "Bargain plug": Reachable from the Internet`) || sig == syscall.SIGTERM && strings.Contains(text, `"Porch camera"`)
		})
		if err := demo.Signal(sig); err != nil {
			t.Fatal(err)
		}
		if err := demo.Wait(20 * time.Second); err != nil {
			t.Errorf("after %v: %v\n%s", sig, err, demo.Output())
		}
		if !strings.Contains(demo.Output(), "left nothing behind") {
			t.Errorf("after %v:\n%s", sig, demo.Output())
		}
	}
	for _, f := range wire.Frames(func(f lab.Frame) bool { return slices.Equal(f.Src, hub) }) {
		// The kernel's own words about its addresses and groups, by ICMPv6, with a
		// hop-by-hop header (RFC 3810) or without, are not ours.
		if !f.To.Is6() || f.Proto != syscall.IPPROTO_ICMPV6 && f.Proto != syscall.IPPROTO_HOPOPTS {
			t.Errorf("the hub sent protocol %d from %v to %v, port %d", f.Proto, f.From, f.To, f.Port())
		}
	}
}
