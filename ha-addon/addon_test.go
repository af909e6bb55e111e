// Package addon holds the apps (formerly add-ons) of Home Assistant to what the
// Supervisor and its linter want, and to what the program understands.
package addon

import (
	"encoding/json"
	"fmt"
	"image/png"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.yaml.in/yaml/v3"

	"github.com/thingwarden/thingwarden/agent/config"
	"github.com/thingwarden/thingwarden/discovery/builtin"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/source/zwavejs"
)

var apps = []string{"thingwarden", "thingwarden-lan"}

// manifest is an app's config.yaml with the keys that we use; any other is an
// error. The Supervisor drops unknown keys without a word.
type manifest struct {
	Name          string            `yaml:"name"`
	Version       string            `yaml:"version"`
	Slug          string            `yaml:"slug"`
	Description   string            `yaml:"description"`
	URL           string            `yaml:"url"`
	Image         string            `yaml:"image"`
	Arch          []string          `yaml:"arch"`
	Stage         string            `yaml:"stage"`
	HomeAssistant string            `yaml:"homeassistant"`
	Init          *bool             `yaml:"init"`
	HostNetwork   *bool             `yaml:"host_network"`
	Ingress       *bool             `yaml:"ingress"`
	IngressPort   *int              `yaml:"ingress_port"`
	API           *bool             `yaml:"homeassistant_api"`
	PanelIcon     string            `yaml:"panel_icon"`
	PanelTitle    string            `yaml:"panel_title"`
	Services      []string          `yaml:"services"`
	Environment   map[string]string `yaml:"environment"`
	Options       map[string]any    `yaml:"options"`
	Schema        map[string]any    `yaml:"schema"`
}

// defaults are the Supervisor's (supervisor/apps/validate.py); its linter refuses
// a key that is set to one.
var defaults = map[string]any{
	"init": true, "stage": "stable", "host_network": false, "ingress": false, "homeassistant_api": false, "ingress_port": 8099,
	"panel_icon": "mdi:puzzle", "panel_admin": true, "startup": "application", "boot": "auto", "apparmor": true,
}

