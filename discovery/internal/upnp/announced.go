// Package upnp reads what devices say of themselves by UPnP, whoever asks or hears
// it: announcements, descriptions and the answers to SOAP actions.
//
// It decides neither when a device is asked nor what its answer means.
package upnp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// GatewayType is the device type of an Internet gateway (UPnP InternetGatewayDevice)
// without its version.
const GatewayType = "urn:schemas-upnp-org:device:InternetGatewayDevice:"

// MaxLocations is how many descriptions of a device are remembered.
const MaxLocations = 8

// CheckLocation says why the place at which a device says it describes itself is
// not used: it must be at the address that the packet came from (threat T1).
func CheckLocation(location string, from netip.Addr) error {
	if _, _, err := prober.DeviceURL("", location, []netip.Addr{from}); err != nil {
		return err
	}
	if fact.Clean(location, fact.MaxText) != location {
		return fmt.Errorf("location %.60q: not readable", location)
	}
	return nil
}

// IsGateway reports whether the type that a packet names is that of an Internet
// gateway.
func IsGateway(kind string) bool { return strings.HasPrefix(kind, GatewayType) }

// Describe sets the words that follow from what a device has announced: where it
// describes itself, and where as an Internet gateway ("" if it is none). All
// locations must have passed CheckLocation. It returns the device's services.
func Describe(ev *fact.Evidence, addr netip.Addr, locations []string, gateway string) []discovery.Service {
	fact.UPnPLocations.Set(ev, locations, "SSDP")
	if gateway != "" {
		fact.IGDLocation.Set(ev, gateway, "SSDP InternetGatewayDevice")
	}
	out := []discovery.Service{}
	for _, l := range locations {
		at, _, err := prober.DeviceURL("", l, []netip.Addr{addr})
		service := discovery.Service{Proto: "tcp", Port: int(at.Port()), Name: "upnp"}
		if err == nil && !slices.Contains(out, service) {
			out = append(out, service)
		}
	}
	slices.SortFunc(out, discovery.CompareServices)
	return out
}
