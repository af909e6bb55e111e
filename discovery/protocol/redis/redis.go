// Package redis looks for Redis and Valkey, databases that are often left open to
// the whole network.
package redis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Probe looks for a Redis server that answers without a password.
var Probe = &prober.Probe{
	Name:  "redis",
	Doc:   "Sends PING to a Redis database on TCP port 6379 to see whether it wants a password; reads and writes no data.",
	Touch: prober.Read,
	Gives: []string{fact.RedisAnonymous.Name(), fact.RedisOpen.Name()},
	Every: 24 * time.Hour,
	Applies: func(d discovery.Device, ev *fact.Evidence) bool {
		class, _ := fact.DeviceClass.Get(ev)
		return prober.Reachable(d, ev) && slices.Contains(runsDatabases, class)
	},
	Run: run,
}

// runsDatabases are classes of devices on which people install databases; "" is
// a device of which nothing is known.
var runsDatabases = []string{"", "computer", "hub", "other", "router", "storage"}

const port = 6379

// ping is PING as the Redis serialization protocol writes it (redis.io, "RESP
// protocol spec": an array of one bulk string).
var ping = []byte("*1\r\n$4\r\nPING\r\n")

func run(ctx context.Context, t *prober.Target, report func(discovery.Observation)) error {
	o := discovery.Observation{About: t.About(), Facts: t.Evidence()}
	var ports answer.Ports
	kind := notRedis
	var err error
	o.Services, err = ports.Services(ctx, "redis", []uint16{port}, func(uint16) bool {
		reply, err := ask(ctx, t)
		kind = readReply(reply)
		proof := fmt.Sprintf("tcp/%d: %s", port, fact.Clean(string(reply), 60))
		return ports.Answered(port, proof, kind != notRedis, err)
	})
	if err != nil {
		return err
	}
	if ports.SetOpen(o.Facts, fact.RedisOpen); kind == accepted {
		fact.RedisAnonymous.Set(o.Facts, true, ports.Found[0])
	} else {
		ports.SetClosed(o.Facts, fact.RedisAnonymous, kind == unclear)
	}
	report(o)
	return nil
}

// ask sends PING and returns the beginning of the first answer.
func ask(ctx context.Context, t *prober.Target) ([]byte, error) {
	c, err := t.Dial(ctx, port)
	if err != nil {
		return nil, err
	}
	defer c.Close() //nolint:errcheck // nothing can be done about it
	// In protected mode a server answers before it is asked, and may have ended the
	// connection by then: what it said counts.
	_, _ = c.Write(ping)
	reply := make([]byte, replySize)
	n, err := io.ReadFull(c, reply)
	if n > 0 && (err == nil || errors.Is(err, io.ErrUnexpectedEOF)) {
		return reply[:n], nil
	}
	return nil, err
}

// replySize is the length of the shortest answer, and enough to tell them apart.
const replySize = len("+PONG\r\n")

// reply is what the answer shows.
type reply int

const (
	notRedis reply = iota
	accepted       // no password
	refused        // a password, or other machines are kept out
	unclear        // an error of Redis that says nothing of passwords
)

// readReply says what the answer to ping shows. The errors are those of Redis 7.0
// (server.h, networking.c).
func readReply(b []byte) reply {
	begins := func(s string) bool { return bytes.HasPrefix(b, []byte(s)) }
	switch {
	case begins("+PONG\r\n"):
		return accepted
	case begins("-NOAUTH"), begins("-DENIED"):
		return refused
	case begins("-NOPERM"), begins("-LOADIN"), begins("-MASTER"), begins("-ERR "), begins("-BUSY "):
		return unclear
	default:
		return notRedis
	}
}
