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
	var req api.TicketRequest
	if err := s.decode(c, &req); err != nil {
		return nil, err
	}
	who := c.control()
	who.Ticket = bounded(req.ID, ticket.MaxIDLength)
	scope := ticket.Scope{Addresses: req.Scope.Addresses}
	for _, op := range req.Scope.Operations {
		scope.Operations = append(scope.Operations, lb.Op(op))
	}
	outcome, err := s.Controller.OpenTicket(c.Context(), who, ticket.Request{
		ID: req.ID, Type: ticket.Type(req.Type), Title: req.Title, Reason: req.Reason, URL: req.URL,
		Scope: scope, NotBefore: req.NotBefore, NotAfter: req.NotAfter, RequiredApprovals: req.RequiredApprovals,
	})
	return s.ticketAnswer(http.StatusCreated, &outcome, err)
}

// actions needs one permission for each action.
var actions = map[ticket.Action]identity.Permission{
	ticket.Approve: identity.ApproveTicket,
	ticket.Reject:  identity.ApproveTicket,
	ticket.Cancel:  identity.CloseTicket,
	ticket.Close:   identity.CloseTicket,
}

func (s *server) actOnTicket(c *call) (*answer, error) {
	id, action := c.PathValue("id"), ticket.Action(c.PathValue("action"))
	permission, known := actions[action]
	if !known {
		return nil, s.refuseProblem(c, api.NewProblem(api.CodeNotFound, fmt.Sprintf("a ticket has no action %s; actions are %v", bounded(string(action), 32), ticket.Actions)))
	}
	if err := s.require(c, permission); err != nil {
		return nil, err
	}
	var req api.TicketAction
	if err := s.decode(c, &req); err != nil {
		return nil, err
	}
	who := c.control()
	who.Ticket = bounded(id, ticket.MaxIDLength)
	outcome, err := s.Controller.ActOnTicket(c.Context(), who, id, action, req.Comment)
	return s.ticketAnswer(http.StatusOK, &outcome, err)
}

func (s *server) ticketAnswer(status int, outcome *control.Outcome, err error) (*answer, error) {
	if err != nil {
		return nil, err
	}
	if outcome.Refusal() != nil {
		return nil, problemOf(outcome)
	}
	var t control.HeldTicket
	if err := unmarshalState(outcome, &t.Ticket); err != nil {
		return nil, err
	}
	t.Revision = outcome.Entry.Seq
	return &answer{status: status, body: s.ticketOf(&t)}, nil
}

// ticketOf renders a ticket with the state it has now.
func (s *server) ticketOf(t *control.HeldTicket) api.Ticket {
	out := api.Ticket{
		ID: t.ID, Type: string(t.Type), Title: t.Title, Reason: t.Reason, URL: t.URL, State: string(t.StateAt(s.Now())),
		Requester: t.Requester, RequestedAt: t.RequestedAt, NotBefore: t.NotBefore, NotAfter: t.NotAfter,
		RequiredApprovals: t.RequiredApprovals, Approvals: []api.TicketApproval{}, Revision: t.Revision,
		Scope: api.TicketScope{Addresses: t.Scope.Addresses},
	}
	for _, op := range t.Scope.Operations {
		out.Scope.Operations = append(out.Scope.Operations, string(op))
	}
	for _, a := range t.Approvals {
		out.Approvals = append(out.Approvals, api.TicketApproval(a))
	}
	if t.Closure != nil {
		closure := api.TicketClosure(*t.Closure)
		out.Closure = &closure
	}
	return out
}

func (s *server) getTicket(c *call) (*answer, error) {
	t, err := s.Controller.Ticket(c.Context(), c.PathValue("id"))
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, api.NewProblem(api.CodeNotFound, fmt.Sprintf("there is no ticket %.64q", c.PathValue("id")))
	}
	return ok(s.ticketOf(t))
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
