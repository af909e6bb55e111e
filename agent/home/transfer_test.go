package home

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/policy"
)

func TestParseTransfer(t *testing.T) {
	const good = `{"format":"thingwarden decisions","version":1,"exported":"2026-11-23T12:00:00Z","devices":{"mac_000c43000001":{"first_seen":"2026-11-23T12:00:00Z"}}}`
	with := func(device string) string {
		return strings.Replace(good, `"first_seen":"2026-11-23T12:00:00Z"`, `"first_seen":"2026-11-23T12:00:00Z",`+device, 1)
	}
	for _, tt := range []struct{ name, in, want string }{
		{"good", good, ""},
		{"empty", "", "line 1: not valid JSON: unexpected end of JSON input"},
		{"cut off", "{\n\"format\":", "line 2: not valid JSON: unexpected end of JSON input"},
		{"a file of decisions", `{"version":2,"install":"x"}`, "format: want \"thingwarden decisions\", have \"\": this is no file that `thingwarden export` wrote"},
		{"newer", strings.Replace(good, `"version":1`, `"version":2`, 1), "version: 2 is of a newer Thingwarden; this one reads up to 1"},
		{"no version", strings.Replace(good, `"version":1,`, ``, 1), "version: want 1 or more, have 0"},
		{"two", good + good, "line 1: not valid JSON: invalid character '{' after top-level value"},
		{"unknown key", with(`"colour":"red"`), `json: unknown field "colour"`},
		{"wrong type", with("\n\"trusted\":3"), "line 2: devices.trusted: want bool, have number"},
		{"no id", strings.Replace(good, "mac_000c43000001", "hub", 1), "devices.hub: this is no device's lasting id"},
		{"address", strings.Replace(good, "mac_000c43000001", "ip_10_0_0_1", 1), "devices.ip_10_0_0_1: this is no device's lasting id"},
		{"other spelling", strings.Replace(good, "mac_000c43000001", "MAC_000c43000001", 1), "devices.MAC_000c43000001: this is no device's lasting id"},
		{"null", strings.Replace(good, `{"first_seen":"2026-11-23T12:00:00Z"}`, "null", 1), "devices.mac_000c43000001: is empty"},
		{"long name", with(`"name":"` + strings.Repeat("x", 61) + `"`), "devices.mac_000c43000001.name: want one line of at most 60 characters"},
		{"escape in a room", with(`"room":"a\u001b[2J"`), "devices.mac_000c43000001.room: want one line of at most 60 characters"},
		{"class", with(`"class":"toaster"`), `devices.mac_000c43000001.class: unknown class "toaster"`},
		{"never seen", strings.Replace(good, `"first_seen":"2026-11-23T12:00:00Z"`, "", 1), "devices.mac_000c43000001.first_seen: is missing"},
		{"long reason", with(`"accepted":{"telnet-open":{"reason":"` + strings.Repeat("x", 501) + `"}}`), "devices.mac_000c43000001.accepted.telnet-open.reason: want at most 500 characters"},
		{"no policy", with(`"accepted":{"":{}}`), `devices.mac_000c43000001.accepted: "" is no policy's id`},
		{"hidden", good[:len(good)-1] + `,"hidden":{"x":"2026-11-23T12:00:00Z"}}`, "hidden.x: this is no device's lasting id"},
		{"too large", good + strings.Repeat(" ", MaxTransfer), "larger than 8 MiB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseTransfer([]byte(tt.in))
			if got := errorText(err); got != tt.want {
				t.Errorf("error %q, want %q", got, tt.want)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// What was exported is in force elsewhere, and takes nothing from what was decided
// there.
func TestImportMerges(t *testing.T) {
	const other, third = discovery.ID("mac_000c43000002"), discovery.ID("mac_000c43000003")
	from := newHome(t, 0)
	from.see(1, telnet(true))
	from.see(2, nil)
	from.see(3, nil)
	from.do(report.Command{Action: report.Accept, Device: cameraID, Policy: "telnet-open", Reason: "from there"})
	from.do(report.Command{Action: report.Name, Device: cameraID, Value: "There"})
	from.do(report.Command{Action: report.Class, Device: cameraID, Value: "camera"})
	from.do(report.Command{Action: report.Mute, Device: other})
	from.do(report.Command{Action: report.Hide, Device: third})
	const routed = discovery.ID("ip_10_0_0_9")
	from.dec.Devices[routed] = &Known{FirstSeen: noon, Trusted: true}
	const fourth = discovery.ID("mac_000c43000004")
	from.dec.Devices[fourth] = &Known{FirstSeen: noon, PartOf: routed}
	exported, left := from.dec.Export(noon)
	if d := cmp.Diff([]discovery.ID{routed, fourth}, left); d != "" {
		t.Errorf("left out (-want +got):\n%s", d)
	}
	in, err := ParseTransfer(mustJSON(t, exported))
	if err != nil {
		t.Fatal(err)
	}

	to := newHome(t, 0)
	to.now = noon.Add(time.Hour)
	to.see(1, telnet(true))
	to.see(2, nil)
	to.do(report.Command{Action: report.Trust, Device: other})
	to.do(report.Command{Action: report.Name, Device: cameraID, Value: "Here"})
	to.do(report.Command{Action: report.ListenOnly, Device: cameraID})
	install := to.dec.Install
	before := mustJSON(t, to.dec)
	dec, errs := to.Preview([]Decision{Import{in}}, to.now)
	if errs[0] != nil || string(before) != string(mustJSON(t, to.dec)) {
		t.Fatalf("the preview changed something, or failed: %v", errs[0])
	}
	if e := to.Apply(Import{in}, to.now); e.Err != nil || !e.Decisions {
		t.Fatalf("effects %+v", e)
	}
	if d := cmp.Diff(string(mustJSON(t, dec)), string(mustJSON(t, to.dec))); d != "" {
		t.Errorf("the preview differs (-preview +applied):\n%s", d)
	}
	to.wait(time.Minute)
	if got := to.status(cameraID, "telnet-open"); got != policy.Accepted {
		t.Errorf("finding is %q, want accepted", got)
	}
	k := to.dec.Devices[cameraID]
	if k.Name != "Here" || k.Class != "camera" || !k.ListenOnly || !k.FirstSeen.Equal(noon) || k.Accepted["telnet-open"].Reason != "from there" {
		t.Errorf("camera %+v", k)
	}
	if k := to.dec.Devices[other]; !k.Trusted || !k.Muted {
		t.Errorf("other %+v", k)
	}
	if to.dec.Install != install || to.dec.Hidden[third].IsZero() || to.dec.Devices["ip_10_0_0_9"] != nil {
		t.Errorf("decisions %+v", to.dec)
	}
	if from.dec.Devices[cameraID].Name != "There" || in.Devices[cameraID].Name != "There" {
		t.Error("the import changed what it was read from")
	}
}

func FuzzParseTransfer(f *testing.F) {
	f.Add([]byte(`{"format":"thingwarden decisions","version":1,"devices":{"mac_000c43000001":{"first_seen":"2026-11-23T12:00:00Z","accepted":{"x":{}}}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		in, err := ParseTransfer(b)
		if err != nil {
			return
		}
		d := NewDecisions(noon)
		d.merge(in)
		if _, err := ParseDecisions(mustJSON(t, d)); err != nil {
			t.Errorf("what was imported can't be read again: %v", err)
		}
	})
}
