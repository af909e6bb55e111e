// Package tasmota asks devices with Tasmota's firmware what only they answer. What else is
// known of them stands on card.yaml beside it.
package tasmota

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/internal/loosejson"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Probe asks a device with Tasmota's firmware for its version, which it tells
// only where no password is set (Tasmota documentation, Commands, "Status" and
// "WebPassword").
var Probe = &prober.Probe{
	Name:    "tasmota",
	Doc:     `Asks a device that shows itself as Tasmota for its firmware by "Status 2", which it tells without a log-in only where no password is set; changes nothing.`,
	Touch:   prober.Read,
	Gives:   words,
	Every:   12 * time.Hour,
	Signs:   signs,
	Applies: signs.On,
	Run:     answer.Run(run),
}

var words = []string{
	fact.ControlOpen.Name(), fact.DeviceFirmware.Name(), fact.DeviceFirmwareDate.Name(), fact.DeviceProduct.Name(),
}

var signs = &prober.Signs{
	Products: []string{"tasmota"}, Host: regexp.MustCompile(`(?i)^tasmota[_-]`), Page: regexp.MustCompile(`(?i)\btasmota\b`),
}

func run(ctx context.Context, t *prober.Target, e *fact.Evidence) {
	r, err := t.Get(ctx, 80, "/cm?cmnd=Status%202")
	if err != nil {
		answer.Unknown(e, prober.WhyOf(err), words)
		return
	}
	s := readStatus2(r)
	if s.open == answer.Unclear { // the interface for commands may be off (SetOption128)
		front, err := t.Get(ctx, 80, "/")
		if err == nil {
			s = readTasmotaPage(front)
		}
	}
	s.setFacts(e, t.Now())
}

// tasmotaStatus is what a device tells of itself.
type tasmotaStatus struct {
	open    answer.Tristate // it tells, and does, what anyone asks
	proof   string
	ours    bool // it is surely Tasmota
	version string
	built   string
	why     fact.Why // of what is not told
}

// readStatus2 reads the answer to "Status 2". Before version 5.13 it is no JSON
// but "STATUS2 = {...}"; before 8.2.3 a refusal has status 200.
func readStatus2(r *prober.Response) tasmotaStatus {
	type firmware struct {
		Version loosejson.Text `json:"Version"`
		Built   loosejson.Text `json:"BuildDateTime"`
	}
	type status struct {
		Firmware loosejson.Maybe[*firmware] `json:"StatusFWR"`
		Warning  loosejson.Text             `json:"WARNING"`
	}
	const at = "tcp/80 GET /cm: "
	if r.Status == 401 {
		ours := strings.HasPrefix(r.Header.Get("Server"), "Tasmota/") || bytes.Contains(r.Body, []byte(`"WARNING"`))
		return tasmotaStatus{open: answer.No, proof: at + "401", ours: ours, why: fact.Refused}
	}
	if r.Status != 200 {
		return tasmotaStatus{why: answer.WhyStatus(r.Status)}
	}
	body := *r
	if name, value, ok := bytes.Cut(r.Body, []byte(" = ")); ok && len(name) < 16 {
		body.Body = value
	}
	s, ok := answer.Decode(&body, func(s status) bool { return s.Firmware.Value != nil || s.Warning != "" })
	fw := s.Firmware.Value
	switch needs := strings.HasPrefix(strings.ToLower(string(s.Warning)), "need user"); {
	case !ok, fw != nil && needs, fw == nil && !needs, fw != nil && fw.Version == "":
		return tasmotaStatus{why: fact.Unreadable}
	case needs:
		return tasmotaStatus{open: answer.No, proof: at + string(s.Warning), ours: true, why: fact.Refused}
	default:
		return tasmotaStatus{
			open: answer.Yes, proof: at + "StatusFWR", ours: true, version: string(fw.Version), built: string(fw.Built), why: fact.NotReported,
		}
	}
}

// madeBy stands at the foot of every page.
var madeBy = regexp.MustCompile(`(?i)>\s*(?:sonoff-)?tasmota\s+(\d[\w.()-]{0,40})\s+by theo arends`)

// readTasmotaPage reads the front page of a device whose interface for commands is
// off: it switches what is connected, so whoever sees it controls the device.
func readTasmotaPage(r *prober.Response) tasmotaStatus {
	switch m := madeBy.FindSubmatch(r.Body); {
	case r.Status == 401:
		return tasmotaStatus{open: answer.No, proof: "tcp/80: 401", why: fact.Refused}
	case r.Status == 200 && m != nil:
		return tasmotaStatus{open: answer.Yes, proof: "tcp/80: 200 Tasmota " + string(m[1]), ours: true, version: string(m[1]), why: fact.NotReported}
	default:
		return tasmotaStatus{why: fact.Unreadable}
	}
}

func (s tasmotaStatus) setFacts(e *fact.Evidence, now time.Time) {
	if s.open != answer.Unclear {
		fact.ControlOpen.Set(e, s.open == answer.Yes, s.proof)
	}
	if s.ours {
		fact.DeviceProduct.Set(e, "tasmota", s.proof)
	}
	if s.version != "" {
		answer.SetText(e, fact.DeviceFirmware, s.version, "Version="+s.version)
		if day, ok := buildDay(s.built, now); ok {
			fact.DeviceFirmwareDate.Set(e, day, "BuildDateTime="+s.built)
		}
	}
	answer.Unknown(e, s.why, words)
}

// buildDay reads BuildDateTime: 2022-05-05T03:23:22, before 2018 2017.12.02 16:15:40.
// A day before there was such firmware, or later than the day after now, is none.
func buildDay(s string, now time.Time) (time.Time, bool) {
	for _, layout := range []string{"2006-01-02", "2006.01.02"} {
		if day, err := time.Parse(layout, s[:min(len(s), len(layout))]); err == nil {
			return day, day.Year() >= 2000 && !day.After(now.AddDate(0, 0, 1))
		}
	}
	return time.Time{}, false
}
