// Package cli is the command line: it reads flags, has package agent do the
// work, and shows people and programs what came out.
//
// It is not its job to look, judge or remember. Whatever a device named itself
// reaches a terminal only through quote, cleaned and in quotation marks.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/thingwarden/thingwarden/agent/config"
)

// The exit codes.
const (
	exitOK      = 0
	exitError   = 1
	exitFinding = 2 // of scan: a finding reaches --fail-on
	exitCutOff  = 3 // of scan: cut off before every device was asked, with --fail-on
)

// patience is for how long after a signal another one is not taken as a second.
const patience = 2 * time.Second

// app is what all commands share.
type app struct {
	version string
	file    string // --config
	out     screen
	err     screen
	code    int // set by a command that ends well and not with 0
}

// Main runs the command line and returns the exit code.
func Main(args []string, version string, stdout, stderr io.Writer) int {
	a := &app{version: buildVersion(version), out: newScreen(stdout), err: newScreen(stderr)}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// Later signals end the program at once. Some programs send two at a time,
	// timeout(1) among them, and mean one.
	context.AfterFunc(ctx, func() { time.AfterFunc(patience, stop) })

	root := a.root()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	if err := root.ExecuteContext(ctx); err != nil {
		a.fail(err)
		return exitError
	}
	return a.code
}

// fail prints an error. Mistakes in the configuration stand one a line, so that
// editors find them.
func (a *app) fail(err error) {
	if problems, ok := errors.AsType[config.Problems](err); ok {
		fmt.Fprintln(a.err, problems)
		return
	}
	fmt.Fprintf(a.err, "thingwarden: %v\n", err)
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "thingwarden",
		Short: "Discover the devices of your home and say what is unsafe about them",
		Long: "Thingwarden discovers the devices of your home (Wi-Fi and LAN, Zigbee, Z-Wave),\n" +
			"says what is unsafe about each, how it knows and what to do, and tells Home\n" +
			"Assistant. Without a command it runs as an agent.",
		SilenceUsage: true, SilenceErrors: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		RunE:              func(cmd *cobra.Command, _ []string) error { return a.run(cmd.Context()) },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w; `%s --help` lists them", err, cmd.CommandPath())
	})
	root.PersistentFlags().StringVar(&a.file, "config", "",
		"configuration `FILE` (default: see config.example.yaml)")
	root.AddCommand(a.runCommand(), a.scanCommand(), a.explainCommand())
	root.AddCommand(a.decisionCommands()...)
	root.AddCommand(a.correctionCommands()...)
	root.AddCommand(a.policyCommand(), a.configCommand(), a.demoCommand(), a.exportCommand(), a.importCommand(), a.purgeCommand(), a.webCommand(), a.dashboardCommand(), a.versionCommand(), a.healthCommand())
	return root
}

// arguments wants a number of arguments, and says how a command is written when
// there are too few or too many.
func arguments(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		usage := cmd.CommandPath()
		if _, rest, ok := strings.Cut(cmd.Use, " "); ok {
			usage += " " + rest
		}
		switch {
		case len(args) < least:
			return fmt.Errorf("too few arguments; want: %s", usage)
		case len(args) > most && most > 0:
			return fmt.Errorf("too many arguments; want: %s, and names with spaces in quotation marks", usage)
		case len(args) > most:
			return fmt.Errorf("too many arguments; want: %s", usage)
		}
		return nil
	}
}

// load reads the configuration and prints its warnings.
func (a *app) load() (config.Config, error) {
	cfg, warnings, err := config.Load(a.file)
	for _, w := range warnings {
		fmt.Fprintln(a.err, "warning:", w)
	}
	return cfg, err
}

// logger writes to standard error.
func (a *app) logger(level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: level}))
}
