package demo

import (
	"io"
	"net"
)

// Return codes of CONNACK (OASIS MQTT 3.1.1 section 3.2.2.3).
const (
	mqttOpen   = 0 // connection accepted
	mqttClosed = 5 // not authorised
)

// newMQTTBroker is a computer with a message broker that answers every CONNECT
// with that code.
func newMQTTBroker(n byte, host string, code byte) *device {
	return &device{addr: ip(n), host: host, tcp: map[uint16]func(net.Conn){1883: func(c net.Conn) {
		var head [2]byte
		if _, err := io.ReadFull(c, head[:]); err != nil || head[0] != 0x10 || head[1] > 127 {
			return
		}
		if _, err := io.CopyN(io.Discard, c, int64(head[1])); err != nil {
			return
		}
		if _, err := c.Write([]byte{0x20, 2, 0, code}); err == nil {
			_, _ = io.Copy(io.Discard, c)
		}
	}}}
}
