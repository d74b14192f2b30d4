package api

import (
	"fmt"
	"net/http"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Code is the stable, machine-readable name of a problem.
type Code string

// The problem codes.
const (
	CodeMalformed          Code = "malformed_request"
	CodeUnauthenticated    Code = "unauthenticated"
	CodeRole               Code = "role_insufficient"
	CodeNotFound           Code = "not_found"
	CodeMethod             Code = "method_not_allowed"
	CodeMediaType          Code = "unsupported_media_type"
	CodeTooLarge           Code = "body_too_large"
	CodeInvalid            Code = "validation_failed"
	CodeReferenceMissing   Code = "reference_missing"
	CodeReferenceUnsuited  Code = "reference_unsuitable"
	CodeAddressInUse       Code = "address_in_use"
	CodeAddressUnavailable Code = "address_unavailable"
	CodeReferenced         Code = "still_referenced"
	CodePreconditionNeeded Code = "precondition_required"
	CodePreconditionFailed Code = "precondition_failed"
	CodeIdempotencyKey     Code = "idempotency_key_invalid"
	CodeIdempotencyReused  Code = "idempotency_key_reused"
	CodeTicketRequired     Code = "ticket_required"
	CodeTicketUnknown      Code = "ticket_unknown"
	CodeTicketUnapproved   Code = "ticket_not_approved"
	CodeTicketRejected     Code = "ticket_rejected"
	CodeTicketNotYet       Code = "ticket_not_yet_valid"
	CodeTicketExpired      Code = "ticket_expired"
	CodeTicketClosed       Code = "ticket_closed"
	CodeTicketScope        Code = "ticket_out_of_scope"
	CodeTicketExists       Code = "ticket_exists"
	CodeTicketState        Code = "ticket_wrong_state"
	CodeTicketSelfApproval Code = "ticket_self_approval"
	CodeTicketUsedUp       Code = "ticket_used_up"
	CodeTicketApprover     Code = "ticket_approver_applies"
	CodeTicketNotCovered   Code = "ticket_effect_not_covered"
	CodeTicketDiffers      Code = "ticket_effect_differs"
	CodeTicketSelfReview   Code = "ticket_self_review"
	CodeTicketUnreviewed   Code = "ticket_unreviewed"
	CodeTicketNotRequester Code = "ticket_not_requester"
	CodeTicketEffects      Code = "ticket_effects_changed"
	CodeTicketElsewhere    Code = "ticket_lives_elsewhere"
	CodeTicketAuthority    Code = "ticket_authority_unavailable"
	CodeFrozen             Code = "frozen"
	CodePolicyDenied       Code = "policy_denied"
	CodeScope              Code = "scope_insufficient"
	CodeTooManyFailures    Code = "too_many_failures"
	CodeTooManyStreams     Code = "too_many_streams"
	CodeBusy               Code = "busy"
	CodeLoginUnavailable   Code = "login_unavailable"
	CodeTokenUsedUp        Code = "token_used_up"
	CodeRunContradicts     Code = "run_contradicts_token"
	CodeRunUnknown         Code = "run_unknown"
	CodeRollbackConflict   Code = "rollback_conflict"
	CodeRollbackImpossible Code = "rollback_impossible"
	CodeLogFull            Code = "log_full"
	CodeLogUnavailable     Code = "log_unavailable"
	CodeInternal           Code = "internal_error"
)

// Statuses gives every problem code its HTTP status.
var Statuses = map[Code]int{
	CodeMalformed:          http.StatusBadRequest,
	CodeUnauthenticated:    http.StatusUnauthorized,
	CodeRole:               http.StatusForbidden,
	CodeNotFound:           http.StatusNotFound,
	CodeMethod:             http.StatusMethodNotAllowed,
	CodeMediaType:          http.StatusUnsupportedMediaType,
	CodeTooLarge:           http.StatusRequestEntityTooLarge,
	CodeInvalid:            http.StatusUnprocessableEntity,
	CodeReferenceMissing:   http.StatusUnprocessableEntity,
	CodeReferenceUnsuited:  http.StatusUnprocessableEntity,
	CodeAddressInUse:       http.StatusConflict,
	CodeAddressUnavailable: http.StatusConflict,
	CodeReferenced:         http.StatusConflict,
	CodePreconditionNeeded: http.StatusPreconditionRequired,
	CodePreconditionFailed: http.StatusPreconditionFailed,
	CodeIdempotencyKey:     http.StatusBadRequest,
	CodeIdempotencyReused:  http.StatusUnprocessableEntity,
	CodeTicketRequired:     http.StatusForbidden,
	CodeTicketUnknown:      http.StatusForbidden,
	CodeTicketUnapproved:   http.StatusForbidden,
	CodeTicketRejected:     http.StatusForbidden,
	CodeTicketNotYet:       http.StatusForbidden,
	CodeTicketExpired:      http.StatusForbidden,
	CodeTicketClosed:       http.StatusForbidden,
	CodeTicketScope:        http.StatusForbidden,
	CodeTicketExists:       http.StatusConflict,
	CodeTicketState:        http.StatusConflict,
	CodeTicketSelfApproval: http.StatusForbidden,
	CodeTicketUsedUp:       http.StatusForbidden,
	CodeTicketApprover:     http.StatusForbidden,
	CodeTicketNotCovered:   http.StatusForbidden,
	CodeTicketDiffers:      http.StatusForbidden,
	CodeTicketSelfReview:   http.StatusForbidden,
	CodeTicketUnreviewed:   http.StatusConflict,
	CodeTicketNotRequester: http.StatusForbidden,
	CodeTicketEffects:      http.StatusConflict,
	CodeTicketElsewhere:    http.StatusConflict,
	CodeTicketAuthority:    http.StatusFailedDependency,
	CodeFrozen:             http.StatusForbidden,
	CodePolicyDenied:       http.StatusForbidden,
	CodeScope:              http.StatusForbidden,
	CodeTooManyFailures:    http.StatusTooManyRequests,
	CodeTooManyStreams:     http.StatusServiceUnavailable,
	CodeBusy:               http.StatusServiceUnavailable,
	CodeLoginUnavailable:   http.StatusServiceUnavailable,
	CodeTokenUsedUp:        http.StatusForbidden,
	CodeRunContradicts:     http.StatusForbidden,
	CodeRunUnknown:         http.StatusUnprocessableEntity,
	CodeRollbackConflict:   http.StatusConflict,
	CodeRollbackImpossible: http.StatusConflict,
	CodeLogFull:            http.StatusInsufficientStorage,
	CodeLogUnavailable:     http.StatusServiceUnavailable,
	CodeInternal:           http.StatusInternalServerError,
}

// ProblemTypePrefix and a code make the "type" URI of a problem.
const ProblemTypePrefix = "urn:auditlb:problem:"

// Problem is an error as the API answers it (RFC 9457).
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Code   Code   `json:"code"`
	// Detail is a sentence a person can act on.
	Detail string `json:"detail"`
	// RequestID finds the call in the runtime's logs and in the entry.
	RequestID string `json:"request_id"`
	// Seq is the entry that recorded the refusal, where one did.
	Seq int64 `json:"seq,omitzero"`
	// Violations point at the offending fields.
	Violations []lb.Violation `json:"violations,omitzero"`
	// Current is the last change of the object, when a precondition failed.
	Current *LastChange `json:"current,omitzero"`
	// Referents lists the addresses that still need an object.
	Referents []string `json:"referents,omitzero"`
}

// NewProblem returns a problem of a code. Type, title and status follow from it.
func NewProblem(code Code, detail string) *Problem {
	status, ok := Statuses[code]
	if !ok {
		code, status = CodeInternal, http.StatusInternalServerError
	}
	return &Problem{
		Type:   ProblemTypePrefix + string(code),
		Title:  http.StatusText(status),
		Status: status,
		Code:   code,
		Detail: detail,
	}
}

// Error implements error.
func (p *Problem) Error() string {
	if p.RequestID == "" {
		return fmt.Sprintf("%s (%s)", p.Detail, p.Code)
	}
	return fmt.Sprintf("%s (%s, request %s)", p.Detail, p.Code, p.RequestID)
}
