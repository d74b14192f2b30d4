package control_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// job is a caller whose credential proves a run, by a provider's word.
func job(provider, run string, role identity.Role) control.Call {
	return control.Call{Run: run, Actor: identity.Actor{
		Name: provider + ".acme.infra", Credential: "session/0b5e9c3f7a12", Role: role,
		Verified: &identity.Verified{Provider: provider, Issuer: "https://" + provider + ".example", Subject: "repo:acme/infra", Run: identity.VerifiedRun{ID: run, Repository: "acme/infra"}},
	}}
}

// login is an accepted token that ends at a time.
func login(tokenID string, ends time.Time) identity.Login {
	return identity.Login{Actor: job("github", "run-1", identity.Operator).Actor, TokenID: tokenID, ExpiresAt: ends, Session: 15 * time.Minute, Exchanges: 2}
}

// TestNobodyActsInTheNameOfAnotherRun: not on objects, and not on tickets and tokens.
func TestNobodyActsInTheNameOfAnotherRun(t *testing.T) {
	log := newLog(t)
	inRun(t, log, "victim")
	pretender := job("github", "own", identity.Admin)
	pretender.Run, pretender.Ticket = "victim", "CHG-1"
	for name, call := range map[string]func() (control.Outcome, error){
		"change": func() (control.Outcome, error) {
			return log.Put(t.Context(), pretender, put(t, "pool/web", controltest.Numbered(1), 0))
		},
		"plan": func() (control.Outcome, error) {
			return log.Plan(t.Context(), pretender, control.Plan{Address: controltest.Address(t, "pool/web"), Op: lb.OpCreate, Object: controltest.Numbered(1)})
		},
		"register": func() (control.Outcome, error) {
			return log.RegisterRun(t.Context(), pretender, "victim", map[string]string{"system": "test"})
		},
		"open a ticket": func() (control.Outcome, error) {
			return log.OpenTicket(t.Context(), pretender, control.TicketRequest{Request: ticket.Request{ID: "CHG-2", Title: "mine", Reason: "a test", Scope: ticket.Scope{Addresses: []string{"*"}}}})
		},
		"close a ticket": func() (control.Outcome, error) {
			return log.ActOnTicket(t.Context(), pretender, "CHG-1", control.TicketAct{Action: ticket.Close})
		},
		"create a token": func() (control.Outcome, error) {
			o, _, err := log.CreateToken(t.Context(), pretender, control.TokenRequest{Actor: "x", Role: identity.Viewer})
			return o, err
		},
		"revoke a token": func() (control.Outcome, error) { return log.RevokeToken(t.Context(), pretender, "x") },
	} {
		o, err := call()
		if err != nil || o.Refusal() == nil || o.Refusal().Code != control.CodeRunContradicts {
			t.Errorf("%s: %+v, %v", name, o.Refusal(), err)
		}
	}
}

// TestARunIsNotTakenOverByAnotherProvidersWord: ids of two systems may be the same.
func TestARunIsNotTakenOverByAnotherProvidersWord(t *testing.T) {
	log := newLog(t)
	first, second := job("github", "github/acme/infra/1/1", identity.Planner), job("ghes", "github/acme/infra/1/1", identity.Planner)
	o, err := log.RegisterRun(t.Context(), first, first.Run, map[string]string{"system": "github", "commit": "abc"})
	controltest.Accepted(t, o, err)
	o, err = log.RegisterRun(t.Context(), second, second.Run, map[string]string{"system": "github", "commit": "evil"})
	controltest.Refused(t, control.CodeRunContradicts, o, err)
	o, err = log.Plan(t.Context(), second, control.Plan{Address: controltest.Address(t, "pool/web"), Op: lb.OpCreate, Object: controltest.Numbered(6)})
	controltest.Refused(t, control.CodeRunContradicts, o, err)
	if run, err := log.RunByID(t.Context(), first.Run); err != nil || run.Proof.Provider != "github" || !strings.Contains(string(run.Claims), "abc") {
		t.Errorf("the run is %+v, %v", run, err)
	}
}

func TestARunThatIsProvedTakesWhatWasOnlyClaimed(t *testing.T) {
	log := newLog(t)
	inRun(t, log, "run-1")
	proved := job("github", "run-1", identity.Planner)
	o, err := log.RegisterRun(t.Context(), proved, "run-1", map[string]string{"system": "test", "repository": "acme/infra"})
	controltest.Accepted(t, o, err)
	run, err := log.RunByID(t.Context(), "run-1")
	if err != nil || run.Proof == nil || run.Proof.Facts["repository"] != "acme/infra" || run.RegisteredBy != proved.Actor.Name {
		t.Errorf("the run is %+v, %v", run, err)
	}
	o, err = log.RegisterRun(t.Context(), underOne, "run-1", map[string]string{"system": "test", "repository": "mine"})
	controltest.Refused(t, control.CodePreconditionFailed, o, err)
	o, err = log.RegisterRun(t.Context(), proved, "run-1", map[string]string{"system": "test", "repository": "another"})
	if refusal := controltest.Refused(t, control.CodeRunContradicts, o, err); len(refusal.Violations) != 1 || refusal.Violations[0].Pointer != "/repository" {
		t.Errorf("violations %+v", refusal.Violations)
	}
}

