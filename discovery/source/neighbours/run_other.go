//go:build !linux

package neighbours

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
)

// arpEntry is a line of the system's ARP table.
type arpEntry struct {
	ifindex int
	addr    netip.Addr
	mac     hwaddr
}

// Run sweeps until ctx is done: where the ARP table can be read it probes by UDP
// and reads the answers there, else it tries to connect.
func (s *source) Run(ctx context.Context, report func(discovery.Observation)) error {
	if err := s.start(report); err != nil {
		return err
	}
	defer s.socks.close()
	next := time.NewTimer(0)
	defer next.Stop()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-next.C:
			if err := s.sweepOnce(ctx, report); err != nil {
				if ctx.Err() != nil {
					return nil
				}
				return err
			}
			next.Reset(s.timing.sweepEvery)
		case <-tick.C:
			s.send()
			s.probes.forget(time.Now())
			s.readAnswers()
			s.table.tick(s.env.Now())
		}
	}
}

// sweepOnce sweeps once.
func (s *source) sweepOnce(ctx context.Context, report func(discovery.Observation)) error {
	if _, err := s.updateNetworks(); err != nil {
		return err
	}
	if _, err := readARP(); !errors.Is(err, errors.ErrUnsupported) {
		s.problem("system", "On this system Thingwarden sees only IPv4 devices that answer during a sweep, and no hostnames.")
		s.sweep(s.table.networks, 0)
		s.send()
		return err
	}
	s.problem("system", "On this system Thingwarden knows devices by their IP address only, and misses those that accept no connection. Run it on Linux to see all.")
	if s.env.ListenOnly {
		return nil
	}
	return newConnectSweep(s.env).run(ctx, s.table.networks, func(addr netip.Addr, proof string) {
		report(answeringAddr(addr, proof, s.env.Now()))
	})
}

// readAnswers takes in the ARP table.
func (s *source) readAnswers() {
	entries, err := readARP()
	if err != nil {
		return // sweepOnce returns it
	}
	for _, e := range entries {
		s.probes.decided(e.addr)
		s.table.resolved(e.ifindex, e.addr, e.mac, s.env.Now())
	}
}

func sendProblem(error) string { return "" }
