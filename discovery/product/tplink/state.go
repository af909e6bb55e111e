package tplink

import (
	"fmt"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/internal/loosejson"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

const (
	statePort   = 20002
	stateHeader = 16 // bytes before the JSON
)

// stateQuestion is the search of the newer protocol: version 2, type 0, an empty
// body, and its checksum.
var stateQuestion = []byte{0x02, 0, 0, 0x01, 0, 0, 0, 0, 0, 0, 0, 0, 0x46, 0x3c, 0xb5, 0xd3}

// state is the answer. The owner's identifier is not kept.
type state struct {
	Model   loosejson.Text            `json:"device_model"`
	Type    loosejson.Text            `json:"device_type"`
	Factory loosejson.Flag            `json:"factory_default"`
	Owner   *loosejson.Text           `json:"owner"`
	Version loosejson.Text            `json:"firmware_version"`
	Scheme  loosejson.Maybe[*encrypt] `json:"mgt_encrypt_schm"`
}

type encrypt struct {
	Type  loosejson.Text `json:"encrypt_type"` // KLAP, AES, TPAP
	HTTPS loosejson.Flag `json:"is_support_https"`
}

func readState(b []byte, err error) (state, fact.Why) {
	if err != nil {
		return state{}, prober.WhyOf(err)
	}
	var reply struct {
		Result loosejson.Maybe[state] `json:"result"`
	}
	if len(b) < stateHeader || b[0] != 2 || loosejson.Unmarshal(b[stateHeader:], maxSysinfo, &reply) != nil {
		return state{}, fact.Unreadable
	}
	if s := reply.Result.Value; s.Model != "" && s.Type != "" {
		return s, ""
	}
	return state{}, fact.Unreadable
}

// tell sets what the device tells. Closed says that the old protocol is refused.
func (s state) setFacts(e *fact.Evidence, closed bool) {
	at := fmt.Sprintf("udp/%d: ", statePort)
	setModel(e, string(s.Model), at)
	setKind(e, string(s.Type), string(s.Model), at)
	if s.Version != "" {
		answer.SetText(e, fact.DeviceFirmware, string(s.Version), at+"firmware_version="+string(s.Version))
	}
	if scheme := s.Scheme.Value; scheme != nil && closed {
		// All newer schemes want the log-in of the owner's account.
		fact.ControlOpen.Set(e, false, fmt.Sprintf("%smgt_encrypt_schm.encrypt_type=%s; tcp/%d refused", at, scheme.Type, sysinfoPort))
		fact.ControlPasswordPossible.Set(e, true, at+"mgt_encrypt_schm")
	}
	// Factory state counts only if nothing contradicts it: recorded devices have
	// named an owner beside it, and none where they are in use.
	switch owner := s.Owner; {
	case !s.Factory.Known:
	case s.Factory.Value && owner == nil:
		fact.DeviceSetUp.SetLikely(e, false, at+"factory_default=true, no owner field")
	case s.Factory.Value && *owner == "":
		fact.DeviceSetUp.Set(e, false, at+"factory_default=true, owner empty")
	case !s.Factory.Value && owner != nil && *owner != "":
		fact.DeviceSetUp.Set(e, true, at+"factory_default=false, has an owner")
	}
}
