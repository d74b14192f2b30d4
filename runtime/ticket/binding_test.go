package ticket_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

func effects() []ticket.Effect {
	return []ticket.Effect{
		{Address: "route/shop", Op: lb.OpUpdate, Digest: "d3", Plan: 13},
		{Address: "pool/web", Op: lb.OpUpdate, Digest: "d1", Plan: 11},
		{Address: "pool/web", Op: lb.OpDelete, Digest: "d0", Unknown: []string{"/b", "/a"}, Plan: 12},
		{Address: "pool/web", Op: lb.OpUpdate, Digest: "d2", Plan: 14},
	}
}

// bind is the binding of a ticket that is opened for what a run planned.
func bind(t *testing.T, run string, effects []ticket.Effect) *ticket.Binding {
	t.Helper()
	r := request()
	r.NotBefore, r.NotAfter = begin, end
	return asked(t, r, run, effects).Binding
}

// asked is a ticket that is opened for what a run planned.
func asked(t *testing.T, r ticket.Request, run string, effects []ticket.Effect) ticket.Ticket {
	t.Helper()
	var err error
	if r.Binding, err = ticket.Bind(run, effects); err != nil {
		t.Fatal(err)
	}
	tk, err := ticket.Open(r, requester, begin)
	if err != nil {
		t.Fatal(err)
	}
	return tk
}

func TestABindingHoldsTheNewestPlanOfEachOperation(t *testing.T) {
	b := bind(t, "r1", effects())
	if len(b.Effects) != 3 {
		t.Fatalf("bound to %+v", b.Effects)
	}
	for _, tt := range []struct {
		op            lb.Op
		address, want string
	}{
		{lb.OpUpdate, "pool/web", "d2"},
		{lb.OpDelete, "pool/web", "d0"},
		{lb.OpUpdate, "route/shop", "d3"},
		{lb.OpDelete, "route/shop", ""},
		{lb.OpCreate, "pool/web", ""},
		{lb.OpUpdate, "pool/we", ""},
	} {
		got := ""
		if e := b.For(tt.op, tt.address); e != nil {
			got = e.Digest
		}
		if got != tt.want {
			t.Errorf("%s of %s is held to %q, want %q", tt.op, tt.address, got, tt.want)
		}
	}
}

// TestASetOfEffectsHasOneDigest: whoever planned it, when and in which order.
func TestASetOfEffectsHasOneDigest(t *testing.T) {
	first := bind(t, "r1", effects())
	again := effects()
	for i := range again {
		again[i].Plan += 100
	}
	again[0], again[3] = again[3], again[0]
	again[2].Unknown = []string{"/a", "/b"}
	if second := bind(t, "r2", again); second.Digest != first.Digest {
		t.Errorf("%s and %s", first.Digest, second.Digest)
	}
	for name, change := range map[string]func([]ticket.Effect) []ticket.Effect{
		"another digest":    func(e []ticket.Effect) []ticket.Effect { e[0].Digest = "d9"; return e },
		"another operation": func(e []ticket.Effect) []ticket.Effect { e[0].Op = lb.OpCreate; return e },
		"another address":   func(e []ticket.Effect) []ticket.Effect { e[0].Address = "route/shop2"; return e },
		"another unknown":   func(e []ticket.Effect) []ticket.Effect { e[2].Unknown = nil; return e },
		"one more":          func(e []ticket.Effect) []ticket.Effect { return append(e, ticket.Effect{Address: "pool/x"}) },
		"one less":          func(e []ticket.Effect) []ticket.Effect { return e[1:] },
	} {
		if other := bind(t, "r1", change(effects())); other.Digest == first.Digest {
			t.Errorf("%s has the same digest", name)
		}
	}
}

