package probe

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// UPnP reads how a device describes itself.
var UPnP = &prober.Probe{
	Name:  "upnp",
	Doc:   "Reads the description that a device announces by SSDP (UPnP): its name, maker, model and kind; asks at the device's own address only, and controls nothing.",
	Touch: prober.Read,
	Gives: []string{
		fact.DeviceClass.Name(), fact.DeviceManufacturer.Name(), fact.DeviceModel.Name(), fact.UPnPDeviceType.Name(),
		fact.UPnPFriendlyName.Name(), fact.UPnPManufacturer.Name(), fact.UPnPModel.Name(), fact.UPnPModelNumber.Name(),
	},
	Every:   24 * time.Hour,
	Needs:   []string{fact.UPnPLocations.Name()},
	Located: true,
	Applies: describesItself,
	Run:     runUPnP,
}

// maxDescriptions is how many descriptions of a device are read; a box that plays
// several parts has one for each.
const maxDescriptions = 3

func describesItself(d discovery.Device, ev *fact.Evidence) bool {
	list, _ := fact.UPnPLocations.Get(ev)
	return len(list) > 0 && reachable(d, ev)
}

func runUPnP(ctx context.Context, t *prober.Target, report func(discovery.Observation)) error {
	locations, _ := fact.UPnPLocations.Get(t.Known())
	o := discovery.Observation{About: t.About(), Facts: t.Evidence()}
	why := fact.NotTold
	for _, location := range locations[:min(len(locations), maxDescriptions)] {
		d, err := fetchDescription(ctx, t, location)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			why = prober.WhyOf(err)
			continue
		}
		if o.Name == "" || d.root.class() == "router" {
			o.Name = fact.Clean(d.root.name, discovery.MaxName)
		}
		d.root.tell(o.Facts, fmt.Sprintf("tcp/%d: %s", d.port, d.path))
	}
	fact.DeviceClass.Unknown(o.Facts, why)
	fact.DeviceManufacturer.Unknown(o.Facts, why)
	fact.DeviceModel.Unknown(o.Facts, why)
	for _, w := range described {
		w.word.Unknown(o.Facts, why)
	}
	report(o)
	return nil
}

// described are the words that stand in a description as they are.
var described = [...]struct {
	name string
	word fact.Fact[string]
}{
	{"friendlyName", fact.UPnPFriendlyName}, {"manufacturer", fact.UPnPManufacturer}, {"modelName", fact.UPnPModel},
	{"modelNumber", fact.UPnPModelNumber}, {"deviceType", fact.UPnPDeviceType},
}

// description is what a device says of itself (UPnP Device Architecture 1.1,
// section 2.3).
type description struct {
	location string // the URL of the description, or what it gives as its base
	port     uint16
	path     string
	server   string // program that serves it, as it says
	root     upnpDevice
	services []upnpService // of all devices in it
	partly   bool          // it breaks off: there may be more services
}

type upnpDevice struct {
	kind         string // "InternetGatewayDevice"
	said         [len(described)]string
	name         string
	manufacturer string
	model        string
}

type upnpService struct {
	kind    string // "urn:schemas-upnp-org:service:WANIPConnection:1"
	control string // URL as given
	scpd    string // URL as given
}

// fetchDescription reads a description. The question is put once in a pass, whoever puts it.
func fetchDescription(ctx context.Context, t *prober.Target, location string) (description, error) {
	where, path, err := prober.DeviceURL("", location, t.Device().Addrs())
	if err != nil {
		return description{}, err
	}
	if t, err = t.At(where.Addr()); err != nil {
		return description{}, err
	}
	r, err := t.Get(ctx, where.Port(), path)
	if err != nil {
		return description{}, err
	}
	if r.Status != 200 {
		return description{}, fmt.Errorf("description with status %d: %w", r.Status, prober.ErrUnreadable)
	}
	d, err := readDescription(r.Body)
	if err != nil {
		return description{}, err
	}
	d.port, d.path, d.server = where.Port(), path, r.Header.Get("Server")
	d.partly = d.partly || r.Truncated
	if d.location == "" {
		d.location = location
	}
	return d, nil
}

func readDescription(b []byte) (description, error) {
	root, err := parseXML(b)
	if root == nil {
		return description{}, err
	}
	device := root.child("device")
	if root.name != "root" || device.name == "" {
		return description{}, fmt.Errorf("no description of a device: %w", prober.ErrUnreadable)
	}
	d := description{partly: err != nil, location: root.value("URLBase"), root: upnpDevice{
		kind:         deviceKind(device.value("deviceType")),
		name:         device.value("friendlyName"),
		manufacturer: device.value("manufacturer"),
		model:        modelOf(device.value("modelName"), device.value("modelNumber")),
	}}
	for i, w := range described {
		d.root.said[i] = fact.Clean(device.value(w.name), fact.MaxText)
	}
	device.each("service", func(s *element) {
		if !s.whole {
			return
		}
		d.services = append(d.services, upnpService{s.value("serviceType"), s.value("controlURL"), s.value("SCPDURL")})
	})
	return d, nil
}

// deviceKind returns "MediaRenderer" of "urn:schemas-upnp-org:device:MediaRenderer:1".
func deviceKind(s string) string {
	rest, ok := strings.CutPrefix(s, "urn:schemas-upnp-org:device:")
	kind, _, versioned := strings.Cut(rest, ":")
	if !ok || !versioned {
		return ""
	}
	return kind
}

// modelOf joins a model's name and number where the number says more.
func modelOf(name, number string) string {
	if number == "" || name == "" || len(number) > 40 || strings.Contains(name, number) {
		return name
	}
	return name + " " + number
}

// class is the class of a device of that kind, "" where the kind does not tell.
func (d upnpDevice) class() string {
	switch d.kind {
	case "InternetGatewayDevice":
		return "router"
	case "MediaRenderer":
		return "media"
	case "Printer":
		return "printer"
	case "DigitalSecurityCamera":
		return "camera"
	default:
		return ""
	}
}

// tell sets the words about what the device is, unless they are set: the first
// description wins, but for that of a router.
func (d upnpDevice) tell(e *fact.Evidence, proof string) {
	set := func(word fact.Fact[string], value string) {
		if _, had := word.Get(e); value != "" && (!had || d.class() == "router") {
			word.Set(e, value, proof+": "+value)
		}
	}
	if _, had := fact.UPnPDeviceType.Get(e); !had || d.class() == "router" {
		for i, w := range described {
			e.Remove(w.word.Name()) // all are of one description
			if d.said[i] != "" {
				w.word.Set(e, d.said[i], proof)
			}
		}
	}
	if class := d.class(); class != "" {
		if had, _ := fact.DeviceClass.Get(e); had != "router" {
			fact.DeviceClass.Set(e, class, proof+": "+d.kind)
		}
	}
	if placeholders := []string{"", "manufacturer", "unknown"}; !slices.Contains(placeholders, strings.ToLower(d.manufacturer)) {
		set(fact.DeviceManufacturer, d.manufacturer)
	}
	set(fact.DeviceModel, d.model)
}
