package config

import (
	"encoding/json"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/prober"
	"github.com/thingwarden/thingwarden/discovery/source/homeassistant"
	"github.com/thingwarden/thingwarden/discovery/source/zwavejs"
)

// with is the default configuration with one thing changed.
func with(change func(*Config)) Config {
	c := Default()
	c.File, c.StateDir = "config.yaml", "/state/thingwarden"
	change(&c)
	return c
}

// config is the configuration of the source that has this type of it.
func config[T any](c *Config) *T {
	for _, s := range c.Sources {
		if x, ok := any(s.Config).(*T); ok {
			return x
		}
	}
	panic("no source has this configuration")
}

func TestLoad(t *testing.T) {
	read, connect := prober.Read, prober.Connect
	tests := []struct {
		name     string
		file     string // config.yaml if empty
		in       string
		environ  []string
		want     Config
		warnings []string
	}{
		{name: "empty", want: with(func(*Config) {})},
		{name: "only a comment", in: "# nothing\n", want: with(func(*Config) {})},
		{name: "section without keys", in: "mqtt:\nsources:\n  mdns:\n", want: with(func(*Config) {})},
		{name: "zero is a value", in: "learning_period: 0\nnetwork: {connections_per_second: {device: 0, house: 0}}\n",
			want: with(func(c *Config) { c.LearningPeriod, c.Network.ConnectionsPerSecond = 0, Pace{} })},
		{name: "false is a value", in: "sources: {mdns: {enabled: false}}",
			want: with(func(c *Config) { c.Sources["mdns"].Enabled = false })},
		{name: "an empty list is a value", in: "sources: {zwavejs: {urls: []}}",
			want: with(func(c *Config) { *config[zwavejs.Config](c) = zwavejs.Config{Written: true} })},
		{name: "days", in: "learning_period: 1d12h", want: with(func(c *Config) { c.LearningPeriod = 36 * time.Hour })},
		{name: "all kinds of values",
			in: `
site: cabin
touch: connect
state_dir: /var/lib/thingwarden
log: {level: debug}
mqtt: {url: "mqtts://broker.lan:8884", username: tw, password: "p: #1"}
network: {prefixes: [192.168.1.0/24, "fd00:1::/64"]}
policies: {disable: [telnet-open]}
devices:
  - {match: "AA-BB-CC-DD-EE-FF", name: Porch camera, class: camera, touch: connect}
  - {match: zwave_e1f2a3b4_5, touch: read}
  - {match: "fe80::1%eth0"}
`,
			want: with(func(c *Config) {
				c.Site, c.Touch, c.StateDir, c.Log.Level = "cabin", prober.Connect, "/var/lib/thingwarden", slog.LevelDebug
				c.MQTT.URL, c.MQTT.Username, c.MQTT.Password = "mqtts://broker.lan:8884", "tw", "p: #1"
				c.Network.Prefixes = []netip.Prefix{netip.MustParsePrefix("192.168.1.0/24"), netip.MustParsePrefix("fd00:1::/64")}
				c.Policies.Disable = []string{"telnet-open"}
				c.Devices = []Device{
					{Match: "AA-BB-CC-DD-EE-FF", Name: "Porch camera", Class: "camera", Touch: &connect},
					{Match: "zwave_e1f2a3b4_5", Touch: &read}, {Match: "fe80::1%eth0"},
				}
			})},
		{name: "environment over file", in: "mqtt: {url: mqtt://file, username: file}\ntouch: read",
			environ: []string{"THINGWARDEN_MQTT_URL=mqtt://env", "THINGWARDEN_TOUCH=listen",
				"THINGWARDEN_SOURCES_HOMEASSISTANT_URL=http://ha.local:8123", "THINGWARDEN_SOURCES_HOMEASSISTANT_TOKEN=t",
				"THINGWARDEN_NETWORK_CONNECTIONS_PER_SECOND_DEVICE=0", "THINGWARDEN_LEARNING_PERIOD=2h", "THINGWARDEN_SITE=", "OTHER=1"},
			want: with(func(c *Config) {
				c.MQTT.URL, c.MQTT.Username, c.Touch = "mqtt://env", "file", prober.Listen
				*config[homeassistant.Config](c) = homeassistant.Config{URL: "http://ha.local:8123", Token: "t"}
				c.Network.ConnectionsPerSecond.Device, c.LearningPeriod = 0, 2*time.Hour
			})},
		{name: "unknown variables", environ: []string{"THINGWARDEN_MQTT_ULR=x", "THINGWARDEN_POLICIES_PACKS=x", "THINGWARDEN_PLUGINS_FOLDER=x"},
			want: with(func(*Config) {}),
			warnings: []string{
				"environment: THINGWARDEN_MQTT_ULR: unknown name; did you mean THINGWARDEN_MQTT_URL?",
				"environment: THINGWARDEN_PLUGINS_FOLDER: unknown name; it is not used",
				"environment: THINGWARDEN_POLICIES_PACKS: policies.packs is a list; set it in the configuration file",
			}},
		{name: "options of the app: empty texts are not set", file: "options.json",
			in: "{\n\t\"site\": \"\",\n\t\"mqtt\": {\"discovery_prefix\": \"\", \"username\": \"a\\u00e9\\/\\ud83d\\ude00\"},\n\t\"devices\": [{\"match\": \"aabbccddeeff\", \"name\": \"\", \"touch\": \"\"}]\n}",
			want: with(func(c *Config) {
				c.File, c.MQTT.Username, c.Devices = "options.json", "aé/😀", []Device{{Match: "aabbccddeeff"}}
			})},
		{name: "options of the app: dotted names", file: "options.json",
			in: `{"network": {"prefixes": ["192.168.1.0/24"]}, "network.connections_per_second.house": 8, "sources.zwavejs.urls": ["ws://core-zwave-js:3000"], "sources.mdns.enabled": false}`,
			want: with(func(c *Config) {
				c.File, c.Network.Prefixes, c.Network.ConnectionsPerSecond.House = "options.json", []netip.Prefix{netip.MustParsePrefix("192.168.1.0/24")}, 8
				c.Sources["mdns"].Enabled = false
				*config[zwavejs.Config](c) = zwavejs.Config{URLs: []string{"ws://core-zwave-js:3000"}, Written: true}
			})},
		{name: "Home Assistant", in: "sources: {homeassistant: {url: \"http://ha.local:8123\", token: t.o-k_en}}",
			want: with(func(c *Config) {
				*config[homeassistant.Config](c) = homeassistant.Config{URL: "http://ha.local:8123", Token: "t.o-k_en"}
			})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.file == "" {
				tt.file = "config.yaml"
			}
			got, warnings, err := load(t, tt.file, tt.in, tt.environ...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, compare); diff != "" {
				t.Errorf("configuration differs (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.warnings, warnings, compare); diff != "" {
				t.Errorf("warnings differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEnvironmentErrors(t *testing.T) {
	_, _, err := load(t, "", "", "THINGWARDEN_TOUCH=shout", "THINGWARDEN_SITE=My Home", "THINGWARDEN_SOURCES_MDNS_ENABLED=yes",
		"THINGWARDEN_LEARNING_PERIOD=24", "THINGWARDEN_NETWORK_CONNECTIONS_PER_SECOND_HOUSE=4.5", "THINGWARDEN_MQTT_URL=mqtt://me:secret@broker")
	want := `environment: THINGWARDEN_LEARNING_PERIOD: the duration "24" needs a unit, such as 24s, 24m or 24h
environment: THINGWARDEN_NETWORK_CONNECTIONS_PER_SECOND_HOUSE: want a whole number, have "4.5"
environment: THINGWARDEN_SOURCES_MDNS_ENABLED: want true or false, have "yes"
environment: THINGWARDEN_TOUCH: want listen, connect or read, have "shout"
environment: THINGWARDEN_SITE: want 1 to 16 small letters and digits, have "My Home"
environment: THINGWARDEN_MQTT_URL: user name and password don't belong in the address; they have keys of their own`
	if err == nil {
		t.Fatal("no error")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("messages differ (-want +got):\n%s", diff)
	}
}

func TestOptionsErrors(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"syntax", "{\"site\": \"home\"", "options.json: not valid JSON: unexpected EOF"},
		{"two values", "{} {}", "options.json: not valid JSON: something follows after its end"},
		{"wrong type", "{\n\"log\": {\"level\": 3}}", "options.json: log.level: want debug, info, warn or error, have the number 3"},
		{"wrong type below a dotted name", `{"sources.mdns.enabled": 3}`, "options.json: sources.mdns.enabled: want true or false, have the number 3"},
		{"unknown dotted name", `{"sources.mnds.enabled": true}`, `options.json: sources.mnds: unknown key; did you mean "sources.mdns"?`},
		{"dotted name of what is there", `{"log": {"level": "info"}, "log.level": "debug"}`, "options.json: log.level: unknown key"},
		{"dotted name below a value", `{"site": "home", "site.name": "x"}`, "options.json: site.name: unknown key"},
		{"dots and dots", `{"a` + strings.Repeat(".a", 300) + `": 1}`, "options.json: a: unknown key"},
		{"dots only", `{"..": 1}`, "options.json: unknown key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := load(t, "options.json", tt.in)
			if err == nil || err.Error() != tt.want {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
}

func TestPasswordFile(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("good", "hunter 2\r\n")
	write("empty", "\n")
	write("two", "a\nb\n")
	write("long", strings.Repeat("x", maxPassword+1))
	tests := []struct{ name, want, problem string }{
		{name: "good", want: "hunter 2"},
		{name: "empty", problem: "is empty"},
		{name: "two", problem: "more than one line"},
		{name: "long", problem: "too long"},
		{name: "none", problem: "no such file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(dir, "config.yaml")
			write("config.yaml", "mqtt:\n  password_file: "+tt.name+"\n")
			c, _, err := Load(file)
			if tt.problem == "" {
				if err != nil || c.MQTT.Password != tt.want {
					t.Fatalf("password %q, %v; want %q", c.MQTT.Password, err, tt.want)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.problem) ||
				!strings.HasPrefix(err.Error(), file+":2: mqtt.password_file: ") || !strings.Contains(err.Error(), filepath.Join(dir, tt.name)) {
				t.Errorf("error %v, want one with file, key, %q and the path", err, tt.problem)
			}
		})
	}
}

func TestEveryVariableIsOneKey(t *testing.T) {
	seen := map[string]string{}
	for _, l := range leaves() {
		name := envName(l.key)
		if other, twice := seen[name]; twice {
			t.Errorf("%s is both %s and %s", name, other, l.key)
		}
		seen[name] = l.key
	}
}

const example = "../../config.example.yaml"

// The example holds every key, each explained, with its built-in default.
func TestExample(t *testing.T) {
	b, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	got, warnings, err := load(t, "config.yaml", string(b))
	if err != nil || len(warnings) > 0 {
		t.Fatalf("loading: %v, %v", err, warnings)
	}
	if diff := cmp.Diff(with(func(*Config) {}), got, compare); diff != "" {
		t.Errorf("defaults differ (-built in +example):\n%s", diff)
	}

	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	for _, l := range leaves() {
		n := doc.Content[0]
		var key *yaml.Node
		if strings.Contains(string(b), "\n    # "+l.key[strings.LastIndex(l.key, ".")+1:]+": ") {
			continue // shown as a comment
		}
		for name := range strings.SplitSeq(l.key, ".") {
			if key, n = child(n, name); key == nil {
				t.Errorf("%s: not in the example", l.key)
				break
			}
		}
		if key != nil && key.HeadComment+key.LineComment == "" {
			t.Errorf("%s: not explained in the example", l.key)
		}
	}
	for _, k := range element(reflect.TypeFor[[]Device]()).keys {
		if !strings.Contains(string(b), "\n#   "+k.name+" ") {
			t.Errorf("devices: %s is not explained in the example", k.name)
		}
	}
}

func child(n *yaml.Node, name string) (key, value *yaml.Node) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i], n.Content[i+1]
		}
	}
	return nil, nil
}

// The devices in the example's comment are right when they are uncommented.
func TestExampleDevices(t *testing.T) {
	b, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(b), "# such as\n")
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\n#   ", "\n"), "#   devices:", "devices:")
	text, _, _ = strings.Cut(text, "\ndevices: []")
	c, _, err := load(t, "config.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Devices) != 3 {
		t.Errorf("%d devices, want 3", len(c.Devices))
	}
}

// The schema and the loader agree on what is right and what is wrong.
func TestSchema(t *testing.T) {
	b := Schema()
	var doc any
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("config.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("config.json")
	if err != nil {
		t.Fatal(err)
	}
	validate := func(text string) error {
		var v any
		if err := yaml.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		return schema.Validate(v)
	}
	full, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, in string
		ok       bool
	}{
		{"example", string(full), true},
		{"device", `devices: [{match: "aa:bb:cc:dd:ee:ff", class: camera, touch: connect}]`, true},
		{"log-in", `devices: [{match: "aa:bb:cc:dd:ee:ff", touch: login}]`, false},
		{"language", "language: en", true},
		{"no such language", "language: de", false},
		{"duration", "learning_period: 1d12h", true},
		{"zero duration", "learning_period: 0", true},
		{"duration without unit", "learning_period: 24", false},
		{"unknown key", "mqtt: {urll: x}", false},
		{"unknown source", "sources: {telepathy: {}}", false},
		{"outside", "outside: {censys: {}}", false},
		{"log-in for all", "touch: login", false},
		{"cap", "network: {connections_per_second: {device: 17}}", false},
		{"class", `devices: [{match: "aa:bb:cc:dd:ee:ff", class: toaster}]`, false},
		{"no match", `devices: [{name: Lamp}]`, false},
		{"site", "site: My Home", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := validate(tt.in); (err == nil) != tt.ok {
				t.Errorf("schema says %v, want ok %v", err, tt.ok)
			}
			if _, _, err := load(t, "config.yaml", tt.in); (err == nil) != tt.ok {
				t.Errorf("loader says %v, want ok %v", err, tt.ok)
			}
		})
	}
	for _, l := range leaves() {
		if !strings.Contains(string(b), l.key[strings.LastIndex(l.key, ".")+1:]) {
			t.Errorf("%s is not in the schema", l.key)
		}
	}
}

func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/invalid-*.yaml")
	for _, name := range append(files, example) {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("a: &a [*a]\ndevices: *a\n"))
	f.Add([]byte("devices: &a\n- *a\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if strings.Contains(string(b), "_file") || strings.Contains(string(b), "packs") {
			t.Skip("would look at files of this machine")
		}
		c, _, err := parse("fuzz.yaml", b, true, nil)
		if err != nil {
			return
		}
		if !siteName.MatchString(c.Site) || c.Touch > prober.Read || c.LearningPeriod < 0 ||
			c.Network.ConnectionsPerSecond.Device > maxPerDevice || c.Network.ConnectionsPerSecond.House > maxPerHouse {
			t.Errorf("accepted what it must not: %+v", c)
		}
		for _, d := range c.Devices {
			if _, ok := discovery.ParseID(d.Match); !ok {
				t.Errorf("accepted a device that is none: %+v", d)
			}
		}
	})
}
