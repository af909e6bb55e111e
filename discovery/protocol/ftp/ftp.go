// Package ftp reads how FTP servers greet (RFC 959).
package ftp

import (
	"bytes"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
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
	Run:     server.Run,
}

var server = &answer.Greeting{Port: 21, Service: "ftp", Word: fact.FTPBanner, Prefix: "220 ", Read: greeting}

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
