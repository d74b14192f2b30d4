package control_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// freeze is a window of an hour from a time on.
func freeze(begin time.Time, addresses ...string) *lb.Freeze {
	f := lb.NewFreeze()
	f.Owner, f.Reason, f.Begin, f.End = "sre", "nobody is here", begin, begin.Add(time.Hour)
	if len(addresses) > 0 {
		f.Addresses = addresses
	}
	return f
}

// rules is a policy of rules, each "when => require".
func rules(all map[string]string) *lb.Policy {
	p := lb.NewPolicy()
	p.Owner, p.Rules = "sre", map[string]lb.PolicyRule{}
	for name, text := range all {
		when, require, _ := strings.Cut(text, " => ")
		p.Rules[name] = lb.PolicyRule{When: when, Require: require, Message: "the rule " + name + " says so"}
	}
	return p
}

// TestAFreezeWindowStopsAllButEmergencies goes through a recurring window.
func TestAFreezeWindowStopsAllButEmergencies(t *testing.T) {
	clock := newClock()
	log := controltest.Open(t, control.Options{Store: openStore(t, t.TempDir()), Now: clock.Now})
	id := approvedTicket(t, log, control.TicketRequest{Request: ticket.Request{NotAfter: clock.Now().AddDate(0, 1, 0)}})
	weekly := freeze(clock.Now().Add(time.Hour), "pool/*")
	weekly.Recurrence = "FREQ=WEEKLY"
	log.Create(t, id, "freeze/weekly", weekly)
	log.Create(t, id, "pool/before", controltest.Numbered(1))
	for week := range 3 {
		clock.Advance(time.Hour)
		o, err := log.Put(t.Context(), controltest.By(id), put(t, "pool/web", controltest.Numbered(1), 0))
		refusal := controltest.Refused(t, control.CodeFrozen, o, err)
		if !strings.Contains(refusal.Detail, "nobody is here") || !strings.Contains(refusal.Detail, "freeze/weekly") {
			t.Errorf("refused with %q", refusal.Detail)
		}
		emergency := opened(t, log, control.TicketRequest{Request: ticket.Request{Type: ticket.Emergency}})
		log.Update(t, emergency.ID, "pool/before", controltest.Numbered(10+week))
		clock.Advance(time.Hour)
		log.Update(t, id, "pool/before", controltest.Numbered(20+week))
		clock.Advance(7*24*time.Hour - 2*time.Hour)
	}
}

// TestAFreezeWindowCanNotBeLiftedByThoseItStops: ending it is a change too.
func TestAFreezeWindowCanNotBeLiftedByThoseItStops(t *testing.T) {
	log := newLog(t)
	log.Create(t, "CHG-1", "freeze/all", freeze(time.Now().Add(-time.Minute)))
	o, err := log.Delete(t.Context(), underOne, controltest.Address(t, "freeze/all"), exists)
	controltest.Refused(t, control.CodeFrozen, o, err)
	emergency := opened(t, log, control.TicketRequest{Request: ticket.Request{Type: ticket.Emergency}})
	o, err = log.Delete(t.Context(), controltest.By(emergency.ID), controltest.Address(t, "freeze/all"), exists)
	controltest.Accepted(t, o, err)
	log.Create(t, "CHG-1", "pool/web", controltest.Numbered(1))
}

