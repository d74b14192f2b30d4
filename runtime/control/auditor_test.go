package control_test

import (
	"fmt"
	"path"
	"slices"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// auditor knows what the rules are, and learns from the entries what happened.
type auditor struct {
	tickets map[string]*permission
	freezes map[string]lb.Freeze
	// learn takes in what the call in hand, request, has done to freezes: they hold for
	// what comes after it.
	learn   []func()
	request string
	made    int
	// undone are the changes that the call in hand takes back, of the run undoes, if it is
	// one's, under a ticket.
	undone []lifeOf
	undoes string
	under  *permission
	// lives are the changes of each object, oldest first.
	lives map[string][]lifeOf
}

// lifeOf is one change of an object.
type lifeOf struct {
	seq         int64
	run, ticket string
	after       string
}

// change is which change it is part of.
func (l *lifeOf) change() string {
	if l.run != "" {
		return "run " + l.run
	}
	return "ticket " + l.ticket
}

// permission is a ticket as the auditor pieces it together from who did what.
type permission struct {
	asked     ticket.Ticket // as it was last asked for
	requester string
	submitted bool
	ended     bool
	approvals []string
	reviewed  bool
	uses      int
}

func newAuditor() *auditor {
	return &auditor{tickets: map[string]*permission{}, freezes: map[string]lb.Freeze{}, lives: map[string][]lifeOf{}}
}

func (a *auditor) read(t *testing.T, log *controltest.Log, covered map[string]int) {
	t.Helper()
	rows, err := log.Store.Rows(t.Context(), 0, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		e, err := audit.ParseLeaf(row.Leaf)
		if err != nil {
			t.Fatal(err)
		}
		body, err := audit.ParseBody(row.Body)
		if err != nil {
			t.Fatal(err)
		}
		if e.Request == nil || e.Request.ID != a.request {
			a.settle(t, covered)
			if a.request = ""; e.Request != nil {
				a.request = e.Request.ID
			}
		}
		switch e.Type {
		case audit.TypeTicket:
			a.ticket(t, &e, body)
		case audit.TypeApply:
			a.apply(t, &e, body, covered)
		case audit.TypeReject:
			covered["refused"]++
			if e.Code == control.CodeFrozen {
				covered["frozen"]++
			}
			if e.Code == ticket.CodeUsedUp {
				covered["last use"]++
			}
			if e.Code == control.CodeRollbackConflict {
				covered["conflict"]++
			}
		}
	}
	a.settle(t, covered)
}

// settle ends a call: what it has taken back was permitted as a whole, and what it has done
// to freezes holds from now on.
func (a *auditor) settle(t *testing.T, covered map[string]int) {
	t.Helper()
	if why := a.overrides(covered); why != "" {
		t.Errorf("request %s: %s", a.request, why)
	}
	for _, learn := range a.learn {
		learn()
	}
	a.learn, a.undone, a.undoes, a.under, a.made = nil, nil, "", nil, 0
}

func (a *auditor) ticket(t *testing.T, e *audit.Entry, body audit.Body) {
	t.Helper()
	var after ticket.Ticket
	if err := json.Unmarshal(body.After, &after); err != nil {
		t.Fatal(err)
	}
	p := a.tickets[after.ID]
	switch ticket.Action(e.Op) {
	case "open":
		a.tickets[after.ID] = &permission{asked: after, requester: e.Actor.Name, submitted: after.State != ticket.Draft}
	case ticket.Amend:
		if after.State == ticket.Pending || after.State == ticket.Draft {
			p.approvals = nil
		} else if p.asked.Binding == nil || p.asked.Binding.Digest != after.Binding.Digest {
			t.Errorf("entry %d: ticket %s was amended and kept its approvals", e.Seq, after.ID)
		}
		p.asked = after
	case ticket.Submit:
		p.submitted = true
	case ticket.Approve:
		if e.Actor.Name == p.requester || slices.Contains(p.approvals, e.Actor.Name) {
			t.Errorf("entry %d: %s approved ticket %s", e.Seq, e.Actor.Name, after.ID)
		}
		p.approvals = append(p.approvals, e.Actor.Name)
	case ticket.Reject, ticket.Cancel, ticket.Close:
		p.ended = true
	case ticket.Review:
		p.reviewed = true
	}
}

// apply holds one change to the rules.
func (a *auditor) apply(t *testing.T, e *audit.Entry, body audit.Body, covered map[string]int) {
	t.Helper()
	wrong := func(why string) { t.Errorf("entry %d (%s of %s under %s): %s", e.Seq, e.Op, e.Resource, e.Ticket, why) }
	p := a.tickets[e.Ticket]
	if p == nil {
		wrong("there is no such ticket")
		return
	}
	emergency := p.asked.Type == ticket.Emergency
	if e.Emergency != emergency {
		wrong("the mark of an emergency is wrong")
	}
	if p.ended || !p.submitted || (!emergency && len(p.approvals) < p.asked.RequiredApprovals) {
		wrong(fmt.Sprintf("ended %t, submitted %t, approved by %v of %d", p.ended, p.submitted, p.approvals, p.asked.RequiredApprovals))
	}
	if p.reviewed {
		wrong("made after somebody had reviewed what was done")
	}
	if e.Time.Before(p.asked.NotBefore) || !e.Time.Before(p.asked.NotAfter) {
		wrong(fmt.Sprintf("made at %s, outside of %s to %s", e.Time, p.asked.NotBefore, p.asked.NotAfter))
	}
	if !slices.ContainsFunc(p.asked.Scope.Addresses, func(glob string) bool {
		ok, _ := path.Match(glob, e.Resource)
		return ok || glob == "*"
	}) || (len(p.asked.Scope.Operations) > 0 && !slices.Contains(p.asked.Scope.Operations, lb.Op(e.Op))) {
		wrong("out of scope " + p.asked.Scope.String())
	}
	if p.uses++; p.asked.MaxUses > 0 && p.uses > p.asked.MaxUses {
		wrong(fmt.Sprintf("use %d of %d", p.uses, p.asked.MaxUses))
	}
	if p.asked.SeparateApplier && slices.Contains(p.approvals, e.Actor.Name) {
		wrong("made by an approver")
	}
	if b := p.asked.Binding; b != nil {
		covered["bound"]++
		if !slices.ContainsFunc(b.Effects, func(x ticket.Effect) bool {
			return x.Address == e.Resource && string(x.Op) == e.Op && x.Digest == e.EffectDigest
		}) {
			wrong("not one of the effects that were approved")
		}
	}
	for name, f := range a.freezes {
		frozen := slices.ContainsFunc(f.Addresses, func(glob string) bool { ok, _ := path.Match(glob, e.Resource); return ok || glob == "*" })
		if frozen && !emergency && !e.Time.Before(f.Begin) && e.Time.Before(f.End) {
			wrong("frozen by " + name)
		}
	}
	if emergency {
		covered["emergency"]++
	} else {
		covered["approved"]++
	}
	if a.made++; a.made == 2 {
		covered["several at once"]++
	}
	if e.Rollback != nil {
		covered["rolled back"]++
		if why := a.takesBack(e, body, p); why != "" {
			wrong(why)
		}
	}
	a.lives[e.Resource] = append(a.lives[e.Resource], lifeOf{e.Seq, e.RunID(), e.Ticket, string(body.After)})
	a.learn = append(a.learn, func() { a.learnFreeze(t, e, body) })
}

// takesBack holds a rollback to what it says of itself: that it makes the object what it
// was before what it takes back.
func (a *auditor) takesBack(e *audit.Entry, body audit.Body, p *permission) string {
	life := a.lives[e.Resource]
	n := len(life) - len(body.Undone)
	if n < 0 || len(body.Undone) == 0 {
		return fmt.Sprintf("takes back %v of %v", body.Undone, life)
	}
	undone, was, to := life[n:], "", int64(0)
	if n > 0 && life[n-1].after != "" {
		was, to = life[n-1].after, life[n-1].seq
	}
	for i, seq := range body.Undone {
		if undone[len(undone)-1-i].seq != seq {
			return fmt.Sprintf("takes back %v, but what came last is %v", body.Undone, undone)
		}
	}
	if was != string(body.After) || to != e.Rollback.To {
		return fmt.Sprintf("makes it %s, revision %d; it was %s, revision %d", body.After, e.Rollback.To, was, to)
	}
	a.undone, a.undoes, a.under = append(a.undone, undone...), e.Rollback.Run, p
	return ""
}

// overrides says why the call in hand may not take back all that it does: more than the
// run, or else than the change that came first.
func (a *auditor) overrides(covered map[string]int) string {
	if len(a.undone) == 0 {
		return ""
	}
	first := slices.MinFunc(a.undone, func(x, y lifeOf) int { return int(x.seq - y.seq) })
	own := first.change()
	if a.undoes != "" {
		own = "run " + a.undoes
	}
	switch p := a.under; {
	case !slices.ContainsFunc(a.undone, func(l lifeOf) bool { return l.change() != own }):
	case p.asked.OverrideConflicts:
		covered["overridden"]++
	case p.asked.Binding != nil && p.asked.Type != ticket.Emergency:
		covered["overridden by a binding"]++
	default:
		return "takes back what others have changed since, and nobody permitted that"
	}
	return ""
}

func (a *auditor) learnFreeze(t *testing.T, e *audit.Entry, body audit.Body) {
	t.Helper()
	if ok, _ := path.Match("freeze/*", e.Resource); !ok {
		return
	}
	delete(a.freezes, e.Resource)
	if body.After != nil {
		var f lb.Freeze
		if err := json.Unmarshal(body.After, &f); err != nil {
			t.Fatal(err)
		}
		a.freezes[e.Resource] = f
	}
}