func load(t *testing.T, app string) (m manifest, keys map[string]any) {
	t.Helper()
	f, err := os.Open(filepath.Join(app, "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	dec := yaml.NewDecoder(f)
	dec.KnownFields(true)
	if err := dec.Decode(&m); err != nil {
		t.Fatalf("%s: %v", f.Name(), err)
	}
	read(t, f.Name(), &keys)
	return m, keys
}

func read(t *testing.T, file string, into any) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(b, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// each runs a test for each app.
func each(t *testing.T, body func(t *testing.T, app string, m manifest)) {
	for _, app := range apps {
		t.Run(app, func(t *testing.T) {
			m, _ := load(t, app)
			body(t, app, m)
		})
	}
}

func TestManifest(t *testing.T) {
	each(t, func(t *testing.T, app string, m manifest) {
		_, keys := load(t, app)
		for key, value := range keys {
			if d, ok := defaults[key]; ok && d == value {
				t.Errorf("%s: %v is the default; leave it out", key, value)
			}
			if slices.Contains([]string{"privileged", "full_access", "docker_api", "hassio_role", "host_pid", "map", "ports"}, key) {
				t.Errorf("%s: the app promises not to ask for that", key)
			}
		}
		if want := strings.ReplaceAll(app, "-", "_"); m.Slug != want {
			t.Errorf("slug %q, want %q", m.Slug, want)
		}
		if diff := cmp.Diff([]string{"aarch64", "amd64"}, m.Arch); diff != "" {
			t.Errorf("arch (-want +got):\n%s", diff)
		}
		for name, text := range map[string]string{"name": m.Name, "description": m.Description, "url": m.URL} {
			if text == "" {
				t.Errorf("%s is empty", name)
			}
		}
		if strings.ContainsAny(m.Image, ":{") || !regexp.MustCompile(`^\d+\.\d+\.\d+$`).MatchString(m.Version) {
			t.Errorf("image %q and version %q: the Supervisor makes image:version of them", m.Image, m.Version)
		}
		if dynamic := m.IngressPort != nil && *m.IngressPort == 0; dynamic != (m.HostNetwork != nil) {
			t.Error("ingress_port 0 belongs to host_network, and only there")
		}
		for _, file := range []string{filepath.Join(app, "CHANGELOG.md"), "../CHANGELOG.md"} {
			if b, err := os.ReadFile(file); err != nil || !strings.Contains(string(b), "\n## ["+m.Version+"]") {
				t.Errorf("%s does not tell of version %s (%v)", file, m.Version, err)
			}
		}
	})
	a, _ := load(t, apps[0])
	b, _ := load(t, apps[1])
	if a.Version != b.Version || a.Image != b.Image || a.Slug == b.Slug || a.Name == b.Name {
		t.Error("both apps have one version and image, and each its own name")
	}
}

// TestOptions: what the form gives is read by the code that reads the file, and
// an untouched form is the default configuration.
func TestOptions(t *testing.T) {
	each(t, func(t *testing.T, _ string, m manifest) {
		for _, key := range slices.Sorted(maps.Keys(m.Options)) {
			if m.Schema[key] == nil {
				t.Errorf("option %s has no schema", key)
			} else if err := fits(m.Options[key], m.Schema[key]); err != nil {
				t.Errorf("default of %s: %v", key, err)
			}
		}
		for key, schema := range m.Schema {
			if text, ok := schema.(string); m.Options[key] == nil && (!ok || !strings.HasSuffix(text, "?")) {
				t.Errorf("option %s has no default and can't be left out", key)
			}
		}
		for name, value := range m.Environment {
			t.Setenv(name, value)
		}
		want := config.Default()
		want.Sources["zwavejs"].Config = &zwavejs.Config{Written: true} // another container's 127.0.0.1
		for name, value := range m.Environment {
			on, err := strconv.ParseBool(value)
			source, isEnabled := strings.CutSuffix(strings.TrimPrefix(name, "THINGWARDEN_SOURCES_"), "_ENABLED")
			s := want.Sources[strings.ToLower(source)]
			if err != nil || !isEnabled || s == nil {
				t.Fatalf("environment: %s: %q is not tested", name, value)
			}
			s.Enabled = on
		}
		got := options(t, m.Options)
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(config.Config{}, "File", "StateDir"), cmpopts.IgnoreUnexported(config.Config{}), cmpopts.EquateEmpty(), cmpopts.EquateComparable()); diff != "" {
			t.Errorf("configuration of the untouched form (-want +got):\n%s", diff)
		}
	})
}

// TestOptionsOfSources: the form has those keys of the sources that are tagged
// `app`, and no other; a failure says what to write.
func TestOptionsOfSources(t *testing.T) {
	want := map[string]any{}
	for _, kind := range builtin.Sources {
		for _, f := range reflect.VisibleFields(reflect.TypeOf(kind.Default()).Elem()) {
			schema, inApp := f.Tag.Lookup("app")
			if !inApp {
				continue
			}
			key := "sources." + kind.Name + "." + f.Tag.Get("yaml")
			if want[key] = schema; f.Type.Kind() == reflect.Slice {
				want[key] = []any{schema}
			}
		}
	}
	each(t, func(t *testing.T, app string, m manifest) {
		got := maps.Clone(m.Schema)
		maps.DeleteFunc(got, func(key string, _ any) bool { return !strings.HasPrefix(key, "sources.") })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("write these keys of the sources into schema of %s/config.yaml, with a default in options and a name in translations (-want +got):\n%s", app, diff)
		}
	})
}

// TestEveryOptionIsRead: an option that the program does not know would stop it.
func TestEveryOptionIsRead(t *testing.T) {
	filled := map[string]any{
		"touch": "listen", "learning_period": "1d12h", "log": map[string]any{"level": "debug"},
		"mqtt":                                  map[string]any{"url": "mqtts://192.168.1.10:8883", "username": "me", "password": "secret", "discovery_prefix": "ha"},
		"network":                               map[string]any{"prefixes": []any{"192.168.1.0/24", "fd00:1::/64"}},
		"network.connections_per_second.device": 0, "network.connections_per_second.house": 128,
		"sources.zwavejs.urls": []any{"ws://core-zwave-js:3000"},
		"policies":             map[string]any{"disable": []any{"telnet-open"}},
		"devices":              []any{map[string]any{"match": "aa:bb:cc:dd:ee:ff", "name": "Porch", "class": "camera", "touch": "connect"}},
	}
	each(t, func(t *testing.T, _ string, m manifest) {
		set := map[string]any{}
		for key, schema := range m.Schema {
			if err := fits(filled[key], schema); err != nil {
				t.Errorf("%s: the form would refuse %v: %v", key, filled[key], err)
			}
			set[key] = filled[key]
			if diff := cmp.Diff(fields(schema), fieldsOf(filled[key])); diff != "" {
				t.Errorf("%s: fields that this test fills in (-schema +test):\n%s", key, diff)
			}
		}
		options(t, set)
	})
}

// options loads what the Supervisor would write into /data/options.json.
func options(t *testing.T, values map[string]any) config.Config {
	t.Helper()
	b, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "options.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	c, warnings, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(warnings) > 0 {
		t.Errorf("warnings: %v", warnings)
	}
	return c
}

