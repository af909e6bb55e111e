package neighbours

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestDispute(t *testing.T) {
	const addr = "192.168.1.7"
	ofA := addr + " " + macA.String()
	vrrp := hwaddr{0, 0, 0x5e, 0, 1, 7}
	// byTurns lets one after the other say that the address is its own.
	byTurns := func(gap time.Duration, macs ...hwaddr) func(*desk) {
		return func(d *desk) {
			d.answers(macs[0], addr)
			for _, m := range macs[1:] {
				d.pass(gap)
				d.packet(m, addr)
			}
		}
	}
	tests := []struct {
		name string
		do   func(d *desk)
		want []string // of macB
	}{
		{"no other device", byTurns(time.Second, macA, macA, macA), nil},
		{"a new owner", byTurns(time.Second, macA, macB, macB, macB, macB), nil},
		{"woken for a moment while another answers for it", byTurns(time.Second, macB, macA, macB), nil},
		{"by turns", byTurns(time.Second, macA, macB, macA, macB), []string{ofA}},
		{"by turns, as the kernel sees it", func(d *desk) {
			d.answers(macB, "192.168.1.8")
			for range 2 {
				d.answers(macA, addr)
				d.pass(time.Second)
				d.answers(macB, addr)
				d.pass(time.Second)
			}
		}, []string{ofA}},
		{"false announcements, which the kernel believes until it probes", func(d *desk) {
			d.answers(macB, "192.168.1.8")
			for range 2 {
				d.answers(macA, addr)
				d.pass(time.Second)
				d.stale(macB, addr, 0)
				d.pass(time.Second)
			}
		}, []string{ofA}},
		{"by turns, but slowly", byTurns(31*time.Second, macA, macB, macA, macB, macA, macB), nil},
		{"routers that share an address by design", byTurns(time.Second, vrrp, macB, vrrp, macB, vrrp), []string{addr + " " + vrrp.String()}},
		{"two interfaces that requested an address with one name", func(d *desk) {
			d.sight(deskIf, sighting{mac: macA, name: "laptop", proof: "dhcp"}, d.now)
			d.sight(deskIf, sighting{mac: macB, name: "laptop", proof: "dhcp"}, d.now)
			byTurns(time.Second, macA, macB, macA, macB, macA)(d)
		}, []string{ofA}},
		{"the first owner is not there any more", func(d *desk) {
			d.answers(macA, addr)
			d.silence()
			d.pass(time.Hour)
			for _, m := range []hwaddr{macB, macA, macB} {
				d.packet(m, addr)
				d.pass(time.Second)
			}
		}, nil},
		{"a third one's word ends nothing", byTurns(time.Second, macA, macB, hwaddr{2, 0, 0, 0, 0, 9}, macA, macB), []string{ofA}},
		{"reported for an hour", func(d *desk) {
			byTurns(time.Second, macA, macB, macA, macB)(d)
			d.pass(disputeKept - time.Second)
		}, []string{ofA}},
		{"then over", func(d *desk) {
			byTurns(time.Second, macA, macB, macA, macB)(d)
			d.pass(disputeKept)
		}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(false)
			tt.do(d)
			for mac, n := range d.hosts {
				var want []string
				if mac == macB {
					want = tt.want
				}
				if diff := cmp.Diff(want, tokens(n.disputes()), cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("%s (-want +got):\n%s", mac, diff)
				}
			}
		})
	}
}

// Whoever makes up claims makes us remember few, and not forget a real dispute (T14).
func TestFloodOfDisputes(t *testing.T) {
	d := newDesk(false)
	d.packet(macB, "192.168.1.250")
	for i := range 249 {
		d.answers(macA, netip.AddrFrom4([4]byte{192, 168, 1, byte(i + 3)}).String())
		d.hosts[macA].addrs = map[netip.Addr]*addrState{} // as many neighbours would have
	}
	for range 2 {
		d.packet(macB, "192.168.1.7")
		d.packet(macA, "192.168.1.7")
	}
	six := netip.MustParseAddr("fd00::100")
	for range 300 {
		six = six.Next()
		d.answers(macA, six.String())
		d.hosts[macA].addrs = map[netip.Addr]*addrState{}
		d.packet(macB, six.String())
	}
	if len(d.disputes) > maxDisputes || !slices.Contains(tokens(d.hosts[macB].disputes()), "192.168.1.7 "+macA.String()) {
		t.Errorf("%d disputes, reported: %v", len(d.disputes), d.hosts[macB].disputes())
	}
}

// Whoever takes the router's address from it has done so for an hour, unless the
// router is gone.
func TestRouterAddressTaken(t *testing.T) {
	const addr = "192.168.1.7"
	for _, tt := range []struct {
		name string
		do   func(d *desk)
		want []string // of macB
	}{
		{"once is enough", func(d *desk) {}, []string{addr}},
		{"for an hour", func(d *desk) {
			for range 59 {
				d.pass(time.Minute)
				d.sight(deskIf, sighting{mac: macA, proof: "ipv6"}, d.now)
			}
		}, []string{addr}},
		{"then over", func(d *desk) { d.pass(disputeKept) }, nil},
		{"the router was replaced", func(d *desk) {
			d.silence()
			d.pass(time.Hour / 2)
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(false)
			d.networks.Gateways = []netip.Addr{netip.MustParseAddr(addr)}
			d.answers(macA, addr)
			d.pass(time.Second)
			d.answers(macB, addr)
			tt.do(d)
			d.pass(time.Second)
			if diff := cmp.Diff(tt.want, d.taken(d.hosts[macB]), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
