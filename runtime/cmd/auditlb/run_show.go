package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

func newRunShow(c *cli) *cobra.Command {
	var exitCode bool
	cmd := &cobra.Command{
		Use:   "show RUN",
		Short: "Show what became of what a run planned, and who it is",
		Long: `Show each operation on each object that a run planned or applied, and what became
of it:

  applied      as planned, in this run or in another that did exactly the same
  not applied  planned, and nothing else so far
  failed       refused when it was to be planned or applied
  unplanned    applied, and nobody planned it

then the tickets with their approvals, who the run is, proved and claimed, and the
differences. With --exit-code it ends with code 5 unless everything that was planned
is applied, and nothing else.`,
		Example: `  auditlb run show github/acme/infra/123/1
  auditlb run show github/acme/infra/123/1 --exit-code -o json`,
		Args: exactly(1, "one run's id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			report, err := cl.WholeRunReport(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if err := c.print(cmd, report, func(out io.Writer) { printRunReport(out, report) }); err != nil {
				return err
			}
			if exitCode && report.Overall != api.RunApplied && report.Overall != api.RunNothing {
				return errDiffers
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "end with code 5 unless everything was applied as planned")
	return cmd
}

// outcomes are the words for a run, as people read them.
var outcomes = map[string]string{
	api.RunFailed:    "FAILED: something was refused",
	api.RunUnplanned: "UNPLANNED: something was applied that nobody planned",
	api.RunUnclear:   "UNCLEAR: the run has more entries than a report looks at",
	api.RunPartial:   "PARTIAL: some of what was planned is applied",
	api.RunPlanned:   "planned, nothing is applied so far",
	api.RunApplied:   "applied as planned",
	api.RunNothing:   "nothing to do",
}

// outcome falls back to the word itself, of a newer runtime.
func outcome(overall string) string { return first(outcomes[overall], overall) }

// statuses are the words for an effect, as people read them.
func status(of string) string { return strings.ReplaceAll(of, "_", " ") }

func printRunReport(out io.Writer, r *api.RunReport) {
	n := r.Counts
	counts := fmt.Sprintf("%d applied, %d not applied, %d failed, %d unplanned", n.Applied, n.NotApplied, n.Failed, n.Unplanned)
	if r.LeftOut > 0 {
		counts += fmt.Sprintf("; %d older entries of the run were not looked at", r.LeftOut)
	}
	fields(out, "run", r.Run.ID, "outcome", outcome(r.Overall), "effects", counts)
	if len(r.Effects) > 0 {
		fmt.Fprintln(out)
		printEffectTable(out, r)
	}
	printReportTickets(out, r.Tickets)
	fmt.Fprintln(out)
	printRun(out, &r.Run, r.Actors)
	for i := range r.Effects {
		printEffectDetails(out, r.Run.ID, &r.Effects[i])
	}
}

func printEffectTable(out io.Writer, r *api.RunReport) {
	named := slices.ContainsFunc(r.Effects, func(e api.RunEffect) bool { return e.TerraformAddress != "" })
	heading := []string{"ADDRESS", "OP", "STATUS", "PLAN", "APPLY", "TICKET", "BY"}
	if named {
		heading = append(heading, "TERRAFORM ADDRESS")
	}
	rows := make([][]string, 0, len(r.Effects))
	for i := range r.Effects {
		e := &r.Effects[i]
		by := ""
		switch {
		case e.Apply != nil:
			by = e.Apply.Actor
		case e.Refusal != nil:
			by = e.Refusal.Actor
		case e.Plan != nil:
			by = e.Plan.Actor
		}
		word := status(e.Status)
		if e.Status == api.EffectFailed && e.Refusal != nil {
			word += ": " + string(e.Refusal.Code)
		}
		if e.Emergency {
			word += " (EMERGENCY)"
		}
		row := []string{e.Address, string(e.Op), word, dash(entrySeq(e.Plan)), dash(entrySeq(e.Apply)), dash(e.Ticket), by}
		if named {
			row = append(row, dash(e.TerraformAddress))
		}
		rows = append(rows, row)
	}
	columns(out, heading, rows)
}

func entrySeq(e *api.EffectEntry) string {
	if e == nil {
		return ""
	}
	return optionalSeq(e.Seq)
}

func printReportTickets(out io.Writer, tickets []api.Ticket) {
	for i := range tickets {
		t := &tickets[i]
		fmt.Fprintf(out, "\nticket %s, %s, %s: %s\n", t.ID, t.Type, t.State, visible(t.Title))
		if b := t.Binding; b != nil {
			fmt.Fprintf(out, "  bound to exactly the %d effects that run %s planned, digest %s\n", b.Effects, b.Run, b.EffectsDigest)
		}
		for _, a := range t.Approvals {
			fmt.Fprintf(out, "  approved by %s at %s%s\n", a.By, at(a.At), signed(a.EffectsDigest))
		}
		if len(t.Approvals) < t.RequiredApprovals {
			fmt.Fprintf(out, "  %d of %d approvals\n", len(t.Approvals), t.RequiredApprovals)
		}
		if t.ReviewPending {
			fmt.Fprintln(out, "  REVIEW PENDING: opened in an emergency, somebody else has to review it")
		}
	}
}

func signed(digest string) string {
	if digest == "" {
		return ""
	}
	return ", over effects " + digest
}

// printRun shows who a run is: what is proved and what is only claimed.
func printRun(out io.Writer, r *api.Run, actors []api.RunActor) {
	tool := r.Claims.Tool
	if r.Claims.ToolVersion != "" {
		tool += " " + r.Claims.ToolVersion
	}
	fields(out, "registered by", r.RegisteredBy, "first seen", at(r.FirstSeen))
	if p := r.Proof; p != nil {
		fmt.Fprintln(out, "\nverified by a token:")
		fields(out, "  identity provider", p.Provider, "  issuer", p.Issuer, "  subject", p.Subject)
		for _, name := range slices.Sorted(maps.Keys(p.Facts)) {
			fmt.Fprintf(out, "  %s  %s\n", name, p.Facts[name])
		}
	}
	fmt.Fprintln(out, "\nclaimed, not verified:")
	fields(out,
		"  system", r.Claims.System,
		"  actor", r.Claims.Actor,
		"  url", r.Claims.URL,
		"  repository", r.Claims.Repository,
		"  commit", r.Claims.Commit,
		"  workspace", r.Claims.Workspace,
		"  phase", r.Claims.Phase,
		"  attempt", r.Claims.Attempt,
		"  host", r.Claims.Host,
		"  tool", tool,
	)
	if len(actors) > 0 {
		fmt.Fprintln(out, "\nacted in it:")
	}
	for i := range actors {
		a := &actors[i]
		text := fmt.Sprintf("  %s (%s, %s)", a.Name, a.Role, a.Credential)
		if by := vouched(a.Actor); by != "" {
			text += ", vouched for by " + by
		}
		if a.Verified {
			text += "," + verifiedMark + " is this run"
		}
		fmt.Fprintln(out, text)
	}
}

// printEffectDetails shows what an effect changes and all that is known of it.
func printEffectDetails(out io.Writer, run string, e *api.RunEffect) {
	fmt.Fprintf(out, "\n%s %s: %s\n", e.Op, e.Address, status(e.Status))
	for _, line := range effectNotes(run, e) {
		fmt.Fprintf(out, "  %s\n", visible(line))
	}
	printPatch(out, e.Patch)
	for _, line := range effectGaps(e) {
		fmt.Fprintf(out, "  %s\n", line)
	}
}

// effectNotes says in lines who planned and applied an effect, where, and what was said.
func effectNotes(run string, e *api.RunEffect) []string {
	var notes []string
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if e.TerraformAddress != "" {
		note("Terraform address: %s", e.TerraformAddress)
	}
	if e.Plan != nil {
		note("planned in entry %d at %s by %s%s", e.Plan.Seq, at(e.Plan.At), e.Plan.Actor, elsewhere(run, e.Plan))
	}
	if r := e.Refusal; r != nil {
		what := "refused"
		if r.Planning {
			what = "refused to be planned"
		}
		note("%s in entry %d at %s by %s: %s (%s)", what, r.Seq, at(r.At), r.Actor, first(r.Detail, "why is not known any more"), r.Code)
		for _, v := range r.Violations {
			note("differs: %s %s", attributePath(v.Pointer), v.Detail)
		}
	}
	if e.Apply != nil {
		note("applied in entry %d at %s by %s%s", e.Apply.Seq, at(e.Apply.At), e.Apply.Actor, elsewhere(run, e.Apply))
	}
	if e.Rollback != nil {
		note("it is a %s", rollbackOf(e.Rollback))
	}
	if e.EffectDigest != "" {
		note("effect %s", e.EffectDigest)
	}
	for _, w := range e.Warnings {
		note("warning: %s", w)
	}
	return notes
}

func elsewhere(run string, e *api.EffectEntry) string {
	switch e.Run {
	case run:
		return ""
	case "":
		return ", outside of runs"
	}
	return ", in run " + e.Run
}

// effectGaps says in lines what can't be seen of a difference.
func effectGaps(e *api.RunEffect) []string {
	var gaps []string
	if e.BodyState != "" && e.BodyState != api.BodyArchived {
		gaps = append(gaps, "! what it changes can't be shown: "+bodyState(e.BodyState, e.BodyErasedBy))
	}
	for _, u := range e.Unknown {
		gaps = append(gaps, fmt.Sprintf("? %s: not known when planned, may become anything", attributePath(u)))
	}
	return gaps
}
