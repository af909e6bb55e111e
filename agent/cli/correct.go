package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/thingwarden/thingwarden/agent/report"
)

// correctionCommands are those by which the owner says what a device is and how it
// is to be treated.
func (a *app) correctionCommands() []*cobra.Command {
	return []*cobra.Command{
		a.setCommand(),
		a.switchCommand(report.Mute, "mute DEVICE", "No events or entities of a device; it is still judged", "let it make itself heard again"),
		a.switchCommand(report.ListenOnly, "listen-only DEVICE", "Never probe a device", "let it be probed again"),
		a.decisionCommand(report.Forget, "forget DEVICE", "Remove a device, and what you decided about it, until seen again", 1, 1),
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
	case report.Forget:
		return name + " is forgotten until it is seen again."
	default:
		return name + " is shown again."
	}
}
