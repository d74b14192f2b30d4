package server

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

func (s *server) openTicket(c *call) (*answer, error) {
	if err := s.require(c, identity.OpenTicket); err != nil {
		return nil, err
	}
	req, err := s.ticketRequest(c)
	if err != nil {
		return nil, err
	}
	if req.Type == ticket.Emergency {
		if err := s.require(c, identity.OpenEmergency); err != nil {
			return nil, err
		}
	}
	who := c.control()
	who.Ticket = bounded(req.ID, ticket.MaxIDLength)
	outcome, err := s.Controller.OpenTicket(c.Context(), who, req)
	return s.ticketAnswer(c, http.StatusCreated, &outcome, err)
}

// ticketRequest reads the body that asks for a ticket.
func (s *server) ticketRequest(c *call) (control.TicketRequest, error) {
	var req api.TicketRequest
	if err := s.decode(c, &req); err != nil {
		return control.TicketRequest{}, err
	}
	scope := ticket.Scope{Addresses: req.Scope.Addresses}
	for _, op := range req.Scope.Operations {
		scope.Operations = append(scope.Operations, lb.Op(op))
	}
	return control.TicketRequest{Run: req.Run, Request: ticket.Request{
		ID: req.ID, Type: ticket.Type(req.Type), Title: req.Title, Reason: req.Reason, URL: req.URL,
		Scope: scope, NotBefore: req.NotBefore, NotAfter: req.NotAfter, RequiredApprovals: req.RequiredApprovals,
		MaxUses: req.MaxUses, SeparateApplier: req.SeparateApplier, OverrideConflicts: req.OverrideConflicts, Draft: req.Draft,
	}}, nil
}

func (s *server) amendTicket(c *call) (*answer, error) {
	if err := s.require(c, identity.OpenTicket); err != nil {
		return nil, err
	}
	req, err := s.ticketRequest(c)
	if err != nil {
		return nil, err
	}
	return s.act(c, control.TicketAct{Action: ticket.Amend, Request: req})
}

// actions needs one permission for each action of the path.
var actions = map[ticket.Action]identity.Permission{
	ticket.Submit:  identity.OpenTicket,
	ticket.Approve: identity.ApproveTicket,
	ticket.Reject:  identity.ApproveTicket,
	ticket.Review:  identity.ApproveTicket,
	ticket.Cancel:  identity.CloseTicket,
	ticket.Close:   identity.CloseTicket,
}

func (s *server) actOnTicket(c *call) (*answer, error) {
	action := ticket.Action(c.PathValue("action"))
	permission, known := actions[action]
	if !known {
		words := slices.DeleteFunc(slices.Clone(ticket.Actions), func(a ticket.Action) bool { return actions[a] == "" })
		return nil, s.refuseProblem(c, api.NewProblem(api.CodeNotFound, fmt.Sprintf("a ticket has no action %s; actions are %v", bounded(string(action), 32), words)))
	}
	if err := s.require(c, permission); err != nil {
		return nil, err
	}
	var req api.TicketAction
	if err := s.decode(c, &req); err != nil {
		return nil, err
	}
	return s.act(c, control.TicketAct{Action: action, Comment: req.Comment, Effects: req.EffectsDigest, Revision: req.Revision})
}

func (s *server) act(c *call, act control.TicketAct) (*answer, error) {
	id := c.PathValue("id")
	who := c.control()
	who.Ticket = bounded(id, ticket.MaxIDLength)
	outcome, err := s.Controller.ActOnTicket(c.Context(), who, id, act)
	return s.ticketAnswer(c, http.StatusOK, &outcome, err)
}

func (s *server) ticketAnswer(c *call, status int, outcome *control.Outcome, err error) (*answer, error) {
	if err != nil {
		return nil, err
	}
	if outcome.Refusal() != nil {
		return nil, problemOf(outcome)
	}
	held := control.HeldTicket{Revision: outcome.Entry.Seq}
	if err := unmarshalState(outcome, &held.Ticket); err != nil {
		return nil, err
	}
	t, err := s.ticketWithUses(c, &held)
	return &answer{status: status, body: t}, err
}

// ticketWithUses renders a ticket with what was done under it.
func (s *server) ticketWithUses(c *call, t *control.HeldTicket) (api.Ticket, error) {
	usage, err := s.Controller.Usage(c.Context(), t.ID)
	out := s.ticketOf(t)
	out.Uses = usage.Applied
	return out, err
}

