package client

import (
	"context"
	"net/http"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

// TicketVerb is what can be done to a ticket.
type TicketVerb string

// The verbs.
const (
	Approve TicketVerb = "approve"
	Reject  TicketVerb = "reject"
	Cancel  TicketVerb = "cancel"
	Close   TicketVerb = "close"
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

// ActOnTicket approves, rejects, cancels or closes a ticket.
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
func (c *Client) Whoami(ctx context.Context) (*api.Actor, error) {
	out := &api.Actor{}
	return out, c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "whoami"}}, out)
}
