package answer

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/loosejson"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

const (
	maxJSON     = 64 << 10 // bytes: the whole of an answer
	maxSections = 64       // of an answer, in which is looked for what we want
)

// Decode reads an object that is as ok says, from the answer itself or one level
// deeper, where some firmware puts it. Names of fields may be spelt in any case.
func Decode[T any](r *prober.Response, ok func(T) bool) (v T, found bool) {
	var none T
	if r.Truncated || loosejson.Unmarshal(r.Body, maxJSON, &v) != nil {
		return none, false
	}
	if ok(v) {
		return v, true
	}
	var sections map[string]json.RawMessage
	if json.Unmarshal(r.Body, &sections) != nil || len(sections) > maxSections {
		return none, false
	}
	for _, name := range slices.Sorted(maps.Keys(sections)) {
		var v T
		if json.Unmarshal(sections[name], &v) == nil && ok(v) {
			return v, true
		}
	}
	return none, false
}

// JSON reads the answer to a GET by Decode, or says why there is nothing to read.
func JSON[T any](r *prober.Response, err error, ok func(T) bool) (v T, why fact.Why) {
	switch {
	case err != nil:
		return v, prober.WhyOf(err)
	case r.Status != 200:
		return v, WhyStatus(r.Status)
	}
	v, found := Decode(r, ok)
	if !found {
		return v, fact.Unreadable
	}
	return v, ""
}
