package server_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
)

// open opens a ticket and takes it through actions, written "role action".
func (r *rig) open(t *testing.T, req api.TicketRequest, actions ...string) string {
	t.Helper()
	req.Title, req.Reason = "a change", "a test needs it"
	if req.Scope.Addresses == nil {
		req.Scope.Addresses = []string{"*"}
	}
	var opened api.Ticket
	r.must(t, &opened, http.MethodPost, "/v1/tickets", req)
	for _, a := range actions {
		role, action, _ := strings.Cut(a, " ")
		r.must(t, nil, http.MethodPost, "/v1/tickets/"+opened.ID+"/"+action, api.TicketAction{Comment: "test"}, as(identity.Role(role)))
	}
	return opened.ID
}

// brief opens a ticket that was approved and ends soon. On a machine that is too busy to
// approve it before its end, the next one lasts longer.
func (r *rig) brief(t *testing.T) string {
	t.Helper()
	req := api.TicketRequest{Title: "a change", Reason: "a test needs it", Scope: addresses("*")}
	for lasts := time.Second; ; lasts *= 2 {
		req.ID, req.NotAfter = "CHG-"+uuid.NewString(), time.Now().Add(lasts).UTC()
		a := r.do(t, http.MethodPost, "/v1/tickets", req)
		if a.status == http.StatusCreated {
			a = r.do(t, http.MethodPost, "/v1/tickets/"+req.ID+"/approve", api.TicketAction{Comment: "test"}, as(identity.Approver))
		}
		if a.status == http.StatusOK {
			return req.ID
		}
		if lasts > 16*time.Second {
			t.Fatalf("a ticket of %s: %s", lasts, a)
		}
	}
}

// waitFor waits until a condition holds.
func waitFor(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited for %s", what)
		}
	}
}

func TestNoChangeWithoutATicketThatAdmitsIt(t *testing.T) {
	r := start(t)
	r.create(t, "pool/web", pool())
	r.create(t, "pool/shop-1", pool())
	const approve = "approver approve"
	expired := r.brief(t)
	halfApproved := r.open(t, api.TicketRequest{RequiredApprovals: 2}, approve)
	shop := r.open(t, api.TicketRequest{Scope: api.TicketScope{Addresses: []string{"pool/shop-*"}, Operations: []string{"update"}}}, approve)

	calls := []struct {
		name, ticket string
		code         api.Code
		says         string
	}{
		{"none", "", api.CodeTicketRequired, "needs a change ticket"},
		{"unknown", "CHG-NONE", api.CodeTicketUnknown, "CHG-NONE"},
		{"no id at all", "../tickets", api.CodeTicketUnknown, "is not a ticket's id"},
		{"unapproved", r.open(t, api.TicketRequest{}), api.CodeTicketUnapproved, "0 of 1 approvals"},
		{"approved by too few", halfApproved, api.CodeTicketUnapproved, "1 of 2 approvals"},
		{"rejected", r.open(t, api.TicketRequest{}, "approver reject"), api.CodeTicketRejected, "was rejected"},
		{"rejected after approval", r.open(t, api.TicketRequest{}, approve, "approver reject"), api.CodeTicketRejected, "was rejected"},
		{"cancelled", r.open(t, api.TicketRequest{}, approve, "operator cancel"), api.CodeTicketRejected, "was cancelled"},
		{"closed", r.open(t, api.TicketRequest{}, approve, "operator close"), api.CodeTicketClosed, "is closed"},
		{"not yet valid", r.open(t, api.TicketRequest{NotBefore: time.Now().Add(time.Hour).UTC()}, approve), api.CodeTicketNotYet, "begins at"},
		{"expired", expired, api.CodeTicketExpired, "ended at"},
		{"for another object", shop, api.CodeTicketScope, "does not cover"},
	}
	waitFor(t, "the ticket's end", func() bool {
		var shown api.Ticket
		r.must(t, &shown, http.MethodGet, "/v1/tickets/"+expired, nil)
		return shown.State == "expired"
	})
	for _, call := range calls {
		for _, change := range []struct {
			op, method, path string
			body             any
			pre              option
		}{
			{"create", http.MethodPut, "/v1/pools/new", pool(), creating},
			{"update", http.MethodPut, "/v1/pools/web", pool("10.0.0.9:80"), updating},
			{"delete", http.MethodDelete, "/v1/pools/web", nil, updating},
		} {
			t.Run(call.name+"/"+change.op, func(t *testing.T) {
				before, last := r.state(t), r.newest(t).Seq
				var named []string
				if call.ticket != "" {
					named = []string{call.ticket}
				}
				a := r.do(t, change.method, change.path, change.body, change.pre, with(api.HeaderTicket, named...))
				if a.problem.Code != call.code || a.status != http.StatusForbidden || !strings.Contains(a.problem.Detail, call.says) {
					t.Fatalf("%s, want %s: … %s …", a, call.code, call.says)
				}
				entry := r.newest(t)
				checkRefusal(t, entry, a, last+1, "olivia")
				if entry.Ticket != call.ticket || entry.Op != change.op || "/v1/pools"+strings.TrimPrefix(entry.Resource, "pool") != change.path {
					t.Errorf("entry says %s of %s under %q", entry.Op, entry.Resource, entry.Ticket)
				}
				if after := r.state(t); after != before {
					t.Errorf("something changed:\nbefore %s\nafter  %s", before, after)
				}
			})
		}
	}
	t.Run("scope", func(t *testing.T) {
		under := with(api.HeaderTicket, shop)
		r.must(t, nil, http.MethodPut, "/v1/pools/shop-1", pool("10.0.0.1:80"), updating, under)
		if a := r.do(t, http.MethodDelete, "/v1/pools/shop-1", nil, updating, under); a.problem.Code != api.CodeTicketScope {
			t.Errorf("deletion under a ticket for updates: %s", a)
		}
		if a := r.do(t, http.MethodPut, "/v1/pools/shop-2", pool(), creating, under); a.problem.Code != api.CodeTicketScope {
			t.Errorf("creation under a ticket for updates: %s", a)
		}
	})
}

