package hass

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
		Summary: "Anyone on your network can try passwords here.",
		Remedy:  "1. Switch Telnet off in the device's settings.\n2. If it has no such setting, put it in a separate network.\n",
		Refs:    []string{"ETSI EN 303 645 5.6-5", "OWASP IoT 2018 I2"},
	}
	basicClear = &policy.Policy{
		ID: "http-basic-clear", Title: "Password is sent readable", Confidence: policy.Likely,
		Summary: "The log-in of its web page is not encrypted.", Remedy: "Use HTTPS.",
	}
	lockNotAC = &policy.Policy{
		ID: "zwave-lock-not-ac", Title: "Lock joined without the highest security", Confidence: policy.Sure, Rules: []int{4},
		Summary: "Its radio messages can be forged.", Remedy: "Exclude it and include it again with S2 Access Control.",
	}
	defaultKey = &policy.Policy{
		ID: "zigbee-default-key", Title: "Zigbee network uses a published key", Confidence: policy.Likely,
		Summary: "Anyone near can read the network.", Remedy: "Make a new key.",
	}
	joinOpen = &policy.Policy{
		ID: "zigbee-join-open", Title: "Zigbee network is open for joining", Confidence: policy.Sure,
		Summary: "Anything near may join.", Remedy: "Close it.",
	}
	unknownFirmware = &policy.Policy{
		ID: "fw-version-unknown", Title: "Firmware version unknown", Confidence: policy.Sure,
		Summary: "Nobody reports which firmware it runs.", Remedy: "Look it up.",
	}
	radioCount = &policy.Policy{
		ID: "radio-count", Title: "Many smart gadgets on your main Wi-Fi", Confidence: policy.Likely,
		Summary: "This is advice for the next purchase.", Remedy: "Buy Zigbee.",
	}
	// hostile is an owner's pack gone wrong.
	hostile = &policy.Policy{
		ID: "../#/+", Title: strings.Repeat("{{ 7*7 }} ", 60), Confidence: policy.Sure,
		Summary: strings.Repeat("\"\\\x00", 9000), Remedy: strings.Repeat("é\n", 20000), Refs: []string{strings.Repeat("r", 9000)},
	}
)

