package main

import (
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// ticketFlags are what `ticket open` and `ticket amend` ask for.
type ticketFlags struct {
	req                 api.TicketRequest
	notBefore, notAfter string
	valid               time.Duration
	emergency           bool
}

func (f *ticketFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.req.Type, "type", "", "type: standard or normal (default normal)")
	flags.StringVar(&f.req.Title, "title", "", "what is to be done, in a few words")
	flags.StringVar(&f.req.Reason, "reason", "", "why the change is needed")
	flags.StringVar(&f.req.URL, "url", "", "where more is written about it")
	flags.StringVar(&f.req.Run, "run", "", "bind the ticket to exactly what this run planned")
	flags.StringSliceVar(&f.req.Scope.Addresses, "address", nil, "what may be changed: an address or glob, such as pool/web, route/shop-* or * (repeatable)")
	flags.StringSliceVar(&f.req.Scope.Operations, "op", nil, "what may be done: create, update, delete (repeatable; default: all)")
	flags.StringVar(&f.notBefore, "not-before", "", "when changes may begin, RFC 3339 (default: now)")
	flags.StringVar(&f.notAfter, "not-after", "", "when they must have ended, RFC 3339 (default: a day after they may begin, an hour in an emergency)")
	flags.DurationVar(&f.valid, "for", 0, "how long changes may be made, in place of --not-after")
	flags.IntVar(&f.req.RequiredApprovals, "approvals", 0, "how many people must approve (default 1)")
	flags.IntVar(&f.req.MaxUses, "max-uses", 0, "how many changes may be made (default: no bound)")
	flags.BoolVar(&f.req.OverrideConflicts, "override-conflicts", false, "let a rollback take back what others have changed since, too")
	flags.BoolVar(&f.req.SeparateApplier, "separate-applier", false, "keep those who approve from applying")
	cmd.MarkFlagsMutuallyExclusive("for", "not-after")
}

// request is what the flags ask for.
func (f *ticketFlags) request() (api.TicketRequest, error) {
	for _, t := range []struct {
		flag, text string
		into       *time.Time
	}{{"not-before", f.notBefore, &f.req.NotBefore}, {"not-after", f.notAfter, &f.req.NotAfter}} {
		var err error
		if *t.into, err = timeFlag(t.flag, t.text); err != nil {
			return f.req, err
		}
	}
	if f.valid > 0 {
		from := f.req.NotBefore
		if from.IsZero() {
			from = time.Now()
		}
		f.req.NotAfter = from.Add(f.valid)
	}
	if f.emergency {
		f.req.Type = string(ticket.Emergency)
	}
	return f.req, nil
}

func newTicketOpen(c *cli) *cobra.Command {
	var f ticketFlags
	cmd := &cobra.Command{
		Use:   "open",
		Short: "Ask for permission to change something",
		Long: `Ask for permission to change something: whatever lies in a scope, or with --run
exactly what a run has planned. Somebody else has to approve it.

An --emergency ticket works at once and for an hour, four at most. Every change
under it is marked, and it stays open until somebody else has reviewed it.`,
		Example: `  auditlb ticket open --id CHG-1042 --title "Canary for web" \
    --reason "Shift 10% of the traffic to the new build" --address pool/web --op update --for 2h
  auditlb ticket open --title "Release 42" --reason "As reviewed in #815" --run github/acme/infra/123/1
  auditlb ticket open --emergency --title "web is down" --reason "Members a and b are gone" --address pool/web`,
		Args: exactly(0, "no arguments, only flags"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			req, err := f.request()
			if err != nil {
				return err
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
	f.add(cmd)
	cmd.Flags().StringVar(&f.req.ID, "id", "", "the ticket's id (default: one is made)")
	cmd.Flags().BoolVar(&f.req.Draft, "draft", false, "leave it with you until you submit it")
	cmd.Flags().BoolVar(&f.emergency, "emergency", false, "let it work at once, to be reviewed afterwards")
	cmd.MarkFlagsMutuallyExclusive("emergency", "draft")
	cmd.MarkFlagsMutuallyExclusive("emergency", "type")
	return cmd
}

func newTicketAmend(c *cli) *cobra.Command {
	var f ticketFlags
	cmd := &cobra.Command{
		Use:   "amend TICKET",
		Short: "Change what a ticket of yours asks for",
		Long: `Change what a ticket of yours asks for. Flags that are left out keep what the
ticket has; --run binds it to what a run planned since. Unless that is the same as
before, its approvals are void.`,
		Example: `  auditlb ticket amend CHG-1042 --run github/acme/infra/124/1`,
		Args:    exactly(1, "one ticket's id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			req, err := f.request()
			if err != nil {
				return err
			}
			cl, err := c.client()
			if err != nil {
				return err
			}
			held, err := cl.Ticket(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			t, err := cl.AmendTicket(cmd.Context(), args[0], amended(held, req, cmd.Flags().Changed))
			if err != nil {
				return err
			}
			return c.print(cmd, t, func(out io.Writer) { printTicket(out, t) })
		},
	}
	f.add(cmd)
	return cmd
}

// amended is what a ticket asks for, with what flags change of it.
func amended(t *api.Ticket, req api.TicketRequest, changed func(flag string) bool) api.TicketRequest {
	out := api.TicketRequest{
		ID: t.ID, Type: t.Type, Title: t.Title, Reason: t.Reason, URL: t.URL, Scope: t.Scope, NotBefore: t.NotBefore, NotAfter: t.NotAfter,
		RequiredApprovals: t.RequiredApprovals, MaxUses: t.MaxUses, SeparateApplier: t.SeparateApplier, OverrideConflicts: t.OverrideConflicts,
	}
	if t.Binding != nil {
		out.Run = t.Binding.Run
	}
	for flag, take := range map[string]func(){
		"type": func() { out.Type = req.Type }, "title": func() { out.Title = req.Title }, "reason": func() { out.Reason = req.Reason },
		"url": func() { out.URL = req.URL }, "run": func() { out.Run = req.Run },
		"address": func() { out.Scope.Addresses = req.Scope.Addresses }, "op": func() { out.Scope.Operations = req.Scope.Operations },
		"not-before": func() { out.NotBefore = req.NotBefore }, "not-after": func() { out.NotAfter = req.NotAfter }, "for": func() { out.NotAfter = req.NotAfter },
		"approvals": func() { out.RequiredApprovals = req.RequiredApprovals }, "max-uses": func() { out.MaxUses = req.MaxUses },
		"separate-applier":   func() { out.SeparateApplier = req.SeparateApplier },
		"override-conflicts": func() { out.OverrideConflicts = req.OverrideConflicts },
	} {
		if changed(flag) {
			take()
		}
	}
	return out
}
