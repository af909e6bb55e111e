package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/thingwarden/thingwarden/discovery/lab"
)

// answerSearch makes a host answer each datagram on a UDP port with always the same.
func answerSearch(h *lab.Host, port int, reply string) {
	c := h.ListenPacket("udp4", fmt.Sprintf(":%d", port))
	go func() {
		b := make([]byte, 2048)
		for {
			_, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = c.WriteTo([]byte(reply), from)
		}
	}()
}

// TestSearch: devices that announce nothing and have no TCP port open are found by
// one broadcast, and what is wrong with them by asking each itself.
func TestSearch(t *testing.T) {
	l := lab.New(t)
	const header = "\x02\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	const answer = header + `{"result":{"device_type":"SMART.IPCAMERA","device_model":"C200","firmware_version":"1.4.0 Build 20260801","factory_default":%t,"owner":%q,"mgt_encrypt_schm":{"encrypt_type":"AES"}}}`
	fresh, owned, other := l.Host("fresh"), l.Host("owned"), l.Host("other")
	answerSearch(fresh, 20002, fmt.Sprintf(answer, true, ""))
	answerSearch(owned, 20002, fmt.Sprintf(answer, false, "9AAFB3E5"))
	answerSearch(other, 20002, "hello")
	wire := fresh.Capture(t)

	file := t.TempDir() + "/thingwarden.yaml"
	write(t, file, fmt.Sprintf("state_dir: %s\nnetwork: {prefixes: [%s]}\n", t.TempDir(), lab.LAN0.IPv4))
	out, _ := runCLI(t, "scan", "--format", "json", "--for", "25s", "--config", file)
	var home struct {
		Devices []struct {
			ID, Class, Model string
			Findings         []struct{ Policy, Confidence string }
		}
		Health []struct{ Component, Status, Error string }
	}
	if err := json.Unmarshal([]byte(out), &home); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got := map[string]string{}
	for _, d := range home.Devices {
		text := d.Class + " " + d.Model
		for _, f := range d.Findings {
			text += " " + f.Policy + "=" + f.Confidence
		}
		got[d.ID] = text
	}
	for h, want := range map[*lab.Host]string{fresh: "camera C200 not-set-up=sure", owned: "camera C200", other: " "} {
		if got[macID(h)] != want {
			t.Errorf("%s: %q, want %q", h.Name, got[macID(h)], want)
		}
	}
	for _, c := range home.Health {
		if c.Status != "ok" && c.Component == "probe tplink-search" {
			t.Errorf("health: %+v", c)
		}
	}
	// One search, one question of the probe.
	questions := wire.Frames(func(f lab.Frame) bool { return f.Port() == 20002 && f.From == l.Hub().IP() })
	if n := len(slices.Clone(questions)); n != 2 {
		t.Errorf("%d datagrams to UDP port 20002, want the search and one question", n)
	}
}
