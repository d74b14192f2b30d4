package server

import (
	"context"
	"errors"
	"fmt"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// rollbackAttempts is how often a rollback is worked out while others go on changing
// what it is about.
const rollbackAttempts = 5

// maxUndoing is how many rollbacks are worked out at a time, so that nobody can keep the
// write path busy with previews; as many for those who can only look, who hold nobody up.
const maxUndoing = 2

// rollBack takes something back, or says what that would do.
func (s *server) rollBack(c *call) (*answer, error) {
	var req api.RollbackRequest
	if err := s.decode(c, &req); err != nil {
		return nil, err
	}
	planned := req.DryRun && c.Header.Get(api.HeaderRun) != ""
	switch {
	case planned:
		if err := s.require(c, identity.Plan); err != nil {
			return nil, err
		}
	case !req.DryRun:
		if err := s.require(c, identity.Change); err != nil {
			return nil, err
		}
	}
	r, err := s.rollback(c, req)
	if err != nil {
		return nil, err
	}
	places := s.looking
	if c.actor.Role.Can(identity.Change) {
		places = s.undoing
	}
	select {
	case places <- struct{}{}:
		defer func() { <-places }()
	case <-c.Context().Done():
		return nil, c.Context().Err()
	}
	for range rollbackAttempts {
		var a *answer
		switch {
		case req.DryRun:
			a, err = s.previewRollback(c, req, r, planned)
		default:
			a, err = s.makeRollback(c, req, r)
		}
		if !errors.Is(err, control.ErrMoved) {
			return a, err
		}
	}
	return nil, s.refuseUnless(c, req.DryRun, &audit.Refusal{
		Code: string(api.CodePreconditionFailed), Detail: "others keep changing what the rollback is about: have them stop, or try again",
	})
}

// rollback reads what is to be taken back.
func (s *server) rollback(c *call, req api.RollbackRequest) (control.Rollback, error) {
	r := control.Rollback{Run: req.Run, Everything: req.Everything, Governance: req.IncludeGovernance, Expect: req.Expect, PreviewAt: req.PreviewAt}
	var vs lb.Violations
	add := func(pointer, detail string) { vs = append(vs, lb.Violation{Pointer: pointer, Detail: detail}) }
	targets := 0
	for _, is := range []bool{req.Resource != "", req.Run != "", req.Everything} {
		if is {
			targets++
		}
	}
	if targets != 1 {
		add("", "exactly one of resource, run and everything must say what is taken back")
	}
	if req.Resource != "" {
		var err error
		if r.Address, err = lb.ParseAddress(req.Resource); err != nil {
			add("/resource", "must be kind/name, such as pool/web")
		} else {
			c.subject.Resource = req.Resource
		}
	}
	if bounded(req.Run, api.MaxRunIDLength) != req.Run {
		add("/run", fmt.Sprintf("must be a run's id: at most %d printable bytes", api.MaxRunIDLength))
	}
	switch {
	case req.Run != "" && req.To != "":
		add("/to", "is left out of a run: each object goes back to what it was before the run changed it")
	case req.Everything && req.To == "":
		add("/to", "is required: the point in time that everything goes back to")
	case req.Resource != "" && req.To == "":
		r.To = control.BeforeNewest
	case req.To != "" && len(vs) == 0:
		at, err := s.point(c, "to", req.To, false)
		var p *api.Problem
		if errors.As(err, &p) {
			add("/to", p.Detail)
		} else if err != nil {
			return r, err
		}
		r.To = at.Revision
	}
	if req.IncludeGovernance && !req.Everything {
		add("/include_governance", "is for everything: what is named is taken back whatever it is")
	}
	return r, s.asRefusal(c, vs.Err())
}

// findRollback works a rollback out. That there is no telling is refused.
func (s *server) findRollback(c *call, req api.RollbackRequest, r control.Rollback) (*control.Undoing, error) {
	u, err := s.Controller.FindRollback(c.Context(), r, s.pastBody)
	var refused *control.Refused
	if errors.As(err, &refused) {
		return nil, s.refuseUnless(c, req.DryRun, &refused.Refusal)
	}
	return u, err
}

// refuseUnless refuses a call; one that only looks leaves no entry.
func (s *server) refuseUnless(c *call, looks bool, refusal *audit.Refusal) error {
	if !looks {
		return s.refuse(c, *refusal)
	}
	p := api.NewProblem(api.Code(refusal.Code), refusal.Detail)
	p.Violations = refusal.Violations
	return p
}

// pastBody finds a body wherever it is.
func (s *server) pastBody(ctx context.Context, row *audit.Row) (*audit.Row, string) {
	whole, found := s.whole(ctx, row)
	switch {
	case found.State == api.BodyErased && found.By > 0:
		return whole, fmt.Sprintf("was erased by policy in entry %d", found.By)
	case found.State == api.BodyErased:
		return whole, "was erased by policy"
	}
	return whole, "can't be had just now: it is not in the log any more"
}

// permit holds the caller to a permission on every object that a rollback is about.
func (s *server) permit(c *call, u *control.Undoing, permission func(lb.Kind) identity.Permission) error {
	for i := range u.Effects {
		e := &u.Effects[i]
		about := c.subject
		c.subject = control.Subject{Resource: e.Address.String(), Op: string(e.Op())}
		if err := s.requireOn(c, permission(e.Address.Kind), e.Address); err != nil {
			return err
		}
		c.subject = about
	}
	return nil
}

func (s *server) previewRollback(c *call, req api.RollbackRequest, r control.Rollback, planned bool) (*answer, error) {
	u, err := s.findRollback(c, req, r)
	if err != nil {
		return nil, err
	}
	var outcome control.Outcome
	var warnings []string
	if planned && len(u.Impossible) == 0 {
		if err := s.permit(c, u, func(lb.Kind) identity.Permission { return identity.Plan }); err != nil {
			return nil, err
		}
		outcome, warnings, err = s.Controller.PlanRollback(c.Context(), c.control(), u)
	} else {
		warnings, err = s.Controller.ForeseeRollback(c.Context(), c.control(), u)
	}
	if err != nil {
		return nil, err
	}
	if outcome.Refusal() != nil {
		return nil, problemOf(&outcome)
	}
	out := rollbackOf(req)
	out.DryRun, out.At, out.EffectsDigest, out.Uses, out.Warnings = true, u.At, u.Digest, len(u.Effects), warnings
	if req.Run == "" {
		out.To = &u.To
	}
	if err := describeUndoing(&out, u, &outcome); err != nil {
		return nil, err
	}
	return ok(out)
}

func (s *server) makeRollback(c *call, req api.RollbackRequest, r control.Rollback) (*answer, error) {
	u, err := s.findRollback(c, req, r)
	if err != nil {
		return nil, err
	}
	if err := s.permit(c, u, changing); err != nil {
		return nil, err
	}
	outcome, err := s.Controller.RollBack(c.Context(), c.control(), u)
	if err != nil {
		return nil, err
	}
	if outcome.Refusal() != nil {
		return nil, problemOf(&outcome)
	}
	// The answer is made of the entries, so that a retry is given the same.
	out := rollbackOf(req)
	set := make([]ticket.Effect, len(outcome.Parts))
	for i := range outcome.Parts {
		effect, err := madeEffect(&outcome.Parts[i])
		if err != nil {
			return nil, err
		}
		out.Effects = append(out.Effects, effect)
		set[i] = ticket.Effect{Address: effect.Address, Op: effect.Op, Digest: effect.EffectDigest}
	}
	sortEffects(out.Effects)
	out.EffectsDigest, out.Uses, out.Revision = ticket.SetDigest(set), len(set), outcome.Entry.Seq
	return ok(out)
}
