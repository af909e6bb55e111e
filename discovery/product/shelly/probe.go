// Package shelly asks devices of Shelly what only they answer. What else is known of
// them stands on card.yaml beside it.
package shelly

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/internal/loosejson"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Probe asks a Shelly device of any generation whether it wants a password.
var Probe = &prober.Probe{
	Name:    "shelly",
	Doc:     "Asks a device that shows itself as a Shelly what it is and, where it wants no password, whether its own Wi-Fi is open and an update waits; changes nothing.",
	Touch:   prober.Read,
	Gives:   words,
	Every:   12 * time.Hour,
	Signs:   signs,
	Applies: signs.On,
	Run:     answer.Run(run),
}

var words = []string{
	fact.ControlOpen.Name(), fact.DeviceFirmware.Name(), fact.DeviceFirmwareDate.Name(), fact.DeviceManufacturer.Name(),
	fact.DeviceModel.Name(), fact.DeviceProduct.Name(), fact.DeviceUpdate.Name(), fact.WiFiAPOpen.Name(),
}

var signs = &prober.Signs{
	Products: []string{"shelly"}, Service: "_shelly._tcp",
	// All generations name themselves so: shelly1pm-98CDAC1F0B2E,
	// ShellyPlus1-a8032ab12345.
	Host: regexp.MustCompile(`(?i)^shelly[a-z0-9]*-[0-9a-f]{6,12}$`),
	Page: regexp.MustCompile(`(?i)^shelly`),
}

func run(ctx context.Context, t *prober.Target, e *fact.Evidence) {
	port := prober.AnnouncedPort(t.Device(), "_shelly._tcp", 80)
	r, err := t.Get(ctx, port, "/shelly")
	info, why := readShelly(r, err)
	if why != "" {
		answer.Unknown(e, why, words)
		return
	}
	at := fmt.Sprintf("tcp/%d GET /shelly: ", port)
	info.setFacts(e, at, t.Now())
	switch open, known := fact.ControlOpen.Get(e); {
	case known && open:
		info.readMore(ctx, t, port, e)
	case known: // it would tell after a log-in only
		answer.Unknown(e, fact.Refused, []string{fact.DeviceUpdate.Name(), fact.WiFiAPOpen.Name()})
	default:
		answer.Unknown(e, fact.NotProbed, []string{fact.DeviceUpdate.Name(), fact.WiFiAPOpen.Name()})
	}
}

// shellyInfo is the answer to GET /shelly, which every Shelly gives to anyone
// (Shelly API documentation: Gen1 "/shelly", Gen2+ "Shelly.GetDeviceInfo").
type shellyInfo struct {
	MAC loosejson.Text `json:"mac"`

	// First generation.
	Type loosejson.Text `json:"type"`
	FW   loosejson.Text `json:"fw"`
	Auth loosejson.Flag `json:"auth"`

	// Later ones.
	Gen         loosejson.Number `json:"gen"`
	ID          loosejson.Text   `json:"id"`
	Model       loosejson.Text   `json:"model"`
	App         loosejson.Text   `json:"app"`
	Version     loosejson.Text   `json:"ver"`
	AuthEnabled loosejson.Flag   `json:"auth_en"`
}

// readShelly reads the answer to GET /shelly, or says why it can't be.
func readShelly(r *prober.Response, err error) (shellyInfo, fact.Why) {
	return answer.JSON(r, err, shellyInfo.valid)
}

func (i shellyInfo) valid() bool {
	if _, ok := discovery.MAC(string(i.MAC)); !ok {
		return false
	}
	if i.generation() == 1 {
		return i.Type != "" && i.ID == ""
	}
	return i.ID != "" || i.App != "" || i.Model != ""
}

func (i shellyInfo) generation() int64 {
	gen, known := i.Gen.Int(1, 99)
	switch {
	case known:
		return gen
	case i.AuthEnabled.Known:
		return 2
	default:
		return 1
	}
}

