package prober

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// After five silent ports a pass stops; the next one comes to the others.
func TestSilentPortsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(probeOn("a", 1, 80, 2, 3, 4, 5, 6, 7))
		refuses := h.opt.Dial
		h.opt.Dial = func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
			_, err := refuses(ctx, to)
			if to.Port() == 80 {
				return nil, err
			}
			<-ctx.Done()
			return nil, ctx.Err()
		}
		defer h.run(t)()
		h.Update(device(10), evidence(nil))
		time.Sleep(time.Minute)
		if probed, _ := h.take(); len(probed) != 6 {
			t.Errorf("first pass asked %v", probed)
		}
		time.Sleep(resume)
		probed, _ := h.take()
		var ports []string
		for _, a := range probed {
			ports = append(ports, a[strings.LastIndex(a, ":")+1:])
		}
		if diff := cmp.Diff([]string{"80", "6", "7"}, ports); diff != "" {
			t.Errorf("second pass (-want +got):\n%s", diff)
		}
	})
}

// The house is never asked faster than allowed, nor one device twice at a time.
func TestTheHouseHasALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(probeOn("a", 1, 2, 3, 4, 5, 6))
		h.opt.PerHouse = 10
		var at []time.Time
		var mu sync.Mutex
		h.opt.Dial = func(context.Context, netip.AddrPort) (net.Conn, error) {
			mu.Lock()
			defer mu.Unlock()
			at = append(at, time.Now())
			return nil, refuse()
		}
		defer h.run(t)()
		for n := range 100 {
			h.Update(device(10+n), evidence(nil))
		}
		for done, total := h.Progress(); done < total; done, total = h.Progress() {
			time.Sleep(time.Second)
			synctest.Wait()
		}
		if len(at) != 600 || time.Since(h.start) > 62*time.Second {
			t.Errorf("%d connections in %v", len(at), time.Since(h.start))
		}
		for i := 10; i < len(at); i++ {
			if at[i].Sub(at[i-10]) < time.Second {
				t.Fatalf("more than 10 connections in a second at %v", at[i].Sub(h.start))
			}
		}
	})
}
