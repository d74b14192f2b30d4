package ticket

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Type is the kind of change a ticket is for.
type Type string

// The types of ticket.
const (
	Standard  Type = "standard"
	Normal    Type = "normal"
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
	DefaultWindow     = 24 * time.Hour
	MaxWindow         = 90 * 24 * time.Hour
)

// Ticket is permission to change something, and why.
type Ticket struct {
	ID                string     `json:"id"`
	Type              Type       `json:"type"`
	Title             string     `json:"title"`
	Reason            string     `json:"reason"`
	URL               string     `json:"url,omitzero"`
	State             State      `json:"state"`
	Requester         string     `json:"requester"`
	RequestedAt       time.Time  `json:"requested_at"`
	Scope             Scope      `json:"scope"`
	NotBefore         time.Time  `json:"not_before"`
	NotAfter          time.Time  `json:"not_after"`
	RequiredApprovals int        `json:"required_approvals"`
	Approvals         []Approval `json:"approvals"`
	Closure           *Closure   `json:"closure,omitzero"`
}

// Scope is what a ticket admits: addresses by glob, and operations.
type Scope struct {
	// Addresses are globs over kind/name in the form of path.Match; "*" alone
	// is everything.
	Addresses []string `json:"addresses"`
	// Operations are what may be done. Empty means everything.
	Operations []lb.Op `json:"operations,omitzero"`
}

// Approval is one person's consent.
type Approval struct {
	By      string    `json:"by"`
	At      time.Time `json:"at"`
	Comment string    `json:"comment,omitzero"`
}

// Closure is how a ticket ended.
type Closure struct {
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Result string    `json:"result,omitzero"`
}

var idPattern = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)

// CheckID returns what is wrong with a ticket's id, or "".
func CheckID(id string) string {
	if len(id) > MaxIDLength || !idPattern.MatchString(id) {
		return fmt.Sprintf("must be 1 to %d letters, digits, '.', '_' or '-', such as CHG-1042", MaxIDLength)
	}
	return ""
}

// Request is what a requester says of a new ticket.
type Request struct {
	ID                  string
	Type                Type
	Title, Reason, URL  string
	Scope               Scope
	NotBefore, NotAfter time.Time
	RequiredApprovals   int
}

// Open makes a pending ticket of a request. Defaults: type normal, one
// approval, a window from now for DefaultWindow. What is wrong with the request
// comes back as lb.Violations.
func Open(r Request, requester string, now time.Time) (Ticket, error) {
	t := Ticket{
		ID: r.ID, Type: r.Type, Title: strings.TrimSpace(r.Title), Reason: strings.TrimSpace(r.Reason), URL: r.URL,
		State: Pending, Requester: requester, RequestedAt: now.UTC(), Scope: r.Scope,
		NotBefore: r.NotBefore.UTC(), NotAfter: r.NotAfter.UTC(), RequiredApprovals: r.RequiredApprovals,
		Approvals: []Approval{},
	}
	if t.Type == "" {
		t.Type = Normal
	}
	if r.NotBefore.IsZero() {
		t.NotBefore = now.UTC()
	}
	if r.NotAfter.IsZero() {
		t.NotAfter = t.NotBefore.Add(DefaultWindow)
	}
	if t.RequiredApprovals == 0 {
		t.RequiredApprovals = 1
	}
	return t, t.validate(now).Err()
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
	if t.Type == Emergency {
		add("/type", "emergency tickets are not available yet; open a normal one and have it approved")
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
	if t.RequiredApprovals < 1 || t.RequiredApprovals > MaxApprovals {
		add("/required_approvals", "%d must be between 1 and %d", t.RequiredApprovals, MaxApprovals)
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
		if msg := checkGlob(glob); msg != "" {
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

func checkGlob(glob string) string {
	if glob == "*" {
		return ""
	}
	if _, err := path.Match(glob, ""); err != nil || len(glob) > 200 || strings.Count(glob, "/") != 1 || strings.ContainsFunc(glob, unprintable) {
		return fmt.Sprintf("%.32q must be a glob over kind/name, such as pool/web, route/shop-* or *", glob)
	}
	return ""
}

// Admits reports whether the scope covers an operation on an address.
func (s Scope) Admits(op lb.Op, address lb.Address) bool {
	if len(s.Operations) > 0 && !slices.Contains(s.Operations, op) {
		return false
	}
	return slices.ContainsFunc(s.Addresses, func(glob string) bool {
		matched, err := path.Match(glob, address.String())
		return glob == "*" || (err == nil && matched)
	})
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
