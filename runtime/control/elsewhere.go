package control

import (
	"context"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// Elsewhere is what is known of a ticket that lives with an authority.
type Elsewhere struct {
	// Authority is the authority's name.
	Authority string
	Facts     ticket.Facts
	// At is when the authority last gave a good answer; zero is never.
	At time.Time
	// Stale is why it gives none now, in words for the caller; empty when Facts are fresh.
	Stale string
	// Gone is set when the authority says that there is no such ticket.
	Gone bool
}

// Authorities are where tickets live that do not live here.
type Authorities interface {
	// Authority names the authority that is responsible for a ticket's id, or "".
	Authority(id string) string
	// Lookup returns what the responsible authority says of a ticket. It never
	// fails: what could not be learnt is said in the answer.
	Lookup(ctx context.Context, id string) Elsewhere
}

// consult asks the authority of a call's ticket, if it has one, and brings the
// ticket's mirror in the log up to date. It is done before the call gets in line:
// nobody waits for somebody else's authority.
func (c *Controller) consult(ctx context.Context, call Call) (Call, error) {
	call = c.ask(ctx, call)
	if known := call.elsewhere; known == nil || known.At.IsZero() || known.Gone {
		return call, nil
	}
	_, err := c.mirror(ctx, *call.elsewhere)
	return call, err
}

// ask asks the authority of a call's ticket, if it has one.
func (c *Controller) ask(ctx context.Context, call Call) Call {
	if c.opts.Authorities == nil || ticket.CheckID(call.Ticket) != "" || c.opts.Authorities.Authority(call.Ticket) == "" {
		return call
	}
	known := c.opts.Authorities.Lookup(ctx, call.Ticket)
	call.elsewhere = &known
	return call
}

// mirror records what an authority says of a ticket, when it says something new.
func (c *Controller) mirror(ctx context.Context, known Elsewhere) (Outcome, error) {
	id := known.Facts.ID
	call := Call{Actor: System("authority"), Ticket: id}
	return c.submit(ctx, call, Subject{ticketPrefix + "/" + id, "mirror"}, 0, func(b *batch) (draft, error) {
		d := draft{kind: audit.TypeTicket}
		var held ticket.Ticket
		revision, err := b.state(ticketPrefix+"/"+id, &held)
		if err != nil {
			return d, err
		}
		var before *ticket.Ticket
		if revision != 0 {
			if held.Authority == "" {
				return d, refuse(CodeTicketExists, "ticket %s was opened here before %s was responsible for it", id, known.Authority)
			}
			before, d.base = &held, revision
			if d.body.Before, err = lb.Canonical(held); err != nil {
				return d, err
			}
		}
		b.emergencies[id] = known.Facts.Type == ticket.Emergency
		if d.body.After, err = lb.Canonical(known.Facts.Mirror(known.Authority, before, b.time())); err != nil {
			return d, err
		}
		if string(d.body.After) == string(d.body.Before) {
			outcome, err := b.outcome(revision)
			outcome.Unchanged = true
			return draft{existing: &outcome}, err
		}
		return d, nil
	})
}

// checkElsewhere holds a ticket that lives elsewhere to a fresh word of its
// authority, or to one that is as old as the policies allow.
func (b *batch) checkElsewhere(call Call, t *ticket.Ticket, now time.Time) error {
	known := call.elsewhere
	if t.Authority == "" {
		if known != nil {
			return refuse(ticket.CodeElsewhere, "ticket %s was opened here, but tickets with such ids live in %s now; open another one", t.ID, known.Authority)
		}
		return nil
	}
	switch {
	case known == nil:
		return refuse(CodeAuthorityUnavailable, "ticket %s lives in %s, which this runtime is not configured to ask any more", t.ID, t.Authority)
	case known.Gone:
		return refuse(ticket.CodeUnknown, "%s has no ticket %s", known.Authority, t.ID)
	case known.Stale == "":
		return nil
	}
	grace := b.grace()
	if !known.At.IsZero() && now.Sub(known.At) <= grace {
		return nil
	}
	detail := "ticket %s lives in %s, which can't be asked: %s; changes under it are refused until it answers"
	if grace > 0 {
		detail += ", since its last answer is older than the grace of " + lb.Duration(grace).String() + " that the policies allow"
	}
	return refuse(CodeAuthorityUnavailable, detail, t.ID, known.Authority, known.Stale)
}

// grace is how old an authority's last answer may be while it can't be asked: the
// shortest that a policy allows, of those that allow one.
func (b *batch) grace() time.Duration {
	var grace time.Duration
	for _, obj := range b.view.All(lb.KindPolicy) {
		if p, ok := obj.(*lb.Policy); ok && p.AuthorityGrace > 0 && (grace == 0 || p.AuthorityGrace.Std() < grace) {
			grace = p.AuthorityGrace.Std()
		}
	}
	return grace
}
