package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/policy"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// hostile is a name as an attacker would give it to a device: colours, a new
// window title, a new line that looks like ours, and letters that run backwards.
const hostile = "\x1b[32mok\x1b]0;pwned\a\r\ncritical  \"Router\"\u202egnorw \u009b2J" + "\xff\x00"

// testPolicies are a few policies whose texts stay the same.
func testPolicies(t *testing.T) *policy.Set {
	t.Helper()
	set, err := policy.LoadDir("testdata/policies")
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func mac(s string) []discovery.Identifier {
	i, _ := discovery.MAC(s)
	return []discovery.Identifier{i}
}

// testHome has what is hard to print: long, wide and hostile names, one policy on
// many devices, every state of a finding, and nothing known at all.
func testHome(t *testing.T) *report.Snapshot {
	set := testPolicies(t)
	telnet, basic, fresh, zigbee := set.Policy("telnet-open"), set.Policy("http-basic-clear"), set.Policy("new-device"), set.Policy("zigbee-default-key")
	open := func(p *policy.Policy, sev policy.Severity, status policy.Status, proof string) policy.Finding {
		ev := fact.New("telnet", noon)
		fact.TelnetOpen.Set(ev, true, proof)
		return policy.Finding{Policy: p, Status: status, Severity: sev, Since: noon, Changed: noon, Proof: ev.Entries()}
	}
	missing := func(p *policy.Policy, w fact.Why) report.NotChecked {
		return report.NotChecked{Policy: p, Missing: []policy.Missing{{Word: p.Words[0], Why: w}}}
	}
	lan := func(hex, ip, name string) report.Device {
		ids := mac(hex)
		if ip != "" {
			ids = append(ids, discovery.Identifier{Kind: discovery.IPID, Value: ip})
		}
		return report.Device{Device: discovery.Device{ID: discovery.ID("mac_" + hex), IDs: ids, Name: fact.Clean(name, fact.MaxText),
			Sources: []string{"mdns", "neighbours"}, FirstSeen: noon, LastSeen: noon}, Kind: "lan", Online: true}
	}
	camera := lan("aabbccddee01", "192.168.1.20", "Porch camera with a name that goes on and on and never ends")
	camera.Class, camera.Manufacturer, camera.Model, camera.Checked = "camera", "Acme Surveillance Industries International", "X1", 3
	camera.Findings = []policy.Finding{
		open(telnet, policy.Critical, policy.Open, "tcp/23: login: "+strings.Repeat("please ", 20)),
		open(basic, policy.Medium, policy.Stale, "tcp/80: Basic"),
	}
	ev := fact.New("http", noon)
	fact.HTTPTitle.Set(ev, hostile, "tcp/80: "+hostile)
	fact.HTTPRealm.Unknown(ev, fact.NoAnswer)
	fact.MDNSServices.Set(ev, []string{"_http._tcp", "_rtsp._tcp"}, "mDNS")
	fact.TelnetOpen.Set(ev, true, "tcp/23: login:")
	fact.DeviceReachable.Set(ev, true, "192.168.1.20")
	camera.Facts = ev.Entries()
	camera.Services = []discovery.Service{{Proto: "tcp", Port: 23, Name: "telnet"}}
	camera.Sent = report.Sent{Packets: 3, Connections: 1}

	lamp := lan("aabbccddee02", "192.168.1.3", "厨房の電球とても長い名前のデバイスです本当に長い")
	lamp.Findings = []policy.Finding{open(fresh, policy.Medium, policy.Open, "")}
	lamp.Checked = 1
	evil := lan("aabbccddee03", "192.168.1.100", hostile)
	evil.Manufacturer, evil.Model = "Evil\u200bCorp", "💡 \u001b[2Jbulb"
	evil.Findings = []policy.Finding{open(telnet, policy.High, policy.Open, hostile)}
	evil.NotChecked = []report.NotChecked{missing(basic, fact.NoAnswer)}
	bare := lan("aabbccddee04", "", "")
	bare.NotChecked = []report.NotChecked{missing(basic, fact.TouchLevel), missing(telnet, fact.TouchLevel)}
	v6 := lan("aabbccddee05", "2001:db8:1234:5678:9abc:def0:1234:5678", "e\u0301clair")
	v6.Findings = []policy.Finding{{Policy: fresh, Status: policy.Accepted, Severity: policy.Medium, Since: noon,
		Acceptance: &policy.Acceptance{Reason: "mine", At: noon, Until: noon.AddDate(0, 1, 0)}}}

	z, _ := discovery.Zigbee("0x00158d0001a2b3c4")
	coordinator := report.Device{Device: discovery.Device{ID: "zigbee_00158d0001a2b3c4", IDs: []discovery.Identifier{z}, Name: "Coordinator",
		Sources: []string{"zigbee2mqtt"}, FirstSeen: noon, LastSeen: noon}, Kind: "zigbee", Class: "hub"}
	coordinator.Findings = []policy.Finding{open(zigbee, policy.Low, policy.Away, "pan 0x1a62")}

	s := &report.Snapshot{
		Site: "home", Version: "1.2.3", At: noon,
		Devices: []report.Device{
			{Device: discovery.Device{ID: discovery.Hub, Sources: []string{"agent"}, FirstSeen: noon, LastSeen: noon}, Kind: "hub"},
			camera, lamp, evil, bare, v6, coordinator,
		},
		Health: []report.Component{
			{Name: "mdns", Status: discovery.OK},
			{Name: "zwavejs", Status: discovery.Down, Error: "No Z-Wave JS server answers on ws://127.0.0.1:3000; if you have none, switch it off with sources.zwavejs.enabled: false."},
		},
	}
	report.Titles(s.Devices)
	return s
}
