package answer

import (
	"bytes"
	"strings"
	"testing"

	"github.com/thingwarden/thingwarden/discovery/internal/loosejson"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// However much a device sends, an answer that is cut is no answer (threat T4).
func TestHugeJSON(t *testing.T) {
	type info struct {
		Gen  loosejson.Number `json:"gen"`
		Type loosejson.Text   `json:"type"`
	}
	small := []byte(`{"type":"SHSW-1","mac":"98CDAC1F0B2E","auth":false}`)
	for _, tt := range []struct {
		name string
		r    prober.Response
		ok   bool
	}{
		{"small", prober.Response{Body: small}, true},
		{"cut", prober.Response{Body: small, Truncated: true}, false},
		{"huge", prober.Response{Body: append(bytes.Clone(small), bytes.Repeat([]byte(" "), maxJSON)...)}, false},
		{"many sections", prober.Response{Body: []byte(manySections(maxSections))}, false},
		{"not too many sections", prober.Response{Body: []byte(manySections(maxSections - 1))}, true},
		{"two values", prober.Response{Body: []byte(`{"type":"SHSW-1"}{}`)}, false},
		{"the last of two same names counts", prober.Response{Body: []byte(`{"type":"","type":"SHSW-1"}`)}, true},
		{"a number too large", prober.Response{Body: []byte(`{"gen":1e999,"type":"SHSW-1"}`)}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, ok := Decode(&tt.r, func(i info) bool { return i.Type != "" }); ok != tt.ok {
				t.Errorf("read: %v, want %v", ok, tt.ok)
			}
		})
	}
}

func manySections(n int) string {
	var b strings.Builder
	b.WriteString(`{"z":{"type":"SHSW-1","mac":"98CDAC1F0B2E"}`)
	for i := range n {
		b.WriteString(`,"a` + strings.Repeat("b", i) + `":1`)
	}
	return b.String() + "}"
}