func finding(p *policy.Policy, s policy.Status, sev policy.Severity, proof ...string) policy.Finding {
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

func known(name string, v any) fact.Entry {
	return fact.Entry{Name: name, Value: v, Proof: "p", By: "test", At: noon}
}

// snapshot is a home with something of everything.
func snapshot() *report.Snapshot {
	accepted := finding(basicClear, policy.Accepted, policy.Medium, "tcp/80: 401 Basic")
	accepted.Acceptance = &policy.Acceptance{Reason: "guest network only", At: noon, Until: noon.AddDate(0, 1, 0), Severity: policy.Medium}
	stale := finding(lockNotAC, policy.Stale, policy.High, "highest class: S0")
	stale.Missing = []policy.Missing{{Word: "zwave.security", Why: fact.SourceDown}}
	devices := []report.Device{
		{
			Device: discovery.Device{ID: discovery.Hub, IDs: []discovery.Identifier{mac("dca632000001"), ip("192.0.2.2")}, Name: "hub", FirstSeen: noon, LastSeen: noon},
			Kind:   "hub", Online: true, Checked: 2,
			Facts: []fact.Entry{known("home.zigbee_join_open", true), known("home.zwave_inclusion_open", false),
				{Name: "home.matter_window_open", Why: fact.SourceDown}},
			Findings: []policy.Finding{finding(joinOpen, policy.Open, policy.Medium, "permit_join: true"), finding(radioCount, policy.Open, policy.Info, "12 devices")},
		},
		{
			Device: discovery.Device{ID: "ip_192_0_2_99", IDs: []discovery.Identifier{ip("192.0.2.99")}, FirstSeen: noon, LastSeen: noon},
			Kind:   "lan", Online: true,
		},
		{
			Device: discovery.Device{
				ID: "mac_ecfabc001122", Name: "Porch camera", Sources: []string{"mdns", "neighbours"}, FirstSeen: noon.Add(-72 * time.Hour), LastSeen: noon,
				IDs:      []discovery.Identifier{ip("192.0.2.20"), ip("fe80::1%lan0"), mac("ecfabc001122"), mac("0a1122334455")},
				Services: []discovery.Service{{Proto: "tcp", Port: 23, Name: "telnet"}, {Proto: "tcp", Port: 80, Name: "_http._tcp"}},
			},
			Kind: "lan", Class: "camera", Manufacturer: "ExampleCam", Model: "C1", Firmware: "1.2.0", Hardware: "rev B", Online: true, Checked: 9,
			Findings: []policy.Finding{
				accepted,
				finding(telnetOpen, policy.Open, policy.High, "tcp/23: login:"),
				finding(unknownFirmware, policy.Open, policy.Info, "not in any answer"),
				finding(lockNotAC, policy.Accepted, policy.Info),
			},
			NotChecked: []report.NotChecked{{Policy: defaultKey, Missing: []policy.Missing{{Word: "http.tls", Why: fact.NoAnswer}}}},
			Sent:       report.Sent{Packets: 12, Connections: 3},
		},
		{
			// A hostile device: its texts go for topics, templates, HTML, Markdown and terminals.
			Device: discovery.Device{
				ID: "mac_020000000001", IDs: []discovery.Identifier{mac("020000000001"), ip("192.0.2.66")}, FirstSeen: noon, LastSeen: noon,
				Name:     "=a/#+$\x00\x1b[31m{{ 7*7 }}{% x %}<img src=x onerror=alert(1)>[y](http://evil.example)\u202egpj www.evil.example @all " + strings.Repeat("x", 300),
				Services: []discovery.Service{{Proto: "tcp", Port: 1, Name: "{{ states }}"}},
			},
			Kind: "lan", Class: "other", Manufacturer: "<script>", Model: "{{ 1 }}", Firmware: strings.Repeat("9", 300), Online: true, Trusted: true, Checked: 1,
			Findings: []policy.Finding{
				finding(hostile, policy.Open, policy.Critical, `<b>{{ 7*7 }}</b> [x](http://evil.example) www.evil.example`, strings.Repeat("p", 600)),
			},
		},
		{
			Device: discovery.Device{ID: "mac_0a0000000002", IDs: []discovery.Identifier{mac("0a0000000002")}, Name: "Visitor's phone", FirstSeen: noon, LastSeen: noon},
			Kind:   "lan", Online: true, Provisional: true, Checked: 1,
		},
		{
			Device: discovery.Device{ID: "mac_240ac4004f2a", IDs: []discovery.Identifier{mac("240ac4004f2a")}, FirstSeen: noon, LastSeen: noon},
			Kind:   "lan", Maker: "Espressif", Checked: 3, Facts: []fact.Entry{known("device.mac_vendor", "Espressif Inc.")},
			Findings: []policy.Finding{finding(telnetOpen, policy.Away, policy.High, "tcp/23: login:")},
		},
		{
			Device: discovery.Device{
				ID: "zigbee_00158d0001a2b3c4", IDs: []discovery.Identifier{{Kind: discovery.ZigbeeID, Value: "00158d0001a2b3c4"}},
				Name: "Front door lock", Via: "zigbee_00124b0000000001", Sources: []string{"zigbee2mqtt"}, FirstSeen: noon, LastSeen: noon,
			},
			Kind: "zigbee", Class: "lock", Manufacturer: "Aqara", Model: "U200", Online: true, Checked: 4,
			Findings: []policy.Finding{finding(defaultKey, policy.Resolved, policy.High), finding(basicClear, policy.Lapsed, policy.Medium)},
		},
		{
			Device: discovery.Device{
				ID: "zwave_c0ffee01_12", IDs: []discovery.Identifier{{Kind: discovery.ZWaveID, Value: "c0ffee01_12"}}, Sources: []string{"zwavejs"}, FirstSeen: noon, LastSeen: noon,
			},
			Kind: "zwave", Class: "lock", Online: true, Checked: 1, Findings: []policy.Finding{stale},
		},
	}
	report.Titles(devices)
	return &report.Snapshot{
		Site: "home", Version: "0.1.0", At: noon, Devices: devices, LastScan: noon.Add(-time.Minute),
		Health: []report.Component{
			{Name: "mdns", Status: discovery.OK},
			{Name: "zwavejs", Status: discovery.Down, Error: "Nothing answers at ws://127.0.0.1:3000."},
		},
		Events: []report.Event{
			{Seq: 41, At: noon.Add(-20 * time.Minute), Type: report.DeviceAppeared, Device: "mac_240ac4004f2a"},
			{Seq: 42, At: noon.Add(-2 * time.Minute), Type: report.DeviceAppeared, Device: "mac_020000000001"},
			{Seq: 43, At: noon.Add(-time.Minute), Type: string(policy.FindingOpened), Device: "mac_ecfabc001122", Policy: "telnet-open"},
		},
	}
}

func testOptions() Options {
	return Options{Site: "home", Now: func() time.Time { return noon }}.withDefaults()
}
