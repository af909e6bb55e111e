package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/thingwarden/thingwarden/agent/config"
	"github.com/thingwarden/thingwarden/agent/control"
	"github.com/thingwarden/thingwarden/agent/home"
	"github.com/thingwarden/thingwarden/agent/offline"
	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/policy"
)

const deviceHelp = "DEVICE is an id, a MAC, IEEE or IP address, or a part of the name that only\none device has."

func (a *app) decisionCommands() []*cobra.Command {
	return []*cobra.Command{
		a.trustCommand(report.Trust, "Say that a device is known to you", "every device that is there now: these are all mine"),
		a.trustCommand(report.Untrust, "Take back that a device is known to you", "every device that is there now"),
		a.acceptCommand(),
		a.decisionCommand(report.Unaccept, "unaccept DEVICE POLICY", "Undo an acceptance", 2, 2),
		a.decisionCommand(report.Recheck, "recheck [DEVICE]", "Look again now, at one device or at all", 0, 1),
	}
}

func (a *app) decisionCommand(action report.Action, use, short string, least, most int) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Long: short + ".\n\n" + deviceHelp, Args: arguments(least, most),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.decide(cmd.Context(), report.Command{Action: action, Policy: at(args, 1)}, at(args, 0))
		},
	}
}

func at(args []string, i int) string {
	if i < len(args) {
		return args[i]
	}
	return ""
}

func (a *app) acceptCommand() *cobra.Command {
	var length, until, reason string
	cmd := &cobra.Command{
		Use: "accept DEVICE POLICY", Short: "Accept a finding for now, or until it gets worse", Args: arguments(2, 2),
		Long: "Accept a finding. It comes back at the given date, and at once if it gets\nworse.\n\n" + deviceHelp,
		RunE: func(cmd *cobra.Command, args []string) error {
			end, err := acceptUntil(length, until, time.Now())
			if err != nil {
				return err
			}
			return a.decide(cmd.Context(), report.Command{Action: report.Accept, Policy: args[1], Reason: reason, Until: end}, args[0])
		},
	}
	cmd.Flags().StringVar(&length, "for", "", "for how long, such as `30d`")
	cmd.Flags().StringVar(&until, "until", "", "until the end of that day: `YYYY-MM-DD`")
	cmd.Flags().StringVar(&reason, "reason", "", "`WHY`, for your own memory")
	return cmd
}

// acceptUntil is when an acceptance ends; zero for never. A day counts to its end.
func acceptUntil(length, until string, now time.Time) (time.Time, error) {
	switch {
	case length != "" && until != "":
		return time.Time{}, errors.New("give --for or --until, not both")
	case length != "":
		d, err := config.ParseDuration(length)
		if err == nil && d <= 0 {
			err = errors.New("want more than 0")
		}
		if err != nil {
			return time.Time{}, fmt.Errorf("--for: %w", err)
		}
		return now.Add(d), nil
	case until != "":
		t, err := time.ParseInLocation(time.DateOnly, until, now.Location())
		if err != nil {
			return time.Time{}, fmt.Errorf("--until: want a date such as 2026-12-31, have %q", until)
		}
		if t = t.AddDate(0, 0, 1); !t.After(now) {
			return time.Time{}, fmt.Errorf("--until: %s has passed", until)
		}
		return t, nil
	default:
		return time.Time{}, nil
	}
}

// decide has the running agent carry out a command, or writes the decision to
// its files when none runs.
func (a *app) decide(ctx context.Context, cmd report.Command, device string) error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	s, running, err := a.home(ctx, cfg)
	if err != nil {
		return err
	}
	d := s.Device(discovery.Hub)
	if device != "" {
		if d, err = resolve(s, device); err != nil {
			return err
		}
	}
	if d == nil {
		return errors.New("nothing is known of this home yet")
	}
	if d.ID == discovery.Hub && device != "" && (cmd.Action == report.Trust || cmd.Action == report.Untrust) {
		return fmt.Errorf("the hub is Thingwarden itself: there is nothing to trust; `thingwarden %s --all` is for every device", cmd.Action)
	}
	cmd.Device = d.ID
	if cmd.Policy != "" {
		if cmd.Policy, err = a.knownPolicy(cfg, cmd.Policy); err != nil {
			return err
		}
	}
	if cmd.Action == report.Accept {
		if err := acceptable(d, cmd.Policy, time.Now()); err != nil {
			return err
		}
	}
	if running {
		err = control.NewClient(cfg.StateDir).Do(ctx, cmd)
	} else {
		err = offline.Decide(cfg, home.Do{Command: cmd})
	}
	if err != nil {
		return err
	}
	fmt.Fprint(a.out, paragraph("", done(cmd, d)))
	if !running {
		fmt.Fprintln(a.out, "No agent is running; the next one will follow this.")
	}
	return nil
}

