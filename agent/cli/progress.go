package cli

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
)

const progressEvery = 250 * time.Millisecond

// progress is a line on a terminal that says how far a scan is. Other lines that
// are written through it stand above.
type progress struct {
	w   screen
	end time.Time

	mu    sync.Mutex // guards shown and the order of what is written
	shown bool
}

func newProgress(w screen, length time.Duration) *progress {
	return &progress{w: w, end: time.Now().Add(length)}
}

// Write writes whole lines above the progress.
func (p *progress) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	return p.w.Write(b)
}

func (p *progress) clear() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = false
	}
}

const (
	// scanLeast is how long a scan lasts at the least: devices have to show
	// themselves before they can be asked.
	scanLeast = 20 * time.Second
	// scanQuiet is how long nothing may be left to ask until a scan ends.
	scanQuiet = 5 * time.Second
)

// scanner is an agent that looks at a home.
type scanner interface {
	Progress() (done, total int)
	Snapshot() *report.Snapshot
}

// follow shows the progress, on a terminal, until ctx is done or every device has
// been asked; it reports which.
func (p *progress) follow(ctx context.Context, a scanner) (whole bool) {
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	started, busy, before := time.Now(), time.Now(), 0
	for ctx.Err() == nil {
		done, total := a.Progress()
		if done < total || total != before {
			busy, before = time.Now(), total
		}
		if time.Since(started) >= scanLeast && time.Since(busy) >= scanQuiet {
			p.line("")
			return true
		}
		if p.w.terminal {
			p.line(progressText(a.Snapshot(), done, total, time.Until(p.end)))
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	p.line("")
	return false
}

func (p *progress) line(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	if text != "" {
		fmt.Fprint(p.w, text)
		p.shown = true
	}
}

func progressText(s *report.Snapshot, done, total int, left time.Duration) string {
	devices := 0
	for _, d := range s.Devices {
		if d.ID != discovery.Hub {
			devices++
		}
	}
	return cut(fmt.Sprintf("%d s left: %s, %d of %d asked, %s. Ctrl-C ends it now.",
		max(0, int(left.Seconds())), count(devices, "device"), done, total, count(len(rows(s)), "finding")), columns-1)
}
