package control

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// Check is one thing that the gate asks of a change, and what came of it.
type Check struct {
	Name   string
	OK     bool
	Detail string
}

// Bounds of the search for a ticket that would do.
const (
	maxTicketsSearched = 500
	maxBytesSearched   = 4 << 20
	maxCandidates      = 20
	ticketsAtOnce      = 50
)

// errExplained ends a decision that records nothing.
var errExplained = errors.New("explained")

// Explain says whether the gate would admit an operation on an address now, by
// the caller, under the call's ticket or, without one, under any. Nothing is recorded.
func (c *Controller) Explain(ctx context.Context, call Call, op lb.Op, address lb.Address) ([]Check, error) {
	call = c.ask(ctx, call)
	candidates, err := c.candidates(ctx, call, op, address)
	if err != nil {
		return nil, err
	}
	var checks []Check
	var failed error
	_, err = c.submit(ctx, call, Subject{address.String(), string(op)}, 0, func(b *batch) (draft, error) {
		checks, failed = b.explain(call, op, address, candidates)
		return draft{}, errExplained
	})
	if !errors.Is(err, errExplained) {
		return nil, err
	}
	return checks, failed
}

func (b *batch) explain(call Call, op lb.Op, address lb.Address, candidates []string) ([]Check, error) {
	var checks []Check
	add := func(name string, err error, good string) error {
		if err == nil {
			checks = append(checks, Check{name, true, good})
			return nil
		}
		refused, ok := asRefused(err)
		if !ok {
			return err
		}
		checks = append(checks, Check{name, false, refused.Detail})
		return nil
	}
	t := &ticket.Ticket{Type: ticket.Normal}
	if call.Ticket == "" {
		tickets, err := b.admitting(call, op, address, candidates)
		if err != nil {
			return nil, err
		}
		if len(tickets) == 0 {
			checks = append(checks, Check{"ticket", false, fmt.Sprintf("no approved ticket covers %s of %s for %s now; open one with: auditlb ticket open --address %s --op %s", op, address, call.Actor.Name, address, op)})
		} else {
			checks = append(checks, Check{"ticket", true, fmt.Sprintf("covered by %s", strings.Join(tickets, ", "))})
		}
	} else {
		held, err := b.asked(call)
		if err == nil {
			t = held
			err = b.admits(call, t, op, address)
		}
		if err := add("ticket", err, fmt.Sprintf("ticket %s covers it", call.Ticket)); err != nil {
			return nil, err
		}
	}
	freeze := "no freeze window is on"
	if t.Type == ticket.Emergency {
		freeze = "an emergency ticket passes freeze windows"
	}
	if err := add("freeze", b.checkFreezes(t, address, b.time()), freeze); err != nil {
		return nil, err
	}
	names, err := b.foreseePolicies(call, t, op, address)
	if err := add("policy", err, names); err != nil {
		return nil, err
	}
	return checks, nil
}

// asked is the call's ticket: of one that lives elsewhere, what its authority says.
func (b *batch) asked(call Call) (*ticket.Ticket, error) {
	if known := call.elsewhere; known != nil && !known.At.IsZero() && !known.Gone {
		own := known.Facts.Mirror(known.Authority, nil, b.time())
		return &own, nil
	}
	return b.ticketOf(call)
}

// candidates lists tickets that might admit an operation, for a call that names
// none. They are looked for before the call gets in line.
func (c *Controller) candidates(ctx context.Context, call Call, op lb.Op, address lb.Address) ([]string, error) {
	var ids []string
	if call.Ticket != "" {
		return nil, nil
	}
	before, size, now := int64(0), 0, c.opts.Now()
	for searched := 0; searched < maxTicketsSearched && size < maxBytesSearched && len(ids) < maxCandidates; searched += ticketsAtOnce {
		rows, err := c.opts.Store.States(ctx, ticketPrefix+"/", before, ticketsAtOnce)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			before, size = row.Seq, size+len(row.State)
			held, err := parseTicket(row)
			if err != nil {
				return nil, err
			}
			attempt := ticket.Attempt{Op: op, Address: address, Actor: call.Actor.Name, Now: now}
			if held.Authority == "" && held.Admit(attempt) == nil && len(ids) < maxCandidates {
				ids = append(ids, held.ID)
			}
		}
		if len(rows) < ticketsAtOnce {
			break
		}
	}
	return ids, nil
}

// admitting lists those of the candidates that would admit an operation now.
func (b *batch) admitting(call Call, op lb.Op, address lb.Address, candidates []string) ([]string, error) {
	var ids []string
	for _, id := range candidates {
		t, err := b.ticket(id)
		if err == nil {
			err = b.admits(call, t, op, address)
		}
		if err == nil {
			ids = append(ids, id)
		} else if _, ok := asRefused(err); !ok {
			return nil, err
		}
	}
	return ids, nil
}

// foreseePolicies judges a deletion, whose effect is known. What another
// operation would do is not, so of those it only says which policies there are.
func (b *batch) foreseePolicies(call Call, t *ticket.Ticket, op lb.Op, address lb.Address) (string, error) {
	set := b.policies()
	if len(set) == 0 {
		return "no policy is in force", nil
	}
	current := b.view.get(address)
	if op != lb.OpDelete || current == nil {
		return fmt.Sprintf("%d policies are in force; what they say depends on what the change does: plan it under a ticket to know", len(set)), nil
	}
	effect := audit.Effect{Kind: address.Kind, Name: address.Name, Op: op, Before: current.Encoded}
	_, err := b.checkPolicies(call, t, address, effect, false)
	return "every rule is met", err
}
