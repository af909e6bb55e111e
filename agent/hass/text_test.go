package hass

import "testing"

// Threats T7 to T9: what a device sends means nothing to a template, Markdown,
// HTML or a terminal where it is shown as evidence.
func TestPlain(t *testing.T) {
	for _, tt := range []struct {
		name, in, want string
		limit          int
	}{
		{"plain", `tcp/80: 401 Basic realm="camera"`, `tcp/80: 401 Basic realm="camera"`, 100},
		{"Jinja", "{{ states('x') }} {% if x %}", "states('x') % if x %", 100},
		{"HTML", "<script>alert(1)</script>", "scriptalert(1)/script", 100},
		{"Markdown", "![x](http://e.example) `c` a|b", "!x(http: //e.example) c ab", 100},
		{"link", "see https://e.example", "see https: //e.example", 100},
		{"link without scheme", "see www.e.example", "see www .e.example", 100},
		{"mention", "x@y", "x @ y", 100},
		{"escape sequence", "a\x1b[31mb\x00\u009bc", "a31mbc", 100},
		{"bidi and invisible", "a\u202egpj\u200b\ufeff.exe", "agpj.exe", 100},
		{"lines", "a\r\nb\u2028c", "a b c", 100},
		{"invalid UTF-8", "a\xffb", "a\ufffdb", 100},
		{"long", "abcdefghij", "abcdefgh", 8},
		{"long in bytes", "éééééééé", "éé…", 8},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := plain(tt.in, tt.limit); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
