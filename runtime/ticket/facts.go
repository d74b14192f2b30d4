package ticket

import "time"

// Facts is what an authority elsewhere says of a change ticket that lives there.
type Facts struct {
	ID        string
	Type      Type
	Title     string
	Reason    string
	URL       string
	Requester string
	// State is pending, approved, rejected, cancelled or closed.
	State State
	// Approvals are those that the authority names. There may be none although
	// the ticket is approved: not every authority says who.
	Approvals []Approval
	// Scope is what may be changed.
	Scope               Scope
	NotBefore, NotAfter time.Time
}

// Mirror returns the ticket that stands here for one that lives elsewhere. Held
// is the mirror so far, or nil.
func (f Facts) Mirror(authority string, held *Ticket, now time.Time) Ticket {
	t := Ticket{ID: f.ID, RequestedAt: now.UTC()}
	if held != nil {
		t.RequestedAt, t.Written, t.Review = held.RequestedAt, held.Written, held.Review
	}
	t.Type, t.Title, t.Reason, t.URL, t.Requester = f.Type, f.Title, f.Reason, f.URL, f.Requester
	t.State, t.Scope, t.Authority = f.State, f.Scope, authority
	t.NotBefore, t.NotAfter = f.NotBefore.UTC(), f.NotAfter.UTC()
	t.Approvals = f.Approvals
	if t.Approvals == nil {
		t.Approvals = []Approval{}
	}
	t.RequiredApprovals = len(t.Approvals)
	if t.Type == "" {
		t.Type = Normal
	}
	return t
}
