package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// TicketVerb is what can be done to a ticket.
type TicketVerb string

// The verbs.
const (
	Approve TicketVerb = "approve"
	Reject  TicketVerb = "reject"
	Cancel  TicketVerb = "cancel"
	Close   TicketVerb = "close"
	Submit  TicketVerb = "submit"
	Review  TicketVerb = "review"
)

// OpenTicket opens a change ticket.
func (c *Client) OpenTicket(ctx context.Context, req api.TicketRequest) (*api.Ticket, error) {
	out := &api.Ticket{}
	return out, c.do(ctx, call{method: http.MethodPost, path: []string{"v1", "tickets"}, body: req}, out)
}

// Ticket returns a ticket.
func (c *Client) Ticket(ctx context.Context, id string) (*api.Ticket, error) {
	out := &api.Ticket{}
	return out, c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "tickets", id}}, out)
}

// Tickets returns a page of tickets, newest first. State "" means every state.
func (c *Client) Tickets(ctx context.Context, state string, page Page) (*api.TicketList, error) {
	q := page.query()
	if state != "" {
		q.Set("state", state)
	}
	out := &api.TicketList{}
	return out, c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "tickets"}, query: q}, out)
}

// AmendTicket changes what a ticket asks for.
func (c *Client) AmendTicket(ctx context.Context, id string, req api.TicketRequest) (*api.Ticket, error) {
	out := &api.Ticket{}
	return out, c.do(ctx, call{method: http.MethodPut, path: []string{"v1", "tickets", id}, body: req}, out)
}

// TicketEffects returns a page of what a bound ticket covers.
func (c *Client) TicketEffects(ctx context.Context, id string, page Page) (*api.TicketEffectList, error) {
	out := &api.TicketEffectList{}
	return out, c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "tickets", id, "effects"}, query: page.query()}, out)
}

// ActOnTicket submits, approves, rejects, cancels, closes or reviews a ticket.
func (c *Client) ActOnTicket(ctx context.Context, id string, verb TicketVerb, action api.TicketAction) (*api.Ticket, error) {
	out := &api.Ticket{}
	return out, c.do(ctx, call{method: http.MethodPost, path: []string{"v1", "tickets", id, string(verb)}, body: action}, out)
}

// CreateToken creates a token. Its secret is in the answer and nowhere else.
func (c *Client) CreateToken(ctx context.Context, req api.TokenRequest) (*api.TokenCreated, error) {
	out := &api.TokenCreated{}
	return out, c.do(ctx, call{method: http.MethodPost, path: []string{"v1", "tokens"}, body: req}, out)
}

// Tokens returns all tokens, without their secrets.
func (c *Client) Tokens(ctx context.Context) (*api.TokenList, error) {
	out := &api.TokenList{}
	return out, c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "tokens"}}, out)
}

// RevokeToken ends a token's life.
func (c *Client) RevokeToken(ctx context.Context, id string) (*api.Token, error) {
	out := &api.Token{}
	return out, c.do(ctx, call{method: http.MethodDelete, path: []string{"v1", "tokens", id}}, out)
}

// Whoami returns whom the client's token speaks for.
func (c *Client) Whoami(ctx context.Context) (*api.Identity, error) {
	out := &api.Identity{}
	return out, c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "whoami"}}, out)
}

// AccessQuery asks whether a change would be admitted.
type AccessQuery struct {
	Address lb.Address
	Op      lb.Op
	// Ticket is the ticket that would be named; empty: any that there is.
	Ticket string
	// As is the actor who would make the change; empty: the caller.
	As string
}

// ExplainAccess says whether a change would be admitted now, and why.
func (c *Client) ExplainAccess(ctx context.Context, q AccessQuery) (*api.Access, error) {
	values := url.Values{"address": {q.Address.String()}, "op": {string(q.Op)}}
	for name, value := range map[string]string{"ticket": q.Ticket, "as": q.As} {
		if value != "" {
			values.Set(name, value)
		}
	}
	out := &api.Access{}
	return out, c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "access"}, query: values}, out)
}
