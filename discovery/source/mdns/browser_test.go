package mdns

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// plug is a service with everything that belongs to it.
func plug(ttl int, sf string) []string {
	return []string{
		fmt.Sprintf(`_hap._tcp.local. %d IN PTR Plug._hap._tcp.local.`, ttl),
		fmt.Sprintf(`!Plug._hap._tcp.local. %d IN SRV 0 0 51827 plug.local.`, ttl),
		fmt.Sprintf(`!Plug._hap._tcp.local. %d IN TXT "md=P1" "sf=%s" "ci=7"`, ttl, sf),
		fmt.Sprintf(`!plug.local. %d IN A 10.0.0.5`, ttl),
	}
}

const plugState = `
10.0.0.5 "Plug"
  tcp/51827 _hap._tcp
  device.class = plug (_hap._tcp ci=7)
  device.hostname = plug (plug.local)
  device.kind = lan (udp/5353)
  device.model = P1 (_hap._tcp md=P1)
  homekit.announced_paired = false (_hap._tcp sf=1: Plug)
  mdns.services = [_hap._tcp] (udp/5353 SRV)
  mdns.txt = [ci=7 md=P1] (_hap._tcp)
`

func TestAnnouncementIsReportedAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, a *wire) {
		a.send("10.0.0.5", plug(120, "1")...)
		a.wantState("without any time passing", plugState)
		a.send("10.0.0.5", plug(120, "0")[2])
		a.pass(20 * time.Millisecond)
		a.wantState("after pairing", strings.Replace(plugState, "paired = false (_hap._tcp sf=1", "paired = true (_hap._tcp sf=0", 1))
	})
}

func TestQueryIsSignOfLife(t *testing.T) {
	bubble(t, func(t *testing.T, a *wire) {
		q := &dns.Msg{Question: []dns.Question{{Name: "_http._tcp.local.", Qtype: dns.TypePTR, Qclass: dns.ClassINET}}}
		a.packet("10.0.0.9", q)
		const want = "10.0.0.9 \"\"\n  device.kind = lan (udp/5353)\n"
		a.wantState("after a query", want)
		a.pass(30 * time.Minute)
		a.wantState("after half an hour", want)
		a.packet("10.0.0.9", q)
		a.pass(time.Second)
		if last := a.seen[len(a.seen)-1]; last.Quiet || last.Gone || last.Facts.Len() != 0 {
			t.Errorf("observation after another query = %+v, want a mere sign of life", last)
		}
		a.pass(forgetAfter + time.Second)
		a.wantState("after a long silence", "")
	})
}

func TestGoodbye(t *testing.T) {
	bubble(t, func(t *testing.T, a *wire) {
		a.send("10.0.0.5", append(plug(120, "1"),
			`_http._tcp.local. 120 IN PTR Plug._http._tcp.local.`,
			`!Plug._http._tcp.local. 120 IN SRV 0 0 80 plug.local.`,
			`!Plug._http._tcp.local. 120 IN TXT ""`)...)
		a.send("10.0.0.5", plug(0, "1")[:3]...)
		a.pass(900 * time.Millisecond)
		if !strings.Contains(a.state(), "homekit.announced_paired = false") {
			t.Errorf("facts went before the second that RFC 6762 section 10.1 gives:\n%s", a.state())
		}
		a.pass(120 * time.Millisecond)
		a.wantState("a second after a goodbye", `
10.0.0.5 "Plug"
  tcp/80 _http._tcp
  device.class unknown: not-told
  device.hostname = plug (plug.local)
  device.kind = lan (udp/5353)
  device.model unknown: not-told
  homekit.announced_paired unknown: not-told
  mdns.services = [_http._tcp] (udp/5353 SRV)
  mdns.txt unknown: not-told
`)
		a.send("10.0.0.5", plug(120, "1")...)
		a.pass(time.Second / 2)
		if !strings.Contains(a.state(), "homekit.announced_paired = false") {
			t.Errorf("facts do not come back:\n%s", a.state())
		}
		a.send("10.0.0.5", append(plug(0, "1"),
			`_http._tcp.local. 0 IN PTR Plug._http._tcp.local.`,
			`!Plug._http._tcp.local. 0 IN SRV 0 0 80 plug.local.`,
			`!Plug._http._tcp.local. 0 IN TXT ""`)...)
		a.pass(1100 * time.Millisecond)
		a.wantState("after all goodbyes", "")
		a.pass(24 * time.Hour)
		a.wantState("a day later", "")
	})
}

func TestExpiryAndRefresh(t *testing.T) {
	bubble(t, func(t *testing.T, a *wire) {
		start := time.Now()
		a.send("10.0.0.5", plug(100, "1")...)
		a.pass(99 * time.Second)
		if diff := cmp.Diff(seconds(80, 85, 90, 95), a.questions(start, "plug._hap._tcp.local.")); diff != "" {
			t.Errorf("queries for the service (-want +got):\n%s", diff)
		}
		a.wantState("before the time to live is over", plugState)
		a.pass(2 * time.Second)
		a.wantState("after it", "")

		a.send("10.0.0.5", plug(100, "1")...)
		a.pass(81 * time.Second)
		a.send("10.0.0.5", plug(100, "1")...)
		a.pass(50 * time.Second)
		a.wantState("after an answer to the refresh", plugState)
	})
}

