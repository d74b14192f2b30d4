package main

import (
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

func newRunComment(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "comment RUN",
		Short: "Write what a run planned, and what became of it, as Markdown for a pull request",
		Long: `Write what a run planned, and what became of it, as Markdown for a comment on a
pull request. Before it is applied that is what there is to approve, afterwards what
was done: post it once more, in place of the first. Nothing that somebody wrote into
a value, a name or a message becomes a link, a mention or a heading.`,
		Example: `  auditlb run comment github/acme/infra/123/1 | gh pr comment 42 --body-file -`,
		Args:    exactly(1, "one run's id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			report, err := cl.WholeRunReport(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return c.print(cmd, report, func(out io.Writer) { fmt.Fprint(out, comment(report)) })
		},
	}
}

// Bounds of a comment. GitHub takes 65,536 characters, and others no fewer.
const (
	maxComment = 60_000
	// maxCommentTable and maxCommentText are of the bytes of its table and of what stands
	// above it.
	maxCommentTable = 20_000
	maxCommentText  = 10_000
)

// commentMark lets a pipeline find the comment of an earlier attempt.
const commentMark = "<!-- auditlb run comment -->"

// comment writes a report as Markdown. Whatever comes from outside stands in code, spans or
// fenced blocks, in which Markdown means nothing; the one exception is the link to the CI.
func comment(r *api.RunReport) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s\n### auditlb: %s\n\nRun %s", commentMark, code(outcome(r.Overall)), code(r.Run.ID))
	if link := markdownLink(r.Link); link != "" {
		fmt.Fprintf(&out, " (%s)", link)
	}
	if p := r.Run.Proof; p != nil {
		fmt.Fprintf(&out, ", verified by %s as %s", code(p.Provider), code(p.Subject))
	} else {
		out.WriteString(", not verified")
	}
	n := r.Counts
	fmt.Fprintf(&out, ": %d applied as planned, %d not applied, %d failed, %d unplanned.\n", n.Applied, n.NotApplied, n.Failed, n.Unplanned)
	if r.LeftOut > 0 {
		fmt.Fprintf(&out, "\n%d older entries of the run were not looked at.\n", r.LeftOut)
	}
	for i := range r.Tickets {
		commentTicket(&out, &r.Tickets[i])
		if out.Len() > maxCommentText {
			fmt.Fprintf(&out, "- and %d more tickets\n", len(r.Tickets)-i-1)
			break
		}
	}
	commentTable(&out, r.Effects)
	for i := range r.Effects {
		details := commentDetails(r.Run.ID, &r.Effects[i])
		if out.Len()+len(details) > maxComment {
			fmt.Fprintf(&out, "\nThe differences of %d more are left out: see `auditlb run show`.\n", len(r.Effects)-i)
			break
		}
		out.WriteString(details)
	}
	return out.String()
}

func commentTicket(out *strings.Builder, t *api.Ticket) {
	fmt.Fprintf(out, "\n- Ticket %s, %s: %d of %d approvals\n", code(t.ID), code(t.State), len(t.Approvals), t.RequiredApprovals)
	if t.Type == "emergency" {
		fmt.Fprintln(out, "  - **emergency**")
	}
	if b := t.Binding; b != nil {
		fmt.Fprintf(out, "  - bound to %d effects, digest %s\n", b.Effects, code(b.EffectsDigest))
	}
	for _, a := range t.Approvals {
		fmt.Fprintf(out, "  - approved by %s at %s", code(a.By), at(a.At))
		if a.EffectsDigest != "" {
			fmt.Fprintf(out, " over %s", code(a.EffectsDigest))
		}
		fmt.Fprintln(out)
	}
}

