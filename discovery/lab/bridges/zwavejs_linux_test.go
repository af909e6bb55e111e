package bridges

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/lab"
	"github.com/thingwarden/thingwarden/discovery/source/zwavejs"
)

// The words of the weak Z-Wave home. What is not there is not told.
var weakZWave = map[string]string{
	"cafe0001_1":  `"ZW090" class=bridge firmware=1.15 manufacturer=AEON Labs model=ZW090 online=true zwave.inclusion_open=false zwave.status=alive`,
	"cafe0001_2":  `"BE469" class=lock firmware=3.3 manufacturer=Allegion model=BE469 online=true zwave.entry_control=true zwave.security=none zwave.status=alive zwave.supports_s2=false`,
	"cafe0001_3":  `"YRD256-ZW3" class=lock firmware=7.12 manufacturer=Yale model=YRD256-ZW3 online=true zwave.entry_control=true zwave.security=s2-access-control zwave.status=alive zwave.supports_s2=true`,
	"cafe0001_4":  `"ZW100" class=sensor firmware=1.13 manufacturer=AEON Labs model=ZW100 online=true zwave.entry_control=false zwave.security=s2-unauthenticated zwave.status=alive zwave.supports_s2=true`,
	"cafe0001_5":  `"ZEN15" class=switch firmware=1.2 manufacturer=Zooz model=ZEN15 online=true zwave.entry_control=false zwave.security=s0 zwave.status=alive zwave.supports_s2=false`,
	"cafe0001_6":  `"ZEN15" class=switch firmware=1.2 manufacturer=Zooz model=ZEN15 online=true zwave.entry_control=false zwave.security=none zwave.status=alive zwave.supports_s2=false`,
	"cafe0001_7":  `"" class=appliance online=false zwave.status=dead`,
	"cafe0001_8":  `"" class=sensor online=true zwave.status=asleep`,
	"cafe0001_10": `"YRD256-ZW3" class=lock firmware=7.12 manufacturer=Yale model=YRD256-ZW3 online=true zwave.entry_control=true zwave.security=s0 zwave.status=alive zwave.supports_s2=true`,
	"cafe0001_11": `"ZEN15" class=switch firmware=1.2 manufacturer=Zooz model=ZEN15 online=true zwave.entry_control=false zwave.security=s0 zwave.status=alive zwave.supports_s2=true`,
	"cafe0001_12": `"ZW162" class=siren firmware=1.5 manufacturer=Aeotec Ltd. model=ZW162 online=true zwave.entry_control=false zwave.security=none zwave.status=alive zwave.supports_s2=false`,
}

// The words of its hardened twin.
var hardenedZWave = map[string]string{
	"cafe0002_1": weakZWave["cafe0001_1"],
	"cafe0002_3": weakZWave["cafe0001_3"],
	"cafe0002_4": strings.Replace(weakZWave["cafe0001_4"], "s2-unauthenticated", "s2-authenticated", 1),
	"cafe0002_5": strings.NewReplacer("=s0", "=s2-authenticated", "s2=false", "s2=true").Replace(weakZWave["cafe0001_5"]),
	"cafe0002_6": strings.NewReplacer("=none", "=s2-authenticated", "s2=false", "s2=true").Replace(weakZWave["cafe0001_12"]),
}

func inclusionOpen(o discovery.Observation) bool {
	v, _ := fact.ZWaveInclusionOpen.Get(o.Facts)
	return v
}

func TestZWaveJS(t *testing.T) {
	l := lab.New(t)
	z := StartZWaveJS(t, l.Host("zwave"), ZWaveJSConfig{})
	v := follow(t, &zwavejs.Config{URLs: []string{z.URL}}, nil)
	want := maps.Clone(weakZWave)
	v.expect(t, 60*time.Second, want)
	verdicts := map[string]string{
		"cafe0001_2":  "zwave-no-security high",
		"cafe0001_6":  "zwave-no-security low",
		"cafe0001_7":  "zwave-lock-not-ac ?, zwave-no-security ?, zwave-s0 ?",
		"cafe0001_8":  "zwave-lock-not-ac ?, zwave-no-security ?, zwave-s0 ?",
		"cafe0001_10": "zwave-lock-not-ac high",
		"cafe0001_11": "zwave-s0 low",
		"cafe0001_12": "zwave-no-security high",
	}
	if d := cmp.Diff(verdicts, v.verdicts(t)); d != "" {
		t.Errorf("verdicts (-want +got):\n%s", d)
	}

	// The owner adds a device, and forgets to close the network after the next one.
	began := time.Now()
	z.Include(t)
	lab.WaitFor(t, 10*time.Second, "the network reported as open", func() bool { return v.reported(inclusionOpen) })
	t.Logf("open reported %v after the command was sent", time.Since(began))
	want["cafe0001_9"] = `"ZEN15" class=switch firmware=1.2 manufacturer=Zooz model=ZEN15 online=true zwave.entry_control=false zwave.security=none zwave.status=alive zwave.supports_s2=true`
	v.expect(t, 60*time.Second, want)
	t.Logf("newcomer interviewed %v after the command was sent", time.Since(began))
	z.Include(t)
	want["cafe0001_1"] = strings.Replace(want["cafe0001_1"], "open=false", "open=true", 1)
	v.expect(t, 10*time.Second, want)
	z.StopInclusion(t)
	want["cafe0001_1"] = weakZWave["cafe0001_1"]
	v.expect(t, 10*time.Second, want)

	// The server dies and comes back.
	z.Kill()
	lab.WaitFor(t, 10*time.Second, "the server reported as down", func() bool { s, _ := v.health(); return s == discovery.Down })
	for id, words := range v.words() {
		if strings.Contains(words, "online=") || strings.Contains(words, "inclusion_open=") || strings.Contains(words, "status=") {
			t.Errorf("%s: while the server is down: %s", id, words)
		}
	}
	z.Start(t)
	delete(want, "cafe0001_9") // the simulated stick forgets what joined
	v.expect(t, 90*time.Second, want)
	if s, problem := v.health(); s != discovery.OK {
		t.Errorf("health after its return: %s %s", s, problem)
	}
}

// TestZWaveJSHardened: nothing is wrong in the hardened twin.
func TestZWaveJSHardened(t *testing.T) {
	l := lab.New(t)
	z := StartZWaveJS(t, l.Host("zwave"), ZWaveJSConfig{Hardened: true})
	v := follow(t, &zwavejs.Config{URLs: []string{z.URL}}, nil)
	v.expect(t, 60*time.Second, hardenedZWave)
	if d := cmp.Diff(map[string]string{}, v.verdicts(t)); d != "" {
		t.Errorf("verdicts (-want +got):\n%s", d)
	}
}
