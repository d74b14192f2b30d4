package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
)

// outOfScope holds a call outside the scopes of whoever makes it: refused, recorded,
// and nothing changed.
func outOfScope(t *testing.T, r *rig, who, method, path string, body any, options ...option) {
	t.Helper()
	before, last := r.state(t), r.newest(t).Seq
	a := r.do(t, method, path, body, options...)
	if a.problem.Code != api.CodeScope || a.status != http.StatusForbidden || !strings.Contains(a.problem.Detail, who) {
		t.Fatalf("%s, want %s", a, api.CodeScope)
	}
	checkRefusal(t, r.newest(t), a, last+1, who)
	if after := r.state(t); after != before {
		t.Errorf("something changed:\nbefore %s\nafter  %s", before, after)
	}
}

func TestAScopedTokenChangesOnlyWhatItIsFor(t *testing.T) {
	r := start(t)
	r.create(t, "pool/web", pool())
	r.create(t, "pool/shop-1", pool())
	r.create(t, "pool/shop", pool())
	shop := bearer(r.Token(t, "sam", identity.Operator, "pool/shop-*", "route/shop"))
	for _, tt := range []struct {
		name, object string
		within       bool
	}{
		{"what its glob matches", "shop-1", true},
		{"what is not there yet", "shop-2", true},
		{"what only begins like it", "shop", false},
		{"another pool", "web", false},
	} {
		exists := tt.object != "shop-2"
		put, op := updating, "update"
		if !exists {
			put, op = creating, "create"
		}
		path := "/v1/pools/" + tt.object
		plan := fmt.Sprintf(`{"kind":"pool","name":%q,"op":%q,"object":%s}`, tt.object, op, pool("10.0.0.1:80"))
		for _, call := range []struct {
			name, method, path string
			body               any
			pre                option
		}{
			{"plan", http.MethodPost, "/v1/plans", plan, with("X")},
			{"put", http.MethodPut, path, pool("10.0.0.1:80"), put},
			{"delete", http.MethodDelete, path, nil, updating},
		} {
			t.Run(tt.name+"/"+call.name, func(t *testing.T) {
				if !tt.within {
					outOfScope(t, r, "sam", call.method, call.path, call.body, call.pre, shop)
					return
				}
				r.must(t, nil, call.method, call.path, call.body, call.pre, shop)
			})
		}
	}
	t.Run("another kind of the same name", func(t *testing.T) {
		outOfScope(t, r, "sam", http.MethodDelete, "/v1/routes/shop-1", nil, updating, shop)
	})
	t.Run("reading", func(t *testing.T) {
		r.must(t, nil, http.MethodGet, "/v1/pools/web", nil, shop)
	})
	t.Run("whoami", func(t *testing.T) {
		var me api.Identity
		if r.must(t, &me, http.MethodGet, "/v1/whoami", nil, shop); strings.Join(me.Scopes, " ") != "pool/shop-* route/shop" {
			t.Errorf("%+v", me)
		}
	})
}

func TestAScopedAdminGovernsOnlyWhatTheyAreFor(t *testing.T) {
	r := start(t)
	adam := bearer(r.Token(t, "adam", identity.Admin, "freeze/eu-*", "pool/*"))
	freeze := freezing(time.Now().Add(time.Hour), "pool/*")
	r.must(t, nil, http.MethodPut, "/v1/freezes/eu-1", freeze, creating, adam)
	outOfScope(t, r, "adam", http.MethodPut, "/v1/freezes/us-1", freeze, creating, adam)
	outOfScope(t, r, "adam", http.MethodPut, "/v1/policies/eu-1", policy("true", "true"), creating, adam)
}

// TestAScopedTokenMakesNoWiderOne: otherwise its scopes would be worth nothing.
func TestAScopedTokenMakesNoWiderOne(t *testing.T) {
	r := start(t)
	adam := bearer(r.Token(t, "adam", identity.Admin, "pool/*", "route/shop"))
	for name, scopes := range map[string][]string{
		"of everything":         nil,
		"of everything by glob": {"*"},
		"of other kinds":        {"pool/web", "listener/*"},
		"of any kind":           {"*/shop"},
		"of more routes":        {"route/shop*"},
	} {
		t.Run(name, func(t *testing.T) {
			outOfScope(t, r, "adam", http.MethodPost, "/v1/tokens", api.TokenRequest{Actor: "adam", Role: "admin", Scopes: scopes}, adam)
		})
	}
	for name, scopes := range map[string][]string{"the same": {"pool/*", "route/shop"}, "less": {"pool/web-*"}, "one object": {"pool/web"}} {
		t.Run(name, func(t *testing.T) {
			var made api.TokenCreated
			r.must(t, &made, http.MethodPost, "/v1/tokens", api.TokenRequest{Actor: "sam", Role: "operator", Scopes: scopes}, adam)
			if strings.Join(made.Token.Scopes, " ") != strings.Join(scopes, " ") {
				t.Errorf("made %+v", made.Token)
			}
		})
	}
}

func TestAScopedApproverApprovesOnlyTicketsWithin(t *testing.T) {
	r := start(t)
	alma := bearer(r.Token(t, "alma", identity.Approver, "pool/*", "route/shop"))
	planned(t, r, "run-in", "web", "api")
	planned(t, r, "run-out", "web")
	r.must(t, nil, http.MethodPost, "/v1/plans", `{"kind":"route","name":"other","op":"delete"}`, with(api.HeaderRun, "run-out"))
	for _, tt := range []struct {
		name   string
		req    api.TicketRequest
		within bool
	}{
		{"one pool", api.TicketRequest{Scope: addresses("pool/web")}, true},
		{"some pools", api.TicketRequest{Scope: addresses("pool/web-*", "route/shop")}, true},
		{"everything", api.TicketRequest{Scope: addresses("*")}, false},
		{"one route too many", api.TicketRequest{Scope: addresses("pool/web", "route/other")}, false},
		{"more routes than one", api.TicketRequest{Scope: addresses("route/shop*")}, false},
		{"any kind", api.TicketRequest{Scope: addresses("*/web")}, false},
		{"bound to effects within", api.TicketRequest{Run: "run-in"}, true},
		{"bound to an effect without", api.TicketRequest{Run: "run-out"}, false},
		{"an emergency within", api.TicketRequest{Type: "emergency", Scope: addresses("pool/web")}, true},
		{"an emergency without", api.TicketRequest{Type: "emergency", Scope: addresses("*")}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opened := r.ticket(t, tt.req)
			path, body := "/v1/tickets/"+opened.ID+"/approve", api.TicketAction{}
			if tt.req.Type == "emergency" {
				path = "/v1/tickets/" + opened.ID + "/review"
			}
			if opened.Binding != nil {
				body.EffectsDigest = opened.Binding.EffectsDigest
			}
			if !tt.within {
				outOfScope(t, r, "alma", http.MethodPost, path, body, alma)
				return
			}
			r.must(t, nil, http.MethodPost, path, body, alma)
		})
	}
}
