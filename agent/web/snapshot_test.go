package web

import (
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/policy"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

var (
	telnetOpen = &policy.Policy{
		ID: "telnet-open", Title: "Old-style remote log-in (Telnet) is open", Confidence: policy.Sure, Rules: []int{2, 4},
		Summary: "Anyone on your network can try passwords here, and whoever listens can read them.",
		Remedy:  "1. Open the device's settings page or app and switch Telnet off.\n2. If it has no such setting, put the device in a guest network, or replace it.\n",
		Refs:    []string{"ETSI EN 303 645 5.6-5", "OWASP IoT 2018 I2"},
	}
	basicClear = &policy.Policy{
		ID: "http-basic-clear", Title: "Password is sent readable", Confidence: policy.Likely,
		Summary: "The log-in of its web page is not encrypted.", Remedy: "Use HTTPS.",
	}
	lockNotAC = &policy.Policy{
		ID: "zwave-lock-not-ac", Title: "Lock joined without the highest security", Confidence: policy.Sure,
		Summary: "Its radio messages can be forged.", Remedy: "Exclude it and include it again with S2 Access Control.",
	}
	defaultKey = &policy.Policy{ID: "zigbee-default-key", Title: "Zigbee network uses a published key", Confidence: policy.Likely, Summary: "Anyone near can read the network.", Remedy: "Make a new key."}
	joinOpen   = &policy.Policy{ID: "zigbee-join-open", Title: "Zigbee network is open for joining", Confidence: policy.Sure, Summary: "Anything near may join.", Remedy: "Close it in Zigbee2MQTT."}
	hostile    = &policy.Policy{
		ID: "../#/+", Title: "</details><script>alert(1)</script>{{ 7*7 }}", Confidence: policy.Sure,
		Summary: "a\x00b\x1b[31m" + strings.Repeat("&", 20), Remedy: "<b>x</b>\n\n\x07\njavascript:alert(1)", Refs: []string{"<i>ref</i>"},
	}
)

func found(p *policy.Policy, s policy.Status, sev policy.Severity, proof ...string) policy.Finding {
	f := policy.Finding{Policy: p, Status: s, Severity: sev, Since: noon.Add(-48 * time.Hour), Changed: noon.Add(-time.Hour)}
	for _, x := range proof {
		f.Proof = append(f.Proof, fact.Entry{Name: "telnet.open", Value: true, Proof: x, By: "telnet", At: noon})
	}
	return f
}

func mac(hex string) discovery.Identifier {
	return discovery.Identifier{Kind: discovery.MACID, Value: hex}
}

func ip(s string) discovery.Identifier { return discovery.Identifier{Kind: discovery.IPID, Value: s} }

// snapshot is a home with something of everything, one device of it hostile.
func snapshot() *report.Snapshot {
	accepted := found(basicClear, policy.Accepted, policy.Medium, "tcp/80: 401 Basic")
	accepted.Acceptance = &policy.Acceptance{Reason: "guest network <only>", At: noon, Until: noon.AddDate(0, 1, 0)}
	s := &report.Snapshot{
		Site: "home", Version: "0.1.0", At: noon, LastScan: noon.Add(-time.Minute),
		Devices: []report.Device{
			{
				Device: discovery.Device{ID: discovery.Hub, IDs: []discovery.Identifier{ip("192.0.2.2")}, Name: "hub", FirstSeen: noon},
				Kind:   "hub", Online: true, Checked: 2, Findings: []policy.Finding{found(joinOpen, policy.Open, policy.Medium, "permit_join: true")},
				NotChecked: []report.NotChecked{{Policy: defaultKey, Missing: []policy.Missing{{Word: "home.zigbee_default_key", Why: fact.NotReported}}}},
			},
			{
				Device: discovery.Device{
					ID: "mac_ecfabc001122", Name: "Porch camera", Sources: []string{"mdns", "neighbours"}, FirstSeen: noon.Add(-72 * time.Hour),
					IDs:      []discovery.Identifier{ip("192.0.2.20"), ip("fe80::1%lan0"), mac("ecfabc001122")},
					Services: []discovery.Service{{Proto: "tcp", Port: 23, Name: "telnet"}, {Proto: "tcp", Port: 80, Name: "_http._tcp"}},
				},
				Kind: "lan", Class: "camera", Manufacturer: "ExampleCam", Model: "C1", Firmware: "1.2.0", Hardware: "rev B", Online: true, Checked: 9,
				Findings: []policy.Finding{accepted, found(telnetOpen, policy.Open, policy.High, "tcp/23: login:"), found(lockNotAC, policy.Resolved, policy.Low)},
				NotChecked: []report.NotChecked{
					{Policy: basicClear, Missing: []policy.Missing{{Word: "http.tls", Why: fact.NoAnswer}, {Word: "http.open", Why: fact.TouchLevel}}},
				},
				Facts: []fact.Entry{
					{Name: "telnet.open", Value: true, Proof: "tcp/23: login:", By: "telnet", At: noon},
					{Name: "http.tls", Why: fact.NoAnswer, By: "http", At: noon},
				},
				Sent: report.Sent{Packets: 12, Connections: 1},
			},
			{
				Device: discovery.Device{
					ID: "mac_020000000001", IDs: []discovery.Identifier{mac("020000000001"), ip("192.0.2.66")}, FirstSeen: noon,
					Name:     "\"'><img src=x onerror=alert(1)>\x00\x1b[31m{{ 7*7 }}\u202egpj [y](http://evil.example) " + strings.Repeat("x", 300),
					Services: []discovery.Service{{Proto: "tcp", Port: 1, Name: "</dd><script>"}},
				},
				Kind: "lan", Class: "other", Manufacturer: "<script>alert(1)</script>", Model: "\"onload=", Firmware: strings.Repeat("9", 300), Online: true, Checked: 1,
				Findings: []policy.Finding{found(hostile, policy.Open, policy.Critical, `<b>{{ 7*7 }}</b> </p><script>`, strings.Repeat("p", 600))},
				Facts:    []fact.Entry{{Name: "http.title", Value: "</title><script>alert(1)</script>\u202e", Proof: "<u>", By: "http", At: noon}},
			},
			{
				Device: discovery.Device{ID: "mac_0a0000000002", IDs: []discovery.Identifier{mac("0a0000000002")}, Name: "Visitor's phone", FirstSeen: noon},
				Kind:   "lan", Online: true, Provisional: true,
			},
			{
				Device: discovery.Device{ID: "mac_240ac4004f2a", IDs: []discovery.Identifier{mac("240ac4004f2a")}, FirstSeen: noon},
				Kind:   "lan", Checked: 3, Findings: []policy.Finding{found(telnetOpen, policy.Away, policy.High, "tcp/23: login:")},
			},
			{
				Device: discovery.Device{ID: "zigbee_00158d0001a2b3c4", Name: "Front door lock", Sources: []string{"zigbee2mqtt"}, FirstSeen: noon,
					IDs: []discovery.Identifier{{Kind: discovery.ZigbeeID, Value: "00158d0001a2b3c4"}}},
				Kind: "zigbee", Class: "lock", Manufacturer: "Aqara", Model: "U200", Online: true, Checked: 4,
				Findings: []policy.Finding{found(basicClear, policy.Lapsed, policy.Medium)},
			},
		},
		Health: []report.Component{
			{Name: "mdns", Title: "Announcements (mDNS)", Status: discovery.OK},
			{Name: "mqtt", Status: discovery.Degraded, Error: "The broker <b>drops</b> messages."},
			{Name: "zwavejs", Title: "Z-Wave JS", Status: discovery.Down, Error: "Nothing answers at ws://127.0.0.1:3000."},
		},
	}
	report.Titles(s.Devices)
	return s
}
