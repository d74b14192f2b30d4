package ticket_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

func attempt(op lb.Op, address lb.Address, now time.Time) ticket.Attempt {
	return ticket.Attempt{Op: op, Address: address, Actor: "ci", Now: now}
}

// TestAdmitInEveryStateAtEveryEdge asks around the edges of the window: it
// begins with its first moment and ends before its last.
func TestAdmitInEveryStateAtEveryEdge(t *testing.T) {
	web := lb.Address{Kind: lb.KindPool, Name: "web"}
	const before, in, after = "before", "in", "after"
	want := map[ticket.State]map[string]string{
		ticket.Draft:     {before: ticket.CodeUnapproved, in: ticket.CodeUnapproved, after: ticket.CodeExpired},
		ticket.Pending:   {before: ticket.CodeUnapproved, in: ticket.CodeUnapproved, after: ticket.CodeExpired},
		ticket.Approved:  {before: ticket.CodeNotYet, in: "", after: ticket.CodeExpired},
		ticket.Closed:    {before: ticket.CodeClosed, in: ticket.CodeClosed, after: ticket.CodeClosed},
		ticket.Rejected:  {before: ticket.CodeRejected, in: ticket.CodeRejected, after: ticket.CodeRejected},
		ticket.Cancelled: {before: ticket.CodeRejected, in: ticket.CodeRejected, after: ticket.CodeRejected},
		ticket.Expired:   {before: ticket.CodeExpired, in: ticket.CodeExpired, after: ticket.CodeExpired},
	}
	for _, state := range append(ticket.States, "unheard of") {
		for now, when := range map[time.Time]string{
			begin.Add(-time.Hour): before, begin.Add(-1): before, begin: in, begin.Add(1): in, mid: in, end.Add(-1): in, end: after, end.Add(1): after, end.AddDate(1, 0, 0): after,
		} {
			tk := stored(state)
			expected, ok := want[state][when]
			if !ok {
				expected = ticket.CodeClosed // what is not known admits nothing
			}
			if got := code(t, tk.Admit(attempt(lb.OpUpdate, web, now))); got != expected {
				t.Errorf("%s at %s (%s the window): %q, want %q", state, now, when, got, expected)
			}
		}
	}
}

func TestScopeAdmitsWhatItsGlobsAndOperationsSay(t *testing.T) {
	for _, tt := range []struct {
		addresses []string
		ops       []lb.Op
		op        lb.Op
		address   string
		admits    bool
	}{
		{[]string{"*"}, nil, lb.OpDelete, "route/shop", true},
		{[]string{"pool/web"}, nil, lb.OpCreate, "pool/web", true},
		{[]string{"pool/web"}, nil, lb.OpCreate, "pool/web2", false},
		{[]string{"pool/web"}, nil, lb.OpCreate, "pool/we", false},
		{[]string{"pool/web"}, nil, lb.OpCreate, "listener/web", false},
		{[]string{"pool/*"}, nil, lb.OpCreate, "pool/a.b-c_d", true},
		{[]string{"pool/*"}, nil, lb.OpCreate, "route/a", false},
		{[]string{"*/web"}, nil, lb.OpCreate, "certificate/web", true},
		{[]string{"*/web"}, nil, lb.OpCreate, "pool/api", false},
		{[]string{"route/shop-*"}, nil, lb.OpCreate, "route/shop-cart", true},
		{[]string{"route/shop-*"}, nil, lb.OpCreate, "route/shop", false},
		{[]string{"pool/w?b"}, nil, lb.OpCreate, "pool/web", true},
		{[]string{"pool/[a-c]*"}, nil, lb.OpCreate, "pool/bee", true},
		{[]string{"pool/[a-c]*"}, nil, lb.OpCreate, "pool/dee", false},
		{[]string{"pool/a", "pool/b"}, nil, lb.OpUpdate, "pool/b", true},
		{nil, nil, lb.OpUpdate, "pool/b", false},
		{[]string{""}, nil, lb.OpUpdate, "pool/b", false},
		{[]string{"["}, nil, lb.OpUpdate, "pool/b", false},
		{[]string{"*"}, []lb.Op{lb.OpUpdate}, lb.OpUpdate, "pool/b", true},
		{[]string{"*"}, []lb.Op{lb.OpUpdate}, lb.OpDelete, "pool/b", false},
		{[]string{"*"}, []lb.Op{lb.OpCreate, lb.OpDelete}, lb.OpDelete, "pool/b", true},
		{[]string{"pool/a"}, []lb.Op{lb.OpUpdate}, lb.OpUpdate, "pool/b", false},
	} {
		t.Run(fmt.Sprintf("%s of %s under %v %v", tt.op, tt.address, tt.addresses, tt.ops), func(t *testing.T) {
			address, err := lb.ParseAddress(tt.address)
			if err != nil {
				t.Fatal(err)
			}
			tk := stored(ticket.Approved)
			tk.Scope = ticket.Scope{Addresses: tt.addresses, Operations: tt.ops}
			got := code(t, tk.Admit(attempt(tt.op, address, mid)))
			if (got == "") != tt.admits || (got != "" && got != ticket.CodeOutOfScope) {
				t.Errorf("%q, want it admitted: %t", got, tt.admits)
			}
		})
	}
}