func commentTable(out *strings.Builder, effects []api.RunEffect) {
	if len(effects) == 0 {
		return
	}
	named := slices.ContainsFunc(effects, func(e api.RunEffect) bool { return e.TerraformAddress != "" })
	heading, rule := "\n| Object | Operation | Status | Ticket | Plan | Apply |", "|---|---|---|---|---|---|"
	if named {
		heading, rule = heading+" Terraform address |", rule+"---|"
	}
	fmt.Fprintf(out, "%s\n%s\n", heading, rule)
	began := out.Len()
	for i := range effects {
		e := &effects[i]
		word := status(e.Status)
		if e.Emergency {
			word += " (emergency)"
		}
		fmt.Fprintf(out, "| %s | %s | %s | %s | %s | %s |", cell(e.Address), cell(string(e.Op)), cell(word), cell(e.Ticket), dash(entrySeq(e.Plan)), dash(entrySeq(e.Apply)))
		if named {
			fmt.Fprintf(out, " %s |", cell(e.TerraformAddress))
		}
		fmt.Fprintln(out)
		if out.Len()-began > maxCommentTable {
			fmt.Fprintf(out, "\nand %d more\n", len(effects)-i-1)
			return
		}
	}
}

// commentDetails is an effect's difference, with what is known of it.
func commentDetails(run string, e *api.RunEffect) string {
	var diff strings.Builder
	printPatch(&diff, e.Patch)
	lines := make([]string, 0, 16)
	for _, note := range effectNotes(run, e) {
		lines = append(lines, "# "+note)
	}
	for line := range strings.Lines(diff.String()) {
		lines = append(lines, strings.TrimSuffix(strings.TrimPrefix(line, "  "), "\n"))
	}
	lines = append(lines, effectGaps(e)...)
	return fmt.Sprintf("\n<details><summary><code>%s %s: %s</code></summary>\n\n%s\n\n</details>\n", plainHTML(string(e.Op)), plainHTML(e.Address), plainHTML(status(e.Status)), block("diff", lines))
}

// block is a fenced block whose fence is longer than any in it, so that no line ends it.
func block(language string, lines []string) string {
	var text strings.Builder
	for _, line := range lines {
		text.WriteString(visible(line))
		text.WriteByte('\n')
	}
	fence := "```" + strings.Repeat("`", longest(text.String(), '`'))
	return fence + language + "\n" + text.String() + fence
}

// code is text as a span of code, in which Markdown has no links, mentions and HTML. The
// span's ends are longer than any run of ` in it.
func code(text string) string {
	text = visible(text)
	if strings.TrimSpace(text) == "" {
		return "-"
	}
	ends := strings.Repeat("`", longest(text, '`')+1)
	if strings.HasPrefix(text, "`") || strings.HasSuffix(text, "`") {
		text = " " + text + " " // which is not part of the span
	}
	return ends + text + ends
}

// cell is code in a table, whose cells | ends even within code. How that is escaped is not
// the same everywhere.
func cell(text string) string { return code(strings.ReplaceAll(text, "|", `\u007c`)) }

// plainHTML is text in HTML that is plain ASCII letters, digits and what addresses have: the
// words of this program and names that were checked. Anything else becomes a _.
func plainHTML(text string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("/-. ", r)) {
			return r
		}
		return '_'
	}, text)
}

// longest is the length of the longest run of a byte in text.
func longest(text string, of byte) int {
	most, run := 0, 0
	for i := range len(text) {
		if run++; text[i] != of {
			run = 0
		}
		most = max(most, run)
	}
	return most
}

// markdownLink is a link to a run in its CI, or "" for what is none of http or https.
// What could end the link is escaped.
func markdownLink(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	var escaped strings.Builder
	for _, b := range []byte(u.String()) {
		if b < 0x80 && (unicode.IsLetter(rune(b)) || unicode.IsDigit(rune(b)) || strings.IndexByte("-._~:/?#%&=+,;@", b) >= 0) {
			escaped.WriteByte(b)
		} else {
			fmt.Fprintf(&escaped, "%%%02X", b)
		}
	}
	return fmt.Sprintf("[in its CI](<%s>), at %s", escaped.String(), code(u.Host))
}
