package answer

import "github.com/thingwarden/thingwarden/discovery/fact"

// Unknown marks words as unknown that are not known.
func Unknown(e *fact.Evidence, why fact.Why, words []string) {
	for _, w := range words {
		e.MarkUnknown(w, why)
	}
}

// WhyStatus is what a status other than 200 means for the requested resource.
func WhyStatus(status int) fact.Why {
	if status == 401 || status == 403 {
		return fact.Refused
	}
	return fact.NotReported
}

// SetText sets a word, or marks it as not told by the device if the text has nothing
// to read in it.
func SetText(e *fact.Evidence, w fact.Fact[string], v, proof string) {
	if fact.Clean(v, fact.MaxText) == "" {
		w.Unknown(e, fact.NotReported)
		return
	}
	w.Set(e, v, proof)
}
