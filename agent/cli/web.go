package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/thingwarden/thingwarden/agent/web"
)

func (a *app) webCommand() *cobra.Command {
	c := &cobra.Command{Use: "web", Short: "Manage the log-in to the page", Args: arguments(0, 0)}
	c.AddCommand(&cobra.Command{
		Use: "reset-password", Short: "Make a new password for the page", Args: arguments(0, 0),
		Long: "Make a new password for the page and say in which file it is. Everyone who is\n" +
			"logged in has to log in again. The first log-in replaces it in the file by its\n" +
			"hash. A password of your own, or its bcrypt hash, can be put there too.",
		RunE: func(*cobra.Command, []string) error {
			cfg, err := a.load()
			if err != nil {
				return err
			}
			file := cfg.WebPasswordFile()
			if err := web.ResetPassword(file); err != nil {
				return err
			}
			fmt.Fprint(a.out, paragraph("", fmt.Sprintf("The new password is in %s.", file)))
			return nil
		},
	})
	return c
}