// TestPoliciesDecideOnChanges holds the three rules that everybody asks for.
func TestPoliciesDecideOnChanges(t *testing.T) {
	log := newLog(t)
	production := controltest.Numbered(1)
	production.Labels = map[string]string{"env": "production"}
	log.Create(t, "CHG-1", "pool/web", controltest.Numbered(1))
	log.Create(t, "CHG-1", "listener/edge", controltest.Listener(8080, "web"))
	main := log.Create(t, "CHG-1", "policy/main", rules(map[string]string{
		"two-approvals": `change.kind == "listener" && change.op == "delete" => ticket.approvals.size() >= 2`,
		"verified":      `"env" in change.labels && change.labels["env"] == "production" => run.verified`,
		"planned":       `true => !change.unplanned`,
	}))
	run := inRun(t, log, "run-1")

	o, err := log.Put(t.Context(), underOne, put(t, "pool/unplanned", controltest.Numbered(1), 0))
	deniedBy(t, log, o, err, main.Entry.Seq, "planned")

	planned(t, log, run, lb.OpCreate, "pool/prod", production)
	o, err = log.Put(t.Context(), run, put(t, "pool/prod", production, 0))
	deniedBy(t, log, o, err, main.Entry.Seq, "verified")

	planned(t, log, run, lb.OpDelete, "listener/edge", nil)
	o, err = log.Delete(t.Context(), run, controltest.Address(t, "listener/edge"), exists)
	deniedBy(t, log, o, err, main.Entry.Seq, "two-approvals")

	two := opened(t, log, control.TicketRequest{Request: ticket.Request{RequiredApprovals: 2}}).ID
	for _, who := range []identity.Actor{controltest.Anton, vera} {
		o, err := acted(t, log, who, two, ticket.Approve)
		controltest.Accepted(t, o, err)
	}
	o, err = log.Delete(t.Context(), under(run, two), controltest.Address(t, "listener/edge"), exists)
	controltest.Accepted(t, o, err)
	if rules := o.Body.Rules; len(rules) != 2 || rules[0].Result != "passed" || rules[0].Revision != main.Entry.Seq {
		t.Errorf("rules on the entry: %+v", rules)
	}

	emergency := opened(t, log, control.TicketRequest{Request: ticket.Request{Type: ticket.Emergency}})
	log.Create(t, emergency.ID, "pool/unplanned", controltest.Numbered(1))
}

// deniedBy fails the test unless a call was refused by exactly these rules of
// policy/main at a revision, and its entry says so.
func deniedBy(t *testing.T, log *controltest.Log, o control.Outcome, err error, revision int64, names ...string) {
	t.Helper()
	refusal := controltest.Refused(t, control.CodePolicyDenied, o, err)
	_, body := newest(t, log)
	var denied []string
	for _, r := range body.Rules {
		if r.Revision != revision || r.Policy != "main" {
			t.Errorf("decided by %+v, want revision %d of policy/main", r, revision)
		}
		if r.Result == "denied" {
			denied = append(denied, r.Rule)
		}
	}
	if !slices.Equal(denied, names) || !strings.Contains(refusal.Detail, "the rule "+names[0]+" says so") {
		t.Errorf("denied by %v (%s), want %v", denied, refusal.Detail, names)
	}
}

// TestAPolicyThatDoesNotCompileIsRefusedAtTheRule: when it is planned and when it
// is applied.
func TestAPolicyThatDoesNotCompileIsRefusedAtTheRule(t *testing.T) {
	log := newLog(t)
	broken := rules(map[string]string{"typo": "true => ticket.aprovals.size() > 1"})
	o, err := log.Put(t.Context(), underOne, put(t, "policy/main", broken, 0))
	refusal := controltest.Refused(t, control.CodeReferenceUnsuited, o, err)
	if len(refusal.Violations) != 1 || refusal.Violations[0].Pointer != "/rules/typo/require" {
		t.Errorf("violations %+v", refusal.Violations)
	}
	o, err = log.Plan(t.Context(), underOne, control.Plan{Address: controltest.Address(t, "policy/main"), Op: lb.OpCreate, Object: broken})
	controltest.Refused(t, control.CodeInvalid, o, err)
}

