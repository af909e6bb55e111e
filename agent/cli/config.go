package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/thingwarden/thingwarden/agent/config"
	"github.com/thingwarden/thingwarden/agent/offline"
)

func (a *app) configCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Check a configuration file, or print its JSON schema", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(&cobra.Command{
		Use: "check [FILE]", Short: "Check a configuration file and the policies that it names", Args: arguments(0, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				if a.file != "" && a.file != args[0] {
					return errors.New("name the file once: as an argument or by --config")
				}
				a.file = args[0]
			}
			return a.checkConfig()
		},
	}, &cobra.Command{
		Use: "schema", Short: "Print the JSON schema of the configuration file, for editors", Args: arguments(0, 0),
		RunE: func(*cobra.Command, []string) error {
			_, err := a.out.Write(config.Schema())
			return err
		},
	})
	return cmd
}

func (a *app) checkConfig() error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	set, err := offline.LoadPolicies(cfg)
	if err != nil {
		return err
	}
	from := cfg.File
	if from == "" {
		from = "no configuration file; the defaults"
	}
	fmt.Fprintf(a.out, "%s: good (%s)\n", from, count(len(set.Policies()), "policy"))
	return nil
}
