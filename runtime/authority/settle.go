package authority

import (
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

const (
	// maxPersonLength is what an actor's name may have.
	maxPersonLength = 128
	maxURLLength    = 2048
	maxApprovals    = 50
	maxYear         = 9999
)

// told are the states that an authority can tell of.
var told = []ticket.State{ticket.Pending, ticket.Approved, ticket.Rejected, ticket.Cancelled, ticket.Closed}

// stateOf looks a foreign word up. One that is not known is never an approval.
func stateOf(states map[string]ticket.State, word string) (ticket.State, bool) {
	state, ok := states[strings.ToLower(strings.TrimSpace(word))]
	return state, ok
}

// typeOf reads a type of change; whatever it doesn't know is a normal one.
func typeOf(word string) ticket.Type {
	if t := ticket.Type(strings.ToLower(strings.TrimSpace(word))); slices.Contains(ticket.Types, t) {
		return t
	}
	return ticket.Normal
}

// settle makes facts of a reading: texts bounded and printable, the requester's own
// approval not counted, and a window where ValidFor asks for one.
func (r *remote) settle(id string, found reading) (ticket.Facts, error) {
	f := found.Facts
	f.ID = id
	f.Title = plain(f.Title, ticket.MaxTitleLength)
	f.Reason = plain(f.Reason, ticket.MaxTextLength)
	f.URL = webURL(f.URL)
	f.Requester = person(f.Requester)
	f.Type = typeOf(string(f.Type))
	f.Scope = ticket.Scope{Addresses: slices.Clone(r.cfg.Scope)}
	if !slices.Contains(told, f.State) {
		f.State = ticket.Pending
	}
	named := len(f.Approvals) > 0
	f.Approvals = othersThan(f.Requester, f.Approvals)
	if f.State == ticket.Approved && named && len(f.Approvals) == 0 {
		f.State = ticket.Pending
	}
	if f.NotBefore.IsZero() && f.NotAfter.IsZero() && r.cfg.ValidFor > 0 && f.State == ticket.Approved {
		if found.approvedAt.IsZero() {
			return ticket.Facts{}, &Unavailable{
				Authority: r.cfg.Name, ticketOnly: true,
				Reason: "it gives the ticket no window and doesn't say when it was approved, and one of them is needed for valid_for",
			}
		}
		f.NotBefore, f.NotAfter = found.approvedAt, found.approvedAt.Add(r.cfg.ValidFor)
	}
	f.NotBefore, f.NotAfter = f.NotBefore.UTC(), f.NotAfter.UTC()
	if f.NotBefore.Year() > maxYear || f.NotAfter.Year() > maxYear {
		return ticket.Facts{}, &Unavailable{Authority: r.cfg.Name, Reason: "its window is too far away", ticketOnly: true}
	}
	return f, nil
}

// othersThan keeps approvals of different people other than the requester, by name
// whatever its case. It keeps the first of several by one person.
func othersThan(requester string, approvals []ticket.Approval) []ticket.Approval {
	kept := []ticket.Approval{}
	for _, a := range approvals {
		by := person(a.By)
		same := func(other ticket.Approval) bool { return strings.EqualFold(other.By, by) }
		if by == "" || strings.EqualFold(by, requester) || slices.ContainsFunc(kept, same) || len(kept) == maxApprovals {
			continue
		}
		kept = append(kept, ticket.Approval{By: by, At: a.At.UTC(), Comment: plain(a.Comment, ticket.MaxTitleLength)})
	}
	return kept
}

// latest returns the time of the last approval, zero when there is none.
func latest(approvals []ticket.Approval) time.Time {
	var at time.Time
	for _, a := range approvals {
		if a.At.After(at) {
			at = a.At
		}
	}
	return at
}

// plain makes foreign text fit to be kept in an entry: one line, printable, without
// a private key in it and at most limit bytes.
func plain(s string, limit int) string {
	if lb.HoldsPrivateKey(s) {
		return redacted
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r) || r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > limit {
		s = strings.TrimSpace(strings.ToValidUTF8(s[:limit], ""))
	}
	return s
}

// person makes a name of a foreign one. The slash is kept for names of the runtime
// itself.
func person(s string) string {
	return strings.ReplaceAll(plain(s, maxPersonLength), "/", "_")
}

// webURL returns a URL that people can be sent to, or "".
func webURL(s string) string {
	if len(s) > maxURLLength || plain(s, maxURLLength) != s || strings.Contains(s, " ") ||
		!strings.HasPrefix(s, "https://") && !strings.HasPrefix(s, "http://") {
		return ""
	}
	return s
}

// parseTime reads a time in one of several layouts. An empty text is no time.
func parseTime(text string, layouts ...string) (time.Time, bool) {
	if text == "" {
		return time.Time{}, true
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}
