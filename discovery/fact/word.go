package fact

import (
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

// Lookup returns the definition of the word of that name, or nil.
func Lookup(name string) *Word { return vocabulary.byName[name] }

// Words returns the whole vocabulary sorted by name. The slice is the caller's.
func Words() []*Word {
	return append([]*Word(nil), vocabulary.sorted...)
}
