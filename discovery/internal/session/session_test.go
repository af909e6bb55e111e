package session

import (
	"context"
	"errors"
	"net/netip"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/thingwarden/thingwarden/discovery"
)

func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		var at []time.Duration
		lost := 0
		Follow(ctx, func(ctx context.Context) error {
			at = append(at, time.Since(began))
			switch len(at) {
			case 4: // a connection that held
				time.Sleep(2 * MaxBackoff)
			case 6:
				cancel()
			}
			return errors.New("no")
		}, func(error) { lost++ })
		if lost != 5 {
			t.Errorf("%d connections lost, want 5: the end is not one", lost)
		}
		for i, most := range []time.Duration{0, time.Second, 2 * time.Second, 4 * time.Second, 2*MaxBackoff + time.Second, 2 * time.Second} {
			gap := at[i]
			if i > 0 {
				gap -= at[i-1]
			}
			if gap > most {
				t.Errorf("connection %d comes %v after the one before, want at most %v", i, gap, most)
			}
		}
	})
}

func TestPollReportsHealthOnChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		h := NewHealth(func(s discovery.Status, problem string) { got = append(got, string(s)+" "+problem) })
		ctx, cancel := context.WithTimeout(t.Context(), 55*time.Second)
		defer cancel()
		n := 0
		Poll(ctx, 10*time.Second, h, func(context.Context) error {
			if n++; n == 2 || n == 3 {
				return errors.New("no answer")
			}
			return nil
		})
		if n != 6 {
			t.Errorf("read %d times, want 6", n)
		}
		if d := cmp.Diff([]string{"ok ", "down It does not work at present: no answer.", "ok "}, got); d != "" {
			t.Errorf("health (-want +got):\n%s", d)
		}
	})
}

func TestCount(t *testing.T) {
	for _, tt := range []struct{ name, url, want string }{
		{"address", "ws://192.0.2.1:3000", "192.0.2.1"},
		{"this machine", "ws://LocalHost:3000", "127.0.0.1"},
		{"another name", "http://ha.local:8123", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u, err := url.Parse(tt.url)
			if err != nil {
				t.Fatal(err)
			}
			var want, got netip.Addr
			if tt.want != "" {
				want = netip.MustParseAddr(tt.want)
			}
			Count(discovery.Env{Sent: func(to netip.Addr, packets, connections int) {
				if got = to; packets != 0 || connections != 1 {
					t.Errorf("%d packets, %d connections", packets, connections)
				}
			}}, u)
			if d := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}
