package server

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// changing is the permission that a change of a kind needs.
func changing(kind lb.Kind) identity.Permission {
	if kind.Governs() {
		return identity.Govern
	}
	return identity.Change
}

// requireOn refuses, and records, a call that the actor's role or scopes do not
// permit on an address.
func (s *server) requireOn(c *call, p identity.Permission, address lb.Address) error {
	if err := s.require(c, p); err != nil {
		return err
	}
	if c.actor.May(address.String()) {
		return nil
	}
	return s.refuse(c, audit.Refusal{Code: string(api.CodeScope), Detail: outOfScope(&c.actor, address)})
}

func outOfScope(a *identity.Actor, address lb.Address) string {
	return fmt.Sprintf("%s may act on %s only, and not on %s", a.Name, strings.Join(a.Scopes, ", "), address)
}

func lacking(a *identity.Actor, p identity.Permission) string {
	roles := identity.RolesWith(p)
	words := make([]string, len(roles))
	for i, r := range roles {
		words[i] = string(r)
	}
	return fmt.Sprintf("%s has role %s, which may not %s; roles that may: %s", a.Name, a.Role, p, strings.Join(words, ", "))
}

// explainAccess says whether a change would be admitted, by going through what
// the gate asks. Of an actor with several credentials the most able one counts.
func (s *server) explainAccess(c *call) (*answer, error) {
	values := c.URL.Query()
	address, err := lb.ParseAddress(values.Get("address"))
	if err != nil {
		return nil, badParameter("address", "must be kind/name, such as pool/web")
	}
	op := lb.Op(values.Get("op"))
	if !slices.Contains(lb.Ops, op) {
		return nil, badParameter("op", "must be create, update or delete")
	}
	actors := []identity.Actor{c.actor}
	if as := values.Get("as"); as != "" && as != c.actor.Name {
		if err := s.require(c, identity.ExplainAccess); err != nil {
			return nil, err
		}
		if actors = s.Controller.CredentialsOf(as); len(actors) == 0 {
			return nil, api.NewProblem(api.CodeNotFound, fmt.Sprintf("%s has no token and no session that could be used now", bounded(as, identity.MaxActorLength)))
		}
	}
	var best api.Access
	for i, actor := range actors {
		access, err := s.access(c, actor, op, address, bounded(values.Get("ticket"), ticket.MaxIDLength))
		if err != nil {
			return nil, err
		}
		if i == 0 || passed(access) > passed(best) {
			best = access
		}
	}
	return ok(best)
}

func passed(a api.Access) int {
	n := 0
	for _, check := range a.Checks {
		if check.OK {
			n++
		}
	}
	return n
}

func (s *server) access(c *call, actor identity.Actor, op lb.Op, address lb.Address, under string) (api.Access, error) {
	out := api.Access{Allowed: true}
	add := func(name string, good bool, detail string) {
		out.Checks = append(out.Checks, api.AccessCheck{Check: name, OK: good, Detail: detail})
		out.Allowed = out.Allowed && good
	}
	if p := changing(address.Kind); actor.Role.Can(p) {
		add("role", true, fmt.Sprintf("%s (%s) has role %s, which may %s", actor.Name, actor.Credential, actor.Role, p))
	} else {
		add("role", false, lacking(&actor, p))
	}
	switch {
	case !actor.May(address.String()):
		add("scope", false, outOfScope(&actor, address))
	case len(actor.Scopes) == 0:
		add("scope", true, "the credential is not limited to a scope")
	default:
		add("scope", true, "within "+strings.Join(actor.Scopes, ", "))
	}
	checks, err := s.Controller.Explain(c.Context(), control.Call{Actor: actor, Ticket: under}, op, address)
	if err != nil {
		var refused *control.Refused
		if errors.As(err, &refused) {
			return out, api.NewProblem(api.Code(refused.Code), refused.Detail)
		}
		return out, err
	}
	for _, check := range checks {
		add(check.Name, check.OK, check.Detail)
	}
	return out, nil
}
