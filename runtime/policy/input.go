package policy

import "time"

// Input is all that a rule can see.
type Input struct {
	Change Change
	Ticket Ticket
	Actor  Actor
	Run    Run
	// Now is the time of the decision.
	Now time.Time
}

// Change is what is to be done to one object.
type Change struct {
	Kind, Name, Address, Op string
	// Before and After are the object's JSON, decoded; nil for none.
	Before, After map[string]any
	// Owner and Labels are After's, or Before's for a deletion.
	Owner  string
	Labels map[string]string
	// Changed lists the JSON pointers at which before and after differ.
	Changed []string
	// Unplanned is true when no plan announced the change.
	Unplanned bool
}

// Ticket is the change ticket that the change is made under.
type Ticket struct {
	ID, Type, Title, Requester string
	// Approvals are the names of those who approved.
	Approvals         []string
	RequiredApprovals int
	// Bound is true when the ticket covers an exact set of effects.
	Bound bool
	// Uses is how many changes were made under it before; MaxUses bounds them, 0 is no bound.
	Uses, MaxUses int
	// Authority is the name of where the ticket lives, empty for here.
	Authority           string
	NotBefore, NotAfter time.Time
}

// Actor is who calls.
type Actor struct {
	Name, Role string
	// Credential is what was shown: token, session or certificate.
	Credential string
	// Provider, Issuer and Subject are an identity provider's words; empty for
	// other credentials.
	Provider, Issuer, Subject string
}

// Run is the run that the call belongs to. ID is empty when it names none.
type Run struct {
	ID string
	// Verified is true when a token proves that the caller is this run.
	Verified bool
	// Claimed is what the run says of itself; Proved is what a token said.
	Claimed, Proved map[string]string
}
