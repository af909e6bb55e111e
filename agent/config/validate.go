package config

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/network"
)

const (
	maxPerDevice = 16
	maxPerHouse  = 128
	maxPassword  = 4096
)

var (
	siteName = regexp.MustCompile(`^[a-z0-9]{1,16}$`)
	policyID = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
)

// validator checks what single types can't say.
type validator struct {
	*strict
	env      map[string]any
	warnings []string
}

// wrong records a problem at the key's place: its line in the file, or the
// variable that set it. One problem a key is enough.
func (v *validator) wrong(key, format string, args ...any) {
	if v.reported(key) {
		return
	}
	if _, ok := v.env[key]; ok {
		v.problems = append(v.problems, Problem{File: "environment", Key: envName(key), Text: fmt.Sprintf(format, args...)})
		return
	}
	v.problem(v.lines[key], key, format, args...)
}

func (v *validator) check(c *Config) {
	if !siteName.MatchString(c.Site) {
		v.wrong("site", "want 1 to 16 small letters and digits, have %q", cut(c.Site))
	}
	if c.Language != "en" {
		v.wrong("language", "there are no texts in %q; want \"en\" (English), the only language so far", cut(c.Language))
	}
	v.mqtt(c)
	v.web(c)
	v.network(c.Network)
	v.sources(c)
	v.policies(c)
	v.devices(c.Devices)
}

func (v *validator) mqtt(c *Config) {
	m := &c.MQTT
	if m.URL != "" {
		v.url("mqtt.url", m.URL, "mqtt", "mqtts", "ws", "wss")
	}
	v.listen("mqtt.listen", m.Listen, "127.0.0.1:1883")
	v.topic("mqtt.discovery_prefix", m.DiscoveryPrefix)
	v.topic("mqtt.birth_topic", m.BirthTopic)
	v.secretFile(c, "mqtt.password_file", &m.PasswordFile, &m.Password, "password")
	if m.CAFile != "" {
		m.CAFile = c.beside(m.CAFile)
		if _, err := os.Stat(m.CAFile); err != nil {
			v.wrong("mqtt.ca_file", "can't be read: %v", err)
		}
	}
}

// secretFile reads the value of a secret key from the file that another names, if
// it names one. It reports false if it can't.
func (v *validator) secretFile(c *Config, key string, file, secret *string, name string) (read bool) {
	switch {
	case *file == "":
	case *secret != "":
		v.wrong(key, "there is a %s too; keep one of the two", name)
	default:
		*file = c.beside(*file)
		var err error
		if *secret, err = readPassword(*file); err != nil {
			v.wrong(key, "%v", err)
			return false
		}
	}
	return true
}

