package product

import "testing"

func TestMaker(t *testing.T) {
	c := load(t)
	for _, tt := range []struct{ in, want string }{
		{"", ""},
		{"Hangzhou Hikvision Digital Technology Co.,Ltd.", "Hikvision"},
		{"Zhejiang Dahua Technology Co., Ltd.", "Dahua"},
		{"Raspberry Pi Trading Ltd", "Raspberry Pi"},
		{"Raspberry Pi (Trading) Ltd", "Raspberry Pi"},
		{"Espressif Inc.", "Espressif"},
		{"TP-LINK TECHNOLOGIES CO.,LTD.", "TP-Link"},
		{"TP-Link Systems Inc", "TP-Link"},
		{"SAMSUNG ELECTRONICS CO.,LTD", "Samsung"},
		{"Samsung Electronics Co.,Ltd", "Samsung"},
		{"Apple, Inc.", "Apple"},
		{"HUAWEI TECHNOLOGIES CO.,LTD", "Huawei"},
		{"Huawei Device Co., Ltd.", "Huawei"},
		{"Amazon Technologies Inc.", "Amazon"},
		{"AVM Audiovisuelles Marketing und Computersysteme GmbH", "AVM"},
		{"ASUSTek COMPUTER INC.", "ASUS"},
		{"Murata Manufacturing Co., Ltd.", "Murata"},
		{"Schneider Electric", "Schneider Electric"},
		{"Western Digital", "Western Digital"},
		{"Texas Instruments", "Texas Instruments"},
		{"Shelly", "Shelly"},
		{"IKEA of Sweden", "IKEA"},
		{"Sonos, Inc.", "Sonos"},
		{"Synology Incorporated", "Synology"},
		{"Brother Industries, LTD.", "Brother"},
		{"Seiko Epson Corporation", "Seiko Epson"},
		{"Shenzhen Reolink Technology Co., Ltd", "Reolink"},
		{"Nest Labs Inc.", "Nest Labs"},
		{"Roborock Technology Co., Ltd.", "Roborock"},
		{"Beijing Roborock Technology Co., Ltd.", "Roborock"},
		{"LG Innotek", "LG Innotek"},
		{"Ubiquiti Networks Inc.", "Ubiquiti"},
		{"eQ-3 Entwicklung GmbH", "eQ-3 Entwicklung"},
		{"Philips Lighting BV", "Philips"},
		{"Private", ""},
		{"Technology Co., Ltd.", "Technology"},
	} {
		if got := c.Maker(tt.in); got != tt.want {
			t.Errorf("Maker(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}