func seconds(n ...int) (out []time.Duration) {
	for _, s := range n {
		out = append(out, time.Duration(s)*time.Second)
	}
	return out
}

func TestSchedule(t *testing.T) {
	bubble(t, func(t *testing.T, a *wire) {
		start := time.Now()
		a.pass(50 * time.Minute)
		if diff := cmp.Diff(seconds(0, 1, 3, 9), a.questions(start, metaName)); diff != "" {
			t.Errorf("queries for all types (-want +got):\n%s", diff)
		}
		a.pass(2*time.Hour - 50*time.Minute)
		if n := len(a.questions(start, metaName)); n != 5 {
			t.Errorf("%d queries after two hours, want 5", n)
		}
	})
}

func TestFollowsWhatIsMissing(t *testing.T) {
	bubble(t, func(t *testing.T, a *wire) {
		start := time.Now()
		a.pass(time.Hour / 2)
		at := time.Since(start)
		a.send("10.0.0.5", `_services._dns-sd._udp.local. 4500 IN PTR _hap._tcp.local.`)
		a.pass(500 * time.Millisecond)
		a.send("10.0.0.5", plug(4500, "1")[0])
		a.pass(100 * time.Millisecond)
		a.send("10.0.0.5", plug(4500, "1")[1])
		a.pass(100 * time.Millisecond)
		for _, name := range []string{"_hap._tcp.local.", "plug._hap._tcp.local.", "plug.local."} {
			got := a.questions(start, name)
			if len(got) == 0 || got[0]-at > 700*time.Millisecond {
				t.Errorf("question for %q at %v, want soon after %v", name, got, at)
			}
		}
	})
}

func TestKnownAnswers(t *testing.T) {
	bubble(t, func(t *testing.T, a *wire) {
		ptr := `_http._tcp.local. 4500 IN PTR Mine._http._tcp.local.`
		a.send("10.0.0.5", ptr, `_http._tcp.local. 4500 IN PTR Old._http._tcp.local.`)
		a.pass(2300 * time.Second)
		// Another host's fresh copy must not suppress the answer of the first.
		a.send("10.0.0.6", `_http._tcp.local. 4500 IN PTR Old._http._tcp.local.`)
		a.send("10.0.0.5", ptr)
		a.queries = nil
		a.pass(2 * time.Hour) // the hourly query lies in it
		i := slices.IndexFunc(a.queries, func(s sent) bool {
			return !s.link.v6 && slices.ContainsFunc(s.msg.Question, func(q dns.Question) bool { return q.Name == "_http._tcp.local." })
		})
		if i < 0 {
			t.Fatal("no query")
		}
		var got []string
		for _, rr := range a.queries[i].msg.Answer {
			got = append(got, rr.(*dns.PTR).Ptr)
		}
		if diff := cmp.Diff([]string{"Mine._http._tcp.local."}, got); diff != "" {
			t.Errorf("known answers (-want +got):\n%s", diff)
		}
	})
}

func TestQuestionsPerMessage(t *testing.T) {
	bubble(t, func(t *testing.T, a *wire) {
		var records []string
		for i := range 60 {
			records = append(records, fmt.Sprintf("_http._tcp.local. 4500 IN PTR Page%d._http._tcp.local.", i))
		}
		a.send("10.0.0.5", records...)
		a.pass(5 * time.Second)
		queried := map[dns.Question]bool{}
		for _, q := range a.queries {
			if len(q.msg.Question) > maxQuestions {
				t.Errorf("%d questions in one message", len(q.msg.Question))
			}
			for _, x := range q.msg.Question {
				queried[x] = true
			}
		}
		// SRV and TXT of each, the type, and the meta query.
		if len(queried) != 122 {
			t.Errorf("%d different questions, want 122", len(queried))
		}
	})
}

func TestUnansweredTypeIsQueriedOnce(t *testing.T) {
	bubble(t, func(t *testing.T, a *wire) {
		a.send("10.0.0.5", `_services._dns-sd._udp.local. 4500 IN PTR _http._tcp.local.`)
		a.pass(30 * time.Second)
		want := []target{{host: hostKey{linkID{2, false}, netip.MustParseAddr("10.0.0.5")}, iface: "eth0", typ: "_http._tcp.local."}}
		if diff := cmp.Diff(want, a.wanted, cmp.AllowUnexported(target{}, hostKey{}, linkID{}), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Fatalf("targeted queries (-want +got):\n%s", diff)
		}
		start := time.Now()
		a.in.hints <- hint{a.wanted[0].host, []string{"Page._http._tcp.local.", "not a service."}}
		a.pass(time.Second)
		if len(a.questions(start, "page._http._tcp.local.")) == 0 {
			t.Error("what the targeted query found was not queried")
		}
		if strings.Contains(a.state(), "_http._tcp") {
			t.Errorf("a hint became a fact:\n%s", a.state())
		}
	})
}

