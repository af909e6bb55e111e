package zigbee2mqtt

import (
	"encoding/json"
	"testing"
)

func TestClass(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"lock with a code", `{"definition":{"exposes":[{"type":"lock"},{"type":"composite","name":"pin_code"}]}}`, "lock"},
		{"plug by its description", `{"definition":{"description":"Smart Plug","exposes":[{"type":"switch"},{"name":"power"}]}}`, "plug"},
		{"wall switch", `{"definition":{"description":"Wall switch","exposes":[{"type":"switch"}]}}`, "switch"},
		{"garage door", `{"definition":{"description":"Garage door opener","exposes":[{"type":"cover"}]}}`, "garage"},
		{"blind", `{"definition":{"exposes":[{"type":"cover"}]}}`, "cover"},
		{"radiator valve", `{"definition":{"exposes":[{"type":"numeric","name":"battery"},{"type":"climate"}]}}`, "thermostat"},
		{"water valve", `{"definition":{"description":"Garden valve","exposes":[{"type":"switch"}]}}`, "valve"},
		{"siren", `{"definition":{"exposes":[{"type":"composite","name":"warning"},{"name":"battery"}]}}`, "siren"},
		{"smoke alarm with a buzzer", `{"definition":{"exposes":[{"name":"warning"},{"name":"smoke"}]}}`, "sensor"},
		{"keypad", `{"definition":{"exposes":[{"name":"action"},{"name":"action_code"}]}}`, "keypad"},
		{"remote", `{"definition":{"exposes":[{"name":"battery"},{"name":"action"}]}}`, "remote"},
		{"unknown lock", `{"definition":{"exposes":[{"name":"linkquality"}]},"endpoints":{"1":{"clusters":{"input":["closuresDoorLock"]}}}}`, "lock"},
		{"unknown siren and zone", `{"endpoints":{"1":{"clusters":{"input":["ssIasZone","ssIasWd"]}}}}`, "siren"},
		{"unknown remote", `{"endpoints":{"1":{"clusters":{"input":["genBasic"],"output":["genOnOff"]}}}}`, "remote"},
		{"unknown", `{"endpoints":{"1":{"clusters":{"input":["genBasic"],"output":[]}}}}`, ""},
		{"nonsense", `{"definition":[],"endpoints":{"1":7,"2":{"clusters":"x"}}}`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var e deviceEntry
			if err := json.Unmarshal([]byte(tt.in), &e); err != nil {
				t.Fatal(err)
			}
			if got, _ := classOf(e); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
