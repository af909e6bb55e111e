package loosejson

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type message struct {
	F Flag
	T Text
	N Number
	L List[Text]
	M Maybe[struct{ A Text }]
}

func TestUnmarshal(t *testing.T) {
	var inner struct{ A Text }
	inner.A = "x"
	for _, tt := range []struct {
		name, in string
		want     message
	}{
		{"missing", `{}`, message{}},
		{"null", `{"F":null,"T":null,"N":null,"L":null,"M":null}`, message{}},
		{"plain", `{"F":false,"T":"t","N":-1,"L":["a","b"],"M":{"A":"x"}}`,
			message{F: Flag{Known: true}, T: "t", N: Number{-1, true}, L: List[Text]{"a", "b"}, M: Maybe[struct{ A Text }]{inner}}},
		{"other types", `{"F":"TRUE","T":1.50,"N":"0x1a62","L":"a","M":7}`,
			message{F: Flag{Value: true, Known: true}, T: "1.50", N: Number{6754, true}}},
		{"wrong types", `{"F":7,"T":{"a":1},"N":[1],"L":{"a":1},"M":["A"]}`, message{F: Flag{Bad: true}}},
		{"strange numbers", `{"N":"Infinity","T":-0}`, message{T: "-0"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got message
			if err := Unmarshal([]byte(tt.in), 1<<10, &got); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestUnmarshalRefuses(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"empty", " \n", "empty message"},
		{"too long", `"` + strings.Repeat("a", 1<<10) + `"`, "1026 bytes are more than the 1024"},
		{"too deep", strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1), "nested deeper than 32"},
		{"cut off", `{"F":tr`, "not the JSON expected"},
		{"two values", `{} {}`, "not the JSON expected"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var v any
			err := Unmarshal([]byte(tt.in), 1<<10, &v)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
		})
	}
	var v any
	if err := Unmarshal([]byte(`"`+strings.Repeat(`[\"`, 40)+`"`), 1<<10, &v); err != nil {
		t.Errorf("brackets inside a string were counted: %v", err)
	}
}

func TestInt(t *testing.T) {
	for _, tt := range []struct {
		in   Number
		want int64
		ok   bool
	}{
		{Number{}, 0, false}, {Number{0, true}, 0, false}, {Number{1, true}, 1, true},
		{Number{1.5, true}, 0, false}, {Number{1e300, true}, 0, false}, {Number{232, true}, 232, true},
	} {
		if got, ok := tt.in.Int(1, 232); got != tt.want || ok != tt.ok {
			t.Errorf("%+v.Int(1, 232) = %d, %v; want %d, %v", tt.in, got, ok, tt.want, tt.ok)
		}
	}
}
