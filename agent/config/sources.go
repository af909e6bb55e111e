package config

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/builtin"
)

// sources checks the configuration of each source: what its tags say, and then
// what it says itself, unless the file of a secret could not be read.
func (v *validator) sources(c *Config) {
	for _, k := range builtin.Sources {
		section, unread := "sources."+k.Name, false
		s := c.Sources[k.Name]
		fields := reflect.ValueOf(s.Config).Elem()
		for i := range fields.NumField() {
			unread = !v.tagged(c, section, fields, i) || unread
		}
		if unread {
			continue
		}
		for _, e := range discovery.KeyErrors(s.Config.Validate()) {
			v.wrong(strings.TrimSuffix(join(section, e.Key), "."), "%s", e.Text)
		}
	}
}

// tagged does what the tags of a field say, as discovery.SourceConfig lists them.
// It reports false if it could not read the file of a secret.
func (v *validator) tagged(c *Config, section string, fields reflect.Value, i int) (read bool) {
	read = true
	f, tag := fields.Field(i), fields.Type().Field(i).Tag
	at := join(section, tag.Get("yaml"))
	if name := tag.Get("written"); name != "" {
		f.SetBool(v.written(join(section, name)))
	}
	if name := tag.Get("holds"); name != "" {
		for n := range fields.NumField() {
			if fields.Type().Field(n).Tag.Get("yaml") == name {
				read = v.secretFile(c, at, f.Addr().Interface().(*string), fields.Field(n).Addr().Interface().(*string), name)
			}
		}
	}
	if schemes := tag.Get("url"); schemes != "" {
		want := strings.Split(schemes, ",")
		switch x := f.Interface().(type) {
		case string:
			if x != "" {
				v.url(at, x, want...)
			}
		case []string:
			for n, u := range x {
				v.url(fmt.Sprintf("%s[%d]", at, n), u, want...)
			}
		}
	}
	return read
}

// written reports whether the owner set a key.
func (v *validator) written(key string) bool {
	_, inEnv := v.env[key]
	_, inFile := v.lines[key]
	return inEnv || inFile
}
