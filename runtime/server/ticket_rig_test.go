package server_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
)

func addresses(globs ...string) api.TicketScope { return api.TicketScope{Addresses: globs} }

// ticket opens a ticket in olivia's name.
func (r *rig) ticket(t testing.TB, req api.TicketRequest, options ...option) api.Ticket {
	t.Helper()
	if req.Title == "" {
		req.Title, req.Reason = "a change", "a test needs it"
	}
	var opened api.Ticket
	r.must(t, &opened, http.MethodPost, "/v1/tickets", req, options...)
	return opened
}

// act moves a ticket, and returns it.
func (r *rig) act(t testing.TB, id, action string, req api.TicketAction, options ...option) api.Ticket {
	t.Helper()
	var acted api.Ticket
	r.must(t, &acted, http.MethodPost, "/v1/tickets/"+id+"/"+action, req, options...)
	return acted
}

// shown is a ticket as it is now.
func (r *rig) shown(t testing.TB, id string) api.Ticket {
	t.Helper()
	var shown api.Ticket
	r.must(t, &shown, http.MethodGet, "/v1/tickets/"+id, nil)
	return shown
}

// planned registers a run that plans to make pools.
func planned(t testing.TB, r *rig, run string, pools ...string) {
	t.Helper()
	r.must(t, nil, http.MethodPut, "/v1/runs/"+run, `{"system":"test"}`)
	for _, name := range pools {
		plan := fmt.Sprintf(`{"kind":"pool","name":%q,"op":"create","object":%s}`, name, pool("10.0.0.1:80"))
		r.must(t, nil, http.MethodPost, "/v1/plans", plan, with(api.HeaderRun, run))
	}
}

// bound opens a ticket that is bound to a run's plans, and has anton approve it.
func (r *rig) bound(t testing.TB, run string) api.Ticket {
	t.Helper()
	opened := r.ticket(t, api.TicketRequest{Run: run})
	return r.act(t, opened.ID, "approve", api.TicketAction{EffectsDigest: opened.Binding.EffectsDigest}, as(identity.Approver))
}

// under names a ticket for a change.
func under(id string) option { return with(api.HeaderTicket, id) }

// freezing is a freeze window over globs, from a time on for an hour.
func freezing(begin time.Time, globs ...string) map[string]any {
	return map[string]any{"owner": "sre", "reason": "nobody is here", "addresses": globs, "begin": begin.UTC(), "end": begin.Add(time.Hour).UTC()}
}

// policy is a policy of one rule.
func policy(when, require string) map[string]any {
	return map[string]any{"owner": "sre", "rules": map[string]any{
		"rule": map[string]any{"when": when, "require": require, "message": "the rule says so"},
	}}
}
