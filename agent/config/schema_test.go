package config

import (
	"encoding/json"
	"log/slog"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/invopop/jsonschema"

	"github.com/thingwarden/thingwarden/discovery/builtin"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

func TestSchemaIsCurrent(t *testing.T) {
	want := makeSchema(t)
	if *update {
		if err := os.WriteFile("schema.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(string(want), string(Schema())); d != "" {
		t.Errorf("schema.json is old, run \"make generate\" (-want +got):\n%s", d)
	}
}

// makeSchema makes the schema from the structs.
func makeSchema(t *testing.T) []byte {
	t.Helper()
	r := &jsonschema.Reflector{
		Anonymous: true, DoNotReference: true, ExpandedStruct: true,
		FieldNameTag: "yaml", RequiredFromJSONSchemaTags: true, Mapper: scalarSchema,
	}
	s := r.Reflect(&Config{})
	sources := &jsonschema.Schema{Type: "object", Properties: jsonschema.NewProperties(), AdditionalProperties: jsonschema.FalseSchema,
		Description: "Where devices are learned from, by name of source."}
	for _, k := range builtin.Sources {
		section := r.Reflect(k.Default())
		section.Version, section.Description = "", k.Doc
		section.Properties.Set("enabled", &jsonschema.Schema{Type: "boolean", Description: "Use this source."})
		_ = section.Properties.MoveToFront("enabled")
		sources.Properties.Set(k.Name, section)
	}
	s.Properties.Set("sources", sources)
	_ = s.Properties.MoveAfter("sources", "network")
	s.Title = "Configuration of Thingwarden"
	for _, l := range leaves() {
		if p := property(s, l.key); p != nil && l.def != nil {
			p.Default = written(l.def)
		}
	}
	if p, ok := property(s, "devices").Items.Properties.Get("class"); ok {
		for _, c := range fact.Lookup("device.class").Values {
			p.Enum = append(p.Enum, c)
		}
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(b, '\n')
}

// written is a value as it would stand in the file.
func written(v any) any {
	if sc := scalarOf(reflect.TypeOf(v)); sc != nil {
		return sc.format(v)
	}
	return v
}

func property(s *jsonschema.Schema, key string) *jsonschema.Schema {
	for name := range strings.SplitSeq(key, ".") {
		p, ok := s.Properties.Get(name)
		if !ok {
			return nil
		}
		s = p
	}
	return s
}

// scalarSchema gives the types that are texts in YAML and not in Go.
func scalarSchema(t reflect.Type) *jsonschema.Schema {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t {
	case reflect.TypeFor[time.Duration]():
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
			{Type: "string", Pattern: `^([0-9]+d)?([0-9.]+(ns|us|µs|ms|s|m|h))*$`}, {Const: 0},
		}}
	case reflect.TypeFor[prober.Touch]():
		return &jsonschema.Schema{Type: "string", Enum: []any{"listen", "connect", "read"}}
	case reflect.TypeFor[slog.Level]():
		return &jsonschema.Schema{Type: "string", Enum: []any{"debug", "info", "warn", "error"}}
	case reflect.TypeFor[netip.Prefix]():
		return &jsonschema.Schema{Type: "string", Pattern: "/[0-9]+$"}
	}
	return nil
}
