package server

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// bodies finds bodies wherever they are.
func (s *server) bodies(ctx context.Context, row *audit.Row) *audit.Row {
	whole, _ := s.whole(ctx, row)
	return whole
}

func (s *server) listDrift(c *call) (*answer, error) {
	limit, cursor, err := c.page()
	if err != nil {
		return nil, err
	}
	values := c.URL.Query()
	list := api.DriftList{Workspace: values.Get("workspace"), Items: []api.Drift{}}
	if list.Workspace == "" {
		if list.Workspace, err = s.Controller.WorkspaceOf(c.Context(), c.control()); err != nil {
			return nil, err
		}
	}
	if list.Workspace == "" {
		if list.Workspaces, err = s.Controller.Workspaces(c.Context()); err != nil {
			return nil, err
		}
		if len(list.Workspaces) != 1 {
			return ok(list)
		}
		list.Workspace, list.Workspaces = list.Workspaces[0], nil
	}
	all := false
	if text := values.Get("all"); text != "" {
		if all, err = strconv.ParseBool(text); err != nil {
			return nil, badParameter("all", "must be true or false")
		}
	}
	only := values.Get("resource")
	if only != "" {
		if _, err := lb.ParseAddress(only); err != nil {
			return nil, badParameter("resource", "must be an address, such as pool/web")
		}
	}
	objects, err := s.Controller.Managed(c.Context(), list.Workspace)
	if err != nil {
		return nil, err
	}
	if list.Managed = len(objects); list.Managed == 0 {
		list.Workspaces, err = s.Controller.Workspaces(c.Context())
		return &answer{status: 200, body: list}, err
	}
	last, size := "", 0
	for _, object := range objects {
		address := object.Address.String()
		if address <= cursor || only != "" && address != only {
			continue
		}
		if len(list.Items) == limit || size >= maxPageBytes {
			list.Next = last
			break
		}
		d, err := s.Controller.Drift(c.Context(), list.Workspace, object, s.bodies)
		if err != nil {
			return nil, err
		}
		last = address
		switch {
		case d == nil || d.Kind == audit.DriftImported && !all:
			continue
		case d.Accepted != nil && !all:
			list.Accepted++
			continue
		}
		item, err := s.drift(c.Context(), d)
		if err != nil {
			return nil, err
		}
		list.Items, size = append(list.Items, item), size+len(d.Was)+len(d.Is)
	}
	return ok(list)
}

// drift renders a drift.
func (s *server) drift(ctx context.Context, d *control.Drift) (api.Drift, error) {
	out := api.Drift{
		Address: d.Address.String(), Kind: string(d.Kind), Workspace: d.Workspace, Revision: d.Revision, Count: d.Count, Seen: d.Seen,
		Changes: make([]api.DriftChange, len(d.Changes)), Patch: []lb.Change{}, Managers: make([]api.DriftManager, len(d.Managers)),
	}
	b := &d.Baseline
	out.Baseline = api.DriftBaseline{Revision: d.Left, Seq: b.Seq, Op: b.Op, Actor: b.Actor.Name, Ticket: b.Ticket, Run: b.RunID(), At: b.Time}
	for i := range d.Changes {
		e := &d.Changes[i]
		change := api.DriftChange{
			LastChange: lastChange(e.LastChange()), Workspace: e.WorkspaceName(), OwnTicket: e.OwnTicket, Emergency: e.Emergency, Via: e.Via(),
		}
		change.Own = change.Workspace == d.Workspace
		if e.Rollback != nil {
			rollback := api.RollbackRef(*e.Rollback)
			change.Rollback = &rollback
		}
		out.Changes[i] = change
	}
	for i := range d.Managers {
		m := &d.Managers[i]
		out.Managers[i] = api.DriftManager{Workspace: m.WorkspaceName(), Seq: m.Seq, Op: m.Op, Actor: m.Actor.Name, Ticket: m.Ticket, Run: m.RunID(), At: m.Time}
	}
	if d.Accepted != nil {
		accepted := acceptance(d.Accepted.AcceptedDrift, d.Accepted.Seq)
		out.Accepted = &accepted
	}
	if d.Erased != nil {
		_, found := s.whole(ctx, d.Erased)
		out.PatchState, out.PatchErasedBy = found.State, found.By
		return out, nil
	}
	var err error
	if d.Kind != audit.DriftImported {
		out.Patch, err = lb.Diff(d.Was, d.Is)
	}
	return out, err
}

func acceptance(a audit.AcceptedDrift, seq int64) api.DriftAcceptance {
	return api.DriftAcceptance{
		Address: a.Address, Workspace: a.Workspace, Kind: string(a.Kind), Revision: a.Revision,
		Until: a.Until, Ticket: a.Ticket, Reason: a.Reason, By: a.By, At: a.At, Seq: seq,
	}
}

