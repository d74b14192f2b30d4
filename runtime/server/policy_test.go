package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// older is a policy that this version does not recognise as one when it is put, as
// little as another version would see that it can't be used here.
type older struct{ *lb.Policy }

// startWithABrokenPolicy starts a runtime over a log that another version wrote: the
// rule of a policy in it does not compile here.
func startWithABrokenPolicy(t *testing.T) *rig {
	t.Helper()
	r := start(t)
	p := lb.NewPolicy()
	p.Owner = "sre"
	p.Rules = map[string]lb.PolicyRule{"later": {When: "true", Require: "change.not_there_yet()", Message: "it says so"}}
	p.Normalize()
	o, err := r.Daemon.Controller.Put(t.Context(), control.Call{Actor: controltest.Olivia, Ticket: r.Ticket}, control.Put{
		Address: lb.Address{Kind: lb.KindPolicy, Name: "later"}, Object: older{p}, Precondition: control.Precondition{Absent: true},
	})
	controltest.Accepted(t, o, err)
	r.Restart(t)
	return r
}

// TestAPolicyThatCanNotBeReadStopsChanges and not those who mend it in an emergency.
func TestAPolicyThatCanNotBeReadStopsChanges(t *testing.T) {
	r := startWithABrokenPolicy(t)
	before := r.newest(t).Seq
	a := r.do(t, http.MethodPut, "/v1/pools/web", pool(), creating)
	if a.problem.Code != api.CodePolicyDenied || !strings.Contains(a.problem.Detail, "policy/later") {
		t.Fatalf("%s, want %s", a, api.CodePolicyDenied)
	}
	checkRefusal(t, r.newest(t), a, before+1, "olivia")
	emergency := r.ticket(t, api.TicketRequest{Type: "emergency", Scope: addresses("policy/later")})
	r.must(t, nil, http.MethodDelete, "/v1/policies/later", nil, updating, under(emergency.ID), as(identity.Admin))
	r.create(t, "pool/web", pool())
}

func TestARuleThatDoesNotCompileIsRefusedAtItsField(t *testing.T) {
	r := start(t)
	for _, require := range []string{"change.not_there_yet()", "ticket.approvals", "1 +", "\"a\""} {
		a := r.do(t, http.MethodPut, "/v1/policies/x", policy("true", require), creating, as(identity.Admin))
		if a.status != http.StatusUnprocessableEntity || len(a.problem.Violations) == 0 || a.problem.Violations[0].Pointer != "/rules/rule/require" {
			t.Errorf("%s: %s", require, a)
		}
	}
}
