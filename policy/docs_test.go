package policy

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write generated files anew")

func current(t *testing.T, file string, want []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s is not current; run: go generate ./policy\n%s", file, d)
	}
}

func TestSchemaIsCurrent(t *testing.T) {
	current(t, "policy.schema.json", Schema())
}

func TestReadmeIsCurrent(t *testing.T) {
	const begin, end = "<!-- policies -->\n", "<!-- /policies -->\n"
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(b), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("README.md lacks the markers of the table")
	}
	current(t, "README.md", []byte(head+begin+Docs(core(t))+end+tail))
}

// The worked example in the README must be one that loads.
func TestReadmeExampleLoads(t *testing.T) {
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "```yaml\n")
	example, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("README.md has no example")
	}
	if _, err := Load(Options{}, pack("x", map[string]string{"telnet-open.yaml": example})); err != nil {
		t.Error(err)
	}
}

func TestSchemaTakesOurPolicies(t *testing.T) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("policy.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("policy.json")
	if err != nil {
		t.Fatal(err)
	}
	validate := func(data []byte) error {
		var v any
		if err := yaml.Unmarshal(data, &v); err != nil {
			return err
		}
		j, err := json.Marshal(v)
		if err != nil {
			return err
		}
		v, err = jsonschema.UnmarshalJSON(bytes.NewReader(j))
		if err != nil {
			return err
		}
		return schema.Validate(v)
	}
	files, err := filepath.Glob("packs/*/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no policies: %v", err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(b); err != nil {
			t.Errorf("%s: %v", f, err)
		}
		for name, bad := range map[string]string{
			"unknown key":  string(b) + "\nseverty: high\n",
			"unknown word": strings.Replace(string(b), "facts: {", "facts: {no.such: true, ", 1),
			"wrong result": strings.Replace(string(b), "want: pass", "want: passed", 1),
			"no refs":      strings.Replace(string(b), "\nrefs:", "\nreferences:", 1),
			"bad severity": strings.Replace(string(b), "\nseverity:", "\nseverity: grave\nwas:", 1),
		} {
			if validate([]byte(bad)) == nil {
				t.Errorf("%s: %s: the schema takes it", f, name)
			}
		}
	}
}
