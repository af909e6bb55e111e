// Package wled asks lights with WLED's firmware what only they answer. What else is
// known of them stands on card.yaml beside it.
package wled

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"regexp"
	"time"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/internal/loosejson"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Probe asks a light with WLED's firmware for its version and whether it lets
// anyone put other firmware on it (WLED documentation, "JSON API" and "Security";
// wled/WLED wled00/wled_server.cpp, routes "/json" and "/update").
var Probe = &prober.Probe{
	Name:    "wled",
	Doc:     "Asks a device that shows itself as WLED for its version, and for its page for updates, which stays closed where updates are locked; uploads and changes nothing.",
	Touch:   prober.Read,
	Gives:   words,
	Every:   12 * time.Hour,
	Signs:   signs,
	Applies: signs.On,
	Run:     answer.Run(run),
}

var words = []string{
	fact.ControlOpen.Name(), fact.ControlPasswordPossible.Name(), fact.DeviceClass.Name(), fact.DeviceFirmware.Name(),
	fact.DeviceReplaceable.Name(), fact.DeviceManufacturer.Name(), fact.DeviceProduct.Name(),
}

var signs = &prober.Signs{
	Products: []string{"wled"}, Service: "_wled._tcp",
	Host: regexp.MustCompile(`(?i)^wled-`), Page: regexp.MustCompile(`^WLED$`),
}

func run(ctx context.Context, t *prober.Target, e *fact.Evidence) {
	r, err := t.Get(ctx, 80, "/json/info")
	i, why := answer.JSON(r, err, info.valid)
	if why != "" {
		answer.Unknown(e, why, words)
		return
	}
	i.setFacts(e)
	r, err = t.Get(ctx, 80, "/update")
	setReplaceable(e, r, err)
}

// info is the answer to GET /json/info. Names of networks and identifiers stand
// beside what is decoded.
type info struct {
	Brand   loosejson.Text   `json:"brand"`
	Version loosejson.Text   `json:"ver"`
	Build   loosejson.Number `json:"vid"`
}

func (i info) valid() bool { return i.Brand == "WLED" && i.Version != "" && i.Build.Known }

func (i info) setFacts(e *fact.Evidence) {
	const at = "tcp/80 GET /json/info: "
	fact.DeviceProduct.Set(e, "wled", at+"brand=WLED")
	fact.DeviceManufacturer.Set(e, "WLED", at+"brand=WLED")
	fact.DeviceClass.Set(e, "light", at+"brand=WLED")
	answer.SetText(e, fact.DeviceFirmware, string(i.Version), at+"ver="+string(i.Version))
	// The interface that tells this takes orders, too; its PIN is for settings only.
	fact.ControlOpen.Set(e, true, at+"answered")
	fact.ControlPasswordPossible.Set(e, false, at+"brand=WLED")
}

// maxPage is how much of a page for updates is read, in bytes.
const maxPage = 128 << 10

var (
	uploadForm = regexp.MustCompile(`(?i)<input[^>]{0,200}\btype=['"]?file\b`)
	pinForm    = regexp.MustCompile(`(?i)<input[^>]{0,200}\bname=['"]?PIN\b`)
)

// setReplaceable reads the page for updates: a locked device answers 401 (500
// before 0.13) "Please unlock OTA", one with a PIN asks for it, and a build
// without updates answers 501.
func setReplaceable(e *fact.Evidence, r *prober.Response, err error) {
	const at = "tcp/80 GET /update: "
	if err != nil {
		fact.DeviceReplaceable.Unknown(e, prober.WhyOf(err))
		return
	}
	page := unpack(r.Body)
	upload, pin := uploadForm.Match(page), pinForm.Match(page)
	switch {
	case r.Status == 401:
		fact.DeviceReplaceable.Set(e, false, at+"401")
	case r.Status == 501:
		fact.DeviceReplaceable.Set(e, false, at+"501, no updates in this build")
	case r.Status == 500 && bytes.Contains(page, []byte("unlock OTA")):
		fact.DeviceReplaceable.Set(e, false, at+"500, unlock OTA")
	case r.Status == 200 && pin && !upload:
		fact.DeviceReplaceable.Set(e, false, at+"200, asks for a PIN")
	case r.Status == 200 && upload && !pin:
		fact.DeviceReplaceable.Set(e, true, at+"200, takes a file")
	case r.Status == 200:
		fact.DeviceReplaceable.Unknown(e, fact.Unreadable)
	default:
		fact.DeviceReplaceable.Unknown(e, answer.WhyStatus(r.Status))
	}
}

// unpack returns a page as text: the firmware holds its pages packed and sends them
// so to everyone. What is packed and can't be unpacked is empty.
func unpack(body []byte) []byte {
	if !bytes.HasPrefix(body, []byte{0x1f, 0x8b}) {
		return body
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil
	}
	page, err := io.ReadAll(io.LimitReader(z, maxPage))
	if err != nil {
		return nil
	}
	return page
}
