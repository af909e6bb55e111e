package fact

import (
	"encoding/json"
	"fmt"
	"time"
)

// entryJSON is how an entry stands in files: short keys, and the type of the
// value given by the vocabulary.
type entryJSON struct {
	Name  string          `json:"name"`
	Value json.RawMessage `json:"value,omitempty"`
	Proof string          `json:"proof,omitempty"`
	By    string          `json:"by,omitempty"`
	At    time.Time       `json:"at,omitzero"`
	Why   Why             `json:"why,omitempty"`

	Likely bool `json:"likely,omitempty"`
}

// MarshalJSON writes the entry so that UnmarshalJSON restores it with the same
// Go types.
func (n Entry) MarshalJSON() ([]byte, error) {
	out := entryJSON{Name: n.Name, Proof: n.Proof, By: n.By, At: n.At, Why: n.Why, Likely: n.Likely}
	if n.Known() {
		v, err := json.Marshal(n.Value)
		if err != nil {
			return nil, fmt.Errorf("encoding fact %q: %w", n.Name, err)
		}
		out.Value = v
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON wrote. A word that is not in the
// vocabulary, or whose value has another type now, gives an entry with an empty
// Name, which Evidence.Put refuses: files may come from another version.
func (n *Entry) UnmarshalJSON(b []byte) error {
	var in entryJSON
	if err := json.Unmarshal(b, &in); err != nil {
		return fmt.Errorf("decoding a fact: %w", err)
	}
	*n = Entry{}
	w := Lookup(in.Name)
	if w == nil {
		return nil
	}
	out := Entry{Name: w.Name, Proof: in.Proof, By: in.By, At: in.At, Why: in.Why, Likely: in.Likely}
	if len(in.Value) > 0 {
		v, err := w.Type.decode(in.Value)
		if err != nil {
			return nil //nolint:nilerr // an entry of another version is dropped, as documented
		}
		out.Value = v
	}
	*n = out
	return nil
}

func (t Type) decode(b []byte) (any, error) {
	switch t {
	case Bool:
		return decodeAs[bool](b)
	case Int:
		return decodeAs[int64](b)
	case String:
		return decodeAs[string](b)
	case Time:
		return decodeAs[time.Time](b)
	case List:
		return decodeAs[[]string](b)
	default:
		return nil, fmt.Errorf("unknown type %q", t)
	}
}

func decodeAs[T Value](b []byte) (any, error) {
	var v T
	if err := json.Unmarshal(b, &v); err != nil {
		return nil, err
	}
	return v, nil
}
