package cli

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
)

// fakeScanner is an agent that finds another device every second until some time, and
// needs a while for each.
type fakeScanner struct {
	started      time.Time
	until, while time.Duration
}

func (a fakeScanner) Progress() (done, total int) {
	since := time.Since(a.started)
	return int(max(0, min(since-a.while, a.until)) / time.Second), int(min(since, a.until) / time.Second)
}

func (a fakeScanner) Snapshot() *report.Snapshot { return &report.Snapshot{} }

// A scan ends when every device has been asked, and not before devices had the time
// to show themselves.
func TestScanEnds(t *testing.T) {
	for _, tt := range []struct {
		name         string
		until, while time.Duration
		want         time.Duration
		whole        bool
	}{
		{"nobody is there", 0, 0, scanLeast, true},
		{"a small home", 3 * time.Second, 2 * time.Second, scanLeast, true},
		{"slow devices", 3 * time.Second, 40 * time.Second, 43*time.Second + scanQuiet, true},
		{"devices that come late", 30 * time.Second, time.Second, 31*time.Second + scanQuiet, true},
		{"no end", time.Hour, time.Second, 2 * time.Minute, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
				defer cancel()
				started := time.Now()
				whole := newProgress(newScreen(io.Discard), 2*time.Minute).follow(ctx, fakeScanner{started, tt.until, tt.while})
				if took := time.Since(started); whole != tt.whole || took < tt.want-progressEvery || took > tt.want+time.Second {
					t.Errorf("whole %v after %v, want %v after %v", whole, took, tt.whole, tt.want)
				}
			})
		})
	}
}
