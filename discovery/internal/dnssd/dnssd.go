// Package dnssd reads what the services that a host announces by DNS-SD (RFC
// 6763) reveal about the host: facts, names and ports.
//
// It is not this package's job to receive announcements or to decide which sender
// to believe: source mdns hears them itself, Home Assistant passes them on, and
// probes homekit and matter query them.
package dnssd

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// MaxServices bounds the services of one host in an observation.
const MaxServices = 256

// Instance is a service that a host offers and that is believed.
type Instance struct {
	Name string            // "Hall Printer"
	Type string            // "_ipp._tcp", in lower case
	Port int               // 0: the type is there, nothing listens
	TXT  map[string]string // keys in lower case; nil if the record is not known
}

// Describe sets the facts that follow from all services of one host.
func Describe(ev *fact.Evidence, all []Instance) {
	read(ev, all)
	setTXT(ev, all)
	setEncrypted(ev, all)
	setHomeKit(ev, all)
}

// Types returns the service types of instances, sorted, each once.
func Types(all []Instance) []string {
	var out []string
	for _, i := range all {
		out = append(out, i.Type)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Services returns what the instances offer on the network, sorted and at most
// MaxServices of them.
func Services(all []Instance) []discovery.Service {
	var out []discovery.Service
	for _, i := range all {
		if i.Port == 0 {
			continue
		}
		proto := "tcp"
		if strings.HasSuffix(i.Type, "._udp") {
			proto = "udp"
		}
		out = append(out, discovery.Service{Proto: proto, Port: i.Port, Name: fact.Clean(i.Type, fact.MaxText)})
	}
	slices.SortFunc(out, discovery.CompareServices)
	out = slices.Compact(out)
	return out[:min(len(out), MaxServices)]
}

// setHomeKit reads the status flags: bit 0 set means that no controller is
// paired (HomeKit Accessory Protocol, non-commercial version, table 6-8). One
// unpaired accessory among several on the host is enough. Whether that counts
// depends on how it was heard.
func setHomeKit(ev *fact.Evidence, all []Instance) {
	paired, proof := true, ""
	for _, i := range all {
		if !strings.HasPrefix(i.Type, "_hap.") {
			continue
		}
		flags, ok := parseNumber(i.TXT["sf"])
		if !ok {
			continue
		}
		if unpaired := flags&1 != 0; proof == "" || unpaired && paired {
			paired, proof = !unpaired, fmt.Sprintf("%s sf=%s: %s", i.Type, i.TXT["sf"], i.Name)
		}
	}
	if proof != "" {
		fact.HomeKitAnnounced.Set(ev, paired, proof)
	}
}

// parseNumber reads the decimal or 0x… numbers of TXT records.
func parseNumber(s string) (int64, bool) {
	if len(s) == 0 || len(s) > 18 {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 0, 64)
	return n, err == nil
}
