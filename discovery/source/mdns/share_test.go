package mdns

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// Threat T14: what one host sends beyond its share is not read, and others are.
func TestOneSenderHasAShare(t *testing.T) {
	bubble(t, func(t *testing.T, a *wire) {
		for range packetsBurst + 10 {
			a.send("10.0.0.66", "!evil.local. 120 IN A 10.0.0.66")
		}
		late := []string{
			"_http._tcp.local. 4500 IN PTR Late._http._tcp.local.", "!Late._http._tcp.local. 4500 IN SRV 0 0 81 evil.local.",
			"!Late._http._tcp.local. 4500 IN TXT \"x\"", "!evil.local. 120 IN A 10.0.0.66",
		}
		a.send("10.0.0.66", late...)
		a.send("10.0.0.5", plug(4500, "1")...)
		a.pass(100 * time.Millisecond)
		if s := a.state(); strings.Contains(s, "81") || !strings.Contains(s, plugState[1:]) {
			t.Errorf("after more packets than its share:\n%s", s)
		}
		a.pass(time.Second)
		a.send("10.0.0.66", late...)
		a.pass(time.Second)
		if s := a.state(); !strings.Contains(s, "81") {
			t.Errorf("not heard any more:\n%s", s)
		}
	})
}

// What is remembered of one host, and of all, is bounded; a host that comes when
// others have used everything up is heard all the same.
func TestWhatIsRememberedIsBounded(t *testing.T) {
	now := time.Unix(0, 0)
	flood := func(total *amount, data string) cache {
		c := newCache(total)
		for i := range 2 * maxSenderRecords {
			r := &record{key: key{fmt.Sprintf("h%d.local.", i), dns.TypeTXT}, data: data, ttl: time.Hour}
			c.put(r, false, now)
		}
		return c
	}
	if c := flood(&amount{}, "x"); c.amount.records > maxSenderRecords || c.amount.bytes > maxSenderBytes {
		t.Errorf("small records of one host: %+v", c.amount)
	}
	if c := flood(&amount{}, strings.Repeat("x", maxRData)); c.amount.bytes > maxSenderBytes || c.amount.records == 0 {
		t.Errorf("large records of one host: %+v", c.amount)
	}
	var total amount
	const hosts = 200
	var last cache
	for range hosts {
		last = flood(&total, "x")
	}
	if total.records > maxRecords+hosts*freeRecords || total.bytes > maxBytes+hosts*freeBytes {
		t.Errorf("records of %d hosts: %+v", hosts, total)
	}
	if last.amount.records == 0 {
		t.Error("the last of many hosts is not heard")
	}
}
