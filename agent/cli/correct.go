package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/thingwarden/thingwarden/agent/config"
	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
)

// correctionCommands are those by which the owner says what a device is and how it
// is to be treated.
func (a *app) correctionCommands() []*cobra.Command {
	return []*cobra.Command{
		a.setCommand(),
		a.switchCommand(report.Mute, "mute DEVICE", "No events or entities of a device; it is still judged", "let it make itself heard again"),
		a.switchCommand(report.ListenOnly, "listen-only DEVICE", "Never probe a device", "let it be probed again"),
		a.mergeCommand(),
		a.splitCommand(),
		a.decisionCommand(report.Forget, "forget DEVICE", "Remove a device, and what you decided about it, until seen again", 1, 1),
		a.pauseCommand(),
		a.decisionCommand(report.Unhide, "unhide [DEVICE]", "Show a device again that was deleted in Home Assistant", 0, 1),
	}
}

func (a *app) setCommand() *cobra.Command {
	return &cobra.Command{
		Use: "set DEVICE name|class|room VALUE", Short: "Set the name, class or room of a device", Args: arguments(2, 3),
		Long: "Set the name, class or room of a device. What you say wins over everything that\nis learned of it. Without VALUE what you said is withdrawn.\n\n" + deviceHelp,
		RunE: func(cmd *cobra.Command, args []string) error {
			action := report.Action(args[1])
			switch action {
			case report.Name, report.Class, report.Room:
			default:
				return fmt.Errorf("%s can't be set; want name, class or room", quote(args[1], columns))
			}
			return a.decide(cmd.Context(), report.Command{Action: action, Value: at(args, 2)}, args[0])
		},
	}
}

func (a *app) switchCommand(action report.Action, use, short, undo string) *cobra.Command {
	var off bool
	cmd := &cobra.Command{
		Use: use, Short: short, Long: short + ".\n\n" + deviceHelp, Args: arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c := report.Command{Action: action}
			if off {
				c.Value = report.Off
			}
			return a.decide(cmd.Context(), c, args[0])
		},
	}
	cmd.Flags().BoolVar(&off, "undo", false, undo)
	return cmd
}

func (a *app) mergeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "merge DEVICE OTHER", Short: "Say that two devices are one", Args: arguments(2, 2),
		Long: "Say that OTHER is a part of DEVICE, such as the Wi-Fi of a computer that is known\nby its cable. They are one device from then on, and what you decided of DEVICE\nholds for it; what you decided of OTHER holds again after a split.\n\n" + deviceHelp,
		RunE: func(cmd *cobra.Command, args []string) error {
			other, err := a.id(cmd.Context(), args[1])
			if err != nil {
				return err
			}
			return a.decide(cmd.Context(), report.Command{Action: report.Merge, Value: string(other)}, args[0])
		},
	}
}

func (a *app) splitCommand() *cobra.Command {
	return &cobra.Command{
		Use: "split DEVICE [OTHER]", Short: "Undo a merge, of OTHER or of all that was merged", Args: arguments(1, 2),
		Long: "Undo a merge. OTHER is the id or the MAC address of what was merged with DEVICE;\nwithout it, all of that are devices of their own again.\n\n" + deviceHelp,
		RunE: func(cmd *cobra.Command, args []string) error {
			c := report.Command{Action: report.Split}
			if len(args) == 2 {
				part, ok := discovery.ParseID(args[1])
				if !ok {
					return fmt.Errorf("%s is no id and no MAC address", quote(args[1], columns))
				}
				c.Value = string(part.ID())
			}
			return a.decide(cmd.Context(), c, args[0])
		},
	}
}

// id is the id of the device that an argument names.
func (a *app) id(ctx context.Context, device string) (discovery.ID, error) {
	cfg, err := a.load()
	if err != nil {
		return "", err
	}
	s, _, err := a.home(ctx, cfg)
	if err != nil {
		return "", err
	}
	d, err := resolve(s, device)
	if err != nil {
		return "", err
	}
	return d.ID, nil
}

func (a *app) pauseCommand() *cobra.Command {
	var off bool
	cmd := &cobra.Command{
		Use: "pause TIME", Short: "Pause events for some hours; a summary follows", Args: arguments(0, 1),
		Long: "Pause events for a time such as 4h, at most 7 days. Devices are still checked, and\n" +
			"the page shows everything. At the end, events follow for what is different then,\n" +
			"and one summary names all new devices.",
		RunE: func(cmd *cobra.Command, args []string) error {
			c := report.Command{Action: report.Pause, Value: report.Off}
			if off == (len(args) == 1) {
				return errors.New("give a time such as 4h, or --undo")
			}
			if !off {
				d, err := config.ParseDuration(args[0])
				if err != nil {
					return err
				}
				c.Value, c.Until = "", time.Now().Add(d)
			}
			return a.decide(cmd.Context(), c, "")
		},
	}
	cmd.Flags().BoolVar(&off, "undo", false, "end the pause now")
	return cmd
}

func (a *app) trustCommand(action report.Action, short, every string) *cobra.Command {
	var all bool
	cmd := a.decisionCommand(action, string(action)+" DEVICE", short, 0, 1)
	cmd.Flags().BoolVar(&all, "all", false, every)
	one := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if all == (len(args) == 1) {
			return errors.New("name a device, or give --all")
		}
		return one(cmd, args)
	}
	return cmd
}

// corrected says what a correction did.
func corrected(cmd report.Command, name string) string {
	switch cmd.Action {
	case report.Name, report.Class, report.Room:
		if cmd.Value == "" {
			return fmt.Sprintf("The %s of %s is what is learned of it again.", cmd.Action, name)
		}
		return fmt.Sprintf("The %s of %s is %s now.", cmd.Action, name, quote(cmd.Value, report.MaxValue))
	case report.Mute:
		if cmd.Value == report.Off {
			return name + " is not muted any more."
		}
		return name + " is muted; it is still judged and counted."
	case report.ListenOnly:
		if cmd.Value == report.Off {
			return name + " may be probed again."
		}
		return name + " is never probed any more."
	case report.Merge:
		return fmt.Sprintf("%s has %s as a part of it now.", name, cmd.Value)
	case report.Split:
		return fmt.Sprintf("What was merged with %s is a device of its own again.", name)
	case report.Forget:
		return name + " is forgotten until it is seen again."
	default:
		return name + " is shown again."
	}
}
