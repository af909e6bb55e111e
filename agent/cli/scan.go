package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/thingwarden/thingwarden/agent"
	"github.com/thingwarden/thingwarden/agent/config"
	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/policy"
)

// scanOptions are the flags of scan.
type scanOptions struct {
	length time.Duration
	format string
	failOn policy.Severity // 0: never
}

func (a *app) scanCommand() *cobra.Command {
	var length, format, failOn string
	cmd := &cobra.Command{
		Use: "scan", Short: "Look once and print the devices and what is wrong", Args: arguments(0, 0),
		Long: "Look once and print the devices, what is wrong with them and what to do.\n" +
			"Nothing is written or published.\n\n" +
			"It ends when every device has been asked. The exit code is 0; 2 if a finding is\n" +
			"as severe as --fail-on; 3 if --fail-on is given and the scan was cut off before;\n" +
			"1 on an error, or if nothing of your home can be seen.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := parseScan(length, format, failOn)
			if err != nil {
				return err
			}
			return a.scan(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&length, "for", "2m", "how long to look at most: `TIME`")
	cmd.Flags().StringVar(&format, "format", "table", "`FORMAT` to print: table or json")
	cmd.Flags().StringVar(&failOn, "fail-on", "", "exit with 2 on findings of this `SEVERITY` or worse")
	return cmd
}

func parseScan(length, format, failOn string) (o scanOptions, err error) {
	if o.length, err = config.ParseDuration(length); err == nil && o.length <= 0 {
		err = errors.New("want more than 0")
	}
	if err != nil {
		return o, fmt.Errorf("--for: %w", err)
	}
	if o.format = format; format != "table" && format != "json" {
		return o, fmt.Errorf("--format: want table or json, have %q", format)
	}
	if failOn != "" {
		if o.failOn, err = policy.ParseSeverity(failOn); err != nil {
			return o, fmt.Errorf("--fail-on: %w", err)
		}
	}
	return o, nil
}

// scan looks at the home for a while, or until a signal, and prints what it has
// by then.
func (a *app) scan(ctx context.Context, o scanOptions) error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	level := max(cfg.Log.Level, slog.LevelWarn)
	if cfg.Log.Level < slog.LevelInfo {
		level = cfg.Log.Level
	}
	progress := newProgress(a.err, o.length)
	log := slog.New(slog.NewTextHandler(progress, &slog.HandlerOptions{Level: level}))
	notice := func(line string) { fmt.Fprint(progress, paragraph("", line)) }
	if o.format == "json" && !a.err.terminal {
		notice = nil // a program reads; it has the same under health
	}
	started := time.Now()
	ag, err := agent.New(agent.Options{Config: cfg, Log: log, Version: a.version, Mode: agent.ModeScan, OnNotice: notice})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.length)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- ag.Run(ctx) }()
	whole := progress.follow(ctx, ag)
	done, total := ag.Progress()
	cancel()
	if err := <-ended; err != nil && ctx.Err() == nil {
		return err
	}
	if whole {
		done = total
	}
	return a.show(ag.Snapshot(), o, started, time.Now(), total-done)
}

// show prints what a scan found. Left is how many devices have not been asked all
// there is to ask.
func (a *app) show(s *report.Snapshot, o scanOptions, started, finished time.Time, left int) error {
	if o.format == "json" {
		if err := report.WriteJSON(a.out, s, started, finished); err != nil {
			return err
		}
	} else {
		writeReport(a.out, s)
	}
	switch sev := worst(s); {
	case s.Blind != "":
		a.code = exitError
		if o.format == "json" {
			fmt.Fprintln(a.err, "thingwarden:", s.Blind)
		}
	case o.failOn != 0 && sev >= o.failOn:
		a.code = exitFinding
	case o.failOn != 0 && left > 0:
		a.code = exitCutOff
	}
	if left > 0 && s.Blind == "" {
		fmt.Fprintf(a.err, "thingwarden: cut off while %s had not been asked completely; look longer with --for.\n", count(left, "device"))
	}
	return nil
}
