package neighbours

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"golang.org/x/time/rate"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// connectSweep finds devices by opening TCP connections and closing them at
// once; a refusal is a sign of life too. It is for systems whose ARP
// table cannot be read. A device that drops unexpected packets is missed.
type connectSweep struct {
	ports   []int         // all addresses are tried on the first before any on the next
	timeout time.Duration // for an answer
	limit   *rate.Limiter // of connections for the whole home
	sent    func(to netip.Addr, packets, connections int)
}

func newConnectSweep(env discovery.Env) *connectSweep {
	return &connectSweep{ports: []int{80, 443, 22}, timeout: time.Second, limit: rate.NewLimiter(32, 1), sent: env.Sent}
}

// run tries the IPv4 addresses of the networks and calls found, one call at a
// time, for each that answers, with the proof.
func (c *connectSweep) run(ctx context.Context, n discovery.Networks, found func(netip.Addr, string)) error {
	var mu sync.Mutex
	alive := map[netip.Addr]bool{}
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, port := range c.ports {
		for addr := range sweepable(n) {
			mu.Lock()
			known := alive[addr]
			mu.Unlock()
			if known || !probeable(addr) {
				continue
			}
			if err := c.limit.Wait(ctx); err != nil {
				return err
			}
			c.sent(addr, 0, 1)
			wg.Go(func() {
				proof, ok := c.try(ctx, addr, port)
				if !ok {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				if !alive[addr] {
					alive[addr] = true
					found(addr, proof)
				}
			})
		}
		wg.Wait()
	}
	return nil
}

func (c *connectSweep) try(ctx context.Context, addr netip.Addr, port int) (proof string, ok bool) {
	d := net.Dialer{Timeout: c.timeout}
	conn, err := d.DialContext(ctx, "tcp", netip.AddrPortFrom(addr, uint16(port)).String())
	if err == nil {
		_ = conn.Close()
		return fmt.Sprintf("tcp/%d: connection accepted", port), true
	}
	return fmt.Sprintf("tcp/%d: connection refused", port), refused(err)
}

// refused reports whether the peer answered that nothing listens there.
func refused(err error) bool {
	const wsaeConnRefused = syscall.Errno(10061) // Windows has a number of its own
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, wsaeConnRefused)
}

// answeringAddr is the observation of a device that is known by its address only.
func answeringAddr(addr netip.Addr, proof string, now time.Time) discovery.Observation {
	e := fact.New(name, now)
	fact.DeviceKind.Set(e, "lan", proof)
	fact.DeviceReachable.Set(e, true, proof)
	fact.DeviceOnline.Set(e, true, proof)
	return discovery.Observation{About: []discovery.Identifier{discovery.IP(addr)}, Facts: e}
}
