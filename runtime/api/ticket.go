package api

import "time"

// TicketRequest is the body of POST /v1/tickets.
type TicketRequest struct {
	// ID is yours ("CHG-1042") or, when empty, made by the runtime.
	ID string `json:"id,omitzero"`
	// Type is one of TicketTypes. Default: normal.
	Type  string `json:"type,omitzero"`
	Title string `json:"title"`
	// Reason says why the change is needed. It must say something.
	Reason string      `json:"reason"`
	URL    string      `json:"url,omitzero"`
	Scope  TicketScope `json:"scope"`
	// NotBefore and NotAfter bound when changes are admitted. Defaults: now and
	// a day later.
	NotBefore time.Time `json:"not_before,omitzero"`
	NotAfter  time.Time `json:"not_after,omitzero"`
	// RequiredApprovals is how many different people must approve. Default: 1.
	RequiredApprovals int `json:"required_approvals,omitzero"`
}

// TicketScope is what a ticket admits.
type TicketScope struct {
	// Addresses are globs over kind/name: "pool/web", "pool/*", "*/shop-*", "*".
	Addresses []string `json:"addresses"`
	// Operations are create, update, delete. Empty means all of them.
	Operations []string `json:"operations,omitzero"`
}

// Ticket is a change ticket as the API answers it.
type Ticket struct {
	ID                string           `json:"id"`
	Type              string           `json:"type"`
	Title             string           `json:"title"`
	Reason            string           `json:"reason"`
	URL               string           `json:"url,omitzero"`
	State             string           `json:"state"`
	Requester         string           `json:"requester"`
	RequestedAt       time.Time        `json:"requested_at"`
	Scope             TicketScope      `json:"scope"`
	NotBefore         time.Time        `json:"not_before"`
	NotAfter          time.Time        `json:"not_after"`
	RequiredApprovals int              `json:"required_approvals"`
	Approvals         []TicketApproval `json:"approvals"`
	Closure           *TicketClosure   `json:"closure,omitzero"`
	// Revision is the seq of the entry that last changed the ticket.
	Revision int64 `json:"revision"`
}

// TicketApproval is one person's consent.
type TicketApproval struct {
	By      string    `json:"by"`
	At      time.Time `json:"at"`
	Comment string    `json:"comment,omitzero"`
}

// TicketClosure is how a ticket ended.
type TicketClosure struct {
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Result string    `json:"result"`
}

// TicketAction is the body of POST /v1/tickets/{id}/{approve,reject,cancel,close}.
type TicketAction struct {
	// Comment is kept with an approval, and is the reason of a rejection or
	// cancellation and the result of a closure.
	Comment string `json:"comment,omitzero"`
}

// TicketList is a page of tickets, newest first.
type TicketList struct {
	Items []Ticket `json:"items"`
	Next  string   `json:"next,omitzero"`
}
