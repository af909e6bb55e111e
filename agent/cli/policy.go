package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/thingwarden/thingwarden/agent/offline"
	"github.com/thingwarden/thingwarden/policy"
)

func (a *app) policyCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "policy", Short: "List the policies, test some of your own, or print their table", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(&cobra.Command{
		Use: "list", Short: "List the policies by which your home is judged", Args: arguments(0, 0),
		RunE: func(*cobra.Command, []string) error { return a.listPolicies() },
	}, &cobra.Command{
		Use: "test [DIR]", Short: "Check the policies of a folder and run their examples", Args: arguments(0, 1),
		RunE: func(_ *cobra.Command, args []string) error { return a.testPolicies(args) },
	}, &cobra.Command{
		Use: "docs", Short: "Print a table (Markdown) of the built-in policies", Args: arguments(0, 0),
		RunE: func(*cobra.Command, []string) error {
			set, err := policy.Load(policy.Options{}, policy.Builtin()...)
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(a.out, policy.Docs(set))
			return err
		},
	})
	return cmd
}

func (a *app) listPolicies() error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	set, err := offline.LoadPolicies(cfg)
	if err != nil {
		return err
	}
	wide := measure("POLICY")
	for _, p := range set.Policies() {
		wide = min(max(wide, measure(p.ID)), 32)
	}
	fmt.Fprintf(a.out, "%s  %s  %s\n", a.out.heading(pad("SEVERITY", 8)), a.out.heading(pad("POLICY", wide)), a.out.heading("TITLE"))
	for _, p := range set.Policies() {
		worst := worstOf(p)
		fmt.Fprintf(a.out, "%s  %s  %s\n", a.out.paint(pad(worst.String(), 8), worst), pad(cut(p.ID, wide), wide),
			cut(p.Title, columns-wide-12))
	}
	return nil
}

// worstOf is the highest severity that a policy can give.
func worstOf(p *policy.Policy) (worst policy.Severity) {
	for _, c := range p.Severity {
		worst = max(worst, c.Then)
	}
	return worst
}

// testPolicies checks one folder alone, or all policies that are in use. Loading
// a policy runs its examples.
func (a *app) testPolicies(args []string) error {
	var set *policy.Set
	var err error
	if len(args) == 1 {
		set, err = policy.LoadDir(args[0])
	} else {
		cfg, lerr := a.load()
		if lerr != nil {
			return lerr
		}
		set, err = offline.LoadPolicies(cfg)
	}
	if err != nil {
		return fmt.Errorf("policies that can't be used:\n%s", strings.TrimPrefix(err.Error(), "loading policies: "))
	}
	examples := 0
	for _, p := range set.Policies() {
		examples += len(p.Examples)
	}
	fmt.Fprintf(a.out, "%s, %s: all give what they should.\n", count(len(set.Policies()), "policy"), count(examples, "example"))
	return nil
}
