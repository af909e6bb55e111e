package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"github.com/thingwarden/thingwarden/agent"
	"github.com/thingwarden/thingwarden/agent/supervisor"
)

func (a *app) runCommand() *cobra.Command {
	return &cobra.Command{
		Use: "run", Short: "Run the agent (the same as without a command)", Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.run(cmd.Context()) },
	}
}

// run watches the home until a signal.
func (a *app) run(ctx context.Context) error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("the agent runs on Linux only; on %s, `thingwarden scan` looks once", runtime.GOOS)
	}
	cfg, err := a.load()
	if err != nil {
		return err
	}
	saveMemory(ctx)
	log := a.logger(cfg.Log.Level)
	log.Info("starting", "version", a.version, "config", cfg.File, "state", cfg.StateDir)
	notice := func(line string) { log.Info(line) }
	watched := a.out.terminal || cfg.MQTT.URL == "" && !cfg.InApp
	if watched {
		notice = func(line string) { fmt.Fprint(a.out, paragraph("", line)) }
	}
	opt := agent.Options{Config: cfg, Log: log, Version: a.version, Built: built(), Mode: agent.ModeRun, OnNotice: notice}
	if cfg.InApp {
		opt.Supervisor = supervisor.New(supervisor.DefaultURL, os.Getenv(supervisor.TokenVariable))
	}
	for {
		err := a.runOnce(ctx, opt, watched)
		if !errors.Is(err, agent.ErrClockWentBack) || ctx.Err() != nil {
			log.Info("stopped")
			return err
		}
		log.Warn("the clock was set back; going on from what was saved")
	}
}

// runOnce runs an agent to its end, and prints its news if somebody watches.
func (a *app) runOnce(ctx context.Context, opt agent.Options, watched bool) error {
	ag, err := agent.New(opt)
	if err != nil {
		return err
	}
	printed := make(chan struct{})
	printing, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		defer close(printed)
		n := loggedNews(opt.Log, time.Now())
		if watched {
			n = newNews(a.out)
		}
		n.follow(printing, ag)
	}()
	err = ag.Run(ctx)
	stop()
	<-printed
	return err
}

// follow tells devices and findings as they come.
func (n *news) follow(ctx context.Context, ag *agent.Agent) {
	tick := time.NewTicker(n.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			n.print(ag.Snapshot(), time.Now())
			return
		case now := <-tick.C:
			n.print(ag.Snapshot(), now)
		}
	}
}

// built is when the program's sources were committed, as the Go tool noted, or a time
// before that: releases are built without that note.
func built() time.Time {
	written := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return written
	}
	for _, s := range info.Settings {
		if t, err := time.Parse(time.RFC3339, s.Value); s.Key == "vcs.time" && err == nil && t.After(written) {
			return t
		}
	}
	return written
}
