// Package runner runs a source for as long as the agent runs, and starts it again
// with backoff when it fails.
//
// It is not its job to choose the sources, nor to do anything with what they report.
package runner

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
)

const (
	restartFirst = time.Second
	restartMost  = 5 * time.Minute
	// wellAfter is how long a source that failed must run until it counts as well
	// again, unless it says so itself: one that fails time after time must not seem
	// to come back each time.
	wellAfter = 10 * time.Second
)

// Source is a source to run. All fields are required.
type Source struct {
	Config discovery.SourceConfig
	Env    discovery.Env
	Report func(discovery.Observation)
	// Down is called when the source failed: what it reported live is unknown now.
	Down func()
}

// Run runs the source until ctx is done.
func (s Source) Run(ctx context.Context) {
	wait := restartFirst
	s.Env.Health(discovery.OK, "")
	failed := false
	for {
		began := s.Env.Now()
		err := s.once(ctx, failed)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errors.New("it stopped by itself")
		}
		s.Env.Log.Warn("source failed", "err", err)
		s.Env.Health(discovery.Down, fmt.Sprintf("It does not work at present: %v.", err))
		s.Down()
		if s.Env.Now().Sub(began) > restartMost {
			wait = restartFirst
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait/2 + rand.N(wait/2)):
		}
		wait, failed = min(2*wait, restartMost), true
	}
}

// once runs the source once, again after it failed or for the first time. A panic in
// it is its failure, not the agent's.
func (s Source) once(ctx context.Context, again bool) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	env := s.Env
	if again {
		h := &recovery{tell: env.Health}
		env.Health = h.says
		timer := time.AfterFunc(wellAfter, h.well)
		defer func() { timer.Stop(); h.ended() }()
	}
	source, err := s.Config.New(env)
	if err != nil {
		return fmt.Errorf("starting: %w", err)
	}
	return source.Run(ctx, s.Report)
}

// recovery is the health of a source that failed before and runs again.
type recovery struct {
	mu   sync.Mutex
	told bool // by the source itself
	tell func(discovery.Status, string)
}

func (h *recovery) says(s discovery.Status, problem string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.told = true
	h.tell(s, problem)
}

// ended keeps well from reporting, if it runs already, that what has just failed
// is well.
func (h *recovery) ended() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.told = true
}

func (h *recovery) well() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.told {
		h.tell(discovery.OK, "")
	}
}
