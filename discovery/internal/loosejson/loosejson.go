// Package loosejson decodes JSON whose fields change type between versions of
// the program that wrote it: a number that was a string, a flag that is null.
//
// A field of a wrong type spoils itself and not the message around it, and a
// missing field, null and false stay three things. It is not this package's job
// to know any field or to say what a spoilt one means.
package loosejson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// MaxDepth is the deepest nesting of arrays and objects that is read. Real
// bridges reach 12.
const MaxDepth = 32

// Unmarshal decodes one JSON value of at most maxBytes bytes and MaxDepth levels.
func Unmarshal(b []byte, maxBytes int, into any) error {
	if len(b) > maxBytes {
		return fmt.Errorf("%d bytes are more than the %d that are read", len(b), maxBytes)
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return errors.New("empty message")
	}
	if deeper(b, MaxDepth) {
		return fmt.Errorf("nested deeper than %d levels", MaxDepth)
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("not the JSON expected: %w", err)
	}
	return nil
}

// deeper reports whether brackets outside of strings nest deeper than max. It
// looks at bytes only, so that nothing is built of a message that is refused.
func deeper(b []byte, max int) bool {
	depth, inString := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > max {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// Flag is true, false, or not known.
type Flag struct {
	Value bool
	Known bool // false if the field is missing, null or no flag
	Bad   bool // the field is there and is neither a flag nor null
}

// UnmarshalJSON never fails. It takes true and false, also as strings.
func (f *Flag) UnmarshalJSON(b []byte) error {
	switch strings.ToLower(strings.Trim(string(b), `"`)) {
	case "true":
		*f = Flag{Value: true, Known: true}
	case "false":
		*f = Flag{Known: true}
	case "null":
		*f = Flag{}
	default:
		*f = Flag{Bad: true}
	}
	return nil
}

// Text is a string; a number is taken as it is spelt. Missing, null and
// anything else are empty.
type Text string

// UnmarshalJSON never fails.
func (t *Text) UnmarshalJSON(b []byte) error {
	*t = ""
	if len(b) == 0 {
		return nil
	}
	switch c := b[0]; {
	case c == '"':
		var s string
		if json.Unmarshal(b, &s) == nil {
			*t = Text(s)
		}
	case c == '-' || c >= '0' && c <= '9':
		*t = Text(b)
	}
	return nil
}

// Number is a number, or not known.
type Number struct {
	Value float64
	Known bool
}

// UnmarshalJSON never fails. It takes numbers, also as strings and there with
// the prefix 0x.
func (n *Number) UnmarshalJSON(b []byte) error {
	*n = Number{}
	s := strings.Trim(string(b), `"`)
	if hex, ok := strings.CutPrefix(strings.ToLower(s), "0x"); ok {
		if v, err := strconv.ParseUint(hex, 16, 64); err == nil {
			*n = Number{float64(v), true}
		}
		return nil
	}
	if s == "" || !strings.ContainsRune("-0123456789", rune(s[0])) {
		return nil
	}
	if v, err := strconv.ParseFloat(s, 64); err == nil {
		*n = Number{v, true}
	}
	return nil
}

// Int returns the number if it is whole and between lo and hi.
func (n Number) Int(lo, hi int64) (int64, bool) {
	if !n.Known || n.Value < float64(lo) || n.Value > float64(hi) || n.Value != float64(int64(n.Value)) {
		return 0, false
	}
	return int64(n.Value), true
}

// List is an array of T in which items of a wrong type are left out; anything
// but an array is empty.
type List[T any] []T

// UnmarshalJSON never fails.
func (l *List[T]) UnmarshalJSON(b []byte) error {
	*l = nil
	var raw []json.RawMessage
	if json.Unmarshal(b, &raw) != nil {
		return nil
	}
	for _, r := range raw {
		var v T
		if json.Unmarshal(r, &v) == nil {
			*l = append(*l, v)
		}
	}
	return nil
}

// Maybe is a T, or the zero T if the field is missing or of a wrong type.
type Maybe[T any] struct{ Value T }

// UnmarshalJSON never fails.
func (m *Maybe[T]) UnmarshalJSON(b []byte) error {
	var v T
	if json.Unmarshal(b, &v) != nil {
		var zero T
		v = zero
	}
	m.Value = v
	return nil
}
