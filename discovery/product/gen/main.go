// Command gen writes the table of package product that says by which signs
// integrations of Home Assistant find devices. It reads the wheel of the PyPI
// package homeassistant (Apache-2.0), and nothing from a network.
package main

import (
	"archive/zip"
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

func main() {
	in := flag.String("in", "", "wheel of homeassistant")
	out := flag.String("out", "", "file to write")
	flag.Parse()
	if err := run(*in, *out); err != nil {
		fmt.Fprintf(os.Stderr, "make table of integrations from %q: %v\n", *in, err)
		os.Exit(1)
	}
}

func run(in, out string) error {
	wheel, err := zip.OpenReader(in)
	if err != nil {
		return err
	}
	defer wheel.Close()
	var b bytes.Buffer
	for _, table := range []func(*zip.ReadCloser, *bytes.Buffer) error{integrations, dhcp, zeroconf, ssdp} {
		if err := table(wheel, &b); err != nil {
			return err
		}
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	slices.Sort(lines)
	lines = slices.Compact(lines)
	if len(lines) < 1000 {
		return fmt.Errorf("%d lines, want more than 1,000: the package is not complete", len(lines))
	}
	return os.WriteFile(out, []byte(strings.Join(lines, "\n")+"\n"), 0o644)
}

// line writes fields with tabs between them.
func line(b *bytes.Buffer, fields ...string) {
	b.WriteString(strings.Join(fields, "\t") + "\n")
}

type integration struct {
	Name         string
	Type         string `json:"integration_type"`
	Categories   []string
	Integrations map[string]integration
}

// integrations writes the name of each integration, the brand to which it
// belongs, and the class of its devices if they all are of one.
func integrations(wheel *zip.ReadCloser, b *bytes.Buffer) error {
	raw, err := file(wheel, "integrations.json")
	if err != nil {
		return err
	}
	var all struct{ Integration map[string]integration }
	if err := json.Unmarshal(raw, &all); err != nil {
		return err
	}
	one := func(domain, brand string, x integration) {
		x.Name = cmp.Or(x.Name, brand)
		if x.Name != "" && (x.Type == "device" || x.Type == "hub" || x.Type == "") {
			line(b, "name", domain, x.Name, brand, class(x))
		}
	}
	for domain, x := range all.Integration {
		if _, nested := x.Integrations[domain]; !nested {
			one(domain, "", x)
		}
		for sub, y := range x.Integrations {
			one(sub, x.Name, y)
		}
	}
	return nil
}

// classes are the classes of Home Assistant's categories. Those that say nothing
// of the thing itself are not among them.
var classes = map[string]string{
	"appliances_cleaning": "appliance", "appliances_cleaning.cleaning": "vacuum", "buttons_remotes": "remote", "blinds_curtains": "cover",
	"climate.air_purifiers_humidifiers": "appliance", "climate.fans_ventilation": "appliance",
	"climate.heat_pumps_air_conditioning": "thermostat", "climate.thermostats_heating": "thermostat",
	"computers_network.nas_servers": "storage", "computers_network.printers": "printer",
	"computers_network.routers_network": "router", "lighting": "light", "media_entertainment.gaming": "console",
	"media_entertainment.speakers_audio": "speaker", "media_entertainment.tv_streaming": "media",
	"plugs_switches": "plug", "security_safety.alarm_systems": "alarm", "security_safety.cameras": "camera",
	"security_safety.doorbells_intercoms": "doorbell", "security_safety.locks_access": "lock", "sensors": "sensor",
	"hubs_protocols.smart_home_hubs": "hub", "energy.ev_charging": "charger", "energy.solar_batteries": "inverter",
	"energy.backup_power": "ups",
}

// class is the class of all categories of an integration for devices, or "" if
// they are several or one is not known.
func class(x integration) string {
	if x.Type != "device" {
		return "" // behind a hub there may be anything
	}
	found := ""
	for _, category := range x.Categories {
		main, _, _ := strings.Cut(category, ".")
		c := cmp.Or(classes[category], classes[main])
		if c == "" || found != "" && c != found {
			return ""
		}
		found = c
	}
	return found
}

func dhcp(wheel *zip.ReadCloser, b *bytes.Buffer) error {
	var all []struct{ Domain, Hostname, MACAddress string }
	if err := literal(wheel, "dhcp.py", "DHCP", &all); err != nil {
		return err
	}
	for _, x := range all {
		if x.Hostname != "" || x.MACAddress != "" {
			line(b, "dhcp", x.Domain, strings.ToLower(x.Hostname), strings.ToLower(x.MACAddress))
		}
	}
	return nil
}

func zeroconf(wheel *zip.ReadCloser, b *bytes.Buffer) error {
	var services map[string][]struct {
		Domain, Name string
		Properties   map[string]string
	}
	if err := literal(wheel, "zeroconf.py", "ZEROCONF", &services); err != nil {
		return err
	}
	for service, all := range services {
		for _, x := range all {
			fields := []string{"mdns", x.Domain, strings.TrimSuffix(strings.ToLower(service), ".local."), x.Name}
			for _, key := range slices.Sorted(maps.Keys(x.Properties)) {
				fields = append(fields, strings.ToLower(key)+"="+strings.ToLower(x.Properties[key]))
			}
			line(b, fields...)
		}
	}
	var models map[string]struct{ Domain string }
	if err := literal(wheel, "zeroconf.py", "HOMEKIT", &models); err != nil {
		return err
	}
	for model, x := range models {
		line(b, "homekit", x.Domain, model)
	}
	return nil
}

// described are the keys of a UPnP description for which there is a word.
var described = map[string]string{
	"manufacturer": "upnp.manufacturer", "deviceType": "upnp.device_type", "modelName": "upnp.model",
	"modelNumber": "upnp.model_number", "friendlyName": "upnp.friendly_name",
}

func ssdp(wheel *zip.ReadCloser, b *bytes.Buffer) error {
	var domains map[string][]map[string]string
	if err := literal(wheel, "ssdp.py", "SSDP", &domains); err != nil {
		return err
	}
	for domain, all := range domains {
	next:
		for _, x := range all {
			fields := []string{"upnp", domain}
			for _, key := range slices.Sorted(maps.Keys(x)) {
				if described[key] == "" {
					continue next // it asks for more than we know
				}
				fields = append(fields, described[key]+"="+x[key])
			}
			line(b, fields...)
		}
	}
	return nil
}

func file(wheel *zip.ReadCloser, name string) ([]byte, error) {
	f, err := wheel.Open("homeassistant/generated/" + name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

var trailingComma = regexp.MustCompile(`,(\s*[}\]])`)

// literal reads a Python literal of lists, mappings, strings and truths that
// stands at the beginning of a line as NAME = or NAME: type =.
func literal(wheel *zip.ReadCloser, name, variable string, to any) error {
	raw, err := file(wheel, name)
	if err != nil {
		return err
	}
	at := regexp.MustCompile(`(?m)^` + variable + `(:.*)? = `).FindIndex(raw)
	if at == nil {
		return fmt.Errorf("%s has no %s", name, variable)
	}
	text := trailingComma.ReplaceAllString(string(raw[at[1]:]), "$1")
	text = strings.NewReplacer(": True", ": true", ": False", ": false").Replace(text)
	if err := json.NewDecoder(strings.NewReader(text)).Decode(to); err != nil {
		return fmt.Errorf("%s of %s: %w", variable, name, err)
	}
	return nil
}
