package control

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

const ticketPrefix = "ticket"

// OpenTicket records a new ticket. Without an id of the requester's it gets one.
func (c *Controller) OpenTicket(ctx context.Context, call Call, r ticket.Request) (Outcome, error) {
	if r.ID == "" {
		r.ID = "CHG-" + strings.ToUpper(rand.Text()[:10])
	}
	return c.submit(ctx, call, Subject{ticketPrefix + "/" + r.ID, "open"}, 0, func(b *batch) (draft, error) {
		d := draft{kind: audit.TypeTicket}
		t, err := ticket.Open(r, call.Actor.Name, b.time())
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
		d.body.After, err = lb.Canonical(t)
		return d, err
	})
}

// ActOnTicket approves, rejects, cancels or closes a ticket.
func (c *Controller) ActOnTicket(ctx context.Context, call Call, id string, action ticket.Action, comment string) (Outcome, error) {
	return c.submit(ctx, call, Subject{ticketPrefix + "/" + id, string(action)}, 0, func(b *batch) (draft, error) {
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
		if t, err = t.Act(action, call.Actor.Name, comment, b.time()); err != nil {
			return d, err
		}
		d.body.After, err = lb.Canonical(t)
		return d, err
	})
}

// HeldTicket is a ticket with the entry that last changed it.
type HeldTicket struct {
	ticket.Ticket
	Revision int64
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