func TestABindingIsBounded(t *testing.T) {
	many := make([]ticket.Effect, ticket.MaxEffects+1)
	for i := range many {
		many[i] = ticket.Effect{Address: fmt.Sprintf("pool/p%d", i), Op: lb.OpCreate}
	}
	var violations lb.Violations
	for name, effects := range map[string][]ticket.Effect{"nothing": nil, "too much": many} {
		if _, err := ticket.Bind("r1", effects); !errors.As(err, &violations) || violations[0].Pointer != "/run" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ticket.Bind("r1", many[1:]); err != nil {
		t.Errorf("as much as is allowed: %v", err)
	}
}

// TestEffectsThatArePlannedAgainKeepTheirApprovals, and others don't, nor do other
// terms: what was signed off covers both.
func TestEffectsThatArePlannedAgainKeepTheirApprovals(t *testing.T) {
	again := request()
	again.NotBefore, again.NotAfter, again.MaxUses = begin, end, 5
	tk := asked(t, again, "r1", effects())
	tk, err := tk.Apply(ticket.Act{Action: ticket.Approve, By: other, Now: mid, Effects: tk.Binding.Digest})
	if err != nil || tk.State != ticket.Approved {
		t.Fatalf("%s, %v", tk.State, err)
	}
	amend := func(change func(*ticket.Request), effects []ticket.Effect) ticket.Ticket {
		t.Helper()
		r := again
		change(&r)
		if effects != nil {
			if r.Binding, err = ticket.Bind("r2", effects); err != nil {
				t.Fatal(err)
			}
		}
		after, err := tk.Apply(ticket.Act{Action: ticket.Amend, By: requester, Now: mid, Request: r})
		if err != nil {
			t.Fatal(err)
		}
		return after
	}
	same := func(*ticket.Request) {}
	if after := amend(same, effects()); after.State != ticket.Approved || len(after.Approvals) != 1 || after.Binding.Run != "r2" {
		t.Errorf("the same effects of another run: %s, approvals %+v", after.State, after.Approvals)
	}
	if after := amend(same, nil); after.State != ticket.Pending || len(after.Approvals) != 0 {
		t.Errorf("no binding: %s, approvals %+v", after.State, after.Approvals)
	}
	if after := amend(same, effects()[1:]); after.State != ticket.Pending || after.Binding.Digest == tk.Binding.Digest {
		t.Errorf("other effects: %s, digest %s", after.State, after.Binding.Digest)
	}
	for name, change := range map[string]func(*ticket.Request){
		"a longer window":     func(r *ticket.Request) { r.NotAfter = end.Add(time.Minute) },
		"more uses":           func(r *ticket.Request) { r.MaxUses = 6 },
		"more approvals":      func(r *ticket.Request) { r.RequiredApprovals = 2 },
		"approvers may apply": func(r *ticket.Request) { r.SeparateApplier = true },
		"over conflicts":      func(r *ticket.Request) { r.OverrideConflicts = true },
		"another scope":       func(r *ticket.Request) { r.Scope.Addresses = []string{"pool/*"} },
	} {
		after := amend(change, effects())
		if after.State != ticket.Pending || len(after.Approvals) != 0 || after.Binding.Digest == tk.Binding.Digest {
			t.Errorf("%s: %s, approvals %+v, digest %s", name, after.State, after.Approvals, after.Binding.Digest)
		}
	}
}

// TestAnApproverSignsWhatTheySaw: of a bound ticket the digest of the set, and
// no other.
func TestAnApproverSignsWhatTheySaw(t *testing.T) {
	tk := stored(ticket.Pending)
	tk.Binding = bind(t, "r1", effects())
	var violations lb.Violations
	if _, err := tk.Apply(ticket.Act{Action: ticket.Approve, By: other, Now: mid}); !errors.As(err, &violations) || violations[0].Pointer != "/effects_digest" {
		t.Errorf("approved unseen: %v", err)
	}
	if _, err := tk.Apply(ticket.Act{Action: ticket.Approve, By: other, Now: mid, Effects: "d0"}); code(t, err) != ticket.CodeEffectsChanged {
		t.Errorf("approved another set: %v", err)
	}
	after, err := tk.Apply(ticket.Act{Action: ticket.Approve, By: other, Now: mid, Effects: tk.Binding.Digest})
	if err != nil || after.State != ticket.Approved || after.Approvals[1].Effects != tk.Binding.Digest {
		t.Errorf("%+v, %v", after, err)
	}
}

// TestASetOfEffectsHasADigestOfItsOwn, on whatever terms and in whatever order.
func TestASetOfEffectsHasADigestOfItsOwn(t *testing.T) {
	set := []ticket.Effect{
		{Address: "pool/a", Op: lb.OpUpdate, Digest: "1", Plan: 4},
		{Address: "pool/a", Op: lb.OpCreate, Digest: "2"},
		{Address: "pool/b", Op: lb.OpUpdate, Digest: "1", Unknown: []string{"/b", "/a"}},
	}
	want := ticket.SetDigest(set)
	same := []ticket.Effect{
		{Address: "pool/b", Op: lb.OpUpdate, Digest: "1", Unknown: []string{"/a", "/b"}, Plan: 9},
		{Address: "pool/a", Op: lb.OpCreate, Digest: "2"},
		{Address: "pool/a", Op: lb.OpUpdate, Digest: "1"},
	}
	if got := ticket.SetDigest(same); got != want {
		t.Errorf("the same set has the digests %s and %s", want, got)
	}
	seen := map[string]string{want: "the set", ticket.SetDigest(nil): "nothing"}
	for name, change := range map[string]func(e *ticket.Effect){
		"another address": func(e *ticket.Effect) { e.Address = "pool/c" },
		"another op":      func(e *ticket.Effect) { e.Op = lb.OpDelete },
		"another effect":  func(e *ticket.Effect) { e.Digest = "3" },
		"another unknown": func(e *ticket.Effect) { e.Unknown = []string{"/c"} },
	} {
		other := slices.Clone(set)
		change(&other[0])
		digest := ticket.SetDigest(other)
		if held, ok := seen[digest]; ok {
			t.Errorf("%s has the digest of %s", name, held)
		}
		seen[digest] = name
	}
}
