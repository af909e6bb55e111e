package bridges

import (
	"encoding/json"
	"flag"
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/discovery/lab"
)

var record = flag.Bool("record", false, "interview the simulated Z-Wave nodes and write the driver's cache here, cache-*.jsonl")

// TestRecord makes cache-*.jsonl anew, which is needed when network.cjs or the
// version of zwave-js changes.
func TestRecord(t *testing.T) {
	if !*record {
		t.Skip("runs with -record only")
	}
	for _, name := range []string{"weak", "hardened"} {
		t.Run(name, func(t *testing.T) {
			z := StartZWaveJS(t, lab.New(t).Host("zwave"), ZWaveJSConfig{Hardened: name == "hardened", cold: true})
			lab.WaitFor(t, 3*time.Minute, "all interviews", func() bool {
				time.Sleep(time.Second)
				return interviewed(t, z)
			})
			time.Sleep(2 * time.Second) // the driver writes its cache a little later
			z.record(t, ".")
		})
	}
}

// interviewed reports whether all nodes that answer were interviewed.
func interviewed(t *testing.T, z *ZWaveJS) bool {
	var m struct {
		State struct {
			Nodes []struct {
				NodeID, Status int
				Ready          bool
			}
		}
	}
	if err := json.Unmarshal(z.Command(t, map[string]any{"command": "start_listening"}), &m); err != nil {
		t.Fatal(err)
	}
	for _, n := range m.State.Nodes {
		if asleepOrDead := n.Status == 1 || n.Status == 3; !n.Ready && !asleepOrDead {
			return false
		}
	}
	return len(m.State.Nodes) > 1
}
