// Package config reads what the owner configured: one YAML file (or the options
// of the Home Assistant app, which are JSON and so YAML too), overridden by
// environment variables, on top of built-in defaults.
//
// Every mistake is reported at once, each with file, line and key. It is not
// this package's job to act on the configuration, nor to read policies.
package config

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/builtin"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Config is the whole configuration. It is read once and never changes.
type Config struct {
	// File is the file that was read; empty if there was none.
	File string `yaml:"-"`
	// InApp is true inside the Home Assistant app.
	InApp bool           `yaml:"-"`
	lines map[string]int `yaml:"-"` // of the keys that are in File

	Site           string        `yaml:"site" jsonschema:"pattern=^[a-z0-9]{1\\,16}$" jsonschema_description:"Name of this home in MQTT topics; only needed when several agents share one broker."`
	StateDir       string        `yaml:"state_dir" jsonschema_description:"Folder for decisions and what was learned. Empty: the user's state folder; /data in the app."`
	LearningPeriod time.Duration `yaml:"learning_period" jsonschema_description:"For how long after the first start new devices are taken as known. 0: not at all."`
	Language       string        `yaml:"language" jsonschema:"enum=en" jsonschema_description:"Language of the findings' texts: en (English) is the only one there is."`
	Touch          prober.Touch  `yaml:"touch" jsonschema_description:"How far a question to a device may go: listen, connect or read."`
	Log            Log           `yaml:"log"`
	MQTT           MQTT          `yaml:"mqtt"`
	Network        Network       `yaml:"network"`
	Sources        Sources       `yaml:"-"` // key sources is read from their kinds
	Outside        Outside       `yaml:"outside"`
	Web            Web           `yaml:"web"`
	Policies       Policies      `yaml:"policies"`
	Devices        []Device      `yaml:"devices" jsonschema_description:"What the owner says of single devices."`
}

// Log says what is logged.
type Log struct {
	Level slog.Level `yaml:"level" jsonschema_description:"Least important message that is logged: debug, info, warn or error."`
}

// MQTT is the broker and how Home Assistant listens on it.
type MQTT struct {
	URL             string `yaml:"url" jsonschema_description:"Address of the MQTT broker: mqtt://, mqtts://, ws:// or wss://. Empty: a small broker of our own, for trying out."`
	Listen          string `yaml:"listen" jsonschema_description:"Address and port of our own broker."`
	Username        string `yaml:"username" jsonschema_description:"User name at the broker."`
	Password        string `yaml:"password" secret:"true" jsonschema_description:"Password at the broker. Better: password_file."`
	PasswordFile    string `yaml:"password_file" jsonschema_description:"File that holds the password and nothing else."`
	CAFile          string `yaml:"ca_file" jsonschema_description:"PEM file with the certificate authority of a broker that uses its own."`
	DiscoveryPrefix string `yaml:"discovery_prefix" jsonschema_description:"Topic under which Home Assistant listens for devices."`
	BirthTopic      string `yaml:"birth_topic" jsonschema_description:"Topic on which Home Assistant says that it has started."`
}

// Web is the page: where it listens and how the owner logs in.
type Web struct {
	Listen       string   `yaml:"listen" jsonschema_description:"Address and port of the page. Empty: no page, except in Home Assistant."`
	Hosts        []string `yaml:"hosts" jsonschema_description:"Further names under which the page is reached, such as that of a reverse proxy. With any of them, reading needs a log-in too."`
	URL          string   `yaml:"url" jsonschema_description:"Address of the page for links to it: http:// or https://."`
	PasswordFile string   `yaml:"password_file" jsonschema_description:"File that holds the password of the page, or its bcrypt hash. Empty: web-password in the state folder, made at the first start."`
	TokenFile    string   `yaml:"token_file" jsonschema_description:"File that holds a token with which programs may read /api/snapshot."`
	CertFile     string   `yaml:"cert_file" jsonschema_description:"PEM file with the certificate of the page, for HTTPS."`
	KeyFile      string   `yaml:"key_file" jsonschema_description:"PEM file with the private key of the certificate."`
	Token        string   `yaml:"-"`
}

// Network says where devices are looked for over IP, and how gently.
type Network struct {
	Prefixes             []netip.Prefix `yaml:"prefixes" jsonschema_description:"Networks to look at, in place of the ones found by themselves."`
	ConnectionsPerSecond Pace           `yaml:"connections_per_second"`
}

// Pace is how many new connections a second may be opened; 0 means that
// nothing is sent.
type Pace struct {
	Device int `yaml:"device" jsonschema:"minimum=0,maximum=16" jsonschema_description:"New connections a second to one device."`
	House  int `yaml:"house" jsonschema:"minimum=0,maximum=128" jsonschema_description:"New connections a second to all devices together."`
}

// Sources are the configurations of all sources, by name.
type Sources map[string]*Source

// Source is the configuration of one source.
type Source struct {
	Enabled bool
	Config  discovery.SourceConfig
}

// defaultSources are the sources of an empty file: all are on.
func defaultSources() Sources {
	out := Sources{}
	for _, k := range builtin.Sources {
		out[k.Name] = &Source{Enabled: true, Config: k.Default()}
	}
	return out
}

// Outside lists services of third parties by name, all off. There are none in
// this version.
type Outside struct{}

// Policies says by what the home is judged.
type Policies struct {
	Packs   []string `yaml:"packs" jsonschema_description:"Folders with policies of your own."`
	Disable []string `yaml:"disable" jsonschema_description:"Ids of policies that are not to be checked."`
}

// Device is what the owner says of one device.
type Device struct {
	Match string        `yaml:"match" jsonschema:"required" jsonschema_description:"The device: MAC address, Thingwarden's id, 0x and IEEE address, or IP address."`
	Name  string        `yaml:"name" jsonschema_description:"What to call it."`
	Class string        `yaml:"class" jsonschema_description:"What sort of thing it is."`
	Touch *prober.Touch `yaml:"touch" jsonschema_description:"How far questions to it may go: listen, connect or read. Default: as set for all."`
}

// OwnerDevices are what the owner says of single devices, as sources take it.
func (c Config) OwnerDevices() []discovery.OwnerDevice {
	var out []discovery.OwnerDevice
	for _, d := range c.Devices {
		out = append(out, discovery.OwnerDevice{Match: d.Match, Name: d.Name, Class: d.Class})
	}
	return out
}

// ListenOnly reports whether nothing at all may be sent to devices.
func (c Config) ListenOnly() bool {
	pace := c.Network.ConnectionsPerSecond
	return c.Touch == prober.Listen || pace.Device == 0 || pace.House == 0
}

// Default returns the configuration of an empty file. The state folder is left
// empty: it depends on the machine.
func Default() Config {
	return Config{
		Site:           "home",
		LearningPeriod: 24 * time.Hour,
		Language:       "en",
		Touch:          prober.Read,
		Log:            Log{Level: slog.LevelInfo},
		MQTT: MQTT{
			Listen:          "127.0.0.1:1883",
			DiscoveryPrefix: "homeassistant",
			BirthTopic:      "homeassistant/status",
		},
		Web:     Web{Listen: "127.0.0.1:8686"},
		Network: Network{ConnectionsPerSecond: Pace{Device: 4, House: 32}},
		Sources: defaultSources(),
	}
}
