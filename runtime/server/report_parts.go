package server

import (
	"context"
	"fmt"
	"slices"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runreport"
)

func noRun(id string) error {
	return api.NewProblem(api.CodeNotFound, fmt.Sprintf("there is no run %.200q", id))
}

func effectEntry(e *runreport.Entry) api.EffectEntry {
	return api.EffectEntry{Seq: e.Seq, At: e.Time, Actor: e.Actor.Name, Run: e.RunID(), Verified: e.Run != nil && e.Run.Verified, Ticket: e.Ticket}
}

// refusalOf renders why an effect was refused.
func (s *server) refusalOf(ctx context.Context, e *runreport.Entry) (*api.EffectRefusal, error) {
	out := &api.EffectRefusal{EffectEntry: effectEntry(e), Planning: runreport.Planning(&e.Entry), Code: api.Code(e.Code)}
	whole, err := reportLog{s}.Entry(ctx, e.Seq)
	if err != nil || whole == nil || whole.Body == nil || whole.Body.Refusal == nil {
		return out, err
	}
	refusal := whole.Body.Refusal
	out.Detail, out.Violations = refusal.Detail, refusal.Violations
	if refusal.Current != nil {
		current := lastChange(*refusal.Current)
		out.Current = &current
	}
	return out, nil
}

// nameOf is what the run calls the object, or else the run that planned or changed it.
func (s *server) nameOf(ctx context.Context, e *runreport.Effect, run string) (string, error) {
	runs := []string{run}
	for _, of := range []*runreport.Entry{e.Plan, e.Apply} {
		if of != nil && of.RunID() != "" {
			runs = append(runs, of.RunID())
		}
	}
	for _, id := range slices.Compact(runs) {
		names, err := s.addressesOf(ctx, id)
		if err != nil || names[e.Address] != "" {
			return names[e.Address], err
		}
	}
	return "", nil
}

// actorsOf are those who acted in a run, who came first first.
func actorsOf(entries []runreport.Entry) []api.RunActor {
	out := []api.RunActor{}
	for i := range slices.Backward(entries) {
		actor := api.RunActor{Actor: api.Actor(entries[i].Actor), Verified: entries[i].Run.Verified}
		if len(out) < maxReportActors && !slices.Contains(out, actor) {
			out = append(out, actor)
		}
	}
	return out
}

// ticketsOf are the tickets that effects name, and recent ones that are bound to what the
// run planned.
func (s *server) ticketsOf(c *call, run string, effects []runreport.Effect) ([]api.Ticket, error) {
	var ids []string
	named := map[string]bool{"": true}
	name := func(id string) {
		if !named[id] {
			named[id] = true
			ids = append(ids, id)
		}
	}
	for i := range effects {
		for _, of := range []*runreport.Entry{effects[i].Plan, effects[i].Apply, effects[i].Refusal} {
			if of != nil {
				name(of.Ticket)
			}
		}
	}
	held := map[string]*control.HeldTicket{}
	recent, err := s.Controller.Tickets(c.Context(), 0, maxTicketsSearched)
	if err != nil {
		return nil, err
	}
	for i := range recent {
		held[recent[i].ID] = &recent[i]
		if b := recent[i].Binding; b != nil && b.Run == run {
			name(recent[i].ID)
		}
	}
	out := []api.Ticket{}
	for _, id := range ids {
		if held[id] == nil {
			if held[id], err = s.Controller.Ticket(c.Context(), id); err != nil {
				return nil, err
			}
		}
		if held[id] == nil || len(out) == maxReportTickets {
			continue // a refusal may name a ticket that does not exist
		}
		t, err := s.ticketWithUses(c, held[id])
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}
