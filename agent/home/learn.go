package home

import "time"

// saveLearned is how often it is saved for how long devices have been learned, if
// nothing else has to be: a crash makes the learning period longer by that.
const saveLearned = 10 * time.Minute

// learns reports whether devices are still being learned, none of which is news. It
// goes by running time: a clock that was set says nothing of how long we looked.
func (c *Home) learns(now time.Time) bool {
	return !c.dec.Learned && c.learnedFor+max(now.Sub(c.ticked), 0) < c.o.Learning
}

// learn counts the time since the last tick.
func (c *Home) learn(now time.Time) {
	c.learnedFor += max(now.Sub(c.ticked), 0)
	c.ticked = now
	if !c.o.Watch || c.dec.Learned || c.o.Learning == 0 {
		return
	}
	if !c.learns(now) {
		c.dec.Learned, c.out.Decisions = true, true
		return
	}
	if c.learnedFor-c.learnedSaved >= saveLearned {
		c.learnedSaved, c.out.Learning = c.learnedFor, true
	}
}
