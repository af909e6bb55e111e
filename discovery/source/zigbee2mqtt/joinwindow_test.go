package zigbee2mqtt

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestJoinWindow(t *testing.T) {
	type step struct {
		at   time.Duration // after the beginning
		what string        // "open", "stale open", "open for ever", "close", "lose", "tick"
		end  time.Duration // of a window, after the beginning
	}
	type result struct {
		Open   bool
		Since  time.Duration
		Day    time.Duration
		Joined string // what a device is that shows up now
	}
	begin := clock
	for _, tt := range []struct {
		name  string
		steps []step
		at    time.Duration
		want  result
	}{
		{"nothing told", nil, 0, result{Joined: "unknown"}},
		{"closed", []step{{0, "close", 0}}, time.Hour, result{Joined: "uninvited"}},
		{"open", []step{{0, "open", 4 * time.Minute}}, time.Minute, result{Open: true, Day: time.Minute, Joined: "invited"}},
		{"renewed", []step{{0, "open", 4 * time.Minute}, {3 * time.Minute, "open", 7 * time.Minute}}, 6 * time.Minute,
			result{Open: true, Day: 6 * time.Minute, Joined: "invited"}},
		{"closed and opened again", []step{{0, "open", 4 * time.Minute}, {time.Minute, "close", 0}, {3 * time.Minute, "open", 7 * time.Minute}},
			4 * time.Minute, result{Open: true, Since: 3 * time.Minute, Day: 2 * time.Minute, Joined: "invited"}},
		{"just closed", []step{{0, "open", 4 * time.Minute}, {time.Minute, "close", 0}}, time.Minute + 5*time.Second,
			result{Day: time.Minute, Joined: "invited"}},
		{"closes by itself", []step{{0, "open", 4 * time.Minute}, {5 * time.Minute, "tick", 0}}, 6 * time.Minute,
			result{Day: 4 * time.Minute, Joined: "unknown"}},
		{"closes by itself, then told", []step{{0, "open", 4 * time.Minute}, {4 * time.Minute, "tick", 0}, {5 * time.Minute, "close", 0}},
			6 * time.Minute, result{Day: 4 * time.Minute, Joined: "uninvited"}},
		{"for ever", []step{{0, "open for ever", 0}, {30 * time.Hour, "tick", 0}}, 30 * time.Hour,
			result{Open: true, Day: 24 * time.Hour, Joined: "invited"}},
		{"clocks differ", []step{{time.Hour, "open", time.Minute}}, time.Hour + 4*time.Minute,
			result{Open: true, Since: time.Hour, Day: 4 * time.Minute, Joined: "invited"}},
		{"clocks differ, closes", []step{{time.Hour, "open", time.Minute}, {2 * time.Hour, "tick", 0}}, 2 * time.Hour,
			result{Day: 254 * time.Second, Joined: "unknown"}},
		{"retained, long over", []step{{time.Hour, "stale open", time.Minute}}, 2 * time.Hour, result{Joined: "uninvited"}},
		{"lost", []step{{0, "open", 4 * time.Minute}, {time.Minute, "lose", 0}}, time.Minute, result{Day: time.Minute, Joined: "unknown"}},
		{"a day later", []step{{0, "open for ever", 0}, {time.Hour, "close", 0}}, 24*time.Hour + 20*time.Minute,
			result{Day: 40 * time.Minute, Joined: "uninvited"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var w joinWindow
			for _, s := range tt.steps {
				now, end := begin.Add(s.at), begin.Add(s.end)
				switch s.what {
				case "open":
					w.set(true, end, true, "", now)
				case "stale open":
					w.set(true, end, false, "", now)
				case "open for ever":
					w.set(true, time.Time{}, true, "", now)
				case "close":
					w.set(false, time.Time{}, true, "", now)
				case "lose":
					w.lose(now)
				case "tick":
					w.tick(now)
				}
			}
			now := begin.Add(tt.at)
			got := result{Open: w.open, Day: w.lastDay(now)}
			if w.open {
				got.Since = w.since.Sub(begin)
			}
			switch invited, known := w.invited(now); {
			case !known:
				got.Joined = "unknown"
			case invited:
				got.Joined = "invited"
			default:
				got.Joined = "uninvited"
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestJoinWindowIsBounded(t *testing.T) {
	var w joinWindow
	now := clock
	for range 3 * maxWindows {
		w.set(true, time.Time{}, true, "", now)
		now = now.Add(time.Second)
		w.set(false, time.Time{}, true, "", now)
		now = now.Add(time.Second)
	}
	if len(w.past) > maxWindows {
		t.Errorf("%d windows are remembered, want at most %d", len(w.past), maxWindows)
	}
	if got, want := w.lastDay(now), 3*maxWindows*time.Second; got != want {
		t.Errorf("open for %v, want %v", got, want)
	}
}