func TestTicketsAreApprovedBySomebodyElse(t *testing.T) {
	r := start(t)
	var own api.Ticket
	r.must(t, &own, http.MethodPost, "/v1/tickets", `{"title":"mine","reason":"because","scope":{"addresses":["*"]}}`, as(identity.Admin))
	path := "/v1/tickets/" + own.ID
	// Another token of the same person is still the same person.
	other := r.Token(t, "ada", identity.Approver)
	for name, o := range map[string]option{"same token": as(identity.Admin), "other token": with("Authorization", "Bearer "+other)} {
		if a := r.do(t, http.MethodPost, path+"/approve", `{}`, o); a.problem.Code != api.CodeTicketSelfApproval {
			t.Errorf("%s: %s", name, a)
		}
	}
	var shown api.Ticket
	if r.must(t, &shown, http.MethodGet, path, nil); shown.State != "pending" || len(shown.Approvals) != 0 {
		t.Errorf("after refused approvals: %+v", shown)
	}
	if a := r.do(t, http.MethodPost, path+"/close", `{}`); a.problem.Code != api.CodeTicketState {
		t.Errorf("closing a pending ticket: %s", a)
	}
	again := fmt.Sprintf(`{"id":%q,"title":"mine","reason":"because","scope":{"addresses":["*"]}}`, own.ID)
	if a := r.do(t, http.MethodPost, "/v1/tickets", again); a.problem.Code != api.CodeTicketExists {
		t.Errorf("opening it again: %s", a)
	}
	key := with(api.HeaderIdempotencyKey, uuid.NewString())
	first := r.must(t, nil, http.MethodPost, path+"/approve", `{}`, as(identity.Approver), key)
	again2 := r.must(t, nil, http.MethodPost, path+"/approve", `{}`, as(identity.Approver), key)
	if !bytes.Equal(first.body, again2.body) {
		t.Errorf("a retry is answered %s, the first was %s", again2, first)
	}
}
