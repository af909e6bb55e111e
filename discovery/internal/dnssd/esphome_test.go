package dnssd

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

func TestSetEncrypted(t *testing.T) {
	esphome := func(txt ...string) Instance {
		i := Instance{Name: "kitchen", Type: "_esphomelib._tcp", Port: 6053, TXT: map[string]string{}}
		for _, s := range txt {
			k, v, _ := strings.Cut(s, "=")
			i.TXT[k] = v
		}
		return i
	}
	shelly := Instance{Name: "shellyplus1-a8032ab12345", Type: "_shelly._tcp", Port: 80, TXT: map[string]string{"ver": "1.4.4"}}
	for _, tt := range []struct {
		name string
		in   []Instance
		want string
	}{
		{"neither", []Instance{{Type: "_http._tcp"}}, ""},
		{"Shelly", []Instance{shelly}, ""},
		{"a key is set", []Instance{esphome("version=2025.2.0", "api_encryption=Noise_NNpsk0_25519_ChaChaPoly_SHA256")},
			"control.encrypted=true"},
		{"no key yet", []Instance{esphome("version=2024.6.1", "api_encryption_supported=Noise_NNpsk0_25519_ChaChaPoly_SHA256")},
			"control.encrypted=false"},
		{"the first to come may set the key", []Instance{esphome("version=2026.9.0", "api_encryption_supported=x", "api_provisioning=zero-psk")},
			"control.encrypted=false"},
		{"no word of a key", []Instance{esphome("version=2025.2.0")},
			"control.encrypted=false"},
		{"an old build says nothing of a key", []Instance{esphome("version=2022.3.1")},
			""},
		{"its TXT record has not come", []Instance{{Type: "_esphomelib._tcp"}}, ""},
		{"no version", []Instance{esphome("mac=a8032ab12346")}, ""},
		{"two in one program, one of them plain", []Instance{esphome("version=2025.2.0"), esphome("version=2025.2.0", "api_encryption=x")},
			"control.encrypted=false"},
		{"two in one program, the other way", []Instance{esphome("version=2025.2.0", "api_encryption=x"), esphome("version=2025.2.0")},
			"control.encrypted=false"},
		{"another firmware too", []Instance{esphome("version=2025.2.0"), shelly}, "control.encrypted=false"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ev := fact.New("mdns", time.Time{})
			setEncrypted(ev, tt.in)
			var got []string
			for _, n := range ev.Entries() {
				got = append(got, fmt.Sprintf("%s=%v", n.Name, n.Value))
			}
			if d := cmp.Diff(tt.want, strings.Join(got, " ")); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}
