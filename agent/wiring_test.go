package agent

import (
	"testing"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/probe"
)

func TestTelnetIsAskedBeforeTheSilentPortsRunOut(t *testing.T) {
	got := gentlestFirst(probe.All)
	if got[0].Touch != discovery.Connect {
		t.Errorf("the first probe is %s", got[0].Name)
	}
	for i := 1; i < len(got); i++ {
		if got[i-1].Touch > got[i].Touch || got[i-1].Touch == got[i].Touch && got[i-1].Name > got[i].Name {
			t.Errorf("%s comes before %s", got[i-1].Name, got[i].Name)
		}
	}
	if len(got) != len(probe.All) {
		t.Errorf("%d probes, want %d", len(got), len(probe.All))
	}
}