// fits checks a value against a schema of the Supervisor (supervisor/apps/options.py)
// as far as ours go.
func fits(v, schema any) error {
	switch schema := schema.(type) {
	case []any:
		list, ok := v.([]any)
		if !ok {
			return fmt.Errorf("%v is no list", v)
		}
		for _, x := range list {
			if err := fits(x, schema[0]); err != nil {
				return err
			}
		}
	case map[string]any:
		group, ok := v.(map[string]any)
		if !ok {
			return fmt.Errorf("%v has no fields", v)
		}
		for name, s := range schema {
			text, single := s.(string)
			if x, there := group[name]; there {
				if err := fits(x, s); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
			} else if !single || !strings.HasSuffix(text, "?") {
				return fmt.Errorf("%s is missing", name)
			}
		}
	case string:
		return fitsType(v, strings.TrimSuffix(schema, "?"))
	}
	return nil
}

func fitsType(v any, schema string) error {
	m := regexp.MustCompile(`^(str|password|list|match|int)(?:\((.*)\))?$`).FindStringSubmatch(schema)
	if m == nil {
		return fmt.Errorf("type %q is not known", schema)
	}
	text, isText := v.(string)
	ok := isText
	switch m[1] {
	case "list":
		ok = slices.Contains(strings.Split(m[2], "|"), text)
	case "match":
		ok = isText && regexp.MustCompile(m[2]).MatchString(text)
	case "int":
		from, to, _ := strings.Cut(m[2], ",")
		low, _ := strconv.Atoi(from)
		high, _ := strconv.Atoi(to)
		n, isInt := v.(int)
		ok = isInt && low <= n && n <= high
	}
	if !ok {
		return fmt.Errorf("%v is not of %s", v, schema)
	}
	return nil
}

// fields are the names below an option, sorted.
func fields(schema any) []string {
	if list, ok := schema.([]any); ok {
		schema = list[0]
	}
	group, _ := schema.(map[string]any)
	return slices.Sorted(maps.Keys(group))
}

func fieldsOf(v any) []string {
	if list, ok := v.([]any); ok && len(list) > 0 {
		v = list[0]
	}
	return fields(v)
}

