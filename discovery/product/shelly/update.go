package shelly

import (
	"regexp"
	"strings"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/internal/loosejson"
	"github.com/thingwarden/thingwarden/discovery/internal/version"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// waiting is what a device says of an update.
type waiting struct {
	update answer.Tristate
	proof  string
	why    fact.Why // of what is not clear
}

func setWaiting(e *fact.Evidence, why fact.Why, at string, read func() waiting) {
	if why != "" {
		fact.DeviceUpdate.Unknown(e, why)
		return
	}
	w := read()
	if w.update == answer.Unclear {
		fact.DeviceUpdate.Unknown(e, w.why)
		return
	}
	fact.DeviceUpdate.Set(e, w.update == answer.Yes, at+w.proof)
}

// factory names versions that were put on in the factory, which count in another
// order (1.1.99-minig3prod1).
var factory = regexp.MustCompile(`\.99-`)

// readGen1Update reads update.has_update of /status. It is compared with what
// runs: devices have offered what they had already.
func readGen1Update(r *prober.Response, runs string) waiting {
	type update struct {
		HasUpdate  loosejson.Flag `json:"has_update"`
		NewVersion loosejson.Text `json:"new_version"`
	}
	type status struct {
		Update loosejson.Maybe[*update] `json:"update"`
	}
	s, ok := answer.Decode(r, func(s status) bool { return s.Update.Value != nil })
	switch {
	case !ok:
		return waiting{why: fact.NotReported}
	case s.Update.Value.HasUpdate.Bad:
		return waiting{why: fact.Unreadable}
	case !s.Update.Value.HasUpdate.Known:
		return waiting{why: fact.NotReported}
	case !s.Update.Value.HasUpdate.Value:
		return waiting{update: answer.No, proof: "update.has_update=false"}
	}
	offered := string(s.Update.Value.NewVersion)
	return compare("update.new_version="+offered, offered, runs)
}

// readGen2Update reads available_updates.stable of Sys.GetStatus.
func readGen2Update(r *prober.Response, runs string) waiting {
	type version struct {
		Version loosejson.Text `json:"version"`
	}
	type updates struct {
		Stable loosejson.Maybe[*version] `json:"stable"`
	}
	type status struct {
		Updates loosejson.Maybe[*updates] `json:"available_updates"`
	}
	s, ok := answer.Decode(r, func(s status) bool { return s.Updates.Value != nil })
	if !ok {
		return waiting{why: fact.NotReported}
	}
	stable := s.Updates.Value.Stable.Value
	if stable == nil {
		return waiting{update: answer.No, proof: "available_updates without stable"}
	}
	return compare("available_updates.stable.version="+string(stable.Version), string(stable.Version), runs)
}

// compare says whether the version that is offered is newer than the one that runs.
func compare(reported, offered, runs string) waiting {
	if offered == "" || runs == "" || factory.MatchString(runs) || factory.MatchString(offered) {
		return waiting{why: fact.Unreadable}
	}
	if version.IsPreview(offered) {
		return waiting{update: answer.No, proof: reported + " is a preview"}
	}
	order, ok := inOrder(runs, offered)
	if !ok {
		return waiting{why: fact.Unreadable}
	}
	w := waiting{update: answer.No, proof: reported + ", runs " + runs}
	if order < 0 {
		w.update = answer.Yes
	}
	return w
}

// built begins the versions of the first generation: 20230913-112003/v1.14.0-gcb84623.
var built = regexp.MustCompile(`^(20\d{6}-\d{6})/(.*)$`)

// inOrder compares two versions: by the time of their build where both tell it,
// since versions of branches have no order.
func inOrder(a, b string) (order int, ok bool) {
	if a == b {
		return 0, true
	}
	x, y := built.FindStringSubmatch(a), built.FindStringSubmatch(b)
	if x != nil && y != nil && x[1] != y[1] {
		return strings.Compare(x[1], y[1]), true
	}
	if x != nil {
		a = x[2]
	}
	if y != nil {
		b = y[2]
	}
	return version.Compare(a, b)
}
