package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/thingwarden/thingwarden/agent/config"
	"github.com/thingwarden/thingwarden/agent/offline"
	"github.com/thingwarden/thingwarden/discovery/builtin"
	"github.com/thingwarden/thingwarden/discovery/prober"
	"github.com/thingwarden/thingwarden/discovery/product"
)

func TestTelnetIsProbedBeforeTheSilentPortsRunOut(t *testing.T) {
	got := gentlestFirst(builtin.Probes)
	if got[0].Touch != prober.Connect {
		t.Errorf("the first probe is %s", got[0].Name)
	}
	for i := 1; i < len(got); i++ {
		if got[i-1].Touch > got[i].Touch || got[i-1].Touch == got[i].Touch && got[i-1].Name > got[i].Name {
			t.Errorf("%s comes before %s", got[i-1].Name, got[i].Name)
		}
	}
	if len(got) != len(builtin.Probes) {
		t.Errorf("%d probes, want %d", len(got), len(builtin.Probes))
	}
}

func TestUnknownPolicyIsReportedWithItsPlace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte("policies:\n  disable:\n    - new-device\n    - telnet-opn\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, _, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	_, err = offline.LoadPolicies(cfg)
	want := file + `:4: policies.disable[1]: unknown policy "telnet-opn": did you mean "telnet-open"?`
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %s in it", err, want)
	}
}

// Cards give first steps for policies that there are: a mistyped id would never be
// read.
func TestRemediesOfCardsHaveAPolicy(t *testing.T) {
	set, err := offline.LoadPolicies(config.Default())
	if err != nil {
		t.Fatal(err)
	}
	cards, err := product.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, card := range cards.All() {
		for id := range card.Remedies {
			if p := set.Policy(id); p == nil || p.ID != id {
				t.Errorf("%s/card.yaml: remedies: there is no policy %q", card.Folder, id)
			}
		}
	}
}
