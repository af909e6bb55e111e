package inventory

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

const (
	idA = discovery.ID("mac_02000000000a")
	idB = discovery.ID("mac_02000000000b")
)

// report reports one of the two interfaces of a machine.
func interfaceSeen(t *testing.T, inv *Inventory, by, hw, addr string, at time.Time, set func(*fact.Evidence)) Outcome {
	t.Helper()
	e := fact.New(by, at)
	set(e)
	about := []discovery.Identifier{mac(t, hw)}
	if addr != "" {
		about = append(about, ip(addr))
	}
	return inv.Observe(discovery.Observation{By: by, At: at, About: about, Facts: e})
}

func online(yes bool) func(*fact.Evidence) {
	return func(e *fact.Evidence) { fact.DeviceOnline.Set(e, yes, "") }
}

// TestJoinAndSplit: a device of two parts is shown as one, what is said of either
// part counts, and to split it leaves each as it was.
func TestJoinAndSplit(t *testing.T) {
	later := noon.Add(time.Minute)
	inv := newTestInventory()
	interfaceSeen(t, inv, "neighbours", macA, "10.0.0.10", noon, online(true))
	interfaceSeen(t, inv, "neighbours", macB, "10.0.0.11", noon, online(true))
	interfaceSeen(t, inv, "telnet", macA, "", noon, func(e *fact.Evidence) { fact.TelnetOpen.Set(e, false, ""); e.Finish("telnet") })
	interfaceSeen(t, inv, "telnet", macB, "", noon, func(e *fact.Evidence) { fact.TelnetOpen.Set(e, true, "login:"); e.Finish("telnet") })
	before, _ := inv.Device(idB)

	if d := cmp.Diff(Outcome{Changed: []discovery.ID{idA}}, inv.Join(idB, idA)); d != "" {
		t.Errorf("joining (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]discovery.ID{discovery.Hub, idA}, inv.IDs()); d != "" {
		t.Errorf("devices (-want +got):\n%s", d)
	}
	if _, there := inv.Device(idB); there {
		t.Error("the part is shown as a device of its own")
	}
	whole, _ := inv.Device(idA)
	if d := cmp.Diff([]discovery.Identifier{ip("10.0.0.10"), ip("10.0.0.11"), mac(t, macA), mac(t, macB)}, whole.IDs); d != "" {
		t.Errorf("identifiers (-want +got):\n%s", d)
	}
	for _, i := range whole.IDs {
		if id, _ := inv.Find(i); id != idA {
			t.Errorf("%v is of %q, want %q", i, id, idA)
		}
	}
	value := func(word string) any {
		n, _ := inv.Evidence(idA, later).Entry(word)
		return n.Value
	}
	for _, step := range []struct {
		name string
		do   func() Outcome
		word string
		want any
	}{
		{"what one part shows counts", func() Outcome { return inv.asShown(Outcome{Changed: []discovery.ID{idB}}) }, fact.TelnetOpen.Name(), true},
		{"one interface goes away", func() Outcome { return interfaceSeen(t, inv, "neighbours", macA, "", later, online(false)) }, fact.DeviceOnline.Name(), true},
		{"both are away", func() Outcome { return interfaceSeen(t, inv, "neighbours", macB, "", later, online(false)) }, fact.DeviceOnline.Name(), false},
		{"one is back", func() Outcome { return interfaceSeen(t, inv, "neighbours", macB, "10.0.0.11", later, online(true)) }, fact.DeviceOnline.Name(), true},
		{"all addresses are probed anew", func() Outcome {
			return interfaceSeen(t, inv, "telnet", macA, "", later, func(e *fact.Evidence) { fact.TelnetOpen.Set(e, false, "") })
		}, fact.TelnetOpen.Name(), false},
	} {
		if out := step.do(); len(out.Changed) == 0 || out.Changed[0] != idA || len(out.Appeared)+len(out.Removed) > 0 {
			t.Errorf("%s: outcome %+v, want a change of %q", step.name, out, idA)
		}
		if got := value(step.word); got != step.want {
			t.Errorf("%s: %s is %v, want %v", step.name, step.word, got, step.want)
		}
	}

	// A restart keeps the parts apart as well.
	var saved []SavedDevice
	b, err := json.Marshal(inv.Save())
	if err == nil {
		err = json.Unmarshal(b, &saved)
	}
	if err != nil {
		t.Fatal(err)
	}
	inv = newTestInventory()
	inv.Restore(saved)
	inv.Join(idB, idA)
	if d := cmp.Diff([]discovery.ID{discovery.Hub, idA}, inv.IDs()); d != "" {
		t.Errorf("devices after a restart (-want +got):\n%s", d)
	}

	if d := cmp.Diff(Outcome{Changed: []discovery.ID{idB, idA}}, inv.Split(idB)); d != "" {
		t.Errorf("splitting (-want +got):\n%s", d)
	}
	after, _ := inv.Device(idB)
	if d := cmp.Diff(before.IDs, after.IDs); d != "" {
		t.Errorf("identifiers of the part (-before +after):\n%s", d)
	}
}

// TestPartWithoutWhole: the device is there as long as a part of it is.
func TestPartWithoutWhole(t *testing.T) {
	inv := newTestInventory()
	inv.Join(idB, idA)
	out := interfaceSeen(t, inv, "neighbours", macB, "10.0.0.11", noon, online(true))
	if d := cmp.Diff([]discovery.ID{idA}, out.Appeared); d != "" {
		t.Errorf("appeared (-want +got):\n%s", d)
	}
	if _, there := inv.Device(idA); !there {
		t.Error("the device is not there although its part is")
	}
	out = interfaceSeen(t, inv, "neighbours", macA, "10.0.0.10", noon, online(true))
	if len(out.Appeared) > 0 {
		t.Errorf("appeared again: %v", out.Appeared)
	}
	gone := func(hw string) Outcome {
		return inv.Observe(discovery.Observation{By: "neighbours", At: noon, About: []discovery.Identifier{mac(t, hw)}, Gone: true})
	}
	if out = gone(macA); len(out.Removed) > 0 {
		t.Errorf("removed with one part: %v", out.Removed)
	}
	if out = gone(macB); len(out.Removed) != 1 || out.Removed[0] != idA {
		t.Errorf("removed %v, want %q", out.Removed, idA)
	}
}