// ticketOf renders a ticket as it is now.
func (s *server) ticketOf(t *control.HeldTicket) api.Ticket {
	out := api.Ticket{
		ID: t.ID, Type: string(t.Type), Title: t.Title, Reason: t.Reason, URL: t.URL, State: string(t.StateAt(s.Now())),
		Requester: t.Requester, RequestedAt: t.RequestedAt, NotBefore: t.NotBefore, NotAfter: t.NotAfter,
		RequiredApprovals: t.RequiredApprovals, Approvals: []api.TicketApproval{}, Revision: t.Revision,
		Scope:   api.TicketScope{Addresses: t.Scope.Addresses},
		MaxUses: t.MaxUses, SeparateApplier: t.SeparateApplier, OverrideConflicts: t.OverrideConflicts, ReviewPending: t.Unreviewed(), Authority: t.Authority,
	}
	for _, op := range t.Scope.Operations {
		out.Scope.Operations = append(out.Scope.Operations, string(op))
	}
	for _, a := range t.Approvals {
		out.Approvals = append(out.Approvals, approvalOf(a))
	}
	if b := t.Binding; b != nil {
		out.Binding = &api.TicketBinding{Run: b.Run, EffectsDigest: b.Digest, SetDigest: ticket.SetDigest(b.Effects), Effects: len(b.Effects)}
	}
	if t.Review != nil {
		review := approvalOf(*t.Review)
		out.Review = &review
	}
	if t.Closure != nil {
		out.Closure = &api.TicketClosure{By: t.Closure.By, At: t.Closure.At, Result: t.Closure.Result}
		if e := t.Closure.Evidence; e != nil {
			evidence := api.TicketEvidence(*e)
			out.Closure.Evidence = &evidence
		}
	}
	return out
}

func approvalOf(a ticket.Approval) api.TicketApproval {
	return api.TicketApproval{By: a.By, At: a.At, Comment: a.Comment, EffectsDigest: a.Effects}
}

// listTicketEffects shows an approver of a bound ticket what they sign off.
func (s *server) listTicketEffects(c *call) (*answer, error) {
	t, err := s.ticketOfPath(c)
	if err != nil {
		return nil, err
	}
	if t.Binding == nil {
		return nil, api.NewProblem(api.CodeNotFound, fmt.Sprintf("ticket %s is not bound to a run's effects: its scope is %s", t.ID, t.Scope))
	}
	limit, cursor, err := c.page()
	if err != nil {
		return nil, err
	}
	from, err := before(cursor)
	if err != nil {
		return nil, err
	}
	list := api.TicketEffectList{EffectsDigest: t.Binding.Digest, Items: []api.TicketEffect{}}
	for i, size := int(from), 0; i < len(t.Binding.Effects); i++ {
		if len(list.Items) == limit || size >= maxPageBytes {
			list.Next = strconv.Itoa(i)
			break
		}
		e := t.Binding.Effects[i]
		row, err := s.Log.Entry(c.Context(), e.Plan)
		if err != nil {
			return nil, err
		}
		if row == nil {
			return nil, fmt.Errorf("plan entry %d of ticket %s is missing", e.Plan, t.ID)
		}
		record, err := s.record(c.Context(), row)
		if err != nil {
			return nil, err
		}
		size += len(row.Body)
		list.Items = append(list.Items, api.TicketEffect{
			Address: e.Address, Op: e.Op, EffectDigest: e.Digest, Unknown: e.Unknown, Plan: e.Plan, Patch: record.Patch,
			BodyState: record.BodyState, BodyErasedBy: record.BodyErasedBy,
		})
	}
	return ok(list)
}

// ticketOfPath is the ticket that the path names.
func (s *server) ticketOfPath(c *call) (*control.HeldTicket, error) {
	t, err := s.Controller.Ticket(c.Context(), c.PathValue("id"))
	if err == nil && t == nil {
		err = api.NewProblem(api.CodeNotFound, fmt.Sprintf("there is no ticket %.64q", c.PathValue("id")))
	}
	return t, err
}

func (s *server) getTicket(c *call) (*answer, error) {
	held, err := s.ticketOfPath(c)
	if err != nil {
		return nil, err
	}
	t, err := s.ticketWithUses(c, held)
	if err != nil {
		return nil, err
	}
	return ok(t)
}

func (s *server) listTickets(c *call) (*answer, error) {
	limit, cursor, err := c.page()
	if err != nil {
		return nil, err
	}
	from, err := before(cursor)
	if err != nil {
		return nil, err
	}
	state := ticket.State(c.URL.Query().Get("state"))
	if state != "" && !slices.Contains(ticket.States, state) {
		return nil, badParameter("state", fmt.Sprintf("must be one of %v", ticket.States))
	}
	list := api.TicketList{Items: []api.Ticket{}}
	for {
		held, err := s.Controller.Tickets(c.Context(), from, limit)
		if err != nil {
			return nil, err
		}
		for i := range held {
			from = held[i].Revision
			if t := s.ticketOf(&held[i]); state == "" || t.State == string(state) {
				list.Items = append(list.Items, t)
			}
			if len(list.Items) == limit {
				list.Next = strconv.FormatInt(from, 10)
				return ok(list)
			}
		}
		if len(held) < limit {
			return ok(list)
		}
	}
}
