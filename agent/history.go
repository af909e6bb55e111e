package agent

import (
	"encoding/json"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
)

// historyEvery is the shortest time between two additions to the history; memory
// cards wear out.
const historyEvery = time.Minute

// history is what goes to the history of the home next. Only the loop uses it.
type history struct {
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

func (h *history) addEvents(all []report.Event) {
	for _, e := range all {
		h.add(e)
	}
}

// addScores adds the scores of the home and its devices, once a day (UTC).
func (h *history) addScores(s *report.Snapshot) {
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

func (h *history) add(line any) {
	b, err := json.Marshal(line)
	if err != nil {
		return // such a line there is not: all its types can be written
	}
	h.lines = append(append(h.lines, b...), '\n')
}

// due is when the lines are to be written; zero if there are none.
func (h *history) due() time.Time {
	if len(h.lines) == 0 {
		return time.Time{}
	}
	return h.at.Add(historyEvery)
}

// take returns what is to be written now.
func (h *history) take(now time.Time) []byte {
	out := h.lines
	h.lines, h.at = nil, now
	return out
}