func TestASessionCanBeRevoked(t *testing.T) {
	log := newLog(t)
	in := login("one", time.Now().Add(time.Hour))
	o, secret, err := log.OpenSession(t.Context(), control.Call{Actor: in.Actor}, in)
	controltest.Accepted(t, o, err)
	if actor, err := log.Authenticate(secret); err != nil || actor.Verified == nil || actor.Verified.Run.ID != "run-1" {
		t.Fatalf("%+v, %v", actor, err)
	}
	o, err = log.RevokeToken(t.Context(), control.Call{Actor: controltest.Olivia}, strings.TrimPrefix(o.Entry.Resource, "session/"))
	controltest.Accepted(t, o, err)
	if _, err := log.Authenticate(secret); err == nil {
		t.Error("the session still works")
	}
}

// TestCredentialsThatTheGateCannotTellApartCountAsOne: or whoever logs in often
// makes explaining what they may do costly.
func TestCredentialsThatTheGateCannotTellApartCountAsOne(t *testing.T) {
	log := newLog(t)
	in := login("one", time.Now().Add(time.Hour))
	in.Exchanges = 100
	open := func(change func(*identity.Login)) {
		next := in
		verified := *in.Actor.Verified
		next.Actor.Verified = &verified
		change(&next)
		for range 3 {
			o, _, err := log.OpenSession(t.Context(), control.Call{Actor: next.Actor}, next)
			controltest.Accepted(t, o, err)
		}
	}
	for want, change := range []func(*identity.Login){
		func(*identity.Login) {},
		func(l *identity.Login) { l.Actor.Role = identity.Viewer },
		func(l *identity.Login) { l.Actor.Scopes = []string{"pool/a", "pool/b"} },
		func(l *identity.Login) { l.Actor.Scopes = []string{"pool/a"} },
		func(l *identity.Login) { l.Actor.Verified.Provider = "gitlab" },
		func(l *identity.Login) { l.Actor.Verified.Subject = "repo:acme/other" },
		func(l *identity.Login) { l.Actor.Verified.Run.Ref = "refs/heads/main" },
	} {
		open(change)
		if held := log.CredentialsOf(in.Actor.Name); len(held) != want+1 {
			t.Fatalf("%d that differ: %+v", want+1, held)
		}
	}
}

// TestExchangesCountAsLongAsTheTokenIsGood: also when its sessions ended long ago,
// and after a restart.
func TestExchangesCountAsLongAsTheTokenIsGood(t *testing.T) {
	clock, store := newClock(), openStore(t, t.TempDir())
	log := controltest.Open(t, control.Options{Store: store, Now: clock.Now})
	long := login("long", clock.Now().AddDate(0, 0, 30))
	exchange := func() (control.Outcome, error) {
		o, _, err := log.OpenSession(t.Context(), control.Call{Actor: long.Actor}, long)
		return o, err
	}
	for range long.Exchanges {
		o, err := exchange()
		controltest.Accepted(t, o, err)
		clock.Advance(3 * 24 * time.Hour)
	}
	o, err := exchange()
	controltest.Refused(t, control.CodeExchangesUsedUp, o, err)
	log.Close()
	log = controltest.Open(t, control.Options{Store: store, Now: clock.Now})
	o, err = exchange()
	controltest.Refused(t, control.CodeExchangesUsedUp, o, err)
}

// TestAClockThatWasAheadKeepsNobodyFromStarting: hashes of sessions were dropped
// that are young again.
func TestAClockThatWasAheadKeepsNobodyFromStarting(t *testing.T) {
	clock, store := newClock(), openStore(t, t.TempDir())
	log := controltest.Open(t, control.Options{Store: store, Now: clock.Now})
	for n, ahead := range []time.Duration{0, 30 * time.Hour} {
		clock.Advance(ahead)
		in := login(fmt.Sprint(n), clock.Now().Add(time.Hour))
		o, _, err := log.OpenSession(t.Context(), control.Call{Actor: in.Actor}, in)
		controltest.Accepted(t, o, err)
	}
	clock.Advance(-30 * time.Hour)
	log.Close()
	controltest.Open(t, control.Options{Store: store, Now: clock.Now})
}

// TestCompilingAPolicyHoldsNobodyElseUp: it takes longer than deciding, and is done
// before the call gets in line.
func TestCompilingAPolicyHoldsNobodyElseUp(t *testing.T) {
	log := newLog(t)
	release := log.HoldCompiler()
	done := make(chan struct{})
	for range 3 {
		go func() {
			defer func() { done <- struct{}{} }()
			o, err := log.Plan(context.Background(), underOne, control.Plan{Address: controltest.Address(t, "policy/main"), Op: lb.OpCreate, Object: rules(map[string]string{"a": "true => true"})})
			if err != nil || o.Refusal() != nil {
				t.Errorf("plan of a policy: %+v, %v", o.Refusal(), err)
			}
		}()
	}
	log.Create(t, "CHG-1", "pool/web", controltest.Numbered(1))
	release()
	for range 3 {
		<-done
	}
	cancelled, cancel := context.WithCancel(t.Context())
	defer log.HoldCompiler()()
	cancel()
	if _, err := log.Plan(cancelled, underOne, control.Plan{Address: controltest.Address(t, "policy/x"), Op: lb.OpCreate, Object: rules(nil)}); err == nil {
		t.Error("a call that was given up went on waiting")
	}
}