// TestAPlanIsToldWhatWouldStopIt: the freeze and the rule, as warnings.
func TestAPlanIsToldWhatWouldStopIt(t *testing.T) {
	log := newLog(t)
	log.Create(t, "CHG-1", "policy/main", rules(map[string]string{"no-pools": `change.kind == "pool" => false`}))
	for _, want := range []string{"the rule no-pools says so", "nobody is here"} {
		plan := planned(t, log, underOne, lb.OpCreate, "pool/web", controltest.Numbered(1))
		if len(plan.Body.Warnings) != 1 || !strings.Contains(plan.Body.Warnings[0], want) {
			t.Errorf("warnings %q, want %q in one", plan.Body.Warnings, want)
		}
		if want != "nobody is here" {
			log.Create(t, "CHG-1", "freeze/now", freeze(time.Now().Add(-time.Minute)))
		}
	}
}

// office is an authority elsewhere, as tests want it to answer.
type office struct{ known control.Elsewhere }

func (o *office) Authority(id string) string {
	if strings.HasPrefix(id, "EXT-") {
		return "office"
	}
	return ""
}

func (o *office) Lookup(_ context.Context, id string) control.Elsewhere {
	known := o.known
	known.Authority, known.Facts.ID = "office", id
	return known
}

// TestATicketThatLivesElsewhereIsAskedFor goes through what the authority can say.
func TestATicketThatLivesElsewhereIsAskedFor(t *testing.T) {
	clock := newClock()
	office := &office{control.Elsewhere{At: clock.Now(), Facts: ticket.Facts{Title: "theirs", Requester: "olivia", State: ticket.Pending, Scope: ticket.Scope{Addresses: []string{"pool/*"}}}}}
	log := controltest.Open(t, control.Options{Store: openStore(t, t.TempDir()), Now: clock.Now, Authorities: office})
	log.Ticket(t, "CHG-1")
	n := 0
	try := func() (control.Outcome, error) {
		n++
		return log.Put(t.Context(), controltest.By("EXT-7"), put(t, "pool/web", controltest.Numbered(n), map[bool]int64{true: 0, false: -1}[n <= 2]))
	}
	o, err := try()
	controltest.Refused(t, ticket.CodeUnapproved, o, err)
	office.known.Facts.State = ticket.Approved
	o, err = try()
	controltest.Accepted(t, o, err)
	if made := held(t, log, "EXT-7"); made.Authority != "office" || made.Title != "theirs" {
		t.Errorf("mirrored as %+v", made)
	}
	before := size(t, log)
	o, err = try()
	if controltest.Accepted(t, o, err); size(t, log) != before+1 {
		t.Error("an answer that says nothing new left an entry")
	}

	office.known.Stale = "it does not answer"
	o, err = try()
	if refusal := controltest.Refused(t, control.CodeAuthorityUnavailable, o, err); !strings.Contains(refusal.Detail, "does not answer") {
		t.Errorf("refused with %q", refusal.Detail)
	}
	grace := rules(nil)
	grace.AuthorityGrace = lb.Duration(time.Minute)
	log.Create(t, "CHG-1", "policy/grace", grace)
	o, err = try()
	controltest.Accepted(t, o, err)
	clock.Advance(2 * time.Minute)
	o, err = try()
	controltest.Refused(t, control.CodeAuthorityUnavailable, o, err)

	office.known.Stale, office.known.Gone = "", true
	o, err = try()
	controltest.Refused(t, ticket.CodeUnknown, o, err)
	o, err = acted(t, log, controltest.Anton, "EXT-7", ticket.Close)
	controltest.Refused(t, ticket.CodeElsewhere, o, err)
	o, err = log.OpenTicket(t.Context(), control.Call{Actor: controltest.Olivia}, control.TicketRequest{Request: ticket.Request{ID: "EXT-8", Title: "mine", Reason: "a test", Scope: ticket.Scope{Addresses: []string{"*"}}}})
	controltest.Refused(t, ticket.CodeElsewhere, o, err)

	if err := log.MarkWritten(t.Context(), "EXT-7", 9); err != nil || held(t, log, "EXT-7").Written != 9 {
		t.Errorf("written %d, %v", held(t, log, "EXT-7").Written, err)
	}
	if lastOf(t, log, audit.TypeTicket).Op != "write_evidence" {
		t.Error("it is not on record that evidence was written back")
	}
}