func request() ticket.Request {
	return ticket.Request{ID: "CHG-1", Title: " a change ", Reason: "it is needed", Scope: ticket.Scope{Addresses: []string{"*"}}}
}

func TestOpenFillsInWhatIsLeftOut(t *testing.T) {
	tk, err := ticket.Open(request(), requester, begin)
	if err != nil {
		t.Fatal(err)
	}
	if tk.State != ticket.Pending || tk.Type != ticket.Normal || tk.RequiredApprovals != 1 || tk.Title != "a change" || tk.Requester != requester ||
		!tk.NotBefore.Equal(begin) || tk.NotAfter.Sub(tk.NotBefore) != ticket.DefaultWindow || tk.Approvals == nil {
		t.Errorf("opened %+v", tk)
	}
	later := request()
	later.NotBefore = begin.Add(48 * time.Hour).In(time.FixedZone("", 3600))
	if tk, err = ticket.Open(later, requester, begin); err != nil || tk.NotAfter.Sub(later.NotBefore) != ticket.DefaultWindow || tk.NotBefore.Location() != time.UTC {
		t.Errorf("opened %+v, %v", tk, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, tt := range []struct {
		name    string
		change  func(*ticket.Request)
		pointer string
	}{
		{"no id", func(r *ticket.Request) { r.ID = "" }, "/id"},
		{"id with a slash", func(r *ticket.Request) { r.ID = "a/b" }, "/id"},
		{"id with a line break", func(r *ticket.Request) { r.ID = "a\nb" }, "/id"},
		{"id that is too long", func(r *ticket.Request) { r.ID = strings.Repeat("a", ticket.MaxIDLength+1) }, "/id"},
		{"unknown type", func(r *ticket.Request) { r.Type = "quick" }, "/type"},
		{"emergency as a draft", func(r *ticket.Request) { r.Type, r.Draft = ticket.Emergency, true }, "/draft"},
		{"emergency with approvals", func(r *ticket.Request) { r.Type, r.RequiredApprovals = ticket.Emergency, 1 }, "/required_approvals"},
		{"emergency that begins later", func(r *ticket.Request) { r.Type, r.NotBefore = ticket.Emergency, mid }, "/not_before"},
		{"emergency that lasts too long", func(r *ticket.Request) {
			r.Type, r.NotAfter = ticket.Emergency, begin.Add(ticket.MaxEmergencyWindow+1)
		}, "/not_after"},
		{"negative uses", func(r *ticket.Request) { r.MaxUses = -1 }, "/max_uses"},
		{"too many uses", func(r *ticket.Request) { r.MaxUses = ticket.MaxUses + 1 }, "/max_uses"},
		{"no title", func(r *ticket.Request) { r.Title = "" }, "/title"},
		{"title of punctuation", func(r *ticket.Request) { r.Title = "-- !! --" }, "/title"},
		{"reason of spaces", func(r *ticket.Request) { r.Reason = " \t\n " }, "/reason"},
		{"reason of one letter", func(r *ticket.Request) { r.Reason = "x." }, "/reason"},
		{"reason with an escape", func(r *ticket.Request) { r.Reason = "red \x1b[31m" }, "/reason"},
		{"reason that is too long", func(r *ticket.Request) { r.Reason = strings.Repeat("a", ticket.MaxTextLength+1) }, "/reason"},
		{"title that is too long", func(r *ticket.Request) { r.Title = strings.Repeat("a", ticket.MaxTitleLength+1) }, "/title"},
		{"url of another scheme", func(r *ticket.Request) { r.URL = "javascript:alert(1)" }, "/url"},
		{"no scope", func(r *ticket.Request) { r.Scope.Addresses = nil }, "/scope/addresses"},
		{"too much scope", func(r *ticket.Request) { r.Scope.Addresses = make([]string, ticket.MaxScopeAddresses+1) }, "/scope/addresses"},
		{"glob without a kind", func(r *ticket.Request) { r.Scope.Addresses = []string{"web"} }, "/scope/addresses/0"},
		{"glob that can't match", func(r *ticket.Request) { r.Scope.Addresses = []string{"*", "pool/[a"} }, "/scope/addresses/1"},
		{"unknown operation", func(r *ticket.Request) { r.Scope.Operations = []lb.Op{"read"} }, "/scope/operations/0"},
		{"too many approvals", func(r *ticket.Request) { r.RequiredApprovals = ticket.MaxApprovals + 1 }, "/required_approvals"},
		{"negative approvals", func(r *ticket.Request) { r.RequiredApprovals = -1 }, "/required_approvals"},
		{"empty window", func(r *ticket.Request) { r.NotBefore, r.NotAfter = end, end }, "/not_after"},
		{"window that has passed", func(r *ticket.Request) { r.NotBefore, r.NotAfter = begin.Add(-2*time.Hour), begin }, "/not_after"},
		{"window that is too long", func(r *ticket.Request) { r.NotAfter = begin.Add(ticket.MaxWindow + 1) }, "/not_after"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := request()
			tt.change(&r)
			_, err := ticket.Open(r, requester, begin)
			var violations lb.Violations
			if !errors.As(err, &violations) || len(violations) != 1 || violations[0].Pointer != tt.pointer {
				t.Errorf("%v; want one violation at %s", err, tt.pointer)
			}
		})
	}
}

func TestACommentIsBounded(t *testing.T) {
	tk := stored(ticket.Pending)
	for _, comment := range []string{strings.Repeat("x", ticket.MaxTextLength+1), "red \x1b[31m"} {
		var violations lb.Violations
		if _, err := tk.Apply(ticket.Act{Action: ticket.Reject, By: other, Comment: comment, Now: mid}); !errors.As(err, &violations) || violations[0].Pointer != "/comment" {
			t.Errorf("comment of %d bytes: %v", len(comment), err)
		}
	}
}

func TestATicketIsGoodForItsUsesAndNoMore(t *testing.T) {
	web := lb.Address{Kind: lb.KindPool, Name: "web"}
	tk := stored(ticket.Approved)
	tk.MaxUses = 3
	for uses, want := range map[int]string{0: "", 2: "", 3: ticket.CodeUsedUp, 4: ticket.CodeUsedUp} {
		a := attempt(lb.OpUpdate, web, mid)
		a.Uses = uses
		if got := code(t, tk.Admit(a)); got != want {
			t.Errorf("after %d uses: %q, want %q", uses, got, want)
		}
	}
	tk.MaxUses = 0
	a := attempt(lb.OpUpdate, web, mid)
	a.Uses = ticket.MaxUses
	if got := code(t, tk.Admit(a)); got != "" {
		t.Errorf("without a bound: %q", got)
	}
}

func TestAnApproverAppliesOnlyWhereThatIsAllowed(t *testing.T) {
	web := lb.Address{Kind: lb.KindPool, Name: "web"}
	for _, separate := range []bool{false, true} {
		for _, who := range []string{requester, approved, other} {
			tk := stored(ticket.Approved)
			tk.SeparateApplier = separate
			a := attempt(lb.OpUpdate, web, mid)
			a.Actor = who
			want := ""
			if separate && who == approved {
				want = ticket.CodeApproverApply
			}
			if got := code(t, tk.Admit(a)); got != want {
				t.Errorf("separate %t, applied by %s: %q, want %q", separate, who, got, want)
			}
		}
	}
}

func TestAnEmergencyTicketWorksAtOnceAndForAShortWhile(t *testing.T) {
	r := request()
	r.Type = ticket.Emergency
	tk, err := ticket.Open(r, requester, begin)
	if err != nil || tk.State != ticket.Approved || tk.NotAfter.Sub(begin) != ticket.DefaultEmergencyWindow || !tk.Unreviewed() {
		t.Fatalf("opened %+v, %v", tk, err)
	}
	web := lb.Address{Kind: lb.KindPool, Name: "web"}
	for now, want := range map[time.Time]string{begin: "", tk.NotAfter.Add(-1): "", tk.NotAfter: ticket.CodeExpired} {
		if got := code(t, tk.Admit(attempt(lb.OpUpdate, web, now))); got != want {
			t.Errorf("%s after it was opened: %q, want %q", now.Sub(begin), got, want)
		}
	}
}

func TestATicketThatLivesElsewhereIsMovedThere(t *testing.T) {
	facts := ticket.Facts{ID: "CHG-1", Title: "a change", Requester: requester, State: ticket.Approved, Scope: ticket.Scope{Addresses: []string{"*"}}}
	held := facts.Mirror("servicenow", nil, begin)
	held.Written = 12
	tk := facts.Mirror("servicenow", &held, mid)
	if tk.Written != 12 || !tk.RequestedAt.Equal(begin) {
		t.Errorf("the mirror forgot what it was told: %+v", tk)
	}
	for _, action := range []ticket.Action{ticket.Approve, ticket.Reject, ticket.Cancel, ticket.Close, ticket.Amend, ticket.Submit} {
		if _, err := tk.Apply(ticket.Act{Action: action, By: other, Now: mid}); code(t, err) != ticket.CodeElsewhere {
			t.Errorf("%s: %v", action, err)
		}
	}
	web := lb.Address{Kind: lb.KindPool, Name: "web"}
	if got := code(t, tk.Admit(attempt(lb.OpUpdate, web, mid.AddDate(5, 0, 0)))); got != "" {
		t.Errorf("approved and without an end: %q", got)
	}
}

func TestAReviewedEmergencyTicketAdmitsNothingMore(t *testing.T) {
	web := lb.Address{Kind: lb.KindPool, Name: "web"}
	if got := code(t, ptr(emergency(ticket.Approved)).Admit(attempt(lb.OpUpdate, web, mid))); got != "" {
		t.Errorf("before the review: %q", got)
	}
	if got := code(t, ptr(reviewed(ticket.Approved)).Admit(attempt(lb.OpUpdate, web, mid))); got != ticket.CodeClosed {
		t.Errorf("after it: %q, want %q", got, ticket.CodeClosed)
	}
}

func ptr(t ticket.Ticket) *ticket.Ticket { return &t }
