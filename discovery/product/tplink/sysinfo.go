package tplink

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/internal/loosejson"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

const (
	sysinfoPort = 9999
	maxSysinfo  = 64 << 10 // bytes
	firstKey    = 171
)

// sysinfoQuestion is sent as it is in a datagram, after its length by TCP.
var sysinfoQuestion = scramble([]byte(`{"system":{"get_sysinfo":{}}}`))

// scramble and unscramble are the "encryption" of the old protocol: each byte is
// XORed with the scrambled one before it.
func scramble(plain []byte) []byte {
	out, key := make([]byte, len(plain)), byte(firstKey)
	for i, b := range plain {
		key ^= b
		out[i] = key
	}
	return out
}

func unscramble(b []byte) []byte {
	out, key := make([]byte, len(b)), byte(firstKey)
	for i, c := range b {
		out[i], key = c^key, c
	}
	return out
}

// sysinfo is the answer to get_sysinfo. The name that the owner gave, identifiers
// and where the home is stand beside what is decoded.
type sysinfo struct {
	Model   loosejson.Text `json:"model"`
	Version loosejson.Text `json:"sw_ver"`
	Type    loosejson.Text `json:"type"`
	MicType loosejson.Text `json:"mic_type"` // so on newer firmware
	Name    loosejson.Text `json:"dev_name"`
}

// askSysinfo asks by the old protocol. The error is the Target's, or wraps
// prober.ErrUnreadable.
func askSysinfo(ctx context.Context, t *prober.Target) (sysinfo, error) {
	c, err := t.Dial(ctx, sysinfoPort)
	if err != nil {
		return sysinfo{}, err
	}
	defer c.Close() //nolint:errcheck // nothing can be done about it
	if _, err := c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(sysinfoQuestion))), sysinfoQuestion...)); err != nil {
		return sysinfo{}, fmt.Errorf("%w: %w", prober.ErrUnreadable, err)
	}
	return readSysinfo(c)
}

func readSysinfo(r io.Reader) (sysinfo, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return sysinfo{}, fmt.Errorf("%w: %w", prober.ErrUnreadable, err)
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxSysinfo {
		return sysinfo{}, fmt.Errorf("answer of %d bytes: %w", n, prober.ErrUnreadable)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return sysinfo{}, fmt.Errorf("%w: %w", prober.ErrUnreadable, err)
	}
	return decodeSysinfo(b)
}

// decodeSysinfo reads an answer, scrambled as it came.
func decodeSysinfo(b []byte) (sysinfo, error) {
	var reply struct {
		System loosejson.Maybe[struct {
			Sysinfo loosejson.Maybe[sysinfo] `json:"get_sysinfo"`
		}] `json:"system"`
	}
	if err := loosejson.Unmarshal(unscramble(b), maxSysinfo, &reply); err != nil {
		return sysinfo{}, fmt.Errorf("%w: %w", prober.ErrUnreadable, err)
	}
	s := reply.System.Value.Sysinfo.Value
	if s.Model == "" || !strings.HasPrefix(s.kind(), "IOT.") {
		return sysinfo{}, fmt.Errorf("no get_sysinfo of a Kasa device: %w", prober.ErrUnreadable)
	}
	return s, nil
}

func (s sysinfo) kind() string {
	if s.Type != "" {
		return string(s.Type)
	}
	return string(s.MicType)
}

func (s sysinfo) setFacts(e *fact.Evidence) {
	at := fmt.Sprintf("tcp/%d get_sysinfo: ", sysinfoPort)
	fact.ControlOpen.Set(e, true, at+"answered")
	fact.ControlPasswordPossible.Set(e, false, at+"answered")
	setModel(e, string(s.Model), at)
	setKind(e, s.kind(), string(s.Model), at)
	answer.SetText(e, fact.DeviceFirmware, string(s.Version), at+"sw_ver="+string(s.Version))
}

func setModel(e *fact.Evidence, model, at string) {
	fact.DeviceManufacturer.Set(e, "TP-Link", at+"model="+model)
	answer.SetText(e, fact.DeviceModel, model, at+"model="+model)
}

// kind is a family by the end of the type that it names, with the product of the
// card.
type kind struct{ end, product, class string }

var kinds = []kind{
	{end: "SMARTBULB", product: "kasa-light", class: "light"},
	{end: "TAPOBULB", product: "kasa-light", class: "light"},
	{end: "KASABULB", product: "kasa-light", class: "light"},
	{end: "KASAPLUG", product: "kasa-plug", class: "plug"},
	{end: "TAPOPLUG", product: "kasa-plug", class: "plug"},
	{end: "KASASWITCH", product: "kasa-switch", class: "switch"},
	{end: "TAPOSWITCH", product: "kasa-switch", class: "switch"},
	{end: "KASAHUB", product: "tapo-hub", class: "hub"},
	{end: "TAPOHUB", product: "tapo-hub", class: "hub"},
	{end: "IPCAMERA", product: "tapo-camera", class: "camera"},
	{end: "TAPODOORBELL", class: "doorbell"},
	{end: "TAPOROBOVAC", class: "vacuum"},
}

// setKind sets product and class by the type that a device names. The old protocol
// names plugs and switches on the wall alike: there the model tells.
func setKind(e *fact.Evidence, named, model, at string) {
	proof := at + "type=" + named
	if named == "IOT.SMARTPLUGSWITCH" {
		named = "IOT.KASAPLUG"
		if strings.HasPrefix(model, "HS2") || strings.HasPrefix(model, "KS2") || strings.HasPrefix(model, "ES20") {
			named = "IOT.KASASWITCH"
		}
	}
	for _, k := range kinds {
		if !strings.HasSuffix(named, k.end) {
			continue
		}
		fact.DeviceClass.Set(e, k.class, proof)
		if k.product != "" {
			fact.DeviceProduct.Set(e, k.product, proof)
		}
		return
	}
}