func TestHealth(t *testing.T) {
	bubble(t, func(t *testing.T, a *wire) {
		a.pass(silence - time.Second)
		if len(a.health) != 0 {
			t.Errorf("health = %q before there was time to answer", a.health)
		}
		a.send("10.0.0.2", `self.local. 120 IN A 10.0.0.2`) // the hub itself does not count
		a.pass(2 * time.Second)
		if len(a.health) != 1 || !strings.HasPrefix(a.health[0], "degraded No device has answered") {
			t.Errorf("health = %q, want degraded", a.health)
		}
		a.send("10.0.0.5", plug(120, "1")...)
		a.pass(time.Second)
		if len(a.health) != 2 || a.health[1] != "ok" {
			t.Errorf("health = %q, want ok in the end", a.health)
		}
		a.in.links <- nil
		a.pass(time.Second)
		if len(a.health) != 3 || !strings.HasPrefix(a.health[2], "degraded No home network") {
			t.Errorf("health = %q, want degraded without a network", a.health)
		}
		if !strings.Contains(a.state(), "homekit.announced_paired unknown: source-down") {
			t.Errorf("words of a lost network:\n%s", a.state())
		}
	})
}

func TestNetworkChangeQueriesAgain(t *testing.T) {
	bubble(t, func(t *testing.T, a *wire) {
		a.pass(time.Minute)
		start := time.Now()
		n := discovery.Networks{Watched: append(slices.Clone(home.Watched), discovery.Network{
			Interface: "eth0", Index: 2, Prefix: netip.MustParsePrefix("10.1.0.0/24"), Own: netip.MustParseAddr("10.1.0.2")})}
		a.in.links <- links(n)
		a.pass(20 * time.Second)
		if got := a.questions(start, metaName); !slices.Equal(got, seconds(0, 1, 3, 9)) {
			t.Errorf("queries after a change at %v", got)
		}
		a.send("10.1.0.7", `!new.local. 120 IN A 10.1.0.7`)
		if !strings.Contains(a.state(), "10.1.0.7") {
			t.Errorf("a host of the new network is not seen:\n%s", a.state())
		}
	})
}

func TestBothFamiliesOfOneHost(t *testing.T) {
	four, six := plug(4500, "1"), append(plug(120, "1")[:3:3], `!plug.local. 120 IN AAAA fe80::5`)
	bubble(t, func(t *testing.T, a *wire) {
		a.send("10.0.0.5", four...)
		a.send("fe80::5", six...)
		a.pass(time.Second)
		if !strings.Contains(a.state(), "fe80::5%eth0 \"Plug\"") {
			t.Fatalf("no observation of the IPv6 address:\n%s", a.state())
		}
		a.seen = nil
		a.pass(3 * time.Minute)
		// To the inventory both are one device: losing one must not lose the other.
		if slices.ContainsFunc(a.seen, func(o discovery.Observation) bool { return o.Gone }) {
			t.Error("the device was withdrawn while its IPv4 address speaks")
		}
		last := a.seen[len(a.seen)-1]
		if paired, ok := fact.HomeKitAnnounced.Get(last.Facts); !ok || paired || last.About[0].Value != "10.0.0.5" {
			t.Errorf("last observation = %+v, want the report of the IPv4 address again", last)
		}
	})
}

// A machine that announces from two addresses sends goodbyes from both at once: none
// of them keeps its services, whichever is served first. So with the hub, which
// is never gone.
func TestGoodbyeOfBothFamilies(t *testing.T) {
	say := func(a *wire, ttl int, four, six string) {
		a.send(four, append(plug(ttl, "1")[:3:3], fmt.Sprintf("!plug.local. %d IN A %s", ttl, four))...)
		a.send(six, append(plug(ttl, "1")[:3:3], fmt.Sprintf("!plug.local. %d IN AAAA %s", ttl, six))...)
	}
	for _, addrs := range [][2]string{{"10.0.0.5", "fd00::5"}, {"10.0.0.2", "fd00::2"}} {
		for range 10 { // the order in which hosts are served is random
			bubble(t, func(t *testing.T, a *wire) {
				say(a, 120, addrs[0], addrs[1])
				a.pass(time.Second)
				if !strings.Contains(a.state(), "tcp/51827") {
					t.Fatalf("no service:\n%s", a.state())
				}
				say(a, 0, addrs[0], addrs[1])
				a.pass(2 * time.Second)
				if state := a.state(); strings.Contains(state, "tcp/51827") || strings.Contains(state, "paired = ") {
					t.Errorf("after the goodbye of %v:\n%s", addrs, state)
				}
			})
		}
	}
}
