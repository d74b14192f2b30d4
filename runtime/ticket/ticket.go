package ticket

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Type is the kind of change a ticket is for.
type Type string

// The types of ticket.
const (
	// Standard is a change of a known kind, Normal any other.
	Standard Type = "standard"
	Normal   Type = "normal"
	// Emergency works at once, without approval, for a short while; afterwards
	// somebody else has to review what was done under it.
	Emergency Type = "emergency"
)

// Types lists the types of ticket.
var Types = []Type{Standard, Normal, Emergency}

// Bounds of a ticket.
const (
	MaxIDLength       = 64
	MaxTextLength     = 4096
	MaxTitleLength    = 200
	MaxScopeAddresses = 100
	MaxApprovals      = 10
	MaxUses           = 100_000
	DefaultWindow     = 24 * time.Hour
	MaxWindow         = 90 * 24 * time.Hour

	DefaultEmergencyWindow = time.Hour
	MaxEmergencyWindow     = 4 * time.Hour
)

// Ticket is permission to change something, and why.
type Ticket struct {
	ID          string    `json:"id"`
	Type        Type      `json:"type"`
	Title       string    `json:"title"`
	Reason      string    `json:"reason"`
	URL         string    `json:"url,omitzero"`
	State       State     `json:"state"`
	Requester   string    `json:"requester"`
	RequestedAt time.Time `json:"requested_at"`
	Scope       Scope     `json:"scope"`
	NotBefore   time.Time `json:"not_before"`
	// NotAfter ends the window; zero, for tickets that live elsewhere only, means
	// that it has no end.
	NotAfter          time.Time  `json:"not_after,omitzero"`
	RequiredApprovals int        `json:"required_approvals"`
	Approvals         []Approval `json:"approvals"`
	// MaxUses is how many changes may be made under the ticket; 0 is no bound.
	MaxUses int `json:"max_uses,omitzero"`
	// SeparateApplier keeps those who approved from applying.
	SeparateApplier bool `json:"separate_applier,omitzero"`
	// OverrideConflicts lets a rollback take back what others have changed since, too.
	OverrideConflicts bool `json:"override_conflicts,omitzero"`
	// Binding, if there is one, is exactly what may be done.
	Binding *Binding `json:"binding,omitzero"`
	// Review is somebody else's look at what was done in an emergency.
	Review  *Approval `json:"review,omitzero"`
	Closure *Closure  `json:"closure,omitzero"`
	// Authority is the name of where the ticket lives; empty for here.
	Authority string `json:"authority,omitzero"`
	// Written is the last entry of which the authority was told.
	Written int64 `json:"written,omitzero"`
}

// Scope is what a ticket admits: addresses by glob, and operations.
type Scope struct {
	// Addresses are globs over kind/name, see [lb.CheckGlob].
	Addresses []string `json:"addresses"`
	// Operations are what may be done. Empty means everything.
	Operations []lb.Op `json:"operations,omitzero"`
}

// Approval is one person's consent.
type Approval struct {
	By      string    `json:"by"`
	At      time.Time `json:"at"`
	Comment string    `json:"comment,omitzero"`
	// Effects is the digest of the set of effects that were signed off, of a
	// ticket with a binding.
	Effects string `json:"effects_digest,omitzero"`
}

// Closure is how a ticket ended.
type Closure struct {
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Result string    `json:"result,omitzero"`
	// Evidence is what was done under the ticket, of a ticket that was closed.
	Evidence *Evidence `json:"evidence,omitzero"`
}

// Evidence is what the log holds of a ticket.
type Evidence struct {
	// Applied and Refused count the changes made and refused under the ticket.
	Applied int `json:"applied"`
	Refused int `json:"refused"`
	// First and Last are the entries of the first and last change; 0 for none.
	First int64 `json:"first,omitzero"`
	Last  int64 `json:"last,omitzero"`
	// Appliers are those who made the changes.
	Appliers []string `json:"appliers"`
	// LogSize and LogRoot are the log's checkpoint at that moment: the number of
	// entries and the root of their Merkle tree, base64.
	LogSize int64  `json:"log_size,omitzero"`
	LogRoot string `json:"log_root,omitzero"`
}

var idPattern = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)

// CheckID returns what is wrong with a ticket's id, or "".
func CheckID(id string) string {
	if len(id) > MaxIDLength || !idPattern.MatchString(id) {
		return fmt.Sprintf("must be 1 to %d letters, digits, '.', '_' or '-', such as CHG-1042", MaxIDLength)
	}
	return ""
}

// Unreviewed reports whether the ticket was an emergency's and nobody else has
// looked at it yet.
func (t *Ticket) Unreviewed() bool { return t.Type == Emergency && t.Review == nil }

// Approvers are the names of those who approved.
func (t *Ticket) Approvers() []string {
	names := make([]string, len(t.Approvals))
	for i, a := range t.Approvals {
		names[i] = a.By
	}
	return names
}

func (t *Ticket) approvedBy(who string) bool { return slices.Contains(t.Approvers(), who) }

// Admits reports whether the scope covers an operation on an address.
func (s Scope) Admits(op lb.Op, address lb.Address) bool {
	if len(s.Operations) > 0 && !slices.Contains(s.Operations, op) {
		return false
	}
	return lb.AnyGlobMatches(s.Addresses, address.String())
}

// String describes the scope: "create, update on pool/*, route/web".
func (s Scope) String() string {
	ops := "every operation"
	if len(s.Operations) > 0 {
		words := make([]string, len(s.Operations))
		for i, op := range s.Operations {
			words[i] = string(op)
		}
		ops = strings.Join(words, ", ")
	}
	return ops + " on " + strings.Join(s.Addresses, ", ")
}
