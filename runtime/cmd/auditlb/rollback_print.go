package main

import (
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// what is what is taken back, in words.
func (r *rollback) what() string {
	switch {
	case r.req.Run != "":
		return "run " + r.req.Run
	case r.req.Everything:
		return "everything to revision " + r.req.To
	}
	return r.req.Resource
}

func printPreview(out io.Writer, preview *api.Rollback) {
	for i := range preview.Effects {
		e := &preview.Effects[i]
		fmt.Fprintf(out, "%s %s: %s\n", e.Op, e.Address, undoes(e.To, e.Undone, e.UndoneMore))
		printPatch(out, e.Patch)
		fmt.Fprintf(out, "  effect %s\n\n", e.EffectDigest)
	}
	if len(preview.Conflicts) > 0 {
		fmt.Fprintln(out, "CONFLICTS: changed since by others, which would be taken back too")
		rows := make([][]string, len(preview.Conflicts))
		for i, x := range preview.Conflicts {
			rows[i] = []string{x.Address, strconv.FormatInt(x.Revision, 10), string(x.Op), x.Actor, dash(x.Ticket), dash(x.Run), at(x.At)}
			if x.More {
				rows[i] = []string{x.Address, "and more"}
			}
		}
		columns(out, []string{"ADDRESS", "REVISION", "OP", "ACTOR", "TICKET", "RUN", "TIME"}, rows)
		fmt.Fprintln(out)
	}
	for _, x := range preview.Impossible {
		fmt.Fprintf(out, "IMPOSSIBLE: %s\n", x.Detail)
	}
	if len(preview.Left) > 0 {
		fmt.Fprintf(out, "Not as they were either, and left as they are without --include-governance: %s\n", strings.Join(preview.Left, ", "))
	}
	for _, w := range preview.Warnings {
		fmt.Fprintf(out, "warning: %s\n", w)
	}
	switch {
	case len(preview.Impossible) > 0:
		fmt.Fprintln(out, "Nothing can be done while something is impossible.")
	case len(preview.Effects) == 0:
		fmt.Fprintln(out, "Nothing to take back: it is as it was.")
	default:
		fmt.Fprintf(out, "%s; %s of a ticket\nset %s\n", opsOf(preview.Effects), counting(preview.Uses, "use"), preview.EffectsDigest)
	}
}

// undoes says what a rollback of an object takes back.
func undoes(to int64, undone []int64, more bool) string {
	const most = 10
	text := "deletes what was not there"
	if to > 0 {
		text = fmt.Sprintf("restores revision %d", to)
	}
	if len(undone) == 0 {
		return text
	}
	parts := make([]string, 0, most)
	for _, seq := range undone[:min(len(undone), most)] {
		parts = append(parts, strconv.FormatInt(seq, 10))
	}
	others := ""
	switch left := len(undone) - most; {
	case more && left > 0:
		others = fmt.Sprintf(" and more than %d others", left)
	case more:
		others = " and others"
	case left > 0:
		others = fmt.Sprintf(" and %d others", left)
	}
	return "takes back " + strings.Join(parts, ", ") + others + "; " + text
}

// rollbackText says what an entry takes back, or "".
func rollbackText(e *api.EntryRecord) string {
	if e.Rollback == nil {
		return ""
	}
	undone := e.Undone
	if e.Body != nil {
		undone = e.Body.Undone
	}
	text := undoes(e.Rollback.To, undone, e.UndoneMore)
	switch e.Type {
	case "plan":
		text = "planned: " + text
	case "reject":
		text = "rollback"
	}
	if e.Rollback.Run != "" {
		text += "; run " + e.Rollback.Run + " is taken back"
	}
	return text
}

func opsOf(effects []api.RollbackEffect) string {
	ops := map[lb.Op]int{}
	for i := range effects {
		ops[effects[i].Op]++
	}
	return fmt.Sprintf("%d to create, %d to update, %d to delete", ops[lb.OpCreate], ops[lb.OpUpdate], ops[lb.OpDelete])
}

func counting(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// command is the command line of this rollback, with more flags.
func (r *rollback) command(flags ...string) string {
	words := []string{"auditlb", "rollback"}
	switch {
	case r.req.Run != "":
		words = append(words, "--run", quoted(r.req.Run))
	case r.req.Everything:
		words = append(words, "--all", "--to", r.req.To)
	default:
		words = append(words, r.req.Resource, "--to", r.req.To)
	}
	if r.req.IncludeGovernance {
		words = append(words, "--include-governance")
	}
	return strings.Join(append(words, flags...), " ")
}

var harmless = regexp.MustCompile(`^[A-Za-z0-9_./:@%+,=-]+$`)

// quoted is a word as a shell takes it.
func quoted(word string) string {
	if harmless.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// printNext says how to go on after a preview.
func (r *rollback) printNext(out io.Writer, preview *api.Rollback) {
	if len(preview.Effects) == 0 || len(preview.Impossible) > 0 {
		return
	}
	override := ""
	if len(preview.Conflicts) > 0 {
		override = " --override-conflicts"
	}
	fmt.Fprintf(out, `
Nothing was done. To have exactly this approved:
  %s
To do it under a ticket that covers it:
  %s
In an emergency:
  %s
`, r.command("--plan"), r.command("--apply", "--expect", preview.EffectsDigest, "--ticket", "TICKET"), r.command("--apply", "--emergency", `"REASON"`)+override)
}

// printApproval says how what was planned gets approved and done.
func (r *rollback) printApproval(out io.Writer, preview *api.Rollback) {
	if preview.PlannedIn == "" {
		return
	}
	fmt.Fprintf(out, `
Nothing was done; it is planned in run %s. To have exactly this approved:
  auditlb ticket open --run %s --title %s --reason "REASON"
and then to do it:
  %s
`, preview.PlannedIn, quoted(preview.PlannedIn), quoted("Rollback of "+r.what()),
		r.command("--apply", "--in-run", quoted(preview.PlannedIn), "--expect", preview.EffectsDigest, "--ticket", "TICKET"))
}

func (r *rollback) printMade(out io.Writer, made rolledBack) {
	if made.Revision == 0 {
		fmt.Fprintln(out, "Nothing to take back: it is as it was.")
		return
	}
	fmt.Fprintf(out, "\nDone: the configuration is at revision %d, under ticket %s\n", made.Revision, made.Ticket)
	for i := range made.Effects {
		e := &made.Effects[i]
		fmt.Fprintf(out, "  %s of %s in revision %d\n", e.Op, e.Address, e.Seq)
	}
	if made.ReviewPending {
		fmt.Fprintf(out, "It was an emergency: somebody else has to review what was done:\n  auditlb ticket review %s\n", made.Ticket)
	}
	if strings.HasPrefix(r.inRun, ownRuns) {
		fmt.Fprintf(out, "To take this back:\n  auditlb rollback --run %s\n", quoted(r.inRun))
	}
}
