package fact

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"
)

// Type is the type of a word's value.
type Type string

// The types of words. In policies they are CEL's bool, int, string, timestamp
// and list(string).
const (
	Bool   Type = "bool"
	Int    Type = "int"
	String Type = "string"
	Time   Type = "time"
	List   Type = "list"
)

func (t Type) holds(v any) bool { return t == typeOf(v) }

func typeOf(v any) Type {
	switch v.(type) {
	case bool:
		return Bool
	case int64:
		return Int
	case string:
		return String
	case time.Time:
		return Time
	case []string:
		return List
	default:
		return ""
	}
}

// Word is the definition of a word: what policies are checked against and the
// documentation is made from.
type Word struct {
	Name   string        // as policies spell it: lower case, dotted
	Type   Type          // of its value
	MaxAge time.Duration // after which the value is unknown again; 0 means never
	Doc    string        // what a true or given value means, one sentence
	Values []string      // of a String word, all values it can have; nil if free text
}

// takes reports whether a String word can have the value.
func (w *Word) takes(value string) bool { return w.Values == nil || slices.Contains(w.Values, value) }

// misuse panics in tests, where a mistake of ours has to show. The program goes on
// without the value: not knowing it is safe, and ending is not.
func misuse(format string, args ...any) {
	if testing.Testing() {
		panic("fact: " + fmt.Sprintf(format, args...))
	}
}

// Lookup returns the definition of the word of that name, or nil. It knows the
// names of version 0.1.0 too: files and policies of owners have them.
func Lookup(name string) *Word {
	if now, ok := renamed[name]; ok {
		name = now
	}
	return vocabulary.byName[name]
}

// renamed are words of version 0.1.0 that have another name now.
var renamed = map[string]string{
	"device.platform": "device.product",
	"wan.doors":       "wan.port_mappings",
	"wan.doors_stale": "wan.port_mappings_stale",
}

// Renamed returns the names of version 0.1.0 that Lookup takes for others, sorted.
func Renamed() []string { return slices.Sorted(maps.Keys(renamed)) }

// Words returns the whole vocabulary sorted by name. The slice is the caller's.
func Words() []*Word {
	return slices.Clone(vocabulary.sorted)
}
