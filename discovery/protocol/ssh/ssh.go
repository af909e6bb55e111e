// Package ssh reads how SSH servers identify themselves (RFC 4253).
package ssh

import (
	"bytes"
	"time"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
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
	Run:     server.Run,
}

var server = &answer.Greeting{Port: 22, Service: "ssh", Word: fact.SSHBanner, Read: identification}

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
