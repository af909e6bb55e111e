package upnp

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Described are the words that stand in a description as they are.
var Described = [...]struct {
	Name string // of the element
	Word fact.Fact[string]
}{
	{"friendlyName", fact.UPnPFriendlyName}, {"manufacturer", fact.UPnPManufacturer}, {"modelName", fact.UPnPModel},
	{"modelNumber", fact.UPnPModelNumber}, {"deviceType", fact.UPnPDeviceType},
}

// Description is what a device says of itself (UPnP Device Architecture 1.1,
// section 2.3).
type Description struct {
	location string // the URL of the description, or what it gives as its base
	Port     uint16
	Path     string
	Server   string // program that serves it, as it says
	Root     Device
	Services []Service // of all devices in it
	Partly   bool      // it breaks off: there may be more services
}

// Device is the outermost device of a description.
type Device struct {
	kind         string // "InternetGatewayDevice"
	fields       [len(Described)]string
	Name         string
	Manufacturer string
	model        string
}

// Service is a service of a device.
type Service struct {
	Kind    string // "urn:schemas-upnp-org:service:WANIPConnection:1"
	Control string // URL as given
	SCPD    string // URL as given
}

// Fetch fetches a description from the device itself. The question is put once in a pass, whoever puts it.
func Fetch(ctx context.Context, t *prober.Target, location string) (Description, error) {
	where, path, err := prober.DeviceURL("", location, t.Device().Addrs())
	if err != nil {
		return Description{}, err
	}
	if t, err = t.At(where.Addr()); err != nil {
		return Description{}, err
	}
	r, err := t.Get(ctx, where.Port(), path)
	if err != nil {
		return Description{}, err
	}
	if r.Status != 200 {
		return Description{}, fmt.Errorf("description with status %d: %w", r.Status, prober.ErrUnreadable)
	}
	d, err := ReadDescription(r.Body)
	if err != nil {
		return Description{}, err
	}
	d.Port, d.Path, d.Server = where.Port(), path, r.Header.Get("Server")
	d.Partly = d.Partly || r.Truncated
	if d.location == "" {
		d.location = location
	}
	return d, nil
}

// ReadDescription reads a description. One that breaks off is read up to there, and
// marked. Errors wrap prober.ErrUnreadable.
func ReadDescription(b []byte) (Description, error) {
	root, err := ParseXML(b)
	if root == nil {
		return Description{}, err
	}
	device := root.Child("device")
	if root.Name != "root" || device.Name == "" {
		return Description{}, fmt.Errorf("no description of a device: %w", prober.ErrUnreadable)
	}
	d := Description{Partly: err != nil, location: root.Value("URLBase"), Root: Device{
		kind:         deviceKind(device.Value("deviceType")),
		Name:         device.Value("friendlyName"),
		Manufacturer: device.Value("manufacturer"),
		model:        modelOf(device.Value("modelName"), device.Value("modelNumber")),
	}}
	for i, w := range Described {
		d.Root.fields[i] = fact.Clean(device.Value(w.Name), fact.MaxText)
	}
	device.Each("service", func(s *Element) {
		if !s.Whole {
			return
		}
		d.Services = append(d.Services, Service{s.Value("serviceType"), s.Value("controlURL"), s.Value("SCPDURL")})
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

// Class is the class of a device of that kind, "" where the kind does not show it.
func (d Device) Class() string {
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

// Set sets the words about what the device is, unless they are set: the first
// description wins, but for that of a router.
func (d Device) Set(e *fact.Evidence, proof string) {
	set := func(word fact.Fact[string], value string) {
		if _, had := word.Get(e); value != "" && (!had || d.Class() == "router") {
			word.Set(e, value, proof+": "+value)
		}
	}
	if _, had := fact.UPnPDeviceType.Get(e); !had || d.Class() == "router" {
		for i, w := range Described {
			e.Remove(w.Word.Name()) // all are of one description
			if d.fields[i] != "" {
				w.Word.Set(e, d.fields[i], proof)
			}
		}
	}
	if class := d.Class(); class != "" {
		if had, _ := fact.DeviceClass.Get(e); had != "router" {
			fact.DeviceClass.Set(e, class, proof+": "+d.kind)
		}
	}
	if placeholders := []string{"", "manufacturer", "unknown"}; !slices.Contains(placeholders, strings.ToLower(d.Manufacturer)) {
		set(fact.DeviceManufacturer, d.Manufacturer)
	}
	set(fact.DeviceModel, d.model)
}
