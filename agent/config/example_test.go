package config

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/builtin"
)

// The sources section of the example is written from the sources themselves.
func TestExampleIsCurrent(t *testing.T) {
	b, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok1 := strings.Cut(string(b), "\nsources:\n")
	_, tail, ok2 := strings.Cut(rest, "\n\n")
	if !ok1 || !ok2 {
		t.Fatal("no section \"sources:\" that an empty line ends")
	}
	var section strings.Builder
	for _, k := range builtin.Sources {
		section.WriteString(sourceExample(k))
	}
	want := head + "\nsources:\n" + strings.TrimSuffix(section.String(), "\n") + "\n\n" + tail
	if *update {
		if err := os.WriteFile(example, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(want, string(b)); d != "" {
		t.Errorf("%s is old, run \"make generate\" (-want +got):\n%s", example, d)
	}
}

// sourceExample is the example of a source: each key with its explanation and
// its default. A key that means more when it is written is a comment.
func sourceExample(kind discovery.SourceKind) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  %s:\n%s    enabled: true\n", kind.Name, comment("    ", kind.Doc))
	var matters []string
	for f := range reflect.TypeOf(kind.Default()).Elem().Fields() {
		matters = append(matters, f.Tag.Get("written"))
	}
	for _, k := range sourceKey(kind).keys[1:] {
		value, err := json.Marshal(written(k.def)) // which is YAML too
		if string(value) == "null" {
			value = []byte("[]")
		}
		if err != nil {
			panic(err)
		}
		b.WriteString(comment("    ", k.tag.Get("jsonschema_description")))
		off := ""
		if slices.Contains(matters, k.name) {
			off = "# "
		}
		fmt.Fprintf(&b, "    %s%s: %s\n", off, k.name, value)
	}
	return b.String()
}

// comment writes a text as comment lines of at most 80 columns.
func comment(indent, text string) string {
	var b strings.Builder
	line := indent + "#"
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > 80 {
			b.WriteString(line + "\n")
			line = indent + "#"
		}
		line += " " + word
	}
	return b.String() + line + "\n"
}