// readPassword reads a file that holds a password or token, without the line's end.
func readPassword(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("can't be read: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxPassword+3))
	if err != nil {
		return "", fmt.Errorf("can't be read: %w", err)
	}
	s := strings.TrimRight(string(b), "\r\n")
	switch {
	case s == "":
		return "", fmt.Errorf("the file %q is empty", file)
	case len(s) > maxPassword:
		return "", fmt.Errorf("the file %q is too long for a password", file)
	case strings.ContainsAny(s, "\r\n"):
		return "", fmt.Errorf("the file %q has more than one line; it must hold the password and nothing else", file)
	}
	return s, nil
}

// url checks an address. Messages never repeat one that may hold a password.
func (v *validator) url(key, text string, schemes ...string) {
	example := schemes[0] + "://192.168.1.10"
	if strings.Contains(text, "@") {
		v.wrong(key, "user name and password don't belong in the address; they have keys of their own")
		return
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" && !strings.Contains(text, "://"):
		v.wrong(key, "want an address such as %q, have %q", example, cut(text))
	case !slices.Contains(schemes, u.Scheme):
		v.wrong(key, "an address that begins with %q can't be used; want %s", u.Scheme+"://", strings.Join(schemes, ":// or ")+"://")
	case u.Hostname() == "":
		v.wrong(key, "the host is missing; want an address such as %q", example)
	}
}

// listen checks an address and port of our own.
func (v *validator) listen(key, text, example string) {
	host, port, err := net.SplitHostPort(text)
	if _, perr := netip.ParseAddrPort(text); err != nil || (perr != nil && host != "localhost") {
		v.wrong(key, "want an address and port such as %q, have %q", example, cut(text))
	} else if port == "0" {
		v.wrong(key, "the port can't be 0")
	}
}

func (v *validator) topic(key, topic string) {
	if topic == "" || strings.ContainsAny(topic, "+#\x00") || strings.HasPrefix(topic, "/") || strings.HasSuffix(topic, "/") || len(topic) > 200 {
		v.wrong(key, "want an MQTT topic without + and # and without / at its ends, have %q", cut(topic))
	}
}

func (v *validator) network(n Network) {
	for i, p := range n.Prefixes {
		v.prefix(fmt.Sprintf("network.prefixes[%d]", i), p)
	}
	v.pace("network.connections_per_second.device", n.ConnectionsPerSecond.Device, maxPerDevice)
	v.pace("network.connections_per_second.house", n.ConnectionsPerSecond.House, maxPerHouse)
}

func (v *validator) prefix(key string, p netip.Prefix) {
	longest, a := 16, p.Addr()
	if a.Is6() {
		longest = 48
	}
	switch {
	case a.IsMulticast() || a.IsLoopback() || a.Is4In6():
		v.wrong(key, "%s is not a network of a home", p)
	case p.Bits() < longest:
		v.wrong(key, "%s is too large to look at; want /%d or smaller", p, longest)
	case p != p.Masked():
		v.wrong(key, "%s is an address and not a network; did you mean %s?", p, p.Masked())
	default:
		if err := network.CheckPrefix(p); err != nil {
			v.wrong(key, "%v", err)
		}
	}
}

func (v *validator) pace(key string, n, limit int) {
	if n < 0 || n > limit {
		v.wrong(key, "want 0 to %d, have %d", limit, n)
	}
}

func (v *validator) policies(c *Config) {
	for i, dir := range c.Policies.Packs {
		key := fmt.Sprintf("policies.packs[%d]", i)
		if dir == "" {
			v.wrong(key, "the entry is empty")
			continue
		}
		c.Policies.Packs[i] = c.beside(dir)
		if st, err := os.Stat(c.Policies.Packs[i]); err != nil {
			v.wrong(key, "can't be read: %v", err)
		} else if !st.IsDir() {
			v.wrong(key, "%q is not a folder", dir)
		}
	}
	for i, id := range c.Policies.Disable {
		if !policyID.MatchString(id) {
			v.wrong(fmt.Sprintf("policies.disable[%d]", i), "want the id of a policy such as \"telnet-open\", have %q", cut(id))
		}
	}
}

func (v *validator) devices(devices []Device) {
	seen := map[discovery.Identifier]int{}
	for i, d := range devices {
		at := fmt.Sprintf("devices[%d]", i)
		id, ok := discovery.ParseID(d.Match)
		switch first, twice := seen[id]; {
		case v.reported(at + ".match"):
		case d.Match == "":
			v.wrong(at, "match is missing: say which device it is")
		case !ok:
			v.wrong(at+".match", "%s; have %q", wantMatch(d.Match), cut(d.Match))
		case twice:
			v.wrong(at+".match", "is the same device as devices[%d]", first)
		default:
			seen[id] = i
		}
		if classes := fact.Lookup("device.class").Values; d.Class != "" && !slices.Contains(classes, d.Class) {
			hint := "want one of " + strings.Join(classes, ", ")
			if c := closest(d.Class, classes); c != "" {
				hint = fmt.Sprintf("did you mean %q?", c)
			}
			v.wrong(at+".class", "unknown class %q; %s", cut(d.Class), hint)
		}
		if fact.Clean(d.Name, fact.MaxText) != d.Name {
			v.wrong(at+".name", "want one line of at most %d letters, without control characters", fact.MaxText)
		}
	}
}

// wantMatch says what to write in place of a match that names no device.
func wantMatch(match string) string {
	if hw, err := net.ParseMAC(match); err == nil && len(hw) == 6 {
		switch {
		case hw[0]&1 != 0:
			return "this is a group address, for many devices at once (its first byte is odd); want the MAC address of one device"
		case bytes.Equal(hw, make([]byte, 6)):
			return "this address stands for no device; want the MAC address of one"
		}
	}
	if a, err := netip.ParseAddr(match); err == nil {
		switch {
		case a.IsLoopback():
			return "this is the machine itself; the hub has no entry"
		case a.IsMulticast():
			return "this is a group address, for many devices at once; want the IP address of one"
		}
	}
	return "want a MAC address, an id of Thingwarden, 0x and an IEEE address, or an IP address"
}

// reported says whether there is a problem with the key already: what was wrong
// in itself is not set, and would be complained of twice.
func (v *validator) reported(key string) bool {
	return slices.ContainsFunc(v.problems, func(p Problem) bool { return p.Key == key })
}

// beside returns the path of a file named in the configuration: relative ones
// lie beside the configuration file.
func (c *Config) beside(path string) string {
	if filepath.IsAbs(path) || c.File == "" {
		return path
	}
	return filepath.Join(filepath.Dir(c.File), path)
}
