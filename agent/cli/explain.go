package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/thingwarden/thingwarden/agent/offline"
	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/policy"
)

func (a *app) explainCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "explain DEVICE [POLICY]", Short: "Show what to do about a device, and how each check came out",
		Long: "Show what to do about a device, how each check came out and why, and with --all\n" +
			"everything that is known of it and from where: from the running agent, or from\n" +
			"what the last one left.\n\n" + deviceHelp,
		Args: arguments(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.explain(cmd.Context(), args[0], at(args, 1), all)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "print all facts, and the policies that do not concern the device")
	return cmd
}

func (a *app) explain(ctx context.Context, device, id string, all bool) error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	set, err := offline.LoadPolicies(cfg)
	if err != nil {
		return err
	}
	if id != "" {
		if id, err = a.currentPolicy(set, id); err != nil {
			return err
		}
	}
	s, running, err := a.home(ctx, cfg)
	if err != nil {
		return err
	}
	d, err := resolve(s, device)
	if err != nil {
		return err
	}
	now := time.Now()
	if !running {
		fmt.Fprint(a.out, paragraph("", "No agent is running; this is what the last one left."), "\n")
	}
	e := explanation{w: a.out, d: d, now: now, set: set, all: all}
	if id != "" {
		e.policy(set.Policy(id))
		return nil
	}
	e.device()
	return nil
}

// notConcerned is the outcome of a policy that does not apply.
const notConcerned = "not concerned"

type explanation struct {
	w   screen
	d   *report.Device
	now time.Time
	set *policy.Set
	all bool // with all facts
}

func (e *explanation) device() {
	d := e.d
	fmt.Fprintf(e.w, "%s  %s\n", e.w.heading(label(d, 50)), d.ID)
	if what := product(d); what != "" {
		fmt.Fprint(e.w, paragraph("  It is:      ", what))
	}
	if d.Firmware != "" {
		fmt.Fprint(e.w, paragraph("  Firmware:   ", quote(d.Firmware, columns)))
	}
	if d.Room != "" {
		fmt.Fprint(e.w, paragraph("  Room:       ", quote(d.Room, columns)))
	}
	var addresses []string
	for _, ip := range d.Addrs() {
		addresses = append(addresses, ip.String())
	}
	if addresses = append(addresses, d.MACs()...); len(addresses) > 0 {
		fmt.Fprint(e.w, paragraph("  Addresses:  ", strings.Join(addresses, ", ")))
	}
	if len(d.Sources) > 0 {
		fmt.Fprint(e.w, paragraph("  Seen by:    ", strings.Join(d.Sources, ", ")))
	}
	if link := cmp.Or(d.Links.Updates, d.Links.Security, d.Links.Manual); link != "" {
		fmt.Fprintln(e.w, "  Maker:      "+fact.Clean(link, fact.MaxText))
	}
	if d.ID != discovery.Hub {
		fmt.Fprintf(e.w, "  First seen: %s, last %s\n", ago(d.FirstSeen, e.now), ago(d.LastSeen, e.now))
		fmt.Fprintf(e.w, "  Trusted:    %s\n", map[bool]string{true: "yes", false: "no"}[d.Trusted])
	}
	if n := d.Sent; n.Packets+n.Connections > 0 {
		fmt.Fprintf(e.w, "  Sent to it: %s, %s\n", count(n.Packets, "packet"), count(n.Connections, "connection"))
	}
	e.toDo()
	e.results()
	if e.all {
		e.facts()
	} else {
		fmt.Fprintf(e.w, "\n%s", paragraph("", fmt.Sprintf("--all prints %s and where each comes from.", count(len(d.Facts), "known fact"))))
	}
}

// toDo prints the findings that ask for something, worst first, each with its steps.
func (e *explanation) toDo() {
	first := true
	for _, f := range problems(e.d) {
		if !f.Actionable() {
			continue
		}
		if first {
			fmt.Fprintf(e.w, "\n%s\n", e.w.heading("TO DO"))
			first = false
		} else {
			fmt.Fprintln(e.w)
		}
		head := e.w.paint(pad(f.Severity.String(), severityWide), f.Severity) + gap
		fmt.Fprint(e.w, hang(head, severityWide+len(gap), fmt.Sprintf("%s (%s)", title(f), f.Policy.ID)))
		fmt.Fprint(e.w, paragraph("  ", f.Summary()))
		if seen := evidence(f); seen != "" {
			fmt.Fprint(e.w, paragraph("  Seen:  ", seen))
		}
		fmt.Fprint(e.w, steps("  To do: ", f.Remedy()))
	}
}

// results prints how each check came out, the worst first, as everywhere.
func (e *explanation) results() {
	fmt.Fprintf(e.w, "\n%s\n", e.w.heading("RESULTS"))
	verdicts := slices.Clone(e.d.Verdicts)
	slices.SortStableFunc(verdicts, func(a, b policy.Verdict) int {
		severityA, _, _ := e.outcome(a)
		severityB, _, _ := e.outcome(b)
		return cmp.Compare(severityB, severityA)
	})
	applies := map[string]bool{}
	for _, v := range verdicts {
		if _, what, _ := e.outcome(v); what != notConcerned {
			applies[v.Policy.ID] = true
			e.verdict(v)
		}
	}
	if len(applies) == 0 {
		fmt.Fprintln(e.w, "  none yet")
	}
	var others []string
	for _, p := range e.set.Policies() {
		if !applies[p.ID] {
			others = append(others, p.ID)
		}
	}
	if e.all && len(others) > 0 {
		fmt.Fprint(e.w, paragraph("  does not concern this device: ", strings.Join(others, ", ")))
	}
}

