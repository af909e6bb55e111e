package neighbours

import (
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/thingwarden/thingwarden/discovery"
)

// listeners receive the frames of parseFrame on every watched interface.
type listeners struct {
	received chan received
	ended    chan int // index of an interface whose listening ended
	conns    map[int]*packet.Conn
	done     chan struct{}
	wg       sync.WaitGroup
}

type received struct {
	ifindex  int
	sighting sighting
}

func newListeners() *listeners {
	return &listeners{received: make(chan received, 256), ended: make(chan int), conns: map[int]*packet.Conn{}, done: make(chan struct{})}
}

// active reports whether anything is listened to.
func (e *listeners) active() bool { return len(e.conns) > 0 }

// follow listens on the interfaces of the networks and on no other.
func (e *listeners) follow(n discovery.Networks) error {
	var errs []error
	wanted := map[int]bool{}
	for _, w := range n.Watched {
		if wanted[w.Index] {
			continue
		}
		wanted[w.Index] = true
		if e.conns[w.Index] == nil {
			errs = append(errs, e.open(w))
		}
	}
	for index := range e.conns {
		if !wanted[index] {
			e.drop(index)
		}
	}
	return errors.Join(errs...)
}

func (e *listeners) open(w discovery.Network) error {
	filter, err := bpf.Assemble(append(untagged(), neighbourFilter()...))
	if err != nil {
		return fmt.Errorf("assemble packet filter: %w", err)
	}
	var c *packet.Conn
	err = withNetRaw(func() (err error) {
		ifi := &net.Interface{Index: w.Index, Name: w.Interface}
		c, err = packet.Listen(ifi, packet.Raw, unix.ETH_P_ALL, &packet.Config{Filter: filter})
		return err
	})
	if err != nil {
		return fmt.Errorf("listen on %q: %w", w.Interface, err)
	}
	e.conns[w.Index] = c
	e.wg.Go(func() {
		e.listen(c, w.Index)
		select {
		case e.ended <- w.Index:
		case <-e.done:
		}
	})
	return nil
}

// listen reads until the connection is closed or its interface goes down. When
// frames come faster than they are taken in, the surplus is dropped here.
func (e *listeners) listen(c *packet.Conn, ifindex int) {
	buf := make([]byte, frameLength)
	for {
		n, _, err := c.ReadFrom(buf)
		if err != nil {
			return
		}
		s, ok := parseFrame(buf[:n])
		if !ok {
			continue
		}
		select {
		case e.received <- received{ifindex, s}:
		default:
		}
	}
}

// drop stops listening on an interface.
func (e *listeners) drop(index int) {
	if c := e.conns[index]; c != nil {
		_ = c.Close()
		delete(e.conns, index)
	}
}

func (e *listeners) close() {
	close(e.done)
	for index := range e.conns {
		e.drop(index)
	}
	e.wg.Wait()
}

// frameLength is the most that is read of a frame: the largest of plain Ethernet.
const frameLength = 1514

// untagged drops frames of a VLAN, which belong to another interface. The kernel
// strips the tag before the filter sees the frame.
func untagged() []bpf.Instruction {
	return []bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtVLANTagPresent},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0, SkipTrue: 1},
		bpf.RetConstant{Val: 0},
	}
}

// neighbourFilter accepts the kinds of frames that parseFrame reads.
func neighbourFilter() []bpf.Instruction {
	accept, reject := bpf.RetConstant{Val: frameLength}, bpf.RetConstant{Val: 0}
	isPort := func(ports ...uint32) (out []bpf.Instruction) {
		for i, p := range ports {
			// behind the ports stand reject and accept
			out = append(out, bpf.JumpIf{Cond: bpf.JumpEqual, Val: p, SkipTrue: uint8(len(ports) - i)})
		}
		return append(out, reject, accept)
	}
	four := append([]bpf.Instruction{
		bpf.LoadAbsolute{Off: 23, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: protoUDP, SkipTrue: 1},
		reject,
		bpf.LoadAbsolute{Off: 20, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: 0x1fff, SkipTrue: 1}, // offset of a fragment
		reject,
		bpf.LoadMemShift{Off: etherHeader},
		bpf.LoadIndirect{Off: etherHeader + 2, Size: 2},
	}, isPort(portDHCPServer, portDHCPClient, portMDNS, portSSDP)...)
	six := append([]bpf.Instruction{
		bpf.LoadAbsolute{Off: 20, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: protoUDP, SkipTrue: 6},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: protoICMPv6, SkipFalse: 4},
		bpf.LoadAbsolute{Off: 54, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpLessThan, Val: routerSolicitation, SkipTrue: 2},
		bpf.JumpIf{Cond: bpf.JumpGreaterThan, Val: neighbourAdvert, SkipTrue: 1},
		accept,
		reject,
		bpf.LoadAbsolute{Off: 56, Size: 2},
	}, isPort(portDHCP6Client, portDHCP6Server, portMDNS, portSSDP)...)
	head := []bpf.Instruction{
		bpf.LoadAbsolute{Off: 12, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: typeIPv6, SkipTrue: uint8(4 + len(four))},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: typeIPv4, SkipTrue: 3},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: typeARP, SkipTrue: 1},
		reject,
		accept,
	}
	return append(append(head, four...), six...)
}

func rawProblem(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, errNoNetRaw):
		return "Thingwarden has no permission to listen to raw network packets, so it may notice a new device only after minutes, and one that uses IPv6 alone not at all. " +
			"Give it the capability NET_RAW (container: cap_add NET_RAW; systemd: AmbientCapabilities=CAP_NET_RAW; else: setcap cap_net_raw=p on the program)."
	default:
		return fmt.Sprintf("Thingwarden cannot listen to raw network packets (%v), so it may notice a new device only after minutes.", err)
	}
}
