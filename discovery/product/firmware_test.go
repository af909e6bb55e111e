package product

import (
	"testing"
	"time"
)

func TestFirmwareDate(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	cards, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, product, version, want string }{
		{"ESPHome", "esphome", "2023.5.5", "2023-05-31"},
		{"ESPHome of December", "esphome", "2023.12.0b3", "2023-12-31"},
		{"ESPHome of this month", "esphome", "2026.11.1", "2026-11-01"},
		{"ESPHome of the future", "esphome", "2027.1.0", ""},
		{"ESPHome with a month that is none", "esphome", "2023.13.0", ""},
		{"ESPHome before it counted years", "esphome", "1.15.3", "2021-07-31"},
		{"a project's version is not ESPHome's", "esphome", "3.2.1", ""},
		{"Shelly of the first generation", "shelly", "20230913-112003/v1.14.0-gcb84623", "2023-09-13"},
		{"Shelly, old spelling", "shelly", "20191127-095418/v1.5.6@0d769d69", "2019-11-27"},
		{"Shelly of the second generation", "shelly", "1.4.4", ""},
		{"Shelly, no day", "shelly", "20231345-000000/v1", ""},
		{"Tasmota", "tasmota", "2022-05-05T03:23:22", "2022-05-05"},
		{"Tasmota of 2018", "tasmota", "2018.02.11 16:15:40", "2018-02-11"},
		{"a year without a century", "", "V5.4.5 build 170124", "2017-01-24"},
		{"a release behind the build", "", "1.0.3 Build 20230731 Rel.48126", "2023-07-31"},
		{"a letter behind it", "", "3.16.9 Build 160503n", "2016-05-03"},
		{"brackets behind it", "", "1.1.3 Build 220926 rel.(5553)", "2022-09-26"},
		{"a number of builds is no date", "", "Build 20.1", ""},
		{"seven digits", "", "Build 2023073", ""},
		{"nine digits", "", "Build 202307311", ""},
		{"before there were such things", "", "Build 19700101", ""},
		{"in the future", "", "Build 20991231", ""},
		{"rebuild", "", "rebuild 20230731", ""},
		{"nothing", "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if day, ok := cards.FirmwareDate(tt.product, tt.version, now); ok {
				got = day.Format(time.DateOnly)
			}
			if got != tt.want {
				t.Errorf("FirmwareDate(%q, %q) = %q, want %q", tt.product, tt.version, got, tt.want)
			}
		})
	}
}

func FuzzFirmwareDate(f *testing.F) {
	cards, err := Load()
	if err != nil {
		f.Fatal(err)
	}
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, s := range []string{"2023.5.5", "20230913-112003/v1.14.0", "Build 160503n", "2018.02.11 16:15:40", "1.15.3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, version string) {
		for _, id := range append(cards.IDs(), "") {
			day, ok := cards.FirmwareDate(id, version, now)
			if ok && (day.Year() < 2000 || day.After(now.AddDate(0, 0, 1)) || day != day.Truncate(24*time.Hour)) {
				t.Errorf("%s %q: %v", id, version, day)
			}
		}
	})
}
