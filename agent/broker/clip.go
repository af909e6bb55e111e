package broker

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
)

// maxPacket is the largest packet handed to paho: the largest payload and one
// byte, so that it is seen to be too large, the longest topic and its framing.
const maxPacket = MaxLargePayload + 1 + 1<<16 + 16

const packetPublish = 3 // MQTT 3.1.1 section 2.2.1

// clipped shortens PUBLISH packets that are longer than limit and drops the
// rest of their bytes. Without it paho allocates whatever length a packet
// claims, up to 256 MB. A shortened packet is still acknowledged, and its
// payload is then too large for every subscriber.
type clipped struct {
	net.Conn
	r     *bufio.Reader
	limit int

	head []byte // of the packet, not yet read
	pass int    // bytes of its body still to be read
	skip int    // bytes after that to be dropped
}

func clip(conn net.Conn, limit int) *clipped {
	return &clipped{Conn: conn, r: bufio.NewReader(conn), limit: limit}
}

// Read implements net.Conn.
func (c *clipped) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(c.head) == 0 && c.pass == 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	if len(c.head) > 0 {
		n := copy(p, c.head)
		c.head = c.head[n:]
		return n, nil
	}
	n, err := c.r.Read(p[:min(len(p), c.pass)])
	c.pass -= n
	return n, err
}

// next reads the fixed header of the next packet (MQTT 3.1.1 section 2.2).
func (c *clipped) next() error {
	if _, err := io.CopyN(io.Discard, c.r, int64(c.skip)); err != nil {
		return err
	}
	c.skip = 0
	kind, err := c.r.ReadByte()
	if err != nil {
		return err
	}
	length, shift := 0, 0
	for {
		b, err := c.r.ReadByte()
		if err != nil {
			return err
		}
		length |= int(b&0x7f) << shift
		if b&0x80 == 0 {
			break
		}
		if shift += 7; shift > 21 {
			return errors.New("MQTT packet with a malformed length")
		}
	}
	c.pass = length
	if length > c.limit {
		if kind>>4 != packetPublish {
			return errors.New("MQTT packet of a kind that is never that long")
		}
		c.pass, c.skip = c.limit, length-c.limit
	}
	// MQTT's variable byte integer is the same as a Go uvarint.
	c.head = binary.AppendUvarint([]byte{kind}, uint64(c.pass))
	return nil
}
