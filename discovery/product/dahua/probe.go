// Package dahua asks cameras, recorders and doorbells of Dahua what only they answer,
// and those that others sell under their own name. What else is known of them stands
// on card.yaml beside it.
package dahua

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/internal/loosejson"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Probe asks for what Dahua's own search tool shows (mcw0/DahuaConsole
// net.py, "DHDiscover.search").
var Probe = &prober.Probe{
	Name:    "dahua",
	Doc:     "Asks a device that shows itself as one of Dahua by its maker's search, UDP port 37810, for its model and version and whether somebody has given it a password; changes nothing.",
	Touch:   prober.Read,
	Gives:   words,
	Every:   12 * time.Hour,
	Signs:   signs,
	Applies: signs.On,
	Run:     answer.Run(run),
}

var words = []string{
	fact.DeviceClass.Name(), fact.DeviceFirmware.Name(), fact.DeviceManufacturer.Name(), fact.DeviceModel.Name(), fact.DeviceSetUp.Name(),
}

var signs = &prober.Signs{
	Products: []string{"amcrest-camera", "dahua", "dahua-camera", "dahua-device", "dahua-doorbell", "dahua-recorder", "lorex-recorder"},
}

const (
	port       = 37810
	headerSize = 32 // bytes before the JSON
)

var magic = []byte("\x20\x00\x00\x00DHIP")

// question is the search: the header with the length of the JSON at 16 and 24.
func question() []byte {
	body := []byte(`{"method":"DHDiscover.search","params":{"mac":"","uni":1}}` + "\n")
	b := make([]byte, headerSize, headerSize+len(body))
	copy(b, magic)
	binary.LittleEndian.PutUint32(b[16:], uint32(len(body)))
	binary.LittleEndian.PutUint32(b[24:], uint32(len(body)))
	return append(b, body...)
}

func run(ctx context.Context, t *prober.Target, e *fact.Evidence) {
	b, err := t.Exchange(ctx, port, question())
	i, why := readInfo(b, err)
	if why != "" {
		answer.Unknown(e, why, words)
	} else {
		i.setFacts(e)
		answer.Unknown(e, fact.NotReported, words)
	}
}

// info is what the device tells. Serial numbers and names stand beside what is
// decoded.
type info struct {
	Class   loosejson.Text   `json:"DeviceClass"` // IPC, NVR, VTO
	Model   loosejson.Text   `json:"DeviceType"`
	Version loosejson.Text   `json:"Version"`
	Vendor  loosejson.Text   `json:"Vendor"`
	Init    loosejson.Number `json:"Init"`
}

func readInfo(b []byte, err error) (info, fact.Why) {
	if err != nil {
		return info{}, prober.WhyOf(err)
	}
	var reply struct {
		Method loosejson.Text `json:"method"`
		Params loosejson.Maybe[struct {
			Info loosejson.Maybe[info] `json:"deviceInfo"`
		}] `json:"params"`
	}
	if len(b) < headerSize || !bytes.HasPrefix(b, magic) {
		return info{}, fact.Unreadable
	}
	// Some firmware ends the JSON with zeros.
	if loosejson.Unmarshal(bytes.TrimRight(b[headerSize:], "\x00"), len(b), &reply) != nil || reply.Method != "client.notifyDevInfo" {
		return info{}, fact.Unreadable
	}
	i := reply.Params.Value.Info.Value
	if i.Model == "" || i.Version == "" {
		return info{}, fact.Unreadable
	}
	return i, ""
}

var classes = map[loosejson.Text]string{
	"IPC": "camera", "SD": "camera", "NVR": "recorder", "XVR": "recorder", "HCVR": "recorder", "DVR": "recorder", "VTO": "doorbell",
}

func (i info) setFacts(e *fact.Evidence) {
	at := fmt.Sprintf("udp/%d: ", port)
	i.describe(e, at)
	// That Init is byInitStatus of the maker's SDK (bits 0 and 1: 1 not initialised, 2
	// initialised) is inferred: recorded devices in use have 2 there, a new one has
	// not been recorded.
	if n, ok := i.Init.Int(0, 1<<31); ok && n&3 == 1 || n&3 == 2 {
		fact.DeviceSetUp.SetLikely(e, n&3 == 2, fmt.Sprintf("%sInit=%d", at, n))
	}
}

// describe sets what the device is.
func (i info) describe(e *fact.Evidence, at string) {
	answer.SetText(e, fact.DeviceModel, string(i.Model), at+"DeviceType="+string(i.Model))
	answer.SetText(e, fact.DeviceFirmware, string(i.Version), at+"Version="+string(i.Version))
	if class := classes[i.Class]; class != "" {
		fact.DeviceClass.Set(e, class, at+"DeviceClass="+string(i.Class))
	}
	if i.Vendor != "" && i.Vendor != "General" && i.Vendor != "Private" { // so in plain brands
		answer.SetText(e, fact.DeviceManufacturer, string(i.Vendor), at+"Vendor="+string(i.Vendor))
	}
}
