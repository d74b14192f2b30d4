package server_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
)

// permitted says who may make each call that not everybody may.
var permitted = map[string][]identity.Role{
	"plan":                 {identity.Planner, identity.Operator, identity.Admin},
	"put":                  {identity.Operator, identity.Admin},
	"delete":               {identity.Operator, identity.Admin},
	"govern/put":           {identity.Admin},
	"govern/delete":        {identity.Admin},
	"acceptDrift":          {identity.Operator, identity.Admin},
	"rollBack":             {identity.Operator, identity.Admin},
	"openTicket":           {identity.Planner, identity.Operator, identity.Admin},
	"openTicket/emergency": {identity.Operator, identity.Admin},
	"amendTicket":          {identity.Planner, identity.Operator, identity.Admin},
	"ticket/submit":        {identity.Planner, identity.Operator, identity.Admin},
	"ticket/approve":       {identity.Approver, identity.Admin},
	"ticket/reject":        {identity.Approver, identity.Admin},
	"ticket/review":        {identity.Approver, identity.Admin},
	"ticket/cancel":        {identity.Operator, identity.Approver, identity.Admin},
	"ticket/close":         {identity.Operator, identity.Approver, identity.Admin},
	"createToken":          {identity.Admin},
	"listTokens":           {identity.Admin},
	"revokeToken":          {identity.Admin},
	"explainAccess/others": {identity.Approver, identity.Auditor, identity.Admin},
}

// attempt is one way to call an operation that roles tell apart.
type attempt struct{ path, body string }

// attempts are the ways to call an operation, by name.
func attempts(op api.Operation) map[string]attempt {
	path := strings.NewReplacer("{name}", "x", "{id...}", "x", "{id}", "x", "{seq}", "0", "{level}", "0", "{index...}", "000.p/1").Replace(op.Path)
	body := ""
	if op.Request != nil {
		body = `{}`
	}
	switch {
	case op.ID == "actOnTicket":
		out := map[string]attempt{}
		for _, action := range []string{"submit", "approve", "reject", "review", "cancel", "close"} {
			out["ticket/"+action] = attempt{strings.Replace(path, "{action}", action, 1), body}
		}
		return out
	case op.ID == "openTicket":
		emergency := `{"type":"emergency","title":"abc","reason":"because","scope":{"addresses":["*"]}}`
		return map[string]attempt{op.ID: {path, body}, "openTicket/emergency": {path, emergency}}
	case op.ID == "streamEvents":
		return map[string]attempt{op.ID: {path + "?follow=false", body}}
	case op.ID == "explainAccess":
		path += "?address=pool/web&op=update"
		return map[string]attempt{op.ID: {path, body}, "explainAccess/others": {path + "&as=nobody", body}}
	case op.Kind != "" && op.Method == http.MethodPut:
		return map[string]attempt{governed(op.Kind, "put"): {path, body}}
	case op.Kind != "" && op.Method == http.MethodDelete:
		return map[string]attempt{governed(op.Kind, "delete"): {path, body}}
	}
	return map[string]attempt{op.ID: {path, body}}
}

// governed tells changes of what governs changes from others.
func governed(kind lb.Kind, name string) string {
	if kind == lb.KindFreeze || kind == lb.KindPolicy {
		return "govern/" + name
	}
	return name
}

func TestEachRoleMayDoWhatItIsForAndNothingElse(t *testing.T) {
	r := start(t)
	for _, op := range api.Operations {
		if op.ID == "openSession" {
			continue // nobody has a role there yet
		}
		for name, try := range attempts(op) {
			var body any
			if try.body != "" {
				body = try.body
			}
			for _, role := range identity.Roles {
				t.Run(op.ID+"/"+name+"/"+string(role), func(t *testing.T) {
					last := r.newest(t).Seq
					a := r.do(t, op.Method, try.path, body, as(role))
					roles, restricted := permitted[name]
					if !restricted || slices.Contains(roles, role) {
						if a.problem.Code == api.CodeRole || a.problem.Code == api.CodeUnauthenticated || a.status >= 500 {
							t.Fatalf("refused: %s", a)
						}
						return
					}
					if a.problem.Code != api.CodeRole || a.status != http.StatusForbidden || !strings.Contains(a.problem.Detail, string(role)) {
						t.Fatalf("%s, want %s", a, api.CodeRole)
					}
					checkRefusal(t, r.newest(t), a, last+1, runtimetest.People[role])
				})
			}
		}
	}
}

// TestEveryCallNeedsACredential calls each operation from an address of its own, so
// that none is slowed down by what came before.
func TestEveryCallNeedsACredential(t *testing.T) {
	r := start(t)
	for i, op := range api.Operations {
		for name, try := range attempts(op) {
			t.Run(op.ID+"/"+name, func(t *testing.T) {
				var body any
				if try.body != "" {
					body = try.body
				}
				a := r.do(t, op.Method, try.path, body, with("Authorization"), from(fmt.Sprintf("127.0.1.%d", i+1)))
				if op.Open && op.ID != "openSession" {
					if a.status != http.StatusOK {
						t.Errorf("refused: %s", a)
					}
					return
				}
				if a.problem.Code != api.CodeUnauthenticated || a.status != http.StatusUnauthorized || a.header.Get("WWW-Authenticate") == "" {
					t.Errorf("without a credential: %s", a)
				}
			})
		}
	}
}
