package web

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"net/http"
	"sync"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
)

const (
	maxStreams = 16
	// refreshEvery is how often a stream looks for a newer snapshot.
	refreshEvery = 3 * time.Second
	// heartbeat keeps proxies from ending a stream that has nothing to say.
	heartbeat = 25 * time.Second
)

// live tells browsers when what they show has changed. It has no goroutine of its
// own: without a stream nothing happens.
type live struct {
	snapshot func() *report.Snapshot
	slots    chan struct{}

	mu   sync.Mutex
	of   *report.Snapshot // whose mark is known
	mark uint64
}

func newLive(snapshot func() *report.Snapshot) *live {
	return &live{snapshot: snapshot, slots: make(chan struct{}, maxStreams)}
}

// newest is the mark of the newest snapshot: it differs when something differs
// that is worth drawing again. Times at which devices were heard are not.
func (l *live) newest() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.snapshot(); s != l.of {
		l.of, l.mark = s, markOf(s)
	}
	return l.mark
}

func markOf(s *report.Snapshot) uint64 {
	h := fnv.New64a()
	text := func(all ...string) {
		for _, x := range all {
			_, _ = h.Write([]byte(x))
			_, _ = h.Write([]byte{0})
		}
	}
	number := func(n int64) { _ = binary.Write(h, binary.LittleEndian, n) }
	text(s.Blind)
	number(s.LastScan.Unix())
	for _, d := range s.Devices {
		text(string(d.ID), titleOf(d), d.Class, d.Manufacturer, d.Model, d.Firmware, fmt.Sprint(d.Online, d.Trusted, d.Provisional, d.Checked), fmt.Sprint(d.IDs))
		for _, f := range d.Findings {
			text(f.Policy.ID, string(f.Status))
			number(int64(f.Severity)<<32 + f.Changed.Unix())
		}
		for _, n := range d.NotChecked {
			text(n.Policy.ID)
		}
	}
	for _, c := range s.Health {
		text(c.Name, string(c.Status), c.Error)
	}
	return h.Sum64()
}

// stream sends an event each time that something changed (server-sent events, WHATWG
// HTML section 9.2).
func (p *Page) stream(w http.ResponseWriter, r *http.Request, v visitor) {
	if !v.reads {
		http.Error(w, "Log in first.", http.StatusUnauthorized)
		return
	}
	select {
	case p.live.slots <- struct{}{}:
		defer func() { <-p.live.slots }()
	default:
		w.Header().Set("Retry-After", "60")
		http.Error(w, "Too many pages are open already.", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would keep events to itself
	c := http.NewResponseController(w)
	send := func(format string, args ...any) bool {
		_ = c.SetWriteDeadline(time.Now().Add(10 * time.Second))
		_, err := fmt.Fprintf(w, format, args...)
		return err == nil && c.Flush() == nil
	}
	shown := p.live.newest()
	if !send("retry: 5000\nevent: hello\ndata: %016x\n\n", shown) {
		return
	}
	refresh, beat := time.NewTicker(refreshEvery), time.NewTicker(heartbeat)
	defer refresh.Stop()
	defer beat.Stop()
	for {
		ok := true
		select {
		case <-r.Context().Done():
			return
		case <-beat.C:
			ok = p.visitor(r, v.ingress).reads && send(": \n\n")
		case <-refresh.C:
			if mark := p.live.newest(); mark != shown {
				shown = mark
				ok = send("event: change\ndata: %016x\n\n", mark)
			}
		}
		if !ok {
			return
		}
	}
}
