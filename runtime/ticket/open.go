package ticket

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Request is what a requester says of a ticket.
type Request struct {
	ID                  string
	Type                Type
	Title, Reason, URL  string
	Scope               Scope
	NotBefore, NotAfter time.Time
	RequiredApprovals   int
	MaxUses             int
	SeparateApplier     bool
	OverrideConflicts   bool
	// Draft leaves the ticket with its requester until it is submitted.
	Draft bool
	// Binding is what the ticket is bound to, or nil.
	Binding *Binding
}

// Open makes a ticket of a request: pending, or a draft, or, in an emergency,
// approved at once. Defaults: type normal, one approval, a window from now for
// DefaultWindow (an emergency's: DefaultEmergencyWindow), and for a ticket with a
// binding a scope of everything. What is wrong with the request comes back as
// lb.Violations.
func Open(r Request, requester string, now time.Time) (Ticket, error) {
	t := Ticket{ID: r.ID, State: Pending, Requester: requester, RequestedAt: now.UTC(), Approvals: []Approval{}}
	t.take(r, now)
	if r.Draft {
		t.State = Draft
	}
	vs := t.validate(now)
	if t.Type == Emergency {
		vs = append(vs, t.declare(r, now)...)
	}
	return t, vs.Err()
}

// take fills a ticket with a request and its defaults.
func (t *Ticket) take(r Request, now time.Time) {
	t.Type, t.Title, t.Reason, t.URL = r.Type, strings.TrimSpace(r.Title), strings.TrimSpace(r.Reason), r.URL
	t.Scope, t.Binding = r.Scope, r.Binding
	t.NotBefore, t.NotAfter = r.NotBefore.UTC(), r.NotAfter.UTC()
	t.RequiredApprovals, t.MaxUses, t.SeparateApplier = r.RequiredApprovals, r.MaxUses, r.SeparateApplier
	t.OverrideConflicts = r.OverrideConflicts
	if t.Type == "" {
		t.Type = Normal
	}
	if len(t.Scope.Addresses) == 0 && t.Binding != nil {
		t.Scope.Addresses = []string{lb.GlobEverything}
	}
	if r.NotBefore.IsZero() {
		t.NotBefore = now.UTC()
	}
	if r.NotAfter.IsZero() {
		window := DefaultWindow
		if t.Type == Emergency {
			window = DefaultEmergencyWindow
		}
		t.NotAfter = t.NotBefore.Add(window)
	}
	if t.RequiredApprovals == 0 && t.Type != Emergency {
		t.RequiredApprovals = 1
	}
	t.seal()
}

// declare lets an emergency ticket work at once. It returns what an emergency
// can't have.
func (t *Ticket) declare(r Request, now time.Time) lb.Violations {
	var vs lb.Violations
	add := func(pointer, format string, args ...any) {
		vs = append(vs, lb.Violation{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
	}
	if r.Draft {
		add("/draft", "an emergency ticket works at once and can't be a draft")
	}
	if t.RequiredApprovals != 0 {
		add("/required_approvals", "an emergency ticket needs no approval; it is reviewed afterwards")
	}
	if t.NotBefore.After(now) {
		add("/not_before", "an emergency ticket begins now; leave this out")
	}
	if t.NotAfter.Sub(now) > MaxEmergencyWindow {
		add("/not_after", "an emergency ticket lasts at most %s", MaxEmergencyWindow)
	}
	t.State = Approved
	return vs
}

func (t *Ticket) validate(now time.Time) lb.Violations {
	var vs lb.Violations
	add := func(pointer, format string, args ...any) {
		vs = append(vs, lb.Violation{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
	}
	if msg := CheckID(t.ID); msg != "" {
		add("/id", "%s", msg)
	}
	if !slices.Contains(Types, t.Type) {
		add("/type", "%.32q must be one of standard, normal and emergency", string(t.Type))
	}
	for _, text := range []struct {
		pointer, value string
		limit          int
	}{{"/title", t.Title, MaxTitleLength}, {"/reason", t.Reason, MaxTextLength}} {
		if !saysSomething(text.value) {
			add(text.pointer, "is required and must say something: punctuation alone does not")
		}
		if len(text.value) > text.limit {
			add(text.pointer, "is %d bytes long; at most %d are allowed", len(text.value), text.limit)
		}
		if i := strings.IndexFunc(text.value, unprintable); i >= 0 {
			add(text.pointer, "must not contain control or invisible characters")
		}
	}
	if len(t.URL) > MaxTextLength || (t.URL != "" && !strings.HasPrefix(t.URL, "https://") && !strings.HasPrefix(t.URL, "http://")) ||
		strings.IndexFunc(t.URL, unprintable) >= 0 {
		add("/url", "must be an http or https URL of at most %d bytes", MaxTextLength)
	}
	t.Scope.validate(add)
	if t.Type != Emergency && (t.RequiredApprovals < 1 || t.RequiredApprovals > MaxApprovals) {
		add("/required_approvals", "%d must be between 1 and %d", t.RequiredApprovals, MaxApprovals)
	}
	if t.MaxUses < 0 || t.MaxUses > MaxUses {
		add("/max_uses", "%d must be between 0 (no bound) and %d", t.MaxUses, MaxUses)
	}
	switch {
	case !t.NotAfter.After(t.NotBefore):
		add("/not_after", "must be after not_before")
	case !t.NotAfter.After(now):
		add("/not_after", "has already passed")
	case t.NotAfter.Year() > 9999:
		add("/not_after", "is too far away")
	case t.NotAfter.Sub(t.NotBefore) > MaxWindow:
		add("/not_after", "makes the window longer than %d days", int(MaxWindow.Hours()/24))
	}
	return vs
}

func (s Scope) validate(add func(pointer, format string, args ...any)) {
	if len(s.Addresses) == 0 {
		add("/scope/addresses", "is required: name what may be changed, such as pool/web, route/shop-* or *")
	}
	if len(s.Addresses) > MaxScopeAddresses {
		add("/scope/addresses", "has %d globs; at most %d are allowed", len(s.Addresses), MaxScopeAddresses)
		return
	}
	for i, glob := range s.Addresses {
		if msg := lb.CheckGlob(glob); msg != "" {
			add(fmt.Sprintf("/scope/addresses/%d", i), "%s", msg)
		}
	}
	if len(s.Operations) > len(lb.Ops) {
		add("/scope/operations", "has %d operations; there are only %d", len(s.Operations), len(lb.Ops))
		return
	}
	for i, op := range s.Operations {
		if !slices.Contains(lb.Ops, op) {
			add(fmt.Sprintf("/scope/operations/%d", i), "%.32q must be one of create, update and delete", string(op))
		}
	}
}

// saysSomething holds a text to at least one word of two letters.
func saysSomething(s string) bool {
	letters := 0
	for _, r := range s {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			if letters++; letters >= 2 {
				return true
			}
		}
	}
	return false
}

func unprintable(r rune) bool {
	return r == unicode.ReplacementChar || (!unicode.IsPrint(r) && r != '\n' && r != '\t')
}
