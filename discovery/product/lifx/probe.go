// Package lifx asks lamps of LIFX what only they answer. What else is known of them
// stands on card.yaml beside it.
package lifx

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Probe asks a lamp for its firmware by the LIFX LAN protocol, which has no password
// and whose firmware tells when it was built (LIFX developer documentation, "LAN
// protocol", "Header", GetHostFirmware and StateHostFirmware).
var Probe = &prober.Probe{
	Name:    "lifx",
	Doc:     "Asks a device that shows itself as a lamp of LIFX for its firmware on UDP port 56700, where it obeys everyone; switches nothing.",
	Touch:   prober.Read,
	Gives:   words,
	Every:   12 * time.Hour,
	Signs:   signs,
	Applies: signs.On,
	Run:     answer.Run(run),
}

var words = []string{
	fact.ControlOpen.Name(), fact.ControlPasswordPossible.Name(), fact.DeviceClass.Name(), fact.DeviceFirmware.Name(),
	fact.DeviceFirmwareDate.Name(), fact.DeviceManufacturer.Name(), fact.DeviceProduct.Name(),
}

var signs = &prober.Signs{Products: []string{"lifx"}}

const (
	port              = 56700
	headerSize        = 36
	addressable       = 1<<12 | 1024 // with the protocol's number
	source            = 0x57544854   // names us in the answer
	getHostFirmware   = 14
	stateHostFirmware = 15
	stateSize         = headerSize + 20
)

func question() []byte {
	b := make([]byte, headerSize)
	binary.LittleEndian.PutUint16(b, headerSize)
	binary.LittleEndian.PutUint16(b[2:], addressable)
	binary.LittleEndian.PutUint32(b[4:], source)
	b[22] = 1 // an answer is wanted
	binary.LittleEndian.PutUint16(b[32:], getHostFirmware)
	return b
}

func run(ctx context.Context, t *prober.Target, e *fact.Evidence) {
	b, err := t.Exchange(ctx, port, question())
	if err == nil {
		err = setFacts(e, b, t.Now())
	}
	if err != nil {
		answer.Unknown(e, prober.WhyOf(err), words)
	}
}

var errOther = fmt.Errorf("no StateHostFirmware: %w", prober.ErrUnreadable)

// readFirmware reads when the firmware was built, in nanoseconds since 1970, and its
// version.
func readFirmware(b []byte) (version string, built time.Time, err error) {
	if len(b) != stateSize || binary.LittleEndian.Uint16(b) != stateSize ||
		binary.LittleEndian.Uint32(b[4:]) != source || binary.LittleEndian.Uint16(b[32:]) != stateHostFirmware {
		return "", time.Time{}, errOther
	}
	minor, major := binary.LittleEndian.Uint16(b[headerSize+16:]), binary.LittleEndian.Uint16(b[headerSize+18:])
	built = time.Unix(int64(binary.LittleEndian.Uint64(b[headerSize:])/uint64(time.Second)), 0).UTC()
	return fmt.Sprintf("%d.%d", major, minor), built, nil
}

// setFacts sets what the answer says.
func setFacts(e *fact.Evidence, b []byte, now time.Time) error {
	version, built, err := readFirmware(b)
	if err != nil {
		return err
	}
	at := fmt.Sprintf("udp/%d StateHostFirmware: ", port)
	fact.ControlOpen.Set(e, true, at+"answered")
	fact.ControlPasswordPossible.Set(e, false, at+"answered")
	fact.DeviceProduct.Set(e, "lifx", at+"answered")
	fact.DeviceManufacturer.Set(e, "LIFX", at+"answered")
	fact.DeviceClass.SetLikely(e, "light", at+"answered") // there are switches
	fact.DeviceFirmware.Set(e, version, at+version)
	if built.Year() < 2012 || built.After(now.AddDate(0, 0, 1)) {
		fact.DeviceFirmwareDate.Unknown(e, fact.NotReported)
		return nil
	}
	fact.DeviceFirmwareDate.Set(e, built.Truncate(24*time.Hour), at+"build="+built.Format(time.RFC3339))
	return nil
}