// acceptable says why there is nothing to accept, if so: what is not open now would
// be accepted unseen when it comes.
func acceptable(d *report.Device, id string, now time.Time) error {
	i := slices.IndexFunc(d.Findings, func(f policy.Finding) bool { return f.Policy.ID == id })
	if i < 0 {
		return fmt.Errorf("%s has no finding %s to accept", label(d, 50), id)
	}
	switch f := d.Findings[i]; f.Status {
	case policy.Resolved:
		return fmt.Errorf("there is nothing to accept: %s on %s was fixed %s", id, label(d, 50), ago(f.Changed, now))
	case policy.Lapsed:
		return fmt.Errorf("there is nothing to accept: %s on %s could not be checked for a long time", id, label(d, 50))
	}
	return nil
}

// knownPolicy returns the id of today of a policy.
func (a *app) knownPolicy(cfg config.Config, id string) (string, error) {
	set, err := offline.LoadPolicies(cfg)
	if err != nil {
		return "", err
	}
	return a.currentPolicy(set, id)
}

// currentPolicy returns the id of today of a policy, and says so where that is
// another one.
func (a *app) currentPolicy(set *policy.Set, id string) (string, error) {
	p := set.Policy(id)
	if p == nil {
		return "", fmt.Errorf("there is no policy %s; `thingwarden policy list` lists all", quote(id, columns))
	}
	if p.ID != id {
		fmt.Fprint(a.err, paragraph("", fmt.Sprintf("warning: policy %s is called %s now", quote(id, columns), p.ID)))
	}
	return p.ID, nil
}

// done says what a command did.
func done(cmd report.Command, d *report.Device) string {
	name := label(d, 50)
	if d.ID == discovery.Hub {
		switch cmd.Action {
		case report.Trust:
			return "Every device that is there now is trusted."
		case report.Untrust:
			return "No device is trusted any more."
		case report.Pause:
			if cmd.Value == report.Off {
				return "Events are no longer paused."
			}
			return fmt.Sprintf("Events are paused until %s; a summary follows then.", cmd.Until.Local().Format("2006-01-02 15:04"))
		case report.Unhide:
			return "Every device that you deleted in Home Assistant is shown again."
		}
	}
	switch cmd.Action {
	case report.Trust:
		return name + " is trusted now."
	case report.Untrust:
		return name + " is not trusted any more."
	case report.Accept:
		if cmd.Until.IsZero() {
			return fmt.Sprintf("%s on %s is accepted until it gets worse.", cmd.Policy, name)
		}
		return fmt.Sprintf("%s on %s is accepted until %s, or until it gets worse.", cmd.Policy, name, cmd.Until.Local().Format("2006-01-02 15:04"))
	case report.Unaccept:
		return fmt.Sprintf("%s on %s is not accepted any more.", cmd.Policy, name)
	case report.Recheck:
		return fmt.Sprintf("Looking at %s again.", name)
	default:
		return corrected(cmd, name)
	}
}

// home is what is known now: from the running agent, or from the files that the
// last one left. No device at all is an error that names their folder: mostly the
// agent runs as another user, or never ran.
func (a *app) home(ctx context.Context, cfg config.Config) (s *report.Snapshot, running bool, err error) {
	s, err = control.NewClient(cfg.StateDir).Snapshot(ctx)
	if err == nil {
		return s, true, nil
	}
	if !errors.Is(err, control.ErrNotRunning) {
		return nil, false, err
	}
	s, err = offline.ReadSnapshot(cfg, a.version)
	if err == nil && !slices.ContainsFunc(s.Devices, func(d report.Device) bool { return d.ID != discovery.Hub }) {
		err = fmt.Errorf("no agent is running, and none has left a device in %q; `thingwarden` starts one", cfg.StateDir)
	}
	return s, false, err
}

// problems are the findings of a device that count, worst first.
func problems(d *report.Device) []policy.Finding {
	var out []policy.Finding
	for _, f := range d.Findings {
		if f.Problem() {
			out = append(out, f)
		}
	}
	sortFindings(out)
	return out
}
