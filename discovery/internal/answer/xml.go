package answer

import (
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/upnp"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

const maxXML = 64 << 10 // bytes: the whole of an answer

// XML reads a document in the answer to a GET, or says why there is nothing to read:
// also if it is not as ok says.
func XML(r *prober.Response, err error, ok func(root *upnp.Element) bool) (*upnp.Element, fact.Why) {
	switch {
	case err != nil:
		return nil, prober.WhyOf(err)
	case r.Status != 200:
		return nil, WhyStatus(r.Status)
	case r.Truncated || len(r.Body) > maxXML:
		return nil, fact.Unreadable
	}
	root, err := upnp.ParseXML(r.Body)
	if err != nil || !ok(root) {
		return nil, fact.Unreadable
	}
	return root, ""
}
