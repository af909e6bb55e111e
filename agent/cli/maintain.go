package cli

import (
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/thingwarden/thingwarden/agent/control"
	"github.com/thingwarden/thingwarden/agent/offline"
	"github.com/thingwarden/thingwarden/discovery"
)

func (a *app) purgeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "purge", Short: "Remove all of ours from the MQTT broker and Home Assistant", Args: arguments(0, 0),
		Long: "Remove every retained topic of this site from the MQTT broker: Home Assistant\n" +
			"then drops our devices and entities. Your decisions stay. Stop the agent first,\n" +
			"it would publish them again.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.load()
			if err != nil {
				return err
			}
			n, err := offline.Purge(cmd.Context(), cfg, a.logger(max(cfg.Log.Level, slog.LevelWarn)))
			if err != nil {
				return err
			}
			fmt.Fprintf(a.out, "%s removed.\n", count(n, "topic"))
			return nil
		},
	}
}

// healthCommand is what a container's health check runs: it fails when no agent
// answers. What is degraded is printed and is no failure: restarting would not
// bring a broker back.
func (a *app) healthCommand() *cobra.Command {
	return &cobra.Command{
		Use: "health", Short: "Ask whether the agent is running and well", Args: arguments(0, 0), Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.load()
			if err != nil {
				return err
			}
			parts, err := control.NewClient(cfg.StateDir).Health(cmd.Context())
			if err != nil {
				return err
			}
			fmt.Fprintln(a.out, "running")
			for _, p := range parts {
				if p.Status != discovery.OK {
					fmt.Fprint(a.out, paragraph(p.Name+": ", p.Error))
				}
			}
			return nil
		},
	}
}
