package mdns

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

func TestSetPlatform(t *testing.T) {
	esphome := func(txt ...string) instance {
		i := instance{name: "kitchen", typ: "_esphomelib._tcp", port: 6053, txt: map[string]string{}}
		for _, s := range txt {
			k, v, _ := strings.Cut(s, "=")
			i.txt[k] = v
		}
		return i
	}
	shelly := instance{name: "shellyplus1-a8032ab12345", typ: "_shelly._tcp", port: 80, txt: map[string]string{"ver": "1.4.4"}}
	for _, tt := range []struct {
		name string
		in   []instance
		want string
	}{
		{"neither", []instance{{typ: "_http._tcp"}}, ""},
		{"Shelly", []instance{shelly}, "device.platform=shelly"},
		{"a key is set", []instance{esphome("version=2025.2.0", "api_encryption=Noise_NNpsk0_25519_ChaChaPoly_SHA256")},
			"control.encrypted=true device.firmware_date=2025-02-28 device.platform=esphome"},
		{"no key yet", []instance{esphome("version=2024.6.1", "api_encryption_supported=Noise_NNpsk0_25519_ChaChaPoly_SHA256")},
			"control.encrypted=false device.firmware_date=2024-06-30 device.platform=esphome"},
		{"no word of a key", []instance{esphome("version=2025.2.0")},
			"control.encrypted=false device.firmware_date=2025-02-28 device.platform=esphome"},
		{"an old build says nothing of a key", []instance{esphome("version=2022.3.1")},
			"device.firmware_date=2022-03-31 device.platform=esphome"},
		{"its TXT record has not come", []instance{{typ: "_esphomelib._tcp"}}, "device.platform=esphome"},
		{"no version", []instance{esphome("mac=a8032ab12346")}, "device.platform=esphome"},
		{"two in one program, one of them plain", []instance{esphome("version=2025.2.0"), esphome("version=2025.2.0", "api_encryption=x")},
			"control.encrypted=false device.firmware_date=2025-02-28 device.platform=esphome"},
		{"two in one program, the other way", []instance{esphome("version=2025.2.0", "api_encryption=x"), esphome("version=2025.2.0")},
			"control.encrypted=false device.firmware_date=2025-02-28 device.platform=esphome"},
		{"claims to be both", []instance{esphome("version=2025.2.0"), shelly}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			clock := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
			ev := fact.New(name, clock)
			for _, i := range tt.in {
				if v := i.txt["version"]; v != "" {
					fact.DeviceFirmware.Set(ev, v, "")
				}
			}
			setPlatform(ev, tt.in, clock)
			ev.Remove(fact.DeviceFirmware.Name())
			var got []string
			for _, n := range ev.Entries() {
				if day, ok := n.Value.(time.Time); ok {
					n.Value = day.Format(time.DateOnly)
				}
				got = append(got, fmt.Sprintf("%s=%v", n.Name, n.Value))
			}
			if d := cmp.Diff(tt.want, strings.Join(got, " ")); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}
