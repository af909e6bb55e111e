package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/discovery/lab"
)

// The limits that docs/benchmarks.md promises.
const (
	mostBinary   = 32.0 // MB, of 1,000,000 bytes
	mostResident = 40.0 // MiB, with 250 devices
	mostIdle     = 0.5  // percent of a core, with 250 devices
)

// BenchmarkBinary builds the program as it is released.
func BenchmarkBinary(b *testing.B) {
	path := filepath.Join(b.TempDir(), "thingwarden")
	for b.Loop() {
		if err := makeBuild(path); err != nil {
			b.Fatal(err)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	within(b, float64(info.Size())/1e6, mostBinary, "MB")
}

// within reports a figure, and fails when it passes its limit.
func within(b *testing.B, got, limit float64, unit string) {
	b.Helper()
	b.ReportMetric(got, unit)
	b.ReportMetric(limit, unit+"-at-most")
	if got > limit {
		b.Errorf("%.2f %s, want at most %.2f", got, unit, limit)
	}
}

// BenchmarkIdle runs the program with 250 devices and an external broker, waits
// until all were asked, and measures for a minute in which nothing happens. In it
// nothing is published.
func BenchmarkIdle(b *testing.B) {
	binary(b)
	l := lab.New(b)
	m := startBroker(b, l)
	o := look(b, m)
	publishZigbee(o, 148, 40)
	var hosts []*lab.Host
	for i := range 100 {
		hosts = append(hosts, l.Host(fmt.Sprintf("host%d", i)))
	}
	hosts[0].Telnetd(b, 23)
	hosts[1].Lighttpd(b, 80, "admin")
	hosts[2].Avahi(b, "printer", lab.AvahiService{Name: "Printer", Type: "_ipp._tcp", Port: 631})
	a := startAgent(b, l.Hub(), brokerConfig(m))
	started := time.Now()
	lab.WaitFor(b, time.Minute, "250 devices", func() bool {
		return len(o.topics("homeassistant/device/")) >= 250
	})
	lab.WaitFor(b, 3*time.Minute, "every device to have been asked", func() bool { return allProbed(o, hosts) })
	b.Logf("250 devices asked %v after the start, %.1f MiB", time.Since(started).Round(time.Second), used(b, a.Proc).resident)
	const during = time.Minute
	var before, after usage
	for b.Loop() {
		time.Sleep(during) // the last answers are published and saved, and memory is given back
		before = used(b, a.Proc)
		heard := o.heard()
		time.Sleep(during)
		after = used(b, a.Proc)
		if n := o.heard() - heard; n > 0 {
			b.Errorf("%d messages were published while nothing happened", n)
		}
	}
	b.ReportMetric(after.peak, "MiB-peak")
	within(b, after.resident, mostResident, "MiB")
	within(b, 100*float64(after.cpu-before.cpu)/float64(during), mostIdle, "%cpu")
}

func allProbed(o *onlooker, hosts []*lab.Host) bool {
	for _, h := range hosts {
		_, state := o.device(macID(h))
		attr, _ := state["attr"].(map[string]any)
		if by := fmt.Sprint(attr["seen_by"]); !strings.Contains(by, "http") || !strings.Contains(by, "telnet") {
			return false
		}
	}
	return true
}
