package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/thingwarden/thingwarden/agent/control"
	"github.com/thingwarden/thingwarden/agent/home"
	"github.com/thingwarden/thingwarden/agent/offline"
	"github.com/thingwarden/thingwarden/agent/store"
)

func (a *app) exportCommand() *cobra.Command {
	return &cobra.Command{
		Use: "export", Short: "Print your decisions, for another hub or site", Args: arguments(0, 0),
		Long: "Print as JSON which devices are known and what you decided about them: names,\n" +
			"types, rooms, trust, accepted findings. `thingwarden import` reads it. It holds no\n" +
			"password, but it lists your devices: keep it to yourself.",
		RunE: func(*cobra.Command, []string) error { return a.export() },
	}
}

func (a *app) export() error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	now := time.Now()
	dec, err := store.ReadDecisions(cfg.StateDir, now)
	if err != nil {
		return err
	}
	if len(dec.Devices)+len(dec.Hidden) == 0 {
		return fmt.Errorf("there are no decisions in %q yet; `thingwarden` starts an agent that keeps them there", cfg.StateDir)
	}
	t, left := dec.Export(now)
	b, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the decisions: %w", err)
	}
	for _, id := range left {
		text := fmt.Sprintf("warning: %s is left out: only its address is known, which is another device's elsewhere", id)
		if t.Devices[id] != nil {
			text = fmt.Sprintf("warning: %s is exported as a device of its own: it is merged with one of which only the address is known, which is another device's elsewhere", id)
		}
		fmt.Fprint(a.err, paragraph("", text))
	}
	fmt.Fprintln(a.out, string(b))
	return nil
}

func (a *app) importCommand() *cobra.Command {
	return &cobra.Command{
		Use: "import FILE", Short: "Take over decisions from another hub or site", Args: arguments(1, 1),
		Long: "Take over what `thingwarden export` printed; - is standard input. What you decided\n" +
			"here stays: where names, types or rooms differ it is the one from here, and of two\n" +
			"acceptances of a finding the newer.",
		RunE: func(cmd *cobra.Command, args []string) error { return a.take(cmd.Context(), cmd.InOrStdin(), args[0]) },
	}
}

// take reads decisions and has the running agent take them over, or writes them to
// its files when none runs.
func (a *app) take(ctx context.Context, in io.Reader, file string) error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return fmt.Errorf("reading the decisions: %w", err)
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, home.MaxTransfer+1))
	if err != nil {
		return fmt.Errorf("reading the decisions: %w", err)
	}
	t, err := home.ParseTransfer(b)
	if err != nil {
		return fmt.Errorf("nothing was taken over:\n%w", eachLine(file, err))
	}
	running := true
	err = control.NewClient(cfg.StateDir).Import(ctx, t)
	if errors.Is(err, control.ErrNotRunning) {
		running, err = false, offline.Decide(cfg, home.Import{Transfer: t})
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "Decisions about %s are taken over.\n", count(len(t.Devices), "device"))
	if !running {
		fmt.Fprintln(a.out, "No agent is running; the next one will follow this.")
	}
	return nil
}

// eachLine puts the file in front of each line of an error.
func eachLine(file string, err error) error {
	return errors.New(file + ": " + strings.ReplaceAll(err.Error(), "\n", "\n"+file+": "))
}
