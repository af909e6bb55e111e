package store

import (
	"encoding/json"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
)

// historyEvery is the shortest time between two additions to the history; memory
// cards wear out.
const historyEvery = time.Minute

// Lines is what goes to the history of the home next. It is not safe for concurrent
// use; the agent's loop owns it.
type Lines struct {
	lines []byte
	at    time.Time // of the last addition
	day   string    // of the last score
}

// scores is a line of the history: the scores of a day.
type scores struct {
	At      time.Time            `json:"at"`
	Score   float64              `json:"score"`
	Devices map[discovery.ID]int `json:"devices"`
}

// AddEvents adds a line for each event.
func (h *Lines) AddEvents(all []report.Event) {
	for _, e := range all {
		h.add(e)
	}
}

// AddScores adds the scores of the home and its devices, once a day (UTC).
func (h *Lines) AddScores(s *report.Snapshot) {
	score, day := s.Score(), s.At.UTC().Format(time.DateOnly)
	if score == nil || day == h.day {
		return
	}
	h.day = day
	line := scores{At: s.At.UTC().Round(0), Score: *score, Devices: map[discovery.ID]int{}}
	for _, d := range s.Devices {
		if n := d.Score(); n != nil {
			line.Devices[d.ID] = *n
		}
	}
	h.add(line)
}

// LastDay says when scores were added before the start.
func (h *Lines) LastDay(at time.Time) { h.day = at.UTC().Format(time.DateOnly) }

func (h *Lines) add(line any) {
	b, err := json.Marshal(line)
	if err != nil {
		return // such a line there is not: all its types can be written
	}
	h.lines = append(append(h.lines, b...), '\n')
}

// Due is when the lines are to be written; zero if there are none.
func (h *Lines) Due() time.Time {
	if len(h.lines) == 0 {
		return time.Time{}
	}
	return h.at.Add(historyEvery)
}

// Take returns what is to be written now.
func (h *Lines) Take(now time.Time) []byte {
	out := h.lines
	h.lines, h.at = nil, now
	return out
}
