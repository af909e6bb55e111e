package cli

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/thingwarden/thingwarden/agent/hass"
	"github.com/thingwarden/thingwarden/ha-addon/dashboards"
)

func (a *app) dashboardCommand() *cobra.Command {
	return &cobra.Command{
		Use: "dashboard", Short: "Print a dashboard of this home for Home Assistant", Args: arguments(0, 0),
		Long: "Print a dashboard of this home for Home Assistant: what to do first, what is new,\n" +
			"and all devices by room, of built-in cards. Its first lines say where to paste it.\n" +
			"It is made of what the running agent knows, or the last one left.",
		RunE: func(cmd *cobra.Command, _ []string) error { return a.dashboard(cmd.Context()) },
	}
}

func (a *app) dashboard(ctx context.Context) error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	s, _, err := a.home(ctx, cfg)
	if err != nil {
		return err
	}
	home := *s
	home.Site = cmp.Or(s.Site, cfg.Site)
	b, err := hass.Dashboard(dashboards.Home, &home)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(a.out, string(b))
	return err
}
