package product

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestProbesSetProductsOfCards: what sources and probes say of device.product is
// the id of a card's product, so that its remedies and dates of firmware count.
func TestProbesSetProductsOfCards(t *testing.T) {
	c := load(t)
	sets := regexp.MustCompile(`fact\.DeviceProduct(?:\.Set\(|,)`)
	// The forms in which Go sets the word: what it is set to, or where else that
	// stands as a text.
	literal := regexp.MustCompile(`fact\.DeviceProduct\.Set\(\w+, "([^"]*)"`)
	table := regexp.MustCompile(`\bproduct: "([^"]+)"`)
	integration := regexp.MustCompile(`domain == "([^"]*)" \{\s+d\.platform = domain`)
	elsewhere := map[string]string{"../source/homeassistant/things.go": "../source/homeassistant/registry.go"}
	values := 0
	check := func(file string, found [][]string) {
		for _, m := range found {
			values++
			if c.Card(m[1]) == nil {
				t.Errorf("%s: device.product is set to %q, which is on no card", file, m[1])
			}
		}
	}
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		found := literal.FindAllStringSubmatch(string(text), -1)
		if sets.Match(text) {
			found = append(found, table.FindAllStringSubmatch(string(text), -1)...)
		}
		check(file, found)
		if other := elsewhere[filepath.ToSlash(file)]; other != "" {
			more, err := os.ReadFile(other)
			if err != nil {
				return err
			}
			from := integration.FindAllStringSubmatch(string(more), -1)
			check(other, from)
			found = append(found, from...)
		}
		if n := len(sets.FindAllString(string(text), -1)); n > len(found) {
			t.Errorf("%s sets device.product %d times, and %d values are found: set it to a text, or tell this test where the values stand", file, n, len(found))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if values < 4 {
		t.Errorf("%d values found, want those of Shelly, ESPHome, Tasmota and Home Assistant's Shelly at least", values)
	}
}
