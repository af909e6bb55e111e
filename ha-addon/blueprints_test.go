package addon

import (
	"bytes"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

const blueprintSource = "https://github.com/thingwarden/thingwarden/blob/main/ha-addon/blueprints/"

// blueprint is the part of a blueprint that Home Assistant shows before it runs;
// any other key is an error.
type blueprint struct {
	Name          string                    `yaml:"name"`
	Description   string                    `yaml:"description"`
	Domain        string                    `yaml:"domain"`
	Author        string                    `yaml:"author"`
	SourceURL     string                    `yaml:"source_url"`
	Input         map[string]blueprintInput `yaml:"input"`
	HomeAssistant struct {
		MinVersion string `yaml:"min_version"`
	} `yaml:"homeassistant"`
}

type blueprintInput struct {
	Name        string         `yaml:"name"`
	Description string         `yaml:"description"`
	Default     any            `yaml:"default"`
	Selector    map[string]any `yaml:"selector"`
}

// TestBlueprints holds the blueprints to what a real Home Assistant would say only
// to the user who imports one. That they work there is tested in agent/e2e.
func TestBlueprints(t *testing.T) {
	files, err := filepath.Glob("blueprints/*.yaml")
	if err != nil || len(files) != 6 {
		t.Fatalf("%d blueprints, %v, want 6", len(files), err)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			m, used := loadBlueprint(t, file)
			file := filepath.Base(file)
			declared := slices.Sorted(maps.Keys(m.Input))
			if d := cmp.Diff(declared, used); d != "" {
				t.Errorf("inputs (-declared +used):\n%s", d)
			}
			if m.SourceURL != blueprintSource+file || m.Domain != "automation" || m.Author == "" || m.HomeAssistant.MinVersion != "2025.10.0" {
				t.Errorf("source_url %q, domain %q, author %q, min_version %q", m.SourceURL, m.Domain, m.Author, m.HomeAssistant.MinVersion)
			}
			if !strings.HasPrefix(m.Name, "Thingwarden: ") || m.Description == "" {
				t.Errorf("name %q, description %q", m.Name, m.Description)
			}
			for key, in := range m.Input {
				if in.Name == "" || in.Description == "" || len(in.Selector) != 1 || in.Default == nil {
					t.Errorf("input %s has no name, description, default or selector: %+v", key, in)
				}
			}
			link := "https://my.home-assistant.io/redirect/blueprint_import/?blueprint_url=" + url.QueryEscape(m.SourceURL)
			if !bytes.Contains(readme, []byte(link)) {
				t.Errorf("the README has no link %s", link)
			}
		})
	}
}

// loadBlueprint reads a blueprint, and which inputs it uses.
func loadBlueprint(t *testing.T, file string) (blueprint, []string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var body map[string]yaml.Node
	if err := yaml.Unmarshal(b, &body); err != nil {
		t.Fatal(err)
	}
	keys := slices.Sorted(maps.Keys(body))
	for _, key := range []string{"actions", "blueprint", "mode", "triggers", "variables"} {
		if !slices.Contains(keys, key) {
			t.Errorf("no %q among %v", key, keys)
		}
	}
	head := body["blueprint"]
	text, err := yaml.Marshal(&head)
	if err != nil {
		t.Fatal(err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	var m blueprint
	if err := dec.Decode(&m); err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for key, node := range body {
		if key != "blueprint" {
			inputs(&node, used)
		}
	}
	return m, slices.Sorted(maps.Keys(used))
}

func inputs(n *yaml.Node, used map[string]bool) {
	if n.Tag == "!input" {
		used[n.Value] = true
	}
	for _, c := range n.Content {
		inputs(c, used)
	}
}

// TestInputsAreFound: the test above would be content with a walk that sees none.
func TestInputsAreFound(t *testing.T) {
	var n yaml.Node
	if err := yaml.Unmarshal([]byte("a: [{b: !input one}, !input two]\n"), &n); err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	inputs(&n, used)
	if got := fmt.Sprint(used); got != "map[one:true two:true]" {
		t.Errorf("got %s", got)
	}
}