// seeDrift answers how an object is not as the caller saw it before, and records that.
func (s *server) seeDrift(c *call) (*answer, error) {
	if err := s.require(c, identity.RegisterRun); err != nil {
		return nil, err
	}
	var req api.DriftSightingRequest
	if err := s.decode(c, &req); err != nil {
		return nil, err
	}
	c.subject.Resource = bounded(req.Address, 128)
	address, err := lb.ParseAddress(req.Address)
	if err := s.asRefusal(c, checkSighting(req, err).Err()); err != nil {
		return nil, err
	}
	who := c.control()
	workspace, err := s.Controller.WorkspaceOf(c.Context(), who)
	if err != nil {
		return nil, err
	}
	if workspace == "" {
		return nil, s.refuse(c, audit.Refusal{Code: string(api.CodeRunUnknown), Detail: "drift is seen in a run, whose workspace it is about: name a registered run in " + api.HeaderRun})
	}
	d, err := s.Controller.DriftSince(c.Context(), workspace, address, req.Base, s.bodies)
	switch {
	case errors.Is(err, control.ErrNotARevision):
		detail := fmt.Sprintf("%d is no revision of %s", req.Base, address)
		if req.Imported {
			detail = address.String() + " does not exist"
		}
		return nil, s.refuse(c, audit.Refusal{Code: string(api.CodeInvalid), Detail: detail, Violations: []lb.Violation{{Pointer: "/base", Detail: detail}}})
	case err != nil:
		return nil, err
	case d == nil:
		return ok(api.DriftSighting{})
	}
	outcome, err := s.Controller.SeeDrift(c.Context(), who, d)
	if err != nil {
		return nil, err
	}
	if outcome.Refusal() != nil {
		return nil, problemOf(&outcome)
	}
	if !outcome.Unchanged {
		s.failures.leave(c.actor.Name, s.Now())
	}
	d.Seen = outcome.Entry.Seq
	item, err := s.drift(c.Context(), d)
	return &answer{status: 200, body: api.DriftSighting{Drift: &item}}, err
}

func checkSighting(req api.DriftSightingRequest, badAddress error) lb.Violations {
	var vs lb.Violations
	if badAddress != nil {
		vs = append(vs, lb.Violation{Pointer: "/address", Detail: "must be kind/name, such as pool/web"})
	}
	if req.Imported != (req.Base == 0) || req.Base < 0 {
		vs = append(vs, lb.Violation{Pointer: "/base", Detail: "must be the revision that was seen before, and is left out of an import"})
	}
	return vs
}

func (s *server) acceptDrift(c *call) (*answer, error) {
	if err := s.require(c, identity.Change); err != nil {
		return nil, err
	}
	var req api.DriftAcceptanceRequest
	if err := s.decode(c, &req); err != nil {
		return nil, err
	}
	address, err := lb.ParseAddress(req.Address)
	c.subject = control.Subject{Resource: audit.DriftResource(bounded(req.Workspace, api.MaxRunClaimLength), bounded(req.Address, 128)), Op: audit.OpAcceptDrift}
	if req.Withdraw {
		c.subject.Op = audit.OpWithdrawDrift
	}
	if err := s.asRefusal(c, checkAcceptance(req, err).Err()); err != nil {
		return nil, err
	}
	if err := s.requireOn(c, changing(address.Kind), address); err != nil {
		return nil, err
	}
	outcome, err := s.Controller.AcceptDrift(c.Context(), c.control(), control.DriftAcceptance{
		Workspace: req.Workspace, Address: address, Until: req.Until, Reason: req.Reason, Revision: req.Revision, Withdraw: req.Withdraw,
	}, s.bodies)
	if err != nil {
		return nil, err
	}
	if outcome.Refusal() != nil {
		return nil, problemOf(&outcome)
	}
	e := &outcome.Entry
	if req.Withdraw {
		return ok(api.DriftAcceptance{
			Address: req.Address, Workspace: req.Workspace, Ticket: e.Ticket, By: e.Actor.Name, At: e.Time, Seq: e.Seq, Withdrawn: true,
		})
	}
	var accepted audit.AcceptedDrift
	if err := json.Unmarshal(outcome.Body.After, &accepted); err != nil {
		return nil, fmt.Errorf("entry %d: %w", e.Seq, err)
	}
	return ok(acceptance(accepted, e.Seq))
}

func checkAcceptance(req api.DriftAcceptanceRequest, badAddress error) lb.Violations {
	var vs lb.Violations
	if badAddress != nil {
		vs = append(vs, lb.Violation{Pointer: "/address", Detail: "must be kind/name, such as pool/web"})
	}
	if req.Workspace == "" || bounded(req.Workspace, api.MaxRunClaimLength) != req.Workspace {
		vs = append(vs, lb.Violation{Pointer: "/workspace", Detail: fmt.Sprintf("must be a workspace's name: 1 to %d printable bytes", api.MaxRunClaimLength)})
	}
	return vs
}
