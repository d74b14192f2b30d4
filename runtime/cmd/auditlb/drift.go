package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func newDrift(c *cli) *cobra.Command {
	var q api.DriftQuery
	var exitCode bool
	cmd := &cobra.Command{
		Use:   "drift [ADDRESS]",
		Short: "Show what is not as a Terraform workspace left it, and who changed it",
		Long: `Show the objects that something else changed since a Terraform workspace last
applied or imported them, as far as a difference is left, and those that another
workspace manages too. Any role may ask.

Each has its own word:

  changed    something else changed it
  deleted    it is gone
  recreated  it was deleted, and another one of its name was made
  adopted    another workspace applied or imported it
  imported   the workspace imported it and has not changed it since (with --all)

With --exit-code it ends with code 5 if there is drift that is not accepted.`,
		Example: `  auditlb drift --workspace acme/edge
  auditlb drift pool/web
  auditlb drift --workspace acme/edge --all
  auditlb drift --workspace acme/edge --exit-code -o json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				if _, err := lb.ParseAddress(args[0]); err != nil {
					return usageError{fmt.Errorf("%w; or one of the commands accept and withdraw", err)}
				}
				q.Resource = args[0]
			}
			cl, err := c.client()
			if err != nil {
				return err
			}
			list, err := driftOf(cmd.Context(), cl, q)
			if err != nil {
				return err
			}
			if err := c.print(cmd, list, func(out io.Writer) { printDrift(out, list, q.Resource != "") }); err != nil {
				return err
			}
			for i := range list.Items {
				if d := &list.Items[i]; exitCode && d.Accepted == nil && d.Kind != api.DriftImported {
					return errDiffers
				}
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&q.Workspace, "workspace", "", "the workspace (default: the only one there is)")
	flags.BoolVar(&q.All, "all", false, "also accepted drift, and what was imported and is as it was")
	flags.BoolVar(&exitCode, "exit-code", false, "end with code 5 if there is drift that is not accepted")
	cmd.AddCommand(newDriftAccept(c), newDriftWithdraw(c))
	return cmd
}

// driftOf reads all pages of a workspace's drift. Without a workspace there must be one.
func driftOf(ctx context.Context, cl *client.Client, q api.DriftQuery) (*api.DriftList, error) {
	q.Limit = api.MaxPageSize
	list, err := cl.Drift(ctx, q)
	if err != nil {
		return nil, err
	}
	switch {
	case list.Workspace == "" && len(list.Workspaces) == 0:
		return nil, errors.New("no run has left an entry yet, so there is no workspace")
	case list.Workspace == "":
		return nil, usageError{fmt.Errorf("name a workspace with --workspace: %s", strings.Join(list.Workspaces, ", "))}
	case list.Managed == 0 && q.Workspace != "" && !slices.Contains(list.Workspaces, q.Workspace):
		return nil, usageError{fmt.Errorf("there is no workspace %q; there is: %s", q.Workspace, dash(strings.Join(list.Workspaces, ", ")))}
	}
	for q.Workspace = list.Workspace; list.Next != ""; {
		q.Cursor = list.Next
		more, err := cl.Drift(ctx, q)
		if err != nil {
			return nil, err
		}
		list.Items, list.Accepted, list.Next = append(list.Items, more.Items...), list.Accepted+more.Accepted, more.Next
	}
	return list, nil
}

func printDrift(out io.Writer, list *api.DriftList, whole bool) {
	foreign := false
	rows := make([][]string, 0, len(list.Items))
	for i := range list.Items {
		d := &list.Items[i]
		row := []string{d.Address, d.Kind, d.Baseline.Actor, at(d.Baseline.At), dash(d.Baseline.Ticket), dash(d.Baseline.Run), ""}
		if len(d.Changes) > 0 {
			last := &d.Changes[0]
			ticket := last.Ticket
			if !last.Own && !last.OwnTicket {
				ticket, foreign = ticket+foreignMark, true
			}
			row = []string{d.Address, d.Kind, last.Actor, at(last.At), ticket, dash(last.Run), driftSummary(d)}
		} else {
			row[len(row)-1] = driftSummary(d)
		}
		rows = append(rows, row)
	}
	if len(rows) > 0 {
		columns(out, []string{"ADDRESS", "DRIFT", "BY", "TIME", "TICKET", "RUN", "WHAT"}, rows)
	}
	if foreign {
		fmt.Fprintf(out, "Tickets marked%s are none of this workspace's: none of its runs used them.\n", foreignMark)
	}
	if whole {
		for i := range list.Items {
			printOneDrift(out, &list.Items[i])
		}
	}
	n := 0
	for i := range list.Items {
		if list.Items[i].Accepted == nil && list.Items[i].Kind != api.DriftImported {
			n++
		}
	}
	fmt.Fprintf(out, "Workspace %s manages %s; %d drifted", list.Workspace, quantity(list.Managed, "object"), n)
	if list.Accepted > 0 {
		fmt.Fprintf(out, ", and %d accepted (--all shows them)", list.Accepted)
	}
	fmt.Fprintln(out, ".")
}

// foreignMark stands after a ticket that no run of the workspace used.
const foreignMark = " *"

// driftSummary says in a line what is different.
func driftSummary(d *api.Drift) string {
	var parts []string
	for _, m := range d.Managers {
		parts = append(parts, "also managed by workspace "+m.Workspace)
	}
	switch {
	case d.PatchState != "":
		parts = append(parts, "(what it was is not known any more: "+bodyState(d.PatchState, d.PatchErasedBy)+")")
	case len(d.Patch) > 0 && d.Kind != api.DriftDeleted:
		parts = append(parts, patchSummary(d.Patch))
	}
	for i := range d.Changes {
		if c := &d.Changes[i]; c.Emergency {
			parts = append(parts, "(EMERGENCY)")
			break
		}
	}
	if len(d.Changes) > 0 && d.Changes[0].Rollback != nil {
		parts = append(parts, rollbackOf(d.Changes[0].Rollback))
	}
	if a := d.Accepted; a != nil {
		parts = append(parts, fmt.Sprintf("accepted by %s until %s, %s: %s", a.By, at(a.Until), a.Ticket, a.Reason))
	}
	return strings.Join(parts, "; ")
}

func rollbackOf(r *api.RollbackRef) string {
	if r.Run != "" {
		return "rollback of run " + r.Run
	}
	if r.To == 0 {
		return "rollback to before there was one"
	}
	return fmt.Sprintf("rollback to revision %d", r.To)
}

// printOneDrift lists the changes of an object, and the difference that is left.
func printOneDrift(out io.Writer, d *api.Drift) {
	rows := make([][]string, 0, len(d.Changes))
	for i := range d.Changes {
		c := &d.Changes[i]
		rows = append(rows, []string{optionalSeq(c.Revision), at(c.At), string(c.Op), c.Actor, c.Ticket, dash(c.Run), dash(c.Workspace), c.Via})
	}
	fmt.Fprintf(out, "\n%s since revision %d, which workspace %s left", d.Address, d.Baseline.Revision, d.Workspace)
	if d.Seen > 0 {
		fmt.Fprintf(out, " (seen: entry %d)", d.Seen)
	}
	fmt.Fprintln(out)
	if len(rows) > 0 {
		columns(out, []string{"REVISION", "TIME", "OP", "ACTOR", "TICKET", "RUN", "WORKSPACE", "VIA"}, rows)
	}
	if d.Count > len(d.Changes) {
		fmt.Fprintf(out, "and %d more\n", d.Count-len(d.Changes))
	}
	printPatch(out, d.Patch)
	fmt.Fprintln(out)
}

// quantity is a number of things.
func quantity(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
