package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
)

func newTicket(c *cli) *cobra.Command {
	cmd := group("ticket", "Open, approve and close change tickets",
		newTicketOpen(c), newTicketAmend(c), newTicketShow(c), newTicketList(c), newTicketApprove(c), newTicketWait(c))
	for _, a := range []struct {
		verb           client.TicketVerb
		short, comment string
	}{
		{"submit", "Submit a draft of yours for approval", ""},
		{"reject", "Reject a ticket", "why it is rejected"},
		{"cancel", "Cancel a ticket that is not needed any more", "why it is cancelled"},
		{"close", "Close a ticket: the work under it is done", "how it went"},
		{"review", "Review what somebody else did under an emergency ticket", "what you found"},
	} {
		cmd.AddCommand(newTicketAction(c, a.verb, a.short, a.comment))
	}
	return cmd
}

func newTicketShow(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "show TICKET",
		Short:   "Show a ticket, and the differences that a bound one covers",
		Example: `  auditlb ticket show CHG-1042`,
		Args:    exactly(1, "one ticket's id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			t, err := cl.Ticket(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			effects, err := effectsOf(cmd.Context(), cl, t)
			if err != nil {
				return err
			}
			shown := struct {
				*api.Ticket
				CoveredEffects []api.TicketEffect `json:"covered_effects,omitzero"`
			}{t, effects}
			return c.print(cmd, shown, func(out io.Writer) {
				printTicket(out, t)
				printEffects(out, effects)
			})
		},
	}
}

func newTicketList(c *cli) *cobra.Command {
	var state string
	var page client.Page
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List tickets, latest change first",
		Example: `  auditlb ticket list
  auditlb ticket list --state pending`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			list, err := cl.Tickets(cmd.Context(), state, page)
			if err != nil {
				return err
			}
			return c.print(cmd, list, func(out io.Writer) {
				rows := make([][]string, 0, len(list.Items))
				for _, t := range list.Items {
					state := t.State
					if t.ReviewPending {
						state += ", review pending"
					}
					rows = append(rows, []string{t.ID, state, t.Type, dash(t.Requester), approvers(t.Approvals), dash(at(t.NotAfter)), t.Title})
				}
				columns(out, []string{"TICKET", "STATE", "TYPE", "REQUESTER", "APPROVED BY", "UNTIL", "TITLE"}, rows)
				if list.Next != "" {
					fmt.Fprintf(out, "There are more: --cursor %s\n", list.Next)
				}
			})
		},
	}
	cmd.Flags().StringVar(&state, "state", "", "only tickets in this state: draft, pending, approved, closed, rejected, expired, cancelled")
	cmd.Flags().IntVar(&page.Limit, "limit", api.DefaultPageSize, "at most this many tickets")
	cmd.Flags().StringVar(&page.Cursor, "cursor", "", "begin where the page before ended")
	return cmd
}

func newTicketAction(c *cli, verb client.TicketVerb, short, comment string) *cobra.Command {
	var action api.TicketAction
	cmd := &cobra.Command{
		Use:     string(verb) + " TICKET",
		Short:   short,
		Example: fmt.Sprintf(`  auditlb ticket %s CHG-1042`, verb),
		Args:    exactly(1, "one ticket's id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			t, err := cl.ActOnTicket(cmd.Context(), args[0], verb, action)
			if err != nil {
				return err
			}
			return c.print(cmd, t, func(out io.Writer) { printTicket(out, t) })
		},
	}
	if comment != "" {
		cmd.Example += ` --comment "looks right"`
		cmd.Flags().StringVar(&action.Comment, "comment", "", comment)
	}
	return cmd
}

func approvers(approvals []api.TicketApproval) string {
	names := make([]string, len(approvals))
	for i, a := range approvals {
		names[i] = a.By
	}
	return dash(strings.Join(names, ", "))
}

func printTicket(out io.Writer, t *api.Ticket) {
	ops := "every operation"
	if len(t.Scope.Operations) > 0 {
		ops = strings.Join(t.Scope.Operations, ", ")
	}
	uses, bound, review, rules, overrides := "", "", "", "", ""
	if t.MaxUses > 0 || t.Uses > 0 {
		uses = fmt.Sprintf("%d changes made", t.Uses)
		if t.MaxUses > 0 {
			uses += fmt.Sprintf(" of %d", t.MaxUses)
		}
	}
	if b := t.Binding; b != nil {
		bound = fmt.Sprintf("exactly the %d effects that run %s planned, digest %s (set %s)", b.Effects, b.Run, b.EffectsDigest, b.SetDigest)
	}
	if t.OverrideConflicts {
		overrides = "YES: a rollback may take back what others have changed since, too"
	}
	if t.SeparateApplier {
		rules = "approvers may not apply"
	}
	switch {
	case t.ReviewPending:
		review = "PENDING: opened in an emergency, somebody else has to review it"
	case t.Review != nil:
		review = strings.TrimSpace(fmt.Sprintf("by %s at %s %s", t.Review.By, at(t.Review.At), t.Review.Comment))
	}
	until := at(t.NotAfter)
	if until == "" {
		until = "no end"
	}
	fields(out,
		"ticket", t.ID,
		"lives in", t.Authority,
		"state", t.State,
		"type", t.Type,
		"title", t.Title,
		"reason", t.Reason,
		"url", t.URL,
		"requester", fmt.Sprintf("%s at %s", t.Requester, at(t.RequestedAt)),
		"scope", ops+" on "+strings.Join(t.Scope.Addresses, ", "),
		"overrides conflicts", overrides,
		"bound to", bound,
		"window", at(t.NotBefore)+" to "+until,
		"approvals", fmt.Sprintf("%d of %d: %s", len(t.Approvals), t.RequiredApprovals, approvers(t.Approvals)),
		"rules", rules,
		"uses", uses,
		"review", review,
		"ended", ending(t.Closure),
		"revision", optionalSeq(t.Revision),
	)
}

func ending(c *api.TicketClosure) string {
	if c == nil {
		return ""
	}
	text := strings.TrimSpace(fmt.Sprintf("by %s at %s %s", c.By, at(c.At), c.Result))
	if e := c.Evidence; e != nil {
		text += fmt.Sprintf(" (%d applied, %d refused", e.Applied, e.Refused)
		if e.Applied > 0 {
			text += fmt.Sprintf(", entries %d to %d", e.First, e.Last)
		}
		text += fmt.Sprintf("; log of %d entries, root %s)", e.LogSize, e.LogRoot)
	}
	return text
}
