package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func newHistory(c *cli) *cobra.Command {
	var q api.EntryQuery
	var types []string
	var since, until string
	cmd := &cobra.Command{
		Use:   "history [ADDRESS]",
		Short: "Show what happened: to an object, in a run, under a ticket, by an actor, of an owner, at a time",
		Long: `Show entries of the log, newest first. Filters narrow each other.

--text looks for a part of an entry or its body as recorded, in capitals or not. That
takes as long as there are entries which the other filters leave: narrow them, or stop
it, which says how far it came.`,
		Example: `  auditlb history pool/web
  auditlb history --ticket CHG-1042
  auditlb history --type reject --limit 20
  auditlb history --owner team-web --type apply --since 2026-11-01T00:00:00Z
  auditlb history --workspace acme/edge --text 10.0.0.7`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				if _, err := lb.ParseAddress(args[0]); err != nil {
					return usageError{err}
				}
				q.Resource = args[0]
			}
			if q.Limit < 1 {
				return usageError{fmt.Errorf("--limit %d must be at least 1", q.Limit)}
			}
			var err error
			if q.Since, err = timeFlag("since", since); err != nil {
				return err
			}
			if q.Until, err = timeFlag("until", until); err != nil {
				return err
			}
			q.Type, q.IncludePatch = strings.Join(types, ","), true
			cl, err := c.client()
			if err != nil {
				return err
			}
			list, stopped := findEntries(cmd, cl, q)
			if list == nil {
				return stopped
			}
			err = c.print(cmd, list, func(out io.Writer) { printEntries(out, list, q.Resource == "") })
			return errors.Join(err, stopped)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&q.Run, "run", "", "only entries of this run")
	flags.StringVar(&q.Ticket, "ticket", "", "only entries under this ticket")
	flags.StringVar(&q.Actor, "actor", "", "only entries by this actor")
	flags.StringVar(&q.Owner, "owner", "", "only entries about objects of this owner")
	flags.StringVar(&q.Workspace, "workspace", "", "only entries of runs of this workspace")
	flags.StringSliceVar(&types, "type", nil, "only entries of these types: "+strings.Join(api.EntryTypes, ", "))
	flags.StringVar(&since, "since", "", "only entries recorded at or after this time, RFC 3339")
	flags.StringVar(&until, "until", "", "only entries recorded before this time, RFC 3339")
	flags.StringVar(&q.Text, "text", "", "only entries that have this text in them or in their body")
	flags.IntVar(&q.Limit, "limit", api.DefaultPageSize, "at most this many entries, newest first")
	flags.StringVar(&q.Cursor, "cursor", "", "begin after this entry: the last line's seq of the page before")
	return cmd
}

func printEntries(out io.Writer, list *api.EntryList, withResource bool) {
	heading := []string{"SEQ", "TIME", "TYPE", "OP", "ACTOR", "TICKET", "RUN", "CHANGE"}
	if withResource {
		heading = []string{"SEQ", "TIME", "TYPE", "OP", "RESOURCE", "ACTOR", "TICKET", "RUN", "CHANGE"}
	}
	named := slices.ContainsFunc(list.Items, func(e api.EntryRecord) bool { return e.TerraformAddress != "" })
	if named {
		heading = slices.Insert(heading, len(heading)-1, "TERRAFORM ADDRESS")
	}
	rows := make([][]string, 0, len(list.Items))
	for i := range list.Items {
		e := &list.Items[i]
		row := []string{strconv.FormatInt(e.Seq, 10), at(e.Time), e.Type, dash(e.Op)}
		if withResource {
			row = append(row, dash(e.Resource))
		}
		row = append(row, e.Actor.Name, dash(e.Ticket), dash(runID(e.Run)))
		if named {
			row = append(row, dash(e.TerraformAddress))
		}
		rows = append(rows, append(row, summary(e)))
	}
	columns(out, heading, rows)
	if slices.ContainsFunc(list.Items, func(e api.EntryRecord) bool { return e.Run != nil && e.Run.Verified }) {
		fmt.Fprintln(out, "Runs marked"+verifiedMark+" are verified by a token; others are only claimed.")
	}
	if list.Next != "" {
		fmt.Fprintf(out, "There are more: --cursor %s\n", list.Next)
	}
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func runID(r *api.RunRef) string {
	if r == nil {
		return ""
	}
	if r.Verified {
		return r.ID + verifiedMark
	}
	return r.ID
}

// verifiedMark stands after a run that a token proves; others are only claimed.
const verifiedMark = " ✓"

func newShow(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "show SEQ",
		Short:   "Show an entry with its difference",
		Example: `  auditlb show 42`,
		Args:    exactly(1, "one entry's seq"),
		RunE: func(cmd *cobra.Command, args []string) error {
			seq, err := parseSeq(args[0])
			if err != nil {
				return err
			}
			cl, err := c.client()
			if err != nil {
				return err
			}
			e, err := cl.Entry(cmd.Context(), seq)
			if err != nil {
				return err
			}
			return c.print(cmd, e, func(out io.Writer) { printEntry(out, e) })
		},
	}
}

