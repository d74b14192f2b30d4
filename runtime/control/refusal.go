package control

import (
	"errors"
	"fmt"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// Codes of refusals that control decides on. Tickets have theirs in package
// ticket. The API's problem codes are the same words.
const (
	CodeInvalid            = "validation_failed"
	CodeReferenceMissing   = "reference_missing"
	CodeReferenceUnsuited  = "reference_unsuitable"
	CodeAddressInUse       = "address_in_use"
	CodeAddressUnavailable = "address_unavailable"
	CodeReferenced         = "still_referenced"
	CodeNotFound           = "not_found"
	CodePreconditionFailed = "precondition_failed"
	CodeIdempotencyReused  = "idempotency_key_reused"
	CodeTicketExists       = "ticket_exists"
	CodeRunUnknown         = "run_unknown"
	CodeTooLarge           = "body_too_large"
	CodeRunContradicts     = "run_contradicts_token"
	CodeScope              = "scope_insufficient"
	CodeFrozen             = "frozen"
	CodePolicyDenied       = "policy_denied"
	CodeExchangesUsedUp    = "token_used_up"
	// CodeRollbackConflict means that a rollback would take back what others changed
	// since, and that nothing permits that.
	CodeRollbackConflict = "rollback_conflict"
	// CodeRollbackImpossible means that what a rollback would restore is gone.
	CodeRollbackImpossible = "rollback_impossible"
	// CodeAuthorityUnavailable means that a ticket lives elsewhere, and that whether
	// it is good can't be learnt now.
	CodeAuthorityUnavailable = "ticket_authority_unavailable"
)

// Refused is a refusal as an error. The call that meets it leaves a reject
// entry.
type Refused struct{ audit.Refusal }

// Error implements error.
func (r *Refused) Error() string { return r.Detail }

func refuse(code, format string, args ...any) *Refused {
	return &Refused{audit.Refusal{Code: code, Detail: fmt.Sprintf(format, args...)}}
}

// refuseFields refuses because of what is wrong at certain fields.
func refuseFields(code, what string, vs lb.Violations) *Refused {
	return &Refused{audit.Refusal{Code: code, Detail: what + ": " + vs.Error(), Violations: vs}}
}

// asRefused turns the errors of the pure packages into refusals. ok is false
// for errors that are none of the caller's doing.
func asRefused(err error) (r *Refused, ok bool) {
	var (
		refusal    *ticket.Refusal
		violations lb.Violations
	)
	switch {
	case errors.As(err, &r):
		return r, true
	case errors.As(err, &refusal):
		return refuse(refusal.Code, "%s", refusal.Detail), true
	case errors.As(err, &violations):
		return refuseFields(CodeInvalid, "not valid", violations), true
	case errors.Is(err, audit.ErrTooLarge):
		return refuse(CodeTooLarge, "%v", err), true
	}
	return nil, false
}
