package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
)

func newTicket(c *cli) *cobra.Command {
	cmd := group("ticket", "Open, approve and close change tickets", newTicketOpen(c), newTicketShow(c), newTicketList(c))
	for _, a := range []struct {
		verb           client.TicketVerb
		short, comment string
	}{
		{"approve", "Approve a ticket that somebody else asked for", "kept with the approval"},
		{"reject", "Reject a ticket", "why it is rejected"},
		{"cancel", "Cancel a ticket that is not needed any more", "why it is cancelled"},
		{"close", "Close a ticket: the work under it is done", "how it went"},
	} {
		cmd.AddCommand(newTicketAction(c, a.verb, a.short, a.comment))
	}
	return cmd
}

func newTicketOpen(c *cli) *cobra.Command {
	var req api.TicketRequest
	var notBefore, notAfter string
	var valid time.Duration
	cmd := &cobra.Command{
		Use:   "open",
		Short: "Ask for permission to change something",
		Example: `  auditlb ticket open --id CHG-1042 --title "Canary for web" \
    --reason "Shift 10% of the traffic to the new build" --address pool/web --op update --for 2h`,
		Args: exactly(0, "no arguments, only flags"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, t := range []struct {
				flag, text string
				into       *time.Time
			}{{"not-before", notBefore, &req.NotBefore}, {"not-after", notAfter, &req.NotAfter}} {
				if t.text == "" {
					continue
				}
				parsed, err := time.Parse(time.RFC3339, t.text)
				if err != nil {
					return usageError{fmt.Errorf("--%s %q must be an RFC 3339 time, such as 2026-01-31T14:05:00Z", t.flag, t.text)}
				}
				*t.into = parsed
			}
			if valid > 0 {
				from := req.NotBefore
				if from.IsZero() {
					from = time.Now()
				}
				req.NotAfter = from.Add(valid)
			}
			cl, err := c.client()
			if err != nil {
				return err
			}
			t, err := cl.OpenTicket(cmd.Context(), req)
			if err != nil {
				return err
			}
			return c.print(cmd, t, func(out io.Writer) { printTicket(out, t) })
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&req.ID, "id", "", "the ticket's id (default: one is made)")
	flags.StringVar(&req.Type, "type", "normal", "type: standard or normal")
	flags.StringVar(&req.Title, "title", "", "what is to be done, in a few words")
	flags.StringVar(&req.Reason, "reason", "", "why the change is needed")
	flags.StringVar(&req.URL, "url", "", "where more is written about it")
	flags.StringSliceVar(&req.Scope.Addresses, "address", nil, "what may be changed: an address or glob, such as pool/web, route/shop-* or * (repeatable)")
	flags.StringSliceVar(&req.Scope.Operations, "op", nil, "what may be done: create, update, delete (repeatable; default: all)")
	flags.StringVar(&notBefore, "not-before", "", "when changes may begin, RFC 3339 (default: now)")
	flags.StringVar(&notAfter, "not-after", "", "when they must have ended, RFC 3339 (default: a day after they may begin)")
	flags.DurationVar(&valid, "for", 0, "how long changes may be made, in place of --not-after")
	flags.IntVar(&req.RequiredApprovals, "approvals", 1, "how many people must approve")
	cmd.MarkFlagsMutuallyExclusive("for", "not-after")
	return cmd
}

func newTicketShow(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "show TICKET",
		Short:   "Show a ticket",
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
			return c.print(cmd, t, func(out io.Writer) { printTicket(out, t) })
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
					rows = append(rows, []string{t.ID, t.State, t.Type, t.Requester, approvers(t.Approvals), at(t.NotAfter), t.Title})
				}
				columns(out, []string{"TICKET", "STATE", "TYPE", "REQUESTER", "APPROVED BY", "UNTIL", "TITLE"}, rows)
				if list.Next != "" {
					fmt.Fprintf(out, "There are more: --cursor %s\n", list.Next)
				}
			})
		},
	}
	cmd.Flags().StringVar(&state, "state", "", "only tickets in this state: pending, approved, closed, rejected, expired, cancelled")
	cmd.Flags().IntVar(&page.Limit, "limit", api.DefaultPageSize, "at most this many tickets")
	cmd.Flags().StringVar(&page.Cursor, "cursor", "", "begin where the page before ended")
	return cmd
}

func newTicketAction(c *cli, verb client.TicketVerb, short, comment string) *cobra.Command {
	var action api.TicketAction
	cmd := &cobra.Command{
		Use:     string(verb) + " TICKET",
		Short:   short,
		Example: fmt.Sprintf(`  auditlb ticket %s CHG-1042 --comment "looks right"`, verb),
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
	cmd.Flags().StringVar(&action.Comment, "comment", "", comment)
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
	closure := ""
	if t.Closure != nil {
		closure = strings.TrimSpace(fmt.Sprintf("by %s at %s %s", t.Closure.By, at(t.Closure.At), t.Closure.Result))
	}
	fields(out,
		"ticket", t.ID,
		"state", t.State,
		"type", t.Type,
		"title", t.Title,
		"reason", t.Reason,
		"url", t.URL,
		"requester", fmt.Sprintf("%s at %s", t.Requester, at(t.RequestedAt)),
		"scope", ops+" on "+strings.Join(t.Scope.Addresses, ", "),
		"window", at(t.NotBefore)+" to "+at(t.NotAfter),
		"approvals", fmt.Sprintf("%d of %d: %s", len(t.Approvals), t.RequiredApprovals, approvers(t.Approvals)),
		"ended", closure,
	)
}