// facts prints all that is known, and what is not and why.
func (e *explanation) facts() {
	fmt.Fprintf(e.w, "\n%s\n", e.w.heading("WHAT IS KNOWN"))
	if len(e.d.Facts) == 0 {
		fmt.Fprintln(e.w, "  nothing yet")
	}
	for _, f := range e.d.Facts {
		e.fact(f)
	}
}

// fact prints a word, its value, and who says so, when and by what proof.
func (e *explanation) fact(f fact.Entry) {
	if !f.Known() {
		fmt.Fprint(e.w, paragraph("  "+f.Name+": ", "not known, "+f.Why.Plain()))
		return
	}
	fmt.Fprint(e.w, paragraph("  "+f.Name+" = ", value(f.Value, 300)))
	from := fmt.Sprintf("%s, %s", f.By, ago(f.At, e.now))
	if f.Why == fact.Restored {
		from += ", " + f.Why.Plain()
	}
	if f.Proof != "" {
		from += ": " + quote(f.Proof, fact.MaxText)
	}
	fmt.Fprint(e.w, paragraph("      ", from))
}

// verdict prints what came out for a policy, and the words that decided it.
func (e *explanation) verdict(v policy.Verdict) {
	sev, what, reason := e.outcome(v)
	const indent = 15
	fmt.Fprint(e.w, hang("  "+e.w.paint(pad(what, indent-4), sev)+"  ", indent, fmt.Sprintf("%s (%s)", v.Policy.Title, v.Policy.ID)))
	if reason != "" {
		fmt.Fprint(e.w, paragraph(strings.Repeat(" ", indent), reason))
	}
}

// outcome is what came out, in a word, and why. The finding comes first: it
// remembers what the owner decided, and what was seen before.
func (e *explanation) outcome(v policy.Verdict) (sev policy.Severity, what, reason string) {
	for _, n := range e.d.NotChecked {
		if n.Policy.ID == v.Policy.ID {
			v.Result, v.Missing = policy.Unknown, n.Missing
		}
	}
	for _, f := range e.d.Findings {
		if f.Policy.ID != v.Policy.ID || f.Status == policy.Lapsed || f.Status == policy.Resolved {
			continue
		}
		parts := []string{state(f), because(f.Proof)}
		if f.Acceptance != nil && f.Acceptance.Reason != "" {
			parts = append(parts, "your reason: "+quote(f.Acceptance.Reason, fact.MaxText))
		}
		reason = strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "; ")
		if !f.Problem() {
			return 0, string(f.Status), reason
		}
		return f.Severity, f.Severity.String(), reason
	}
	switch v.Result {
	case policy.Pass:
		return 0, "OK", because(v.Proof)
	case policy.NotApplicable:
		return 0, notConcerned, "the policy does not concern this device"
	case policy.Unknown:
		var missing []string
		for _, m := range v.Missing {
			missing = append(missing, m.Word+": "+m.Why.Plain())
		}
		return 0, "not checked", strings.Join(missing, "; ")
	default:
		return v.Severity, v.Severity.String(), because(v.Proof)
	}
}

// because lists the facts that decided a verdict.
func because(proof []fact.Entry) string {
	var parts []string
	for _, f := range proof {
		if f.Known() {
			parts = append(parts, f.Name+" = "+value(f.Value, 100))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "because " + strings.Join(parts, ", ")
}

// policy explains one policy on the device in full.
func (e *explanation) policy(p *policy.Policy) {
	fmt.Fprintf(e.w, "%s  on %s\n", e.w.heading(p.ID), label(e.d, 50))
	fmt.Fprint(e.w, paragraph("", p.Title), paragraph("", p.Summary), "\n")
	v := policy.Verdict{Policy: p, Result: policy.NotApplicable}
	if i := slices.IndexFunc(e.d.Verdicts, func(v policy.Verdict) bool { return v.Policy.ID == p.ID }); i >= 0 {
		v = e.d.Verdicts[i]
	}
	e.verdict(v)
	fmt.Fprintln(e.w)
	if p.When != "" {
		fmt.Fprint(e.w, paragraph("  Applies when: ", p.When))
	}
	fmt.Fprint(e.w, paragraph("  OK when:      ", p.Require))
	for _, f := range e.d.Facts {
		for _, word := range p.Words {
			if f.Name == word {
				e.fact(f)
			}
		}
	}
	remedy := p.Remedy
	if i := slices.IndexFunc(e.d.Findings, func(f policy.Finding) bool { return f.Policy.ID == p.ID }); i >= 0 {
		remedy = e.d.Findings[i].Remedy()
	}
	fmt.Fprint(e.w, steps("  What to do: ", remedy))
	if len(p.Refs) > 0 {
		fmt.Fprint(e.w, paragraph("  See: ", strings.Join(p.Refs, ", ")))
	}
}
