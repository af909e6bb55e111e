package cli

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// label is the title of a device in our texts.
func label(d *report.Device, max int) string {
	if d.ID == discovery.Hub {
		return cut("this home", max)
	}
	return quote(d.Title, max)
}

// name is the whole title of a device, for a table that cuts it to its column.
func name(d *report.Device) string { return label(d, 2*columns) }

// located is a device with its address.
func located(d *report.Device) string {
	if where := address(d); where != "" {
		return label(d, 50) + " at " + where
	}
	return label(d, 50)
}

// address is the plainest way to say which device it is: IPv4 address, IPv6
// address, that of its radio, MAC address or id; empty for the hub.
func address(d *report.Device) string {
	if d.ID == discovery.Hub {
		return ""
	}
	if all := d.Addrs(); len(all) > 0 {
		return all[0].String()
	}
	if all := d.MACs(); len(all) > 0 {
		return all[0]
	}
	for _, i := range d.IDs {
		switch i.Kind {
		case discovery.ZigbeeID:
			return "0x" + i.Value
		case discovery.ZWaveID:
			_, node, _ := strings.Cut(i.Value, "_")
			return "node " + node
		}
	}
	return string(d.ID)
}

// resolve finds the device that the owner means: by id, MAC, IEEE or IP address,
// whole name, or a part of the name that only one device has.
func resolve(s *report.Snapshot, text string) (*report.Device, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, errors.New("no device is named")
	}
	if d := s.Device(discovery.ID(strings.ToLower(text))); d != nil {
		return d, nil
	}
	if i, ok := discovery.ParseID(text); ok {
		if d := byIdentifier(s, i); d != nil {
			return d, nil
		}
		return nil, fmt.Errorf("no device with %s is known", quote(text, columns))
	}
	for _, match := range []func(name string) bool{
		func(name string) bool { return strings.EqualFold(name, text) },
		func(name string) bool { return strings.Contains(strings.ToLower(name), strings.ToLower(text)) },
	} {
		found := matching(s, match)
		if len(found) == 1 {
			return found[0], nil
		}
		if len(found) > 1 {
			return nil, ambiguous(text, found)
		}
	}
	return nil, fmt.Errorf("no device is called %s; `thingwarden scan` lists all devices", quote(text, columns))
}

func byIdentifier(s *report.Snapshot, i discovery.Identifier) *report.Device {
	for n := range s.Devices {
		d := &s.Devices[n]
		if d.Has(i) {
			return d
		}
		for _, a := range d.Addrs() {
			if i.Kind == discovery.IPID && i.Value == withoutZone(a) {
				return d
			}
		}
	}
	return nil
}

func withoutZone(a netip.Addr) string { return a.WithZone("").String() }

func matching(s *report.Snapshot, match func(string) bool) (found []*report.Device) {
	for n := range s.Devices {
		d := &s.Devices[n]
		names := []string{d.Title, d.Name, strings.TrimSpace(d.Manufacturer + " " + d.Model)}
		for _, f := range d.Facts {
			if host, ok := f.Value.(string); ok && f.Name == fact.DeviceHostname.Name() {
				names = append(names, host)
			}
		}
		for _, name := range names {
			if name != "" && match(fact.Clean(name, fact.MaxText)) {
				found = append(found, d)
				break
			}
		}
	}
	return found
}

func ambiguous(text string, found []*report.Device) error {
	const most = 20
	var b strings.Builder
	fmt.Fprintf(&b, "%s may be one of %s; say which by its id:", quote(text, columns), count(len(found), "device"))
	for i, d := range found {
		if i == most {
			fmt.Fprintf(&b, "\n  and %d more", len(found)-most)
			break
		}
		fmt.Fprintf(&b, "\n  %s  %s", pad(string(d.ID), 24), label(d, columns-28))
	}
	return errors.New(b.String())
}
