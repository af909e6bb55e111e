package agent

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
)

func TestOwners(t *testing.T) {
	mac := discovery.Identifier{Kind: discovery.MACID, Value: "00005e005301"}
	four, six := netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("fe80::5%eth0")
	device := func(id discovery.ID, ids ...discovery.Identifier) report.Device {
		return report.Device{Device: discovery.Device{ID: id, IDs: ids}}
	}
	a := &Agent{}
	a.newest.Store(&report.Snapshot{Devices: []report.Device{
		device(discovery.Hub, discovery.IP(netip.MustParseAddr("10.0.0.2"))),
		device("mac_00005e005301", mac, discovery.IP(four), discovery.IP(six)),
		device("mac_00005e005302", discovery.Identifier{Kind: discovery.MACID, Value: "00005e005302"}, discovery.Claimed(netip.MustParseAddr("10.0.0.6"))),
		device("ip_10_1_0_7", discovery.IP(netip.MustParseAddr("10.1.0.7"))),
	}})
	want := map[netip.Addr]discovery.Identifier{four: mac, six: mac}
	if diff := cmp.Diff(want, a.owners(), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("owners (-want +got):\n%s", diff)
	}
}

type sourceFunc func(context.Context, func(discovery.Observation)) error

func (f sourceFunc) Run(ctx context.Context, report func(discovery.Observation)) error {
	return f(ctx, report)
}

func TestASourceThatFailsAgainAndAgainIsNotWellBetween(t *testing.T) {
	for _, tt := range []struct {
		name string
		says discovery.Status // itself, when it works at last; "" for nothing
		want discovery.Status
	}{
		{"says nothing", "", discovery.OK},
		{"says that it sees a part only", discovery.Degraded, discovery.Degraded},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(t.Context())
				a := &Agent{log: slog.New(slog.DiscardHandler), now: time.Now, inputs: make(chan input, 100), mail: newMailbox(), outlets: &outlets{}, routed: &routed{}}
				status := func() discovery.Status {
					a.mail.mu.Lock()
					defer a.mail.mu.Unlock()
					return a.mail.health["bad"].Status
				}
				runs := 0
				k := discovery.SourceKind{Name: "bad", New: func(_ any, env discovery.Env) (discovery.Source, error) {
					return sourceFunc(func(ctx context.Context, _ func(discovery.Observation)) error {
						if runs++; runs > 1 && status() != discovery.Down {
							t.Errorf("run %d begins, and the source is %q", runs, status())
						}
						if runs < 5 {
							return errors.New("no")
						}
						if tt.says != "" {
							env.Health(tt.says, "Only a part.")
						}
						<-ctx.Done()
						return nil
					}), nil
				}}
				done := make(chan struct{})
				go func() { defer close(done); a.supervise(ctx, k, nil) }()
				time.Sleep(time.Minute)
				synctest.Wait()
				if runs != 5 || status() != tt.want {
					t.Errorf("after %d runs the source is %q, want %q", runs, status(), tt.want)
				}
				stop()
				<-done
			})
		})
	}
}
