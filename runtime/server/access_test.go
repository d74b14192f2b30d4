package server_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
)

// access asks whether a change would be admitted. Asking leaves no entry.
func (r *rig) access(t *testing.T, address, op, ticket string, options ...option) (map[string]api.AccessCheck, bool) {
	t.Helper()
	last := r.newest(t).Seq
	query := url.Values{"address": {address}, "op": {op}}
	if ticket != "" {
		query.Set("ticket", ticket)
	}
	var access api.Access
	r.must(t, &access, http.MethodGet, "/v1/access?"+query.Encode(), nil, options...)
	if now := r.newest(t).Seq; now != last {
		t.Errorf("asking left entry %d", now)
	}
	checks := map[string]api.AccessCheck{}
	var order []string
	for _, c := range access.Checks {
		checks[c.Check] = c
		order = append(order, c.Check)
		if c.Detail == "" {
			t.Errorf("check %s says nothing", c.Check)
		}
	}
	if got := strings.Join(order, " "); got != "role scope ticket freeze policy" {
		t.Errorf("asked are %q", got)
	}
	return checks, access.Allowed
}

// TestAccessIsExplainedAsTheGateDecides goes through what can fail: the explanation
// says no where the gate does, and for the same reason.
func TestAccessIsExplainedAsTheGateDecides(t *testing.T) {
	r := start(t)
	for _, name := range []string{"web", "frozen", "kept", "shop-1"} {
		r.create(t, "pool/"+name, pool())
	}
	admin := as(identity.Admin)
	r.must(t, nil, http.MethodPut, "/v1/policies/kept", policy(`change.name == "kept" && change.op == "delete"`, "ticket.approvals.size() >= 2"), creating, admin)
	r.must(t, nil, http.MethodPut, "/v1/freezes/now", freezing(time.Now().Add(-time.Minute), "pool/frozen"), creating, admin)
	emergency := r.ticket(t, api.TicketRequest{Type: "emergency", Scope: addresses("*")}).ID
	pending := r.ticket(t, api.TicketRequest{Scope: addresses("*")}).ID
	narrow := r.open(t, api.TicketRequest{Scope: addresses("pool/shop-*")}, "approver approve")
	shop := bearer(r.Token(t, "sam", identity.Operator, "pool/shop-*"))
	for _, tt := range []struct {
		name, object, ticket string
		who                  option
		// failing are the checks that fail, and code what the gate says; none and "" where
		// the change is admitted.
		failing string
		code    api.Code
		says    string
	}{
		{"everything is in order", "web", r.Ticket, as(identity.Operator), "", "", ""},
		{"an emergency is", "frozen", emergency, as(identity.Operator), "", "", "passes freeze windows"},
		{"role", "web", r.Ticket, as(identity.Viewer), "role", api.CodeRole, "roles that may: operator, admin"},
		{"scope", "web", r.Ticket, shop, "scope", api.CodeScope, "pool/shop-*"},
		{"within the scope", "shop-1", narrow, shop, "", "", "within pool/shop-*"},
		{"ticket that is not approved", "web", pending, as(identity.Operator), "ticket", api.CodeTicketUnapproved, "0 of 1 approvals"},
		{"ticket for others", "web", narrow, as(identity.Operator), "ticket", api.CodeTicketScope, "does not cover"},
		{"ticket that is not there", "web", "CHG-NONE", as(identity.Operator), "ticket", api.CodeTicketUnknown, "CHG-NONE"},
		{"freeze", "frozen", r.Ticket, as(identity.Operator), "freeze", api.CodeFrozen, "nobody is here"},
		{"policy", "kept", r.Ticket, as(identity.Operator), "policy", api.CodePolicyDenied, "the rule says so"},
		{"two things", "frozen", pending, as(identity.Viewer), "role ticket freeze", api.CodeRole, "nobody is here"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			checks, allowed := r.access(t, "pool/"+tt.object, "delete", tt.ticket, tt.who)
			var failing, details []string
			for _, name := range []string{"role", "scope", "ticket", "freeze", "policy"} {
				if !checks[name].OK {
					failing = append(failing, name)
				}
				details = append(details, checks[name].Detail)
			}
			if strings.Join(failing, " ") != tt.failing || allowed != (tt.failing == "") || !strings.Contains(strings.Join(details, "\n"), tt.says) {
				t.Errorf("allowed %t, failing %q, want %q: %s", allowed, failing, tt.failing, strings.Join(details, "\n"))
			}
			a := r.do(t, http.MethodDelete, "/v1/pools/"+tt.object, nil, updating, tt.who, under(tt.ticket))
			if a.problem.Code != tt.code {
				t.Fatalf("the gate says %s, want %q", a, tt.code)
			}
			if tt.code != "" {
				return
			}
			r.must(t, nil, http.MethodPut, "/v1/pools/"+tt.object, pool(), creating, under(emergency))
		})
	}
}

