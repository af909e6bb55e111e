package web

import (
	"cmp"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/policy"
)

type deviceList struct {
	frame
	Rows           []row
	Total          int
	Query          string
	Show           []option
	Classes, Rooms []option
	Sorts          []option
	AnyRoom        bool
	Untrusted      bool // at least one
}

// option is one of a list to choose from.
type option struct {
	Value, Name string
	Chosen      bool
}

// row is a device in the table.
type row struct {
	deviceRef
	What, Room string
	Score      gauge
	Worst      string
	ToDo       int
	LastSeen   stamp
	Away       bool
	New        bool
	Trusted    bool
	Unsure     bool // not confirmed yet
	Muted      bool
	Listened   bool // only listened to
	device     report.Device
}

func (p *Page) showDevices(w http.ResponseWriter, r *http.Request, v visitor) {
	f := p.frame(r, v, "devices", "Devices")
	q := r.URL.Query()
	view := deviceList{frame: f, Query: q.Get("q")}
	classes, rooms := map[string]bool{}, map[string]bool{}
	for _, d := range f.snapshot.Devices {
		classes[d.Class], rooms[roomOf(d)] = true, true
		x := f.row(d)
		view.Untrusted = view.Untrusted || !d.Trusted && d.ID != discovery.Hub
		view.Total++
		if x.matches(view.Query) && fits(q.Get("class"), d.Class) && fits(q.Get("room"), x.Room) && x.shownFor(q.Get("show")) {
			view.Rows = append(view.Rows, x)
		}
	}
	sortRows(view.Rows, q.Get("sort"))
	view.Classes = options(classes, q.Get("class"), className)
	view.Rooms = options(rooms, q.Get("room"), func(s string) string { return s })
	view.AnyRoom = len(view.Rooms) > 0
	view.Show = choices(q.Get("show"), "", "All", "todo", "With something to do", "new", "New", "untrusted", "Not trusted", "away", "Away", "muted", "Muted", "listened", "Only listened to", "accepted", "With accepted risks")
	view.Sorts = choices(q.Get("sort"), "", "Worst first", "name", "Name", "seen", "Last seen", "first", "Newest first", "address", "Address", "room", "Room")
	p.draw(w, r, http.StatusOK, "devices.html", view)
}

func (f frame) row(d report.Device) row {
	x := row{
		deviceRef: f.ref(d), What: what(d), Room: roomOf(d), Score: deviceGauge(d), LastSeen: f.stamp(d.LastSeen),
		Away: !d.Online, New: waits(d), Trusted: d.Trusted, Unsure: d.Provisional, Muted: d.Muted, Listened: d.ListenOnly, device: d,
	}
	if d.Online && f.now.Sub(d.LastSeen) < 5*time.Minute {
		x.LastSeen.Ago = "now"
	}
	if d.LastSeen.IsZero() {
		x.LastSeen = stamp{}
	}
	worst := policy.Severity(0)
	for _, y := range d.Findings {
		if y.Actionable() {
			x.ToDo++
			worst = max(worst, y.Severity)
		}
	}
	x.Worst = worst.String()
	return x
}

// matches reports whether all words of a search are somewhere in what a device
// shows of itself.
func (x row) matches(query string) bool {
	d := x.device
	text := strings.ToLower(strings.Join(append([]string{x.Title, x.What, x.Room, x.ID, x.Addr, d.Firmware}, append(d.MACs(), addresses(d)...)...), " "))
	for word := range strings.FieldsSeq(strings.ToLower(query)) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

func (x row) shownFor(show string) bool {
	switch show {
	case "todo":
		return x.ToDo > 0
	case "new":
		return x.New
	case "untrusted":
		return !x.Trusted && x.device.ID != discovery.Hub
	case "away":
		return x.Away
	case "muted":
		return x.device.Muted
	case "listened":
		return x.device.ListenOnly
	case "accepted":
		return x.Score.Accepted > 0
	default:
		return true
	}
}

func fits(wanted, has string) bool { return wanted == "" || wanted == has }

func sortRows(rows []row, by string) {
	name := func(a, b row) int {
		return cmp.Or(cmp.Compare(strings.ToLower(a.Title), strings.ToLower(b.Title)), cmp.Compare(a.ID, b.ID))
	}
	slices.SortFunc(rows, func(a, b row) int {
		first := 0
		switch by {
		case "name":
		case "seen":
			first = b.device.LastSeen.Compare(a.device.LastSeen)
		case "first":
			first = b.device.FirstSeen.Compare(a.device.FirstSeen)
		case "address":
			x, _ := netip.ParseAddr(a.Addr)
			y, _ := netip.ParseAddr(b.Addr)
			first = cmp.Or(boolFirst(x.IsValid(), y.IsValid()), x.Compare(y))
		case "room":
			first = cmp.Or(boolFirst(a.Room != "", b.Room != ""), cmp.Compare(a.Room, b.Room))
		default:
			first = cmp.Compare(points(a.device), points(b.device))
		}
		return cmp.Or(first, name(a, b))
	})
}

// points is a score by which to sort: unknown ones come last.
func points(d report.Device) int {
	if n := d.Score(); n != nil {
		return *n
	}
	return 101
}

func boolFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	default:
		return 1
	}
}

func options(have map[string]bool, chosen string, name func(string) string) (out []option) {
	for _, x := range slices.Sorted(maps.Keys(have)) {
		if x != "" {
			out = append(out, option{x, name(x), x == chosen})
		}
	}
	return out
}

// choices makes options of values and their names by turns.
func choices(chosen string, pairs ...string) (out []option) {
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, option{pairs[i], pairs[i+1], pairs[i] == chosen})
	}
	return out
}

func roomOf(d report.Device) string { return fact.Clean(d.Room, maxName) }

func addresses(d report.Device) (out []string) {
	for _, a := range d.Addrs() {
		out = append(out, a.WithZone("").String())
	}
	return out
}
