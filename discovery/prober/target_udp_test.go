package prober

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// answering dials a peer that gives each datagram the same answer; nil is silence.
func answering(reply []byte) DialFunc {
	return func(context.Context, netip.AddrPort) (net.Conn, error) {
		client, server := net.Pipe()
		go func() {
			b := make([]byte, 100)
			if _, err := server.Read(b); err == nil && reply != nil {
				_, _ = server.Write(reply)
			}
			_, _ = server.Read(b)
			_ = server.Close()
		}()
		return client, nil
	}
}

func TestExchange(t *testing.T) {
	for _, tt := range []struct {
		name  string
		touch Touch
		port  uint16
		dial  DialFunc
		reply string
		want  error
		took  time.Duration
		sent  int
	}{
		{"answer", Read, 5351, answering([]byte("yes")), "yes", nil, 0, 1},
		{"silence", Read, 5351, answering(nil), "", ErrNoAnswer, connectTimeout, 1},
		{"too long", Read, 5351, answering(make([]byte, maxDatagram+1)), "", ErrUnreadable, 0, 1},
		{"nothing listens", Read, 5351, func(context.Context, netip.AddrPort) (net.Conn, error) { return nil, refuse() }, "", ErrClosed, 0, 0},
		{"no network", Read, 5351, func(context.Context, netip.AddrPort) (net.Conn, error) { return nil, errors.New("no buffer") }, "", ErrNotProbed, 0, 0},
		{"not in the demo", Read, 5351, noUDP, "", ErrNotProbed, 0, 0},
		{"touch", Connect, 5351, answering(nil), "", ErrTouch, 0, 0},
		{"never asked", Read, 9100, answering(nil), "", ErrForbidden, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sent := 0
				target := testTarget(nil)
				target.dialUDP, target.touch = tt.dial, tt.touch
				target.sent = func(_ netip.Addr, packets, connections int) { sent += packets + 100*connections }
				start := time.Now()
				reply, err := target.Exchange(t.Context(), tt.port, []byte("?"))
				if string(reply) != tt.reply || !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
					t.Errorf("reply %q, %v; want %q, %v", reply, err, tt.reply, tt.want)
				}
				if took := time.Since(start); took != tt.took || sent != tt.sent {
					t.Errorf("took %v and %d datagrams, want %v and %d", took, sent, tt.took, tt.sent)
				}
				if tt.want == nil && !target.answered {
					t.Error("an answer does not count as a sign of life")
				}
			})
		})
	}
}

func TestExchangeBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := testTarget(nil)
		target.dialUDP = answering([]byte("yes"))
		start := time.Now()
		for range maxDatagrams {
			if _, err := target.Exchange(t.Context(), 5351, nil); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took < 2*time.Second {
			t.Errorf("%d datagrams within %v, faster than 4 a second", maxDatagrams, took)
		}
		if _, err := target.Exchange(t.Context(), 5351, nil); !errors.Is(err, ErrNotProbed) {
			t.Errorf("one more: %v", err)
		}
	})
}

func TestExchangeEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := testTarget(nil)
		target.dialUDP = answering(nil)
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, context.Canceled)
		defer cancel()
		start := time.Now()
		if _, err := target.Exchange(ctx, 5351, []byte("?")); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// On a real socket: only the asked port's answer counts, and a closed port is
// told by ICMP.
func TestNetDialUDP(t *testing.T) {
	peer, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	to := netip.MustParseAddrPort(peer.LocalAddr().String())
	c, err := NetDialUDP(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if !isSelf(c, to.Addr()) {
		t.Error("a socket from the hub to itself does not count as one")
	}
	stranger, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	if _, err := stranger.WriteTo([]byte("forged"), c.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	if _, err := peer.WriteTo([]byte("real"), c.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 10)
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	if n, err := c.Read(b); err != nil || string(b[:n]) != "real" {
		t.Errorf("read %q, %v", b[:n], err)
	}
	_ = peer.Close()
	_, _ = c.Write([]byte("?"))
	if _, err := c.Read(b); !isRefused(err) {
		t.Errorf("closed port: %v", err)
	}
}
