// Package ftp reads how FTP servers greet (RFC 959).
package ftp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Probe reads the greeting of an FTP server.
var Probe = &prober.Probe{
	Name:    "ftp",
	Doc:     "Connects to TCP port 21 and reads how the server greets; sends nothing.",
	Touch:   prober.Connect,
	Gives:   []string{fact.FTPBanner.Name()},
	Every:   24 * time.Hour,
	Applies: prober.Reachable,
	Run:     run,
}

const port = 21

func run(ctx context.Context, t *prober.Target, report func(discovery.Observation)) error {
	o := discovery.Observation{About: t.About(), Facts: t.Evidence()}
	b, err := t.Banner(ctx, port)
	switch text, ok := greeting(b); {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, prober.ErrClosed):
		fact.FTPBanner.Unknown(o.Facts, fact.Refused)
		o.Services = []discovery.Service{}
	case err != nil:
		fact.FTPBanner.Unknown(o.Facts, prober.WhyOf(err))
	case ok:
		fact.FTPBanner.Set(o.Facts, text, fmt.Sprintf("tcp/%d: 220 %s", port, text))
		o.Services = []discovery.Service{{Proto: "tcp", Port: port, Name: "ftp"}}
	case len(b) == 0:
		fact.FTPBanner.Unknown(o.Facts, fact.NoAnswer)
	default:
		fact.FTPBanner.Unknown(o.Facts, fact.Unreadable)
	}
	report(o)
	return nil
}

// greeting returns the text of a reply 220, its lines joined (RFC 959, section
// 4.2). Mail servers greet with the same number, on other ports.
func greeting(b []byte) (string, bool) {
	var lines []string
	for line := range bytes.Lines(b) {
		text, first := bytes.CutPrefix(line, []byte("220"))
		switch {
		case first && len(text) > 0 && (text[0] == ' ' || text[0] == '-'):
			lines = append(lines, string(text[1:]))
		case len(lines) == 0:
			return "", false
		default:
			lines = append(lines, string(line))
		}
	}
	text := fact.Clean(strings.Join(lines, " "), fact.MaxText)
	return text, text != ""
}