// TestATicketIsBoundToABoundedSet: what was not known is the planner's own text.
func TestATicketIsBoundToABoundedSet(t *testing.T) {
	log := newLog(t)
	run := inRun(t, log, "run-1")
	unknown := make([]string, 1000)
	for i := range unknown {
		unknown[i] = fmt.Sprintf("/labels/%s%d", strings.Repeat("x", 60), i)
	}
	for i := range 20 {
		planned(t, log, run, lb.OpCreate, fmt.Sprintf("pool/p%d", i), controltest.Numbered(1), unknown...)
	}
	o, err := log.OpenTicket(t.Context(), control.Call{Actor: controltest.Olivia}, control.TicketRequest{Run: "run-1", Request: ticket.Request{Title: "big", Reason: "a test"}})
	if refusal := controltest.Refused(t, control.CodeInvalid, o, err); refusal.Violations[0].Pointer != "/run" {
		t.Errorf("violations %+v", refusal.Violations)
	}
}

// TestWhatThisCallWasToldCounts: an older word that another call brings to the log
// in between admits nothing.
func TestWhatThisCallWasToldCounts(t *testing.T) {
	desk := &office{control.Elsewhere{At: time.Now(), Facts: ticket.Facts{Title: "theirs", Requester: "x", State: ticket.Approved, Scope: ticket.Scope{Addresses: []string{"*"}}}}}
	log := controltest.Open(t, control.Options{Store: openStore(t, t.TempDir()), Authorities: desk})
	o, err := log.Put(t.Context(), controltest.By("EXT-7"), put(t, "pool/a", controltest.Numbered(1), 0))
	controltest.Accepted(t, o, err)
	told := desk.known
	told.Facts.State, told.Facts.ID, told.Authority = ticket.Cancelled, "EXT-7", "office"
	o, err = log.PutTold(t.Context(), controltest.By("EXT-7"), told, put(t, "pool/b", controltest.Numbered(1), 0))
	controltest.Refused(t, ticket.CodeRejected, o, err)
}

// TestATicketOfHereIsNoneOfAnAuthoritys: one that was opened before there was an
// authority for its id admits nothing, and explaining records nothing.
func TestATicketOfHereIsNoneOfAnAuthoritys(t *testing.T) {
	store := openStore(t, t.TempDir())
	log := controltest.Open(t, control.Options{Store: store})
	log.Ticket(t, "EXT-1")
	log.Close()
	desk := &office{control.Elsewhere{At: time.Now(), Facts: ticket.Facts{Title: "theirs", State: ticket.Pending, Scope: ticket.Scope{Addresses: []string{"*"}}}}}
	log = controltest.Open(t, control.Options{Store: store, Authorities: desk})
	o, err := log.Put(t.Context(), controltest.By("EXT-1"), put(t, "pool/web", controltest.Numbered(1), 0))
	controltest.Refused(t, ticket.CodeElsewhere, o, err)
	before := size(t, log)
	for _, id := range []string{"EXT-1", "EXT-2"} {
		checks, err := log.Explain(t.Context(), controltest.By(id), lb.OpCreate, controltest.Address(t, "pool/web"))
		if err != nil || checks[0].OK {
			t.Errorf("%s: %+v, %v", id, checks, err)
		}
	}
	if size(t, log) != before {
		t.Error("explaining left an entry")
	}
}

func TestEvidenceOfNoTicketIsNotOnRecord(t *testing.T) {
	log := newLog(t)
	if err := log.MarkWritten(t.Context(), "CHG-404", 3); err != nil {
		t.Fatal(err)
	}
	if e, _ := newest(t, log); e.Outcome != "refused" {
		t.Errorf("the newest entry is %+v", e)
	}
}

// TestARejectionIsWithinTheScopeToo, but whoever asked for a ticket may give it up.
func TestARejectionIsWithinTheScopeToo(t *testing.T) {
	log := newLog(t)
	narrow := controltest.Anton
	narrow.Scopes = []string{"pool/mine-*"}
	for _, action := range []ticket.Action{ticket.Reject, ticket.Cancel} {
		id := opened(t, log, control.TicketRequest{Request: ticket.Request{Scope: ticket.Scope{Addresses: []string{"listener/*"}}}}).ID
		o, err := acted(t, log, narrow, id, action)
		controltest.Refused(t, control.CodeScope, o, err)
	}
	own := controltest.Olivia
	own.Scopes = narrow.Scopes
	id := opened(t, log, control.TicketRequest{Request: ticket.Request{Scope: ticket.Scope{Addresses: []string{"listener/*"}}}}).ID
	o, err := acted(t, log, own, id, ticket.Cancel)
	controltest.Accepted(t, o, err)
}
