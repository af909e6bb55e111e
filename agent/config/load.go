package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/viper"
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
	set := s.document(b, reflect.TypeFor[Config]())
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
	var c Config
	err := v.UnmarshalExact(&c, func(d *mapstructure.DecoderConfig) {
		d.TagName = "yaml"
		d.WeaklyTypedInput = false
		d.DecodeHook = nil
	})
	return c, err
}

// leaf is a key that holds a value and not other keys.
type leaf struct {
	key string // dotted
	typ reflect.Type
	def any    // nil: an empty list
	env string // variable that sets it; "" for a list
}

// leaves returns all keys outside lists, in the order of the structs.
func leaves() []leaf {
	return appendLeaves(nil, reflect.ValueOf(Default()), "")
}

func appendLeaves(out []leaf, v reflect.Value, key string) []leaf {
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("yaml")
		if name == "-" {
			continue
		}
		f, at := v.Field(i), join(key, name)
		switch {
		case scalarOf(f.Type()) != nil:
			out = append(out, leaf{at, f.Type(), f.Interface(), envName(at)})
		case f.Kind() == reflect.Slice:
			l := leaf{key: at, typ: f.Type()}
			if f.Len() > 0 {
				l.def = f.Interface()
			}
			out = append(out, l)
		default:
			out = appendLeaves(out, f, at)
		}
	}
	return out
}
