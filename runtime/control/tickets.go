package control

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

const ticketPrefix = "ticket"

// TicketRequest is what is asked for with a ticket.
type TicketRequest struct {
	ticket.Request
	// Run, if not empty, is the run to whose plans the ticket is bound.
	Run string
}

// OpenTicket records a new ticket. Without an id of the requester's it gets one.
func (c *Controller) OpenTicket(ctx context.Context, call Call, r TicketRequest) (Outcome, error) {
	if r.ID == "" {
		r.ID = "CHG-" + strings.ToUpper(rand.Text()[:10])
		call.Ticket = r.ID
	}
	found, err := c.findEffects(ctx, r.Run)
	if err != nil {
		return Outcome{}, err
	}
	return c.submit(ctx, call, Subject{ticketPrefix + "/" + r.ID, "open"}, 0, func(b *batch) (draft, error) {
		d := draft{kind: audit.TypeTicket}
		if err := checkVerified(call); err != nil {
			return d, err
		}
		if c.opts.Authorities != nil {
			if authority := c.opts.Authorities.Authority(r.ID); authority != "" {
				return d, refuse(ticket.CodeElsewhere, "tickets with ids such as %s live in %s: open it there", r.ID, authority)
			}
		}
		if r.Binding, err = b.bind(r.Run, found); err != nil {
			return d, err
		}
		t, err := ticket.Open(r.Request, call.Actor.Name, b.time())
		if err != nil {
			return d, err
		}
		var held ticket.Ticket
		revision, err := b.state(ticketPrefix+"/"+t.ID, &held)
		if err != nil {
			return d, err
		}
		if revision != 0 {
			return d, refuse(CodeTicketExists, "ticket %s exists already: %s opened it for %q", t.ID, held.Requester, held.Title)
		}
		b.emergencies[t.ID] = t.Type == ticket.Emergency
		d.body.After, err = lb.Canonical(t)
		return d, err
	})
}

// TicketAct is what somebody does to a ticket.
type TicketAct struct {
	Action  ticket.Action
	Comment string
	// Effects is the digest of the effects that an approver has seen.
	Effects string
	// Request is what the ticket is amended to.
	Request TicketRequest
	// Revision, if not 0, is the one that the ticket must be at: what was looked at.
	Revision int64
}

// ActOnTicket amends, submits, approves, rejects, cancels, closes or reviews a ticket.
func (c *Controller) ActOnTicket(ctx context.Context, call Call, id string, act TicketAct) (Outcome, error) {
	found, err := c.findEffects(ctx, act.Request.Run)
	if err != nil {
		return Outcome{}, err
	}
	return c.submit(ctx, call, Subject{ticketPrefix + "/" + id, string(act.Action)}, 0, func(b *batch) (draft, error) {
		d := draft{kind: audit.TypeTicket}
		if err := checkVerified(call); err != nil {
			return d, err
		}
		var t ticket.Ticket
		revision, err := b.state(ticketPrefix+"/"+id, &t)
		if err != nil {
			return d, err
		}
		if revision == 0 {
			return d, refuse(CodeNotFound, "there is no ticket %q", Recordable(id, 64))
		}
		if act.Revision != 0 && act.Revision != revision {
			return d, refuse(CodePreconditionFailed, "ticket %s was changed since revision %d; look at it again", id, act.Revision)
		}
		b.emergencies[id] = t.Type == ticket.Emergency
		d.base = revision
		if d.body.Before, err = lb.Canonical(t); err != nil {
			return d, err
		}
		if t, err = b.act(call, t, act, found); err != nil {
			return d, err
		}
		d.body.After, err = lb.Canonical(t)
		return d, err
	})
}

func (b *batch) act(call Call, t ticket.Ticket, act TicketAct, found effects) (ticket.Ticket, error) {
	a := ticket.Act{Action: act.Action, By: call.Actor.Name, Comment: act.Comment, Effects: act.Effects, Request: act.Request.Request, Now: b.time()}
	var err error
	switch act.Action {
	case ticket.Amend:
		a.Request.Binding, err = b.bind(act.Request.Run, found)
	case ticket.Approve, ticket.Review, ticket.Reject:
		err = coversTicket(call.Actor, &t)
	case ticket.Cancel, ticket.Close:
		if call.Actor.Name != t.Requester {
			err = coversTicket(call.Actor, &t)
		}
	}
	if err == nil {
		a.Evidence, err = b.evidence(t.ID)
	}
	if err != nil {
		return t, err
	}
	return t.Apply(a)
}

// coversTicket refuses an approval of more than the approver's scopes cover.
func coversTicket(actor identity.Actor, t *ticket.Ticket) error {
	wanted := t.Scope.Addresses
	if t.Binding != nil {
		wanted = nil
		for _, e := range t.Binding.Effects {
			wanted = append(wanted, e.Address)
		}
	}
	for _, glob := range wanted {
		if !actor.Covers(glob) {
			return refuse(CodeScope, "%s may act on %s only; ticket %s is for %s", actor.Name, strings.Join(actor.Scopes, ", "), t.ID, glob)
		}
	}
	return nil
}

// HeldTicket is a ticket with the entry that last changed it.
type HeldTicket struct {
	ticket.Ticket
	Revision int64
}

// Usage returns what was done under a ticket.
func (c *Controller) Usage(ctx context.Context, id string) (Usage, error) {
	return c.opts.Store.TicketUsage(ctx, id)
}

// MarkWritten records up to which entry the authority of a ticket was told what
// was done under it.
func (c *Controller) MarkWritten(ctx context.Context, id string, through int64) error {
	call := Call{Actor: System("authority"), Ticket: id}
	_, err := c.submit(ctx, call, Subject{ticketPrefix + "/" + id, "write_evidence"}, 0, func(b *batch) (draft, error) {
		d := draft{kind: audit.TypeTicket}
		var t ticket.Ticket
		revision, err := b.state(ticketPrefix+"/"+id, &t)
		if err != nil {
			return d, err
		}
		if revision == 0 {
			return d, refuse(CodeNotFound, "there is no ticket %q", Recordable(id, 64))
		}
		d.base = revision
		if d.body.Before, err = lb.Canonical(t); err != nil {
			return d, err
		}
		t.Written = through
		d.body.After, err = lb.Canonical(t)
		return d, err
	})
	return err
}

// Ticket returns a ticket, or nil.
func (c *Controller) Ticket(ctx context.Context, id string) (*HeldTicket, error) {
	current, err := c.opts.Store.Current(ctx, ticketPrefix+"/"+id)
	if err != nil || current == nil || current.State == nil {
		return nil, err
	}
	return parseTicket(*current)
}

// Tickets returns tickets, newest change first, changed before a revision (0:
// no bound).
func (c *Controller) Tickets(ctx context.Context, before int64, limit int) ([]HeldTicket, error) {
	rows, err := c.opts.Store.States(ctx, ticketPrefix+"/", before, limit)
	if err != nil {
		return nil, err
	}
	out := make([]HeldTicket, 0, len(rows))
	for _, row := range rows {
		t, err := parseTicket(row)
		if err != nil {
			return nil, err
		}
		out = append(out, *t)
	}
	return out, nil
}

func parseTicket(row audit.Current) (*HeldTicket, error) {
	t := HeldTicket{Revision: row.Seq}
	if err := json.Unmarshal(row.State, &t.Ticket); err != nil {
		return nil, fmt.Errorf("state of %s: %w", row.Resource, err)
	}
	return &t, nil
}
