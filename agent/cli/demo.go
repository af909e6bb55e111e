package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/thingwarden/thingwarden/agent"
	"github.com/thingwarden/thingwarden/agent/config"
	"github.com/thingwarden/thingwarden/agent/demo"
	"github.com/thingwarden/thingwarden/agent/offline"
	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
)

const (
	// purgeFor is how long the end of the demo takes at most to clean the broker.
	purgeFor = 15 * time.Second
	// afterword is how long after the last step the story is over: by then what
	// came of it is printed.
	afterword = 10 * time.Second
)

func (a *app) demoCommand() *cobra.Command {
	return &cobra.Command{
		Use: "demo", Short: "Show what Thingwarden does, on a simulated home", Args: arguments(0, 0),
		Long: "Show what Thingwarden does, on a simulated home in which things happen: devices\n" +
			"join, open ports in the router and are secured, and one attacks whatever probes\n" +
			"it. Your own network is not looked at, and nothing is sent to it.\n\n" +
			"With --config FILE the home is published to the MQTT broker named there, as site\n" +
			"“demo”, and shows in Home Assistant; else to a small broker of its own. No other\n" +
			"configuration is read. Ctrl-C ends the demo and removes all that it published.",
		RunE: func(cmd *cobra.Command, _ []string) error { return a.demo(cmd.Context()) },
	}
}

// demo shows a simulated home until a signal.
func (a *app) demo(ctx context.Context) (err error) {
	owner := config.Default()
	if a.file != "" {
		if owner, err = a.load(); err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp("", "thingwarden-demo-")
	if err != nil {
		return fmt.Errorf("making a folder for the demo: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	level := max(owner.Log.Level, slog.LevelWarn)
	if owner.Log.Level < slog.LevelInfo {
		level = owner.Log.Level
	}
	log := a.logger(level)
	home, err := demo.New(dir, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, home.Close()) }()

	story := demo.Story()
	a.announceDemo(story)
	opt := agent.Options{Config: demo.Configure(owner, dir), Log: log, Version: a.version, Mode: agent.ModeRun,
		OnNotice: func(line string) { fmt.Fprint(a.out, paragraph("", line), "\n") }}
	home.Place(&opt)
	ag, err := agent.New(opt)
	if err != nil {
		return err
	}
	reached, err := a.watchDemo(ctx, ag, home, story, dir)
	if err != nil {
		return err
	}
	return a.endDemo(ctx, opt.Config, reached, log)
}

// announceDemo says what is shown and what will happen.
func (a *app) announceDemo(story []demo.Step) {
	fmt.Fprintf(a.out, "%s\n%s\n", a.out.heading("A SIMULATED HOME"), paragraph("",
		"Its devices exist only in this program, and Thingwarden finds and judges them as it would yours. "+
			"Nothing of your own network is looked at, and nothing is sent to it. After a first look, this will happen:"))
	for _, s := range story {
		fmt.Fprint(a.out, paragraph(clock(s.At), s.Soon))
	}
	fmt.Fprint(a.out, "\n", paragraph("", "At home, devices are asked twice a day and the router every half hour; here they are asked at once. Ctrl-C ends the demo."), "\n")
}

// clock writes a time of the story as it stands before a text.
func clock(at time.Duration) string {
	return fmt.Sprintf("%4d:%02d  ", int(at.Minutes()), int(at.Seconds())%60)
}

// watchDemo runs the agent and prints its news and what happens, until a signal. It
// reports whether the MQTT broker was reached, so that something may have been
// published.
func (a *app) watchDemo(ctx context.Context, ag *agent.Agent, home *demo.Home, story []demo.Step, dir string) (reached bool, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { defer stop(); ended <- ag.Run(ctx) }()
	steps, played := make(chan demo.Step), make(chan error, 1)
	go func() {
		played <- home.Play(ctx, ag, story, func(s demo.Step) {
			select {
			case steps <- s:
			case <-ctx.Done():
			}
		})
	}()
	n := newNews(a.out)
	tick := time.NewTicker(newsEvery)
	defer tick.Stop()
	var over <-chan time.Time
	var failed error
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case now := <-tick.C:
			s := ag.Snapshot()
			n.print(s, now)
			reached = reached || slices.ContainsFunc(s.Health, func(c report.Component) bool { return c.Name == "mqtt" && c.Status == discovery.OK })
		case s := <-steps:
			n.print(ag.Snapshot(), time.Now())
			if s.At == story[0].At {
				fmt.Fprint(a.out, "\n", paragraph("", "That was the first look. "+summaryOf(ag)))
			}
			fmt.Fprintf(a.out, "\n%s\n", a.out.heading(strings.TrimSuffix(paragraph(clock(s.At), s.Now), "\n")))
		case failed = <-played:
			if failed != nil {
				stop()
			}
			over = time.After(afterword)
		case <-over:
			a.afterDemo(ag, dir)
		}
	}
	return reached, errors.Join(failed, <-ended)
}

func summaryOf(ag *agent.Agent) string {
	s := ag.Snapshot()
	return summary(s, rows(s))
}

// afterDemo tells what can be done once the story is over.
func (a *app) afterDemo(ag *agent.Agent, dir string) {
	fmt.Fprint(a.out, "\n", paragraph("", "That was all that happens. "+summaryOf(ag)), "\n")
	if all := rows(ag.Snapshot()); len(all) > 0 {
		writeFirst(a.out, all[0])
	}
	fmt.Fprint(a.out, "\n", paragraph("", "The home stays as it is until you press Ctrl-C. To see all about a device, in another terminal:"),
		"\n  export THINGWARDEN_STATE_DIR="+dir+"\n  "+program(os.Args[0])+" explain \"Porch camera\"\n\n")
}

// program is how the owner starts us again: `go run` leaves no program behind.
func program(path string) string {
	if strings.Contains(filepath.ToSlash(path), "/go-build") {
		return "go run ."
	}
	return "thingwarden"
}

// endDemo removes what was published, unless the broker ends with the demo.
func (a *app) endDemo(ctx context.Context, cfg config.Config, reached bool, log *slog.Logger) error {
	text := "The demo has ended and left nothing behind."
	if cfg.MQTT.URL != "" {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), purgeFor)
		defer cancel()
		n, err := offline.Purge(ctx, cfg, log)
		switch {
		case err != nil && !reached:
			return fmt.Errorf("the demo has ended; the MQTT broker was never reached, so nothing was published: %w", err)
		case err != nil:
			return fmt.Errorf("what the demo published is still on the broker: %w; to remove it later: "+
				"THINGWARDEN_SITE=%s thingwarden purge --config %q", err, demo.Site, a.file)
		}
		text = fmt.Sprintf("The demo has ended: %s removed from the broker, and nothing is left.", count(n, "topic"))
	}
	fmt.Fprint(a.out, "\n", paragraph("", text+" To look at your own home: "+program(os.Args[0])+" scan"))
	return nil
}
