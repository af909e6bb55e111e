package neighbours

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/thingwarden/thingwarden/discovery"
)

// A machine that answers for the addresses of others is named to the owner.
func TestProxyIsReported(t *testing.T) {
	d := newDesk(false)
	health := ""
	s := &source{table: d.neighbourTable, problems: map[string]string{}, reported: "-",
		env: discovery.Env{Health: func(_ discovery.Status, problem string) { health = problem }}}
	for n := range manyAddrs - 1 {
		d.answers(macA, fmt.Sprintf("192.168.1.%d", 20+n))
	}
	if s.proxies(); health != "" {
		t.Errorf("told %q of %d addresses", health, manyAddrs-1)
	}
	d.answers(macA, "192.168.1.90")
	if s.proxies(); !strings.Contains(health, macA.String()+" (8)") {
		t.Errorf("told %q, want %s in it", health, macA)
	}
	for a := range d.hosts[macA].addrs {
		if a != netip.MustParseAddr("192.168.1.90") {
			d.answers(macB, a.String())
		}
	}
	if s.proxies(); strings.Contains(health, macA.String()) {
		t.Errorf("told %q after its addresses went to another", health)
	}
}
