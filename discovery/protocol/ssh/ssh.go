// Package ssh reads how SSH servers identify themselves (RFC 4253).
package ssh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Probe reads the identification that an SSH server sends first.
var Probe = &prober.Probe{
	Name:    "ssh",
	Doc:     "Connects to TCP port 22 and reads how the server identifies itself; sends nothing.",
	Touch:   prober.Connect,
	Gives:   []string{fact.SSHBanner.Name()},
	Every:   24 * time.Hour,
	Applies: prober.Reachable,
	Run:     run,
}

const port = 22

func run(ctx context.Context, t *prober.Target, report func(discovery.Observation)) error {
	o := discovery.Observation{About: t.About(), Facts: t.Evidence()}
	b, err := t.Banner(ctx, port)
	switch id, ok := identification(b); {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, prober.ErrClosed):
		fact.SSHBanner.Unknown(o.Facts, fact.Refused)
		o.Services = []discovery.Service{}
	case err != nil:
		fact.SSHBanner.Unknown(o.Facts, prober.WhyOf(err))
	case ok:
		fact.SSHBanner.Set(o.Facts, id, fmt.Sprintf("tcp/%d: %s", port, id))
		o.Services = []discovery.Service{{Proto: "tcp", Port: port, Name: "ssh"}}
	case len(b) == 0:
		fact.SSHBanner.Unknown(o.Facts, fact.NoAnswer)
	default:
		fact.SSHBanner.Unknown(o.Facts, fact.Unreadable)
	}
	report(o)
	return nil
}

// identification returns the line that begins with "SSH-". A server may send
// other lines before it (RFC 4253, section 4.2).
func identification(b []byte) (string, bool) {
	for line := range bytes.Lines(b) {
		if bytes.HasPrefix(line, []byte("SSH-")) {
			return fact.Clean(string(line), fact.MaxText), true
		}
	}
	return "", false
}