func TestAccessFindsTheTicketsThatWouldDo(t *testing.T) {
	r := start(t)
	narrow := r.open(t, api.TicketRequest{Scope: addresses("pool/web")}, "approver approve")
	checks, allowed := r.access(t, "pool/web", "create", "")
	if !allowed || !strings.Contains(checks["ticket"].Detail, narrow) || !strings.Contains(checks["ticket"].Detail, r.Ticket) {
		t.Errorf("allowed %t: %+v", allowed, checks["ticket"])
	}
	r.act(t, r.Ticket, "close", api.TicketAction{})
	if checks, allowed = r.access(t, "pool/web", "create", ""); !allowed || strings.Contains(checks["ticket"].Detail, r.Ticket) {
		t.Errorf("after one was closed: allowed %t: %+v", allowed, checks["ticket"])
	}
	checks, allowed = r.access(t, "pool/api", "create", "")
	if allowed || checks["ticket"].OK || !strings.Contains(checks["ticket"].Detail, "auditlb ticket open --address pool/api --op create") {
		t.Errorf("without one: allowed %t: %+v", allowed, checks["ticket"])
	}
}

// TestWhatOthersMayDoIsNotEverybodysToSee: and of several credentials the most able
// one is explained.
func TestWhatOthersMayDoIsNotEverybodysToSee(t *testing.T) {
	r := start(t)
	const asOlivia = "/v1/access?address=pool/web&op=create&as=olivia"
	last := r.newest(t).Seq
	a := r.do(t, http.MethodGet, asOlivia, nil, as(identity.Viewer))
	if a.problem.Code != api.CodeRole {
		t.Fatalf("a viewer sees what olivia may do: %s", a)
	}
	entry := r.newest(t)
	checkRefusal(t, entry, a, last+1, "vera")
	if entry.Resource != "access" || entry.Op != "explain" {
		t.Errorf("recorded as %s of %q", entry.Op, entry.Resource)
	}
	r.Token(t, "olivia", identity.Viewer)
	r.Token(t, "olivia", identity.Operator, "route/*")
	var access api.Access
	r.must(t, &access, http.MethodGet, asOlivia, nil, as(identity.Auditor))
	if !access.Allowed || !strings.Contains(access.Checks[0].Detail, "olivia") {
		t.Errorf("olivia may: %+v", access)
	}
	r.must(t, &access, http.MethodGet, asOlivia, nil) // herself
	r.must(t, &access, http.MethodGet, "/v1/access?address=pool/web&op=create&as=vera", nil, as(identity.Auditor))
	if access.Allowed || access.Checks[0].OK {
		t.Errorf("vera may: %+v", access)
	}
	for query, code := range map[string]api.Code{
		"address=pool/web&op=create&as=mallory": api.CodeNotFound,
		"address=pool/web&op=read":              api.CodeMalformed,
		"address=pool&op=create":                api.CodeMalformed,
		"op=create":                             api.CodeMalformed,
	} {
		if a := r.do(t, http.MethodGet, "/v1/access?"+query, nil, as(identity.Auditor)); a.problem.Code != code {
			t.Errorf("%s: %s, want %s", query, a, code)
		}
	}
}
