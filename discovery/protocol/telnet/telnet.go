// Package telnet looks for remote log-ins by Telnet (RFC 854).
package telnet

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Probe looks for a remote log-in by Telnet (RFC 854), the way in that Mirai
// used; it tried port 2323 as well as 23.
var Probe = &prober.Probe{
	Name:    "telnet",
	Doc:     "Connects to TCP ports 23 and 2323 and reads what the device says first; sends nothing.",
	Touch:   prober.Connect,
	Gives:   []string{fact.TelnetBanner.Name(), fact.TelnetOpen.Name(), fact.TelnetPort.Name()},
	Every:   12 * time.Hour,
	Applies: prober.Reachable,
	Run:     run,
}

func run(ctx context.Context, t *prober.Target, report func(discovery.Observation)) error {
	o := discovery.Observation{About: t.About(), Facts: t.Evidence()}
	var ports answer.Ports
	for _, port := range []uint16{23, 2323} {
		banner, err := t.Banner(ctx, port)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		kind := classifyBanner(banner)
		switch {
		case err != nil:
		case kind == silentBanner:
			err = prober.ErrNoAnswer
		case kind == unclearBanner:
			err = prober.ErrUnreadable
		}
		proof := fmt.Sprintf("tcp/%d: %s", port, readable(banner))
		if ports.Answered(port, proof, kind == loginBanner, err) {
			ports.SetOpen(o.Facts, fact.TelnetOpen)
			fact.TelnetPort.Set(o.Facts, int64(port), proof)
			setBanner(o.Facts, banner, proof)
			o.Services = []discovery.Service{{Proto: "tcp", Port: int(port), Name: "telnet"}}
			report(o)
			return nil
		}
	}
	ports.SetOpen(o.Facts, fact.TelnetOpen)
	if _, known := fact.TelnetOpen.Get(o.Facts); known {
		o.Services = []discovery.Service{}
	}
	fact.TelnetPort.Unknown(o.Facts, ports.Why())
	fact.TelnetBanner.Unknown(o.Facts, ports.Why())
	report(o)
	return nil
}

// setBanner sets what the service says first, without Telnet's commands.
func setBanner(e *fact.Evidence, banner []byte, proof string) {
	text, _ := stripCommands(banner)
	if s := fact.Clean(string(stripANSI(text)), fact.MaxText); s != "" {
		fact.TelnetBanner.Set(e, s, proof)
		return
	}
	fact.TelnetBanner.Unknown(e, fact.NotReported)
}

// banner is what the first bytes on a port show.
type banner int

const (
	unclearBanner banner = iota // something that could be anything
	silentBanner                // open, and nothing said
	loginBanner                 // Telnet, or a log-in without its commands
	otherBanner                 // surely another protocol
)

// Telnet's command bytes (RFC 854): IAC, and the commands that follow it, SE
// (240) to DONT (254).
const (
	iac      = 0xff
	firstCmd = 0xf0
	lastCmd  = 0xfe
	will     = 0xfb
	sb       = 0xfa
	se       = 0xf0
)

var (
	// prompt is the question for an account, or the prompt of a shell that asks
	// for none. A game asks "by what name?".
	prompt = regexp.MustCompile(`(?i)\b(log ?in|log ?in as|user ?name|user|account|pass ?word)\s*(\([^)]{0,40}\))?\s*[:>?]$` +
		`|built-in shell \(ash\)|(^|[\r\n])(([\w.-]+@)?[\w.-]*:?[~/][\w./~-]*\s?)?[#$]$`)
	// greeting begins what SSH, HTTP, VNC, FTP, SMTP, POP3 and IMAP servers say.
	greeting = regexp.MustCompile(`^(SSH-|HTTP/|RFB \d|220[ -]|\+OK|\* OK)`)
)

// classifyBanner says what the first bytes on a Telnet port are.
func classifyBanner(b []byte) banner {
	text, commands := stripCommands(b)
	text = bytes.TrimRight(stripANSI(text), "\x00 \r\n")
	switch {
	case len(b) == 0:
		return silentBanner
	case greeting.Match(b):
		return otherBanner
	case commands, prompt.Match(text):
		return loginBanner
	default:
		return unclearBanner
	}
}

// stripCommands takes Telnet's commands out and reports whether there were any.
func stripCommands(b []byte) (text []byte, commands bool) {
	for i := 0; i < len(b); i++ {
		if b[i] != iac || i+1 == len(b) || b[i+1] < firstCmd || b[i+1] > lastCmd {
			text = append(text, b[i])
			continue
		}
		commands = true
		i++
		switch {
		case b[i] == sb: // until IAC SE
			end := bytes.Index(b[i:], []byte{iac, se})
			if end < 0 {
				return text, true
			}
			i += end + 1
		case b[i] >= will:
			i++ // the option
		}
	}
	return text, commands
}

var escape = regexp.MustCompile(`\x1b(\[[0-9;?]*[A-Za-z]|[()][A-Za-z0-9])`)

func stripANSI(b []byte) []byte { return escape.ReplaceAll(b, nil) }

// readable is a banner as proof: its text, or that there were only commands.
func readable(b []byte) string {
	text, commands := stripCommands(b)
	s := strings.TrimSpace(fact.Clean(string(stripANSI(text)), 120))
	if commands {
		s = strings.TrimSpace("Telnet commands (IAC) " + s)
	}
	return s
}
