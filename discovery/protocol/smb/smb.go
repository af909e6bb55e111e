// Package smb looks for file sharing in SMB 1 (MS-CIFS), the outdated version of
// the protocol through which WannaCry spread.
package smb

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"syscall"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Probe looks for a file server that speaks SMB 1.
var Probe = &prober.Probe{
	Name:  "smb",
	Doc:   "Asks TCP port 445 whether file sharing uses SMB 1, by a negotiation that offers nothing newer; logs in nowhere and opens no share.",
	Touch: prober.Read,
	Gives: []string{fact.SMBOpen.Name(), fact.SMBVersion1.Name()},
	Every: 24 * time.Hour,
	Applies: func(d discovery.Device, ev *fact.Evidence) bool {
		class, _ := fact.DeviceClass.Get(ev)
		return prober.Reachable(d, ev) && !slices.Contains(noFiles, class)
	},
	Run: run,
}

// noFiles are classes of devices that share no files.
var noFiles = []string{
	"car", "charger", "cover", "garage", "keypad", "light", "lock", "phone", "plug", "remote", "sensor", "siren",
	"switch", "tablet", "thermostat", "vacuum", "valve",
}

const port = 445

// negotiate is SMB_COM_NEGOTIATE with the one dialect "NT LM 0.12" (MS-CIFS
// section 2.2.4.52.1), in a session message of 47 bytes (RFC 1002, section 4.3.6).
var negotiate = []byte("\x00\x00\x00\x2f" +
	smb1 + "\x72\x00\x00\x00\x00\x18\x01\xc0" + // command, status, flags, flags 2: long names, NT status, Unicode
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\x00\x0c\x00\x02NT LM 0.12\x00") // no parameters; 12 bytes of dialects

func run(ctx context.Context, t *prober.Target, report func(discovery.Observation)) error {
	o := discovery.Observation{About: t.About(), Facts: t.Evidence()}
	var ports answer.Ports
	kind, hungUp := notSMB, false
	var err error
	o.Services, err = ports.Services(ctx, "smb", []uint16{port}, func(uint16) bool {
		reply, err := ask(ctx, t)
		hungUp = errors.Is(err, errHungUp)
		kind = readNegotiation(reply)
		return ports.Answered(port, proofOf(reply, kind), kind != notSMB, err)
	})
	if err != nil {
		return err
	}
	switch ports.SetOpen(o.Facts, fact.SMBOpen); {
	case hungUp:
		proof := fmt.Sprintf("tcp/%d: connection ended at NT LM 0.12", port)
		fact.SMBOpen.SetLikely(o.Facts, true, proof)
		fact.SMBVersion1.Set(o.Facts, false, proof)
	case kind == accepts:
		fact.SMBVersion1.Set(o.Facts, true, ports.Found[0])
	default:
		ports.SetClosed(o.Facts, fact.SMBVersion1, kind == unclear)
	}
	report(o)
	return nil
}

func proofOf(reply []byte, kind negotiation) string {
	switch {
	case kind == accepts:
		return fmt.Sprintf("tcp/%d: SMB 1 reply, dialect 0: NT LM 0.12", port)
	case kind == refuses && reply[4] == smb1[0]:
		return fmt.Sprintf("tcp/%d: SMB 1 reply, none of the dialects", port)
	case kind == refuses:
		return fmt.Sprintf("tcp/%d: SMB 2 reply to NT LM 0.12", port)
	case kind == unclear:
		return fmt.Sprintf("tcp/%d: %x", port, reply)
	default:
		return fmt.Sprintf("tcp/%d: %x, no SMB", port, reply[:min(len(reply), 8)])
	}
}

// errHungUp means that the server ended the connection without a word, as those do
// that have SMB 1 switched off (MS-SMB2, section 3.3.5.3.1).
var errHungUp = errors.New("the device ended the connection")

// ask sends the negotiation and returns the beginning of the answer, as far as
// readNegotiation needs it.
func ask(ctx context.Context, t *prober.Target) ([]byte, error) {
	c, err := t.Dial(ctx, port)
	if err != nil {
		return nil, err
	}
	defer c.Close() //nolint:errcheck // nothing can be done about it
	if _, err := c.Write(negotiate); err != nil {
		return nil, err
	}
	reply := make([]byte, replySize)
	n, err := io.ReadFull(c, reply)
	switch {
	case n == 0 && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)):
		return nil, errHungUp
	case n < 8:
		return nil, err
	default:
		return reply[:n], nil
	}
}

// negotiation is what the answer shows.
type negotiation int

const (
	notSMB  negotiation = iota
	accepts             // SMB 1
	refuses             // a file server without SMB 1
	unclear             // a file server that said neither
)

// The first bytes of a message, by version (MS-CIFS section 2.2.3.1, MS-SMB2 section 2.2.1).
const (
	smb1 = "\xffSMB"
	smb2 = "\xfeSMB"
)

// replySize is the session header, the header of SMB 1, the number of parameters
// and the first of them, DialectIndex (MS-CIFS section 2.2.4.52.2).
const replySize = 4 + 32 + 1 + 2

// readNegotiation says what the answer to negotiate shows.
func readNegotiation(b []byte) negotiation {
	if len(b) < 8 || b[0] != 0 { // a session message
		return notSMB
	}
	switch message := b[4:]; {
	case bytes.HasPrefix(message, []byte(smb2)): // and of SMB 3
		return refuses
	case !bytes.HasPrefix(message, []byte(smb1)):
		return notSMB
	case len(b) < replySize, message[4] != negotiate[8], binary.LittleEndian.Uint32(message[5:]) != 0, message[9]&isReply == 0, message[32] == 0:
		return unclear
	default:
		switch binary.LittleEndian.Uint16(message[33:]) {
		case 0: // the one that was offered
			return accepts
		case 0xffff: // none
			return refuses
		default:
			return unclear
		}
	}
}

// isReply is the bit of the flags that tells an answer (MS-CIFS section 2.2.3.1).
const isReply = 0x80