func printEntry(out io.Writer, e *api.EntryRecord) {
	request, run, plan, workspace := "", "", "", ""
	if e.Request != nil {
		request = fmt.Sprintf("%s %s from %s (%s), id %s", e.Request.Method, e.Request.Path, dash(e.Request.SourceIP), dash(e.Request.UserAgent), e.Request.ID)
	}
	if e.Run != nil {
		run = e.Run.ID + map[bool]string{true: " (verified)", false: " (claimed)"}[e.Run.Verified]
		workspace = e.Run.Workspace
	}
	switch {
	case e.Plan > 0:
		plan = fmt.Sprintf("as planned in entry %d", e.Plan)
	case e.Unplanned:
		plan = "unplanned"
	}
	actor, emergency := e.Actor.Name, ""
	if e.Emergency {
		emergency = "YES: under an emergency ticket"
	}
	if e.Actor.Credential != "" {
		actor += fmt.Sprintf(" (%s, %s)", e.Actor.Role, e.Actor.Credential)
	}
	fields(out,
		"entry", strconv.FormatInt(e.Seq, 10),
		"time", at(e.Time),
		"type", e.Type,
		"resource", e.Resource,
		"Terraform address", e.TerraformAddress,
		"owner", e.Owner,
		"operation", e.Op,
		"rollback", rollbackText(e),
		"outcome", e.Outcome,
		"code", e.Code,
		"actor", actor,
		"vouched for by", vouched(e.Actor),
		"ticket", e.Ticket,
		"emergency", emergency,
		"run", run,
		"workspace", workspace,
		"proved of the run", proved(e.Run),
		"plan", plan,
		"base revision", optionalSeq(e.Base),
		"effect", e.EffectDigest,
		"request", request,
		"leaf hash", e.LeafHash,
		"body", bodyState(e.BodyState, e.BodyErasedBy),
	)
	if e.Body != nil {
		printRules(out, e.Body.Rules)
	}
	if e.Body != nil && e.Body.Refusal != nil {
		fmt.Fprintf(out, "\nrefused: %s\n", e.Body.Refusal.Detail)
	}
	if e.Body != nil {
		for _, w := range e.Body.Warnings {
			fmt.Fprintf(out, "warning: %s\n", w)
		}
		for _, u := range e.Body.Unknown {
			fmt.Fprintf(out, "not known when planned: %s\n", attributePath(u))
		}
	}
	if len(e.Patch) > 0 {
		fmt.Fprintf(out, "\n%s\n", e.Resource)
		printPatch(out, e.Patch)
	}
}

// bodyState says where a body is that the log no longer holds, or "".
func bodyState(state string, erasedBy int64) string {
	by := ""
	if erasedBy > 0 {
		by = fmt.Sprintf(" (entry %d)", erasedBy)
	}
	switch state {
	case api.BodyErased:
		return fmt.Sprintf("erased by policy in entry %d", erasedBy)
	case api.BodyArchived:
		return "from the archive" + by
	case api.BodyUnavailable:
		return "can't be had just now: not in the log any more" + by
	}
	return state
}

// vouched is an identity provider's word for an actor, or "".
func vouched(a api.Actor) string {
	if a.Issuer == "" {
		return ""
	}
	return fmt.Sprintf("%s (%s) as %s", a.Provider, a.Issuer, a.Subject)
}

// proved is what a credential says of a run, in order of name.
func proved(r *api.RunRef) string {
	if r == nil {
		return ""
	}
	return facts(r.Proved)
}

func facts(of map[string]string) string {
	parts := make([]string, 0, len(of))
	for _, name := range slices.Sorted(maps.Keys(of)) {
		parts = append(parts, name+" "+of[name])
	}
	return strings.Join(parts, ", ")
}

func optionalSeq(seq int64) string {
	if seq == 0 {
		return ""
	}
	return strconv.FormatInt(seq, 10)
}