func TestClassesAreThoseOfTheVocabulary(t *testing.T) {
	each(t, func(t *testing.T, _ string, m manifest) {
		device := m.Schema["devices"].([]any)[0].(map[string]any)
		if want := "list(" + strings.Join(fact.Lookup("device.class").Values, "|") + ")?"; device["class"] != want {
			t.Errorf("class is %v, want %s", device["class"], want)
		}
	})
}

type translation struct {
	Name        string                 `yaml:"name"`
	Description string                 `yaml:"description"`
	Fields      map[string]translation `yaml:"fields"`
}

// TestTranslations: each language names and explains each option and field, no
// other, and both apps use the same words.
func TestTranslations(t *testing.T) {
	seen := map[string]translation{}
	each(t, func(t *testing.T, app string, m manifest) {
		files, err := filepath.Glob(filepath.Join(app, "translations", "*.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		var languages []string
		for _, file := range files {
			lang := strings.TrimSuffix(filepath.Base(file), ".yaml")
			languages = append(languages, lang)
			var in struct {
				Configuration map[string]translation `yaml:"configuration"`
			}
			read(t, file, &in)
			if diff := cmp.Diff(slices.Sorted(maps.Keys(m.Schema)), slices.Sorted(maps.Keys(in.Configuration))); diff != "" {
				t.Errorf("%s: options (-schema +translated):\n%s", file, diff)
			}
			for key, tr := range in.Configuration {
				complete(t, file, key, tr)
				if diff := cmp.Diff(fields(m.Schema[key]), slices.Sorted(maps.Keys(tr.Fields))); diff != "" {
					t.Errorf("%s: fields of %s (-schema +translated):\n%s", file, key, diff)
				}
				if other, ok := seen[lang+key]; ok {
					if diff := cmp.Diff(other, tr); diff != "" {
						t.Errorf("%s: %s is called differently in the other app:\n%s", file, key, diff)
					}
				}
				seen[lang+key] = tr
			}
		}
		if diff := cmp.Diff([]string{"de", "en", "es", "fr", "nl"}, languages); diff != "" {
			t.Errorf("languages (-want +got):\n%s", diff)
		}
	})
}

func complete(t *testing.T, file, key string, tr translation) {
	t.Helper()
	if tr.Name == "" || tr.Description == "" || !strings.HasSuffix(tr.Description, ".") {
		t.Errorf("%s: %s needs a name and a sentence that explains it", file, key)
	}
	for name, f := range tr.Fields {
		complete(t, file, key+"."+name, f)
	}
}

// TestDocs: each option has a heading and each of its fields is mentioned; the
// example is one that the form and the program take.
func TestDocs(t *testing.T) {
	each(t, func(t *testing.T, app string, m manifest) {
		b, err := os.ReadFile(filepath.Join(app, "DOCS.md"))
		if err != nil {
			t.Fatal(err)
		}
		docs := string(b)
		var headings []string
		for _, h := range regexp.MustCompile("(?m)^### Option: `(.+)`$").FindAllStringSubmatch(docs, -1) {
			headings = append(headings, h[1])
		}
		slices.Sort(headings)
		if diff := cmp.Diff(slices.Sorted(maps.Keys(m.Schema)), headings); diff != "" {
			t.Errorf("headings of options (-schema +docs):\n%s", diff)
		}
		for key, schema := range m.Schema {
			_, section, _ := strings.Cut(docs, "### Option: `"+key+"`\n")
			section, _, _ = strings.Cut(section, "\n##")
			for _, field := range fields(schema) {
				if !strings.Contains(section, "`"+field+"`") {
					t.Errorf("the section of %s does not explain %s", key, field)
				}
			}
		}
		for _, part := range []string{"Prerequisites", "Installation", "How to use", "Configuration", "Known limitations", "Troubleshooting", "Removal", "Changelog & releases", "Support", "Licence"} {
			if !strings.Contains(docs, "\n## "+part+"\n") {
				t.Errorf("there is no part %q", part)
			}
		}
		_, example, _ := strings.Cut(docs, "```yaml\n")
		example, _, _ = strings.Cut(example, "```")
		var values map[string]any
		if err := yaml.Unmarshal([]byte(example), &values); err != nil || len(values) == 0 {
			t.Fatalf("example: %d keys, %v", len(values), err)
		}
		for key, v := range values {
			if err := fits(v, m.Schema[key]); err != nil || m.Schema[key] == nil {
				t.Errorf("example: %s: %v", key, err)
			}
		}
		options(t, values)
	})
}

func TestPictures(t *testing.T) {
	for _, app := range apps {
		for name, size := range map[string][2]int{"icon.png": {128, 128}, "logo.png": {250, 100}} {
			f, err := os.Open(filepath.Join(app, name))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			c, err := png.DecodeConfig(f)
			if err != nil || c.Width != size[0] || c.Height != size[1] {
				t.Errorf("%s: %d × %d, %v; want %v", f.Name(), c.Width, c.Height, err, size)
			}
		}
	}
}

// TestProfile: AppArmor reads the profiles, and they give no more than the app
// says it has.
func TestProfile(t *testing.T) {
	each(t, func(t *testing.T, app string, m manifest) {
		file := filepath.Join(app, "apparmor.txt")
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		names := regexp.MustCompile(`(?m)^profile (\S+) `).FindAllStringSubmatch(string(b), -1)
		if len(names) != 1 || names[0][1] != m.Slug {
			t.Errorf("profiles %v, want %s", names, m.Slug)
		}
		rules := regexp.MustCompile(`(?m)^ *(capability|network) ?(.*),$`).FindAllStringSubmatch(string(b), -1)
		var got []string
		for _, r := range rules {
			got = append(got, r[1]+" "+r[2])
		}
		want := []string{"network inet stream", "network inet dgram", "network inet6 stream", "network inet6 dgram", "network netlink raw"}
		if m.HostNetwork != nil {
			want = append(want, "network packet raw", "capability net_raw")
		}
		if diff := cmp.Diff(append(want, "network unix stream"), got); diff != "" {
			t.Errorf("network and capabilities (-want +got):\n%s", diff)
		}
		parser, err := exec.LookPath("apparmor_parser")
		if err != nil {
			if strings.Contains(os.Getenv("TEST_REQUIRE"), "e2e") {
				t.Fatal("apparmor_parser is not installed")
			}
			t.Skip("apparmor_parser is not installed")
		}
		if out, err := exec.Command(parser, "--skip-kernel-load", "--skip-cache", file).CombinedOutput(); err != nil {
			t.Errorf("apparmor_parser: %v\n%s", err, out)
		}
	})
}

// TestRepository: the Supervisor finds the repository's name at the top, and takes
// every file called config.* (yaml, yml, json) for an app.
func TestRepository(t *testing.T) {
	var r struct{ Name, URL, Maintainer string }
	read(t, "../repository.yaml", &r)
	if r.Name == "" || r.URL == "" || r.Maintainer == "" {
		t.Errorf("repository.yaml lacks something: %+v", r)
	}
	out, err := exec.Command("git", "-C", "..", "ls-files").Output()
	if err != nil {
		t.Skipf("not a git clone: %v", err)
	}
	known := []string{"config.example.yaml", "ha-addon/thingwarden/config.yaml", "ha-addon/thingwarden-lan/config.yaml"}
	for file := range strings.FieldsSeq(string(out)) {
		base, ext := filepath.Base(file), filepath.Ext(file)
		if strings.HasPrefix(base, "config.") && slices.Contains([]string{".yaml", ".yml", ".json"}, ext) &&
			!strings.HasPrefix(file, ".") && !strings.Contains(file, "/.") && !slices.Contains(known, file) {
			t.Errorf("%s: the Supervisor would take it for an app; give it another name", file)
		}
	}
}
