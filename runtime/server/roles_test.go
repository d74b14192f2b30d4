package server_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
)

// permitted says who may make each call that not everybody may.
var permitted = map[string][]identity.Role{
	"plan":           {identity.Planner, identity.Operator, identity.Admin},
	"put":            {identity.Operator, identity.Admin},
	"delete":         {identity.Operator, identity.Admin},
	"openTicket":     {identity.Planner, identity.Operator, identity.Admin},
	"ticket/approve": {identity.Approver, identity.Admin},
	"ticket/reject":  {identity.Approver, identity.Admin},
	"ticket/cancel":  {identity.Operator, identity.Approver, identity.Admin},
	"ticket/close":   {identity.Operator, identity.Approver, identity.Admin},
	"createToken":    {identity.Admin},
	"listTokens":     {identity.Admin},
	"revokeToken":    {identity.Admin},
}

// attempts are the ways to call an operation that roles tell apart.
func attempts(op api.Operation) map[string]string {
	path := strings.NewReplacer("{name}", "x", "{id...}", "x", "{id}", "x", "{seq}", "0").Replace(op.Path)
	switch {
	case op.ID == "actOnTicket":
		out := map[string]string{}
		for _, action := range []string{"approve", "reject", "cancel", "close"} {
			out["ticket/"+action] = strings.Replace(path, "{action}", action, 1)
		}
		return out
	case op.Kind != "" && op.Method == http.MethodPut:
		return map[string]string{"put": path}
	case op.Kind != "" && op.Method == http.MethodDelete:
		return map[string]string{"delete": path}
	}
	return map[string]string{op.ID: path}
}

func TestEachRoleMayDoWhatItIsForAndNothingElse(t *testing.T) {
	r := start(t)
	for _, op := range api.Operations {
		for name, path := range attempts(op) {
			for _, role := range identity.Roles {
				t.Run(op.ID+"/"+name+"/"+string(role), func(t *testing.T) {
					var body any
					if op.Request != nil {
						body = `{}`
					}
					last := r.newest(t).Seq
					a := r.do(t, op.Method, path, body, as(role))
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
			if !op.Open {
				if a := r.do(t, op.Method, path, nil, with("Authorization")); a.problem.Code != api.CodeUnauthenticated || a.header.Get("WWW-Authenticate") == "" {
					t.Errorf("%s without a token: %s", op.ID, a)
				}
			}
		}
	}
}
