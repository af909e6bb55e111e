package runner

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
)

type sourceFunc func(context.Context, func(discovery.Observation)) error

func (f sourceFunc) Run(ctx context.Context, report func(discovery.Observation)) error {
	return f(ctx, report)
}

// newFunc is the configuration of a source that a test makes.
type newFunc func(discovery.Env) (discovery.Source, error)

func (newFunc) Validate() error { return nil }

func (f newFunc) New(env discovery.Env) (discovery.Source, error) { return f(env) }

func TestASourceThatFailsAgainAndAgainIsNotWellBetween(t *testing.T) {
	for _, tt := range []struct {
		name string
		says discovery.Status // itself, when it works at last; "" for nothing
		want discovery.Status
	}{
		{"says nothing", "", discovery.OK},
		{"says that it sees a part only", discovery.Degraded, discovery.Degraded},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(t.Context())
				var health atomic.Value
				status := func() discovery.Status { return health.Load().(discovery.Status) }
				env := discovery.Env{Log: slog.New(slog.DiscardHandler), Now: time.Now,
					Health: func(s discovery.Status, _ string) { health.Store(s) }}
				runs := 0
				cfg := newFunc(func(env discovery.Env) (discovery.Source, error) {
					return sourceFunc(func(ctx context.Context, _ func(discovery.Observation)) error {
						if runs++; runs > 1 && status() != discovery.Down {
							t.Errorf("run %d begins, and the source is %q", runs, status())
						}
						if runs < 5 {
							return errors.New("no")
						}
						if tt.says != "" {
							env.Health(tt.says, "Only a part.")
						}
						<-ctx.Done()
						return nil
					}), nil
				})
				done := make(chan struct{})
				go func() { defer close(done); Source{Config: cfg, Env: env, Down: func() {}}.Run(ctx) }()
				time.Sleep(time.Minute)
				synctest.Wait()
				if runs != 5 || status() != tt.want {
					t.Errorf("after %d runs the source is %q, want %q", runs, status(), tt.want)
				}
				stop()
				<-done
			})
		})
	}
}
