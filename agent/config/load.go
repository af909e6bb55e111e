package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/viper"

	"github.com/thingwarden/thingwarden/discovery/builtin"
)

const (
	appOptions = "/data/options.json"
	maxFile    = 1 << 20
	maxDepth   = 4 // levels of keys
	// delimiter parts the levels of viper's keys; its default, a dot, could be in a name.
	delimiter = "::"
)

// Load reads the configuration: the file of that name, or for an empty name the
// first of the usual places that exists, or none. Warnings are for the log. An
// error is Problems, or says why the file can't be read.
func Load(file string) (c Config, warnings []string, err error) {
	inApp := InApp()
	if file == "" {
		file = find(inApp)
	}
	var b []byte
	if file != "" {
		if b, err = read(file); err != nil {
			return Config{}, nil, err
		}
	}
	return parse(file, b, inApp, os.Environ())
}

// InApp reports whether we run as an app (add-on) of Home Assistant: its
// Supervisor is there and has given us options.
func InApp() bool {
	_, err := os.Stat(appOptions)
	return err == nil && os.Getenv("SUPERVISOR_TOKEN") != ""
}

// find returns the first configuration file of the usual places, or "".
func find(inApp bool) string {
	if inApp {
		return appOptions
	}
	places := []string{"config.yaml"}
	if dir, err := os.UserConfigDir(); err == nil {
		places = append(places, filepath.Join(dir, "thingwarden", "config.yaml"))
	}
	places = append(places, "/etc/thingwarden/config.yaml")
	for _, p := range places {
		// A file that is there and can't be looked at must not be passed over.
		if _, err := os.Stat(p); !errors.Is(err, fs.ErrNotExist) {
			return p
		}
	}
	return ""
}

func read(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	if len(b) > maxFile {
		return nil, fmt.Errorf("reading the configuration: %s is larger than 1 MiB", file)
	}
	return b, nil
}

// parse makes a configuration of a file's bytes and the environment.
func parse(file string, b []byte, inApp bool, environ []string) (Config, []string, error) {
	s := &strict{file: file, json: filepath.Ext(file) == ".json"}
	set := s.document(b, root())
	env, warnings := s.environment(environ)

	c, err := layer(set, env)
	if err != nil {
		return Config{}, warnings, fmt.Errorf("reading the configuration: %w", err)
	}
	c.File, c.InApp = file, inApp
	if !s.json {
		c.lines = s.lines
	}
	v := &validator{strict: s, env: env}
	v.check(&c)
	if len(s.problems) > 0 {
		return Config{}, warnings, s.problems.sorted()
	}
	if err := c.fillStateDir(); err != nil {
		return Config{}, warnings, err
	}
	return c, append(warnings, v.warnings...), nil
}

// layer puts the file over the defaults and the environment over the file.
func layer(file, env map[string]any) (Config, error) {
	v := viper.NewWithOptions(viper.KeyDelimiter(delimiter))
	for _, l := range leaves() {
		if l.def != nil {
			v.SetDefault(strings.ReplaceAll(l.key, ".", delimiter), l.def)
		}
	}
	if err := v.MergeConfigMap(file); err != nil {
		return Config{}, err
	}
	for key, value := range env {
		v.Set(strings.ReplaceAll(key, ".", delimiter), value)
	}
	c := Config{Sources: Sources{}}
	all := v.AllSettings()
	sources, _ := all["sources"].(map[string]any)
	delete(all, "sources")
	if err := decode(all, &c); err != nil {
		return Config{}, err
	}
	for _, k := range builtin.Sources {
		section, _ := sources[k.Name].(map[string]any)
		on, _ := section["enabled"].(bool)
		delete(section, "enabled")
		s := &Source{Enabled: on, Config: k.Default()}
		if err := decode(section, s.Config); err != nil {
			return Config{}, err
		}
		c.Sources[k.Name] = s
	}
	return c, nil
}

// decode fills a struct; each value already has the type of its field.
func decode(from map[string]any, into any) error {
	d, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{TagName: "yaml", ErrorUnused: true, ZeroFields: true, Result: into})
	if err != nil {
		return err
	}
	return d.Decode(from)
}
