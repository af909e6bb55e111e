package cli

import (
	"context"
	"os"
	"runtime/debug"
	"time"
)

const (
	// startTakes is how long reading policies, asking all devices and publishing
	// everything take at most in most homes.
	startTakes = time.Minute
	// tidyEvery is how often memory is given back that a busy time needed.
	tidyEvery = time.Hour
)

// saveMemory trades time for memory, which is scarcer on the machine that runs
// Home Assistant: garbage may grow to a quarter of what is in use, unless the
// owner has set GOGC. What only the start needed is given back, until ctx is done.
func saveMemory(ctx context.Context) {
	limitMemory()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(25)
	}
	go func() {
		for wait := startTakes; ; wait = tidyEvery {
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
			debug.FreeOSMemory()
			releaseProgram()
		}
	}()
}
