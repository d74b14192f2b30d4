package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func newDiff(c *cli) *cobra.Command {
	var sideBySide, exitCode bool
	cmd := &cobra.Command{
		Use:   "diff FROM [TO] [ADDRESS]",
		Short: "Compare the configuration at two points in time",
		Long: `Compare the configuration, or one object of it, at two points in time. A point is
` + api.PointForms + `. As FROM a run is the
moment just before its first change, as TO the one just after its last; a run alone
is compared with itself: what it did, and what others did meanwhile. TO is now when it
is left out.`,
		Example: `  auditlb diff 42 57 pool/web
  auditlb diff 2026-01-31T14:00:00Z now --side-by-side
  auditlb diff run:github/acme/infra/123/1`,
		Args: cobra.RangeArgs(1, 3),
		RunE: func(cmd *cobra.Command, args []string) error {
			from, to, address, err := diffArgs(args)
			if err != nil {
				return usageError{err}
			}
			cl, err := c.client()
			if err != nil {
				return err
			}
			diff, err := wholeDiff(cmd.Context(), cl, from, to, address)
			if err != nil {
				return err
			}
			err = c.print(cmd, diff, func(out io.Writer) {
				if sideBySide {
					printSideBySide(out, diff, width(out))
				} else {
					printUnified(out, diff)
				}
			})
			if err == nil && exitCode && len(diff.Items) > 0 {
				return errDiffers
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&sideBySide, "side-by-side", false, "show what was and what is beside each other")
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "exit with 5 when there is a difference")
	return cmd
}

// diffArgs tells points from an address: one alone that is a run is both points.
func diffArgs(args []string) (from, to, address string, err error) {
	points := args
	if last := args[len(args)-1]; len(args) > 1 {
		if _, err := lb.ParseAddress(last); err == nil {
			points, address = args[:len(args)-1], last
		} else if len(args) == 3 {
			return "", "", "", err
		}
	}
	from = points[0]
	switch {
	case len(points) == 2:
		to = points[1]
	case strings.HasPrefix(from, "run:"):
		to = from
	}
	return from, to, address, nil
}

func wholeDiff(ctx context.Context, cl *client.Client, from, to, address string) (*api.Diff, error) {
	page := client.Page{Limit: api.MaxPageSize}
	var all *api.Diff
	for {
		diff, err := cl.Diff(ctx, from, to, address, page)
		if err != nil {
			return nil, err
		}
		if all == nil {
			all = diff
			// The pages that follow are of the same points, whatever is changed meanwhile.
			from, to = fmt.Sprint(diff.From.Revision), fmt.Sprint(diff.To.Revision)
		} else {
			all.Items = append(all.Items, diff.Items...)
		}
		if page.Cursor = diff.Next; page.Cursor == "" {
			all.Next = ""
			return all, nil
		}
	}
}

func printUnified(out io.Writer, diff *api.Diff) {
	fmt.Fprintf(out, "--- revision %d  %s\n+++ revision %d  %s\n", diff.From.Revision, at(diff.From.Time), diff.To.Revision, at(diff.To.Time))
	for i := range diff.Items {
		d := &diff.Items[i]
		fmt.Fprintf(out, "\n%s\n", diffHeading(d))
		printPatch(out, d.Patch)
		if gone := goneText(d); gone != "" {
			fmt.Fprintf(out, "  ! %s\n", gone)
		}
	}
	if len(diff.Items) == 0 {
		fmt.Fprintln(out, "\nNothing differs.")
	}
}

func diffHeading(d *api.ObjectDiff) string {
	last := d.To
	if last == nil {
		return fmt.Sprintf("%s %s (it was revision %d)", d.Op, d.Address, d.From.Revision)
	}
	by := fmt.Sprintf("revision %d by %s under %s at %s", last.Revision, last.Actor, dash(last.Ticket), at(last.At))
	if d.From != nil {
		by = fmt.Sprintf("revision %d → %s", d.From.Revision, by)
	}
	return fmt.Sprintf("%s %s (%s)", d.Op, d.Address, by)
}

func goneText(d *api.ObjectDiff) string {
	if d.BodyState != api.BodyErased && d.BodyState != api.BodyUnavailable {
		return ""
	}
	return "what differs is not known: the body " + bodyState(d.BodyState, d.BodyErasedBy)
}

// width is how many columns a terminal has; what is no terminal has 120.
func width(out io.Writer) int {
	const fallback, least = 120, 40
	if f, ok := out.(*os.File); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil {
			return max(w, least)
		}
	}
	return fallback
}

// printSideBySide writes each attribute of the objects that differ, what was at the left.
func printSideBySide(out io.Writer, diff *api.Diff, width int) {
	half := (width - 3) / 2
	line := func(left, mark, right string) {
		fmt.Fprintln(out, strings.TrimRight(pad(left, half)+" "+mark+" "+cut(right, half), " "))
	}
	line(fmt.Sprintf("revision %d  %s", diff.From.Revision, at(diff.From.Time)), " ", fmt.Sprintf("revision %d  %s", diff.To.Revision, at(diff.To.Time)))
	for i := range diff.Items {
		d := &diff.Items[i]
		fmt.Fprintf(out, "\n%s\n", diffHeading(d))
		if gone := goneText(d); gone != "" {
			fmt.Fprintf(out, "  ! %s\n", gone)
			continue
		}
		before, after := attributeMap(d.Before), attributeMap(d.After)
		both := maps.Clone(before)
		maps.Copy(both, after)
		for _, path := range slices.Sorted(maps.Keys(both)) {
			was, had := before[path]
			is, has := after[path]
			switch {
			case !had:
				line("", ">", is)
			case !has:
				line(was, "<", "")
			case was == is:
				line(was, " ", is)
			default:
				line(was, "|", is)
			}
		}
	}
	if len(diff.Items) == 0 {
		fmt.Fprintln(out, "\nNothing differs.")
	}
}

// attributeMap holds an object's lines by attribute path.
func attributeMap(object jsontext.Value) map[string]string {
	out := map[string]string{}
	if object == nil {
		return out
	}
	var v any
	if err := json.Unmarshal(object, &v); err != nil {
		out[""] = string(object)
		return out
	}
	for _, line := range flatten("", v) {
		path, _, _ := strings.Cut(line, ": ")
		out[path] = line
	}
	return out
}

// cut shortens a text to a number of characters.
func cut(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}

func pad(s string, to int) string {
	s = cut(s, to)
	return s + strings.Repeat(" ", to-utf8.RuneCountInString(s))
}
