package report

import (
	"net/netip"
	"strings"
	"unicode"
)

// announced is the part of an announced name that a person would know, or "": no
// addresses in brackets or before a hyphen, no serial number behind it.
func announced(name string) string {
	for _, cut := range [][2]string{{"(", ")"}, {"[", "]"}} {
		if i := strings.Index(name, cut[0]); i >= 0 && (address(strings.Trim(name[i:], "()[] ")) || i == 0 && strings.Index(name, cut[1]) <= 5) {
			if _, rest, ok := strings.Cut(name[i:], cut[1]); ok {
				name = strings.TrimSpace(strings.TrimSpace(name[:i]) + " " + strings.TrimSpace(rest))
			}
		}
	}
	if head, rest, ok := strings.Cut(name, " - "); ok {
		switch {
		case address(head):
			name = rest
		case serial(rest):
			name = head
		}
	}
	if !strings.Contains(name, " ") {
		return hostName(name)
	}
	words := strings.Fields(name)
	for len(words) > 1 && serial(strings.Trim(words[len(words)-1], "()[]#")) {
		words = words[:len(words)-1]
	}
	if name = strings.TrimRight(strings.Join(words, " "), " -_:,("); machineMade(name) {
		return ""
	}
	return name
}

// hostName is the first label of a host name that a person would know, or "".
func hostName(host string) string {
	host = strings.Trim(host, ".")
	if address(host) || machineMade(host) {
		return ""
	}
	if label, domain, ok := strings.Cut(host, "."); ok && !strings.Contains(domain, " ") && host != "fritz.box" {
		host = label
	}
	if machineMade(host) || generic[strings.ToLower(host)] {
		return ""
	}
	return host
}

// generic are host names that come with the software and name nothing.
var generic = map[string]bool{
	"localhost": true, "espressif": true, "esp32": true, "esp8266": true, "lwip": true, "lwip0": true, "wlan0": true, "eth0": true,
	"unknown": true, "none": true, "null": true, "host": true, "device": true, "linux": true, "buildroot": true, "openwrt-device": true,
	"android": true, "default": true, "wireless": true, "network": true, "ubuntu": true, "debian": true, "raspberrypi": true,
	"ipcamera": true, "ip-camera": true, "udhcp": true, "dhcp": true, "gateway": true, "_gateway": true, "new-host": true,
	"wlan": true, "lan": true, "hlk-w801": true, "rtl8710": true, "amebaz": true, "generic": true, "amlogic": true, "rockchip": true,
}

// machineMade reports whether a name is what a machine was given: a serial number
// or an address, alone or behind the letters of a product.
func machineMade(name string) bool {
	if name == "" || address(name) {
		return true
	}
	digits := 0
	for _, r := range name {
		if unicode.IsDigit(r) {
			digits++
		}
	}
	if digits == 0 {
		return false
	}
	parts := strings.FieldsFunc(name, func(r rune) bool { return strings.ContainsRune("-_.: ", r) })
	for i, p := range parts {
		if serial(p) && (i > 0 || len(parts) == 1 || len(p) >= 12) {
			return true
		}
	}
	if len(parts) > 0 && serialBehind(parts[len(parts)-1]) {
		return true
	}
	return windowsName(parts) || dashed(parts)
}

// serial reports whether a word is a serial number or the end of an address: six
// or more hexadecimal digits, of which at least two are decimal.
func serial(w string) bool {
	w = strings.TrimPrefix(strings.ReplaceAll(w, ":", ""), "0x")
	digits := 0
	for _, r := range w {
		switch {
		case r >= '0' && r <= '9':
			digits++
		case r >= 'a' && r <= 'f', r >= 'A' && r <= 'F':
		default:
			return false
		}
	}
	return len(w) >= 6 && digits >= 2 || len(w) >= 12 && digits >= 1
}

// serialBehind reports whether a word is letters with a serial number right
// behind them: HP1A2B3C, SEP001122334455, NPI4F7A01.
func serialBehind(w string) bool {
	for i, r := range w {
		if i > 8 {
			return false
		}
		if i >= 2 && len(w)-i >= 6 && serial(w[i:]) && strings.ContainsAny(w[i:], "0123456789") {
			return true
		}
		if r >= '0' && r <= '9' {
			return false
		}
	}
	return false
}

// windowsName: DESKTOP-AB12CD3 or LAPTOP-AB12CD34, as Windows makes it: filled up
// to 15 letters and digits, the longest NetBIOS name.
func windowsName(parts []string) bool {
	return len(parts) == 2 && (len(parts[1]) == 7 || len(parts[0])+1+len(parts[1]) == 15) && strings.ContainsAny(parts[1], "0123456789") &&
		(strings.EqualFold(parts[0], "desktop") || strings.EqualFold(parts[0], "laptop") || strings.EqualFold(parts[0], "win"))
}

// dashed: an address whose points are dashes, alone or behind a word: 192-168-1-20,
// ip-10-0-0-5.
func dashed(parts []string) bool {
	if len(parts) < 4 {
		return false
	}
	return address(strings.Join(parts[len(parts)-4:], ".")) || len(parts) >= 6 && address(strings.Join(parts[len(parts)-6:], ":"))
}

// address reports whether a text is an IP or MAC address.
func address(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	if len(s) != 17 {
		return false
	}
	hex := strings.NewReplacer(":", "", "-", "", ".", "").Replace(s)
	return len(hex) == 12 && serial(hex)
}