// auth returns the field that says whether a password is set, and its name.
// What contradicts itself says nothing.
func (i shellyInfo) auth() (loosejson.Flag, string) {
	flag, name, other := i.Auth, "auth", i.AuthEnabled
	if i.generation() > 1 {
		flag, name, other = i.AuthEnabled, "auth_en", i.Auth
	}
	if flag.Known && other.Known && flag.Value != other.Value {
		return loosejson.Flag{Bad: true}, name
	}
	return flag, name
}

func (i shellyInfo) setFacts(e *fact.Evidence, at string, now time.Time) {
	gen := i.generation()
	model, firmware, key := i.App, i.Version, "ver"
	if model == "" {
		model = i.Model
	}
	if gen == 1 {
		model, firmware, key = i.Type, i.FW, "fw"
	}
	fact.DeviceProduct.Set(e, "shelly", fmt.Sprintf("%sgen=%d", at, gen))
	fact.DeviceManufacturer.Set(e, "Shelly", fmt.Sprintf("%sgen=%d", at, gen))
	answer.SetText(e, fact.DeviceModel, string(model), at+string(model))
	answer.SetText(e, fact.DeviceFirmware, string(firmware), at+key+"="+string(firmware))
	fact.DeviceFirmwareDate.Unknown(e, fact.NotReported) // the card reads it from the version
	switch auth, name := i.auth(); {
	case auth.Known:
		fact.ControlOpen.Set(e, !auth.Value, fmt.Sprintf("%s%s=%t", at, name, auth.Value))
	case auth.Bad:
		fact.ControlOpen.Unknown(e, fact.Unreadable)
	default:
		fact.ControlOpen.Unknown(e, fact.NotReported)
	}
}

// readMore asks what a Shelly without a password tells to anyone.
func (i shellyInfo) readMore(ctx context.Context, t *prober.Target, port uint16, e *fact.Evidence) {
	get := func(path string) (*prober.Response, fact.Why) {
		r, err := t.Get(ctx, port, path)
		switch {
		case err != nil:
			return nil, prober.WhyOf(err)
		case r.Status != 200:
			return nil, answer.WhyStatus(r.Status)
		}
		return r, ""
	}
	if i.generation() == 1 {
		// Its access point is told only beside the key of it.
		fact.WiFiAPOpen.Unknown(e, fact.NotReported)
		r, why := get("/status")
		setWaiting(e, why, fmt.Sprintf("tcp/%d GET /status: ", port), func() waiting { return readGen1Update(r, string(i.FW)) })
		return
	}
	r, why := get("/rpc/WiFi.GetConfig")
	if why == "" {
		setAccessPoint(e, r, fmt.Sprintf("tcp/%d WiFi.GetConfig: ", port))
	} else {
		fact.WiFiAPOpen.Unknown(e, why)
	}
	r, why = get("/rpc/Sys.GetStatus")
	setWaiting(e, why, fmt.Sprintf("tcp/%d Sys.GetStatus: ", port), func() waiting { return readGen2Update(r, string(i.Version)) })
}

// setAccessPoint reads whether the device's own Wi-Fi is on and open. Nothing else
// is decoded: names of networks stand beside it.
func setAccessPoint(e *fact.Evidence, r *prober.Response, at string) {
	type accessPoint struct {
		Enable loosejson.Flag `json:"enable"`
		IsOpen loosejson.Flag `json:"is_open"`
	}
	type config struct {
		AP loosejson.Maybe[*accessPoint] `json:"ap"`
	}
	c, ok := answer.Decode(r, func(c config) bool { return c.AP.Value != nil })
	switch ap := c.AP.Value; {
	case !ok:
		fact.WiFiAPOpen.Unknown(e, fact.NotReported)
	case ap.Enable.Known && !ap.Enable.Value:
		fact.WiFiAPOpen.Set(e, false, at+"ap.enable=false")
	case ap.Enable.Known && ap.IsOpen.Known:
		fact.WiFiAPOpen.Set(e, ap.IsOpen.Value, fmt.Sprintf("%sap.enable=true, ap.is_open=%t", at, ap.IsOpen.Value))
	case ap.Enable.Bad || ap.IsOpen.Bad:
		fact.WiFiAPOpen.Unknown(e, fact.Unreadable)
	default:
		fact.WiFiAPOpen.Unknown(e, fact.NotReported)
	}
}
