package daemon_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

func TestATicketThatLivesElsewhereAdmitsWhatItsAuthoritySays(t *testing.T) {
	tr := newTracker(t)
	g := startGoverned(t, governedBy(t, tr))
	defer func() { stop(t, g.Daemon) }()
	tr.set(func() { tr.states["EXT-1"] = "pending" })
	_, err := g.change(t, "EXT-1")
	refusedWith(t, err, api.CodeTicketUnapproved, "EXT-1")
	tr.set(func() { tr.states["EXT-1"] = "approved" })
	seq, err := g.change(t, "EXT-1")
	if err != nil {
		t.Fatalf("approved at its authority: %v", err)
	}
	shown, err := g.client(t, "").Ticket(t.Context(), "EXT-1")
	if err != nil || shown.Authority != "tracker" || shown.State != "approved" || shown.Requester != "rita" || len(shown.Approvals) != 1 || shown.Approvals[0].By != "bob" || shown.Uses != 1 {
		t.Errorf("mirrored as %+v, %v", shown, err)
	}
	_, err = g.client(t, "EXT-1").Put(t.Context(), lb.Address{Kind: lb.KindFreeze, Name: "x"}, lb.NewFreeze(), client.IfAbsent())
	refusedWith(t, err, api.CodeRole, "")
	_, err = g.client(t, "EXT-1").Delete(t.Context(), lb.Address{Kind: lb.KindRoute, Name: "x"}, client.IfPresent())
	refusedWith(t, err, api.CodeTicketScope, "pool/*")
	_, err = g.change(t, "EXT-2")
	refusedWith(t, err, api.CodeTicketUnknown, "EXT-2")

	for state, code := range map[string]api.Code{"rejected": api.CodeTicketRejected, "closed": api.CodeTicketClosed, "who knows": api.CodeTicketUnapproved} {
		tr.set(func() { tr.states["EXT-1"] = state })
		_, err = g.change(t, "EXT-1")
		refusedWith(t, err, code, "EXT-1")
	}
	for _, verb := range []client.TicketVerb{client.Approve, client.Close} {
		_, err = clientOf(t, g.Daemon, "ada", identity.Admin, "").ActOnTicket(t.Context(), "EXT-1", verb, api.TicketAction{})
		refusedWith(t, err, api.CodeTicketElsewhere, "tracker")
	}
	if g.Controller.Config().Revision() != seq {
		t.Errorf("revision %d, want that of the one change, %d", g.Controller.Config().Revision(), seq)
	}
}

func TestWhatWasDoneIsWrittenBackToTheTicketsAuthority(t *testing.T) {
	tr := newTracker(t)
	tr.states["EXT-1"] = "approved"
	g := startGoverned(t, governedBy(t, tr))
	defer func() { stop(t, g.Daemon) }()
	var seqs []int64
	for range 3 {
		seq, err := g.change(t, "EXT-1")
		if err != nil {
			t.Fatal(err)
		}
		seqs = append(seqs, seq)
	}
	eventually(t, "the comment", func() bool { return len(tr.said("EXT-1")) > 0 })
	eventually(t, "its record", func() bool { return g.written(t, "EXT-1") == seqs[2] })
	said := tr.said("EXT-1")
	if len(said) != 1 {
		t.Errorf("three changes in a row make %d comments: %q", len(said), said)
	}
	for i, seq := range seqs {
		if line := fmt.Sprintf("entry %d, ", seq); !strings.Contains(said[0], line) || !strings.Contains(said[0], fmt.Sprintf("create pool/p%d by olivia", i)) {
			t.Errorf("the comment does not have %q:\n%s", line, said[0])
		}
	}
	if !strings.Contains(said[0], "3 changes were applied under EXT-1") || !strings.Contains(said[0], "\n    "+g.Controller.Origin()+"\n") {
		t.Errorf("the comment has no count or no checkpoint:\n%s", said[0])
	}
	// What comes later is told by itself.
	seq, err := g.change(t, "EXT-1")
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the second record", func() bool { return g.written(t, "EXT-1") == seq })
	if said = tr.said("EXT-1"); len(said) != 2 || !strings.Contains(said[1], "1 change was applied") || strings.Contains(said[1], "pool/p0") {
		t.Errorf("told again: %q", said)
	}
	verified(t, g.Daemon, g.config.DataDir)
}

// TestEvidenceThatCouldNotBeWrittenIsWrittenAfterARestart: neither a tracker that is
// down nor a stop loses it.
func TestEvidenceThatCouldNotBeWrittenIsWrittenAfterARestart(t *testing.T) {
	tr := newTracker(t)
	tr.states["EXT-1"], tr.closed = "approved", true
	g := startGoverned(t, governedBy(t, tr))
	seq, err := g.change(t, "EXT-1")
	if err != nil {
		t.Fatal(err)
	}
	stop(t, g.Daemon)
	if said := tr.said("EXT-1"); len(said) != 0 {
		t.Fatalf("written already: %q", said)
	}
	tr.set(func() { tr.closed = false })
	g.again(t)
	eventually(t, "the record", func() bool { return g.written(t, "EXT-1") == seq })
	if said := tr.said("EXT-1"); len(said) != 1 || !strings.Contains(said[0], fmt.Sprintf("entry %d, ", seq)) {
		t.Errorf("written after the restart: %q", said)
	}
	stop(t, g.Daemon)
	g.again(t) // with nothing left to tell
	defer func() { stop(t, g.Daemon) }()
	if _, err := g.change(t, "EXT-1"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the next comment", func() bool { return len(tr.said("EXT-1")) > 1 })
	if said := tr.said("EXT-1"); len(said) != 2 || strings.Contains(said[1], fmt.Sprintf("entry %d, ", seq)) {
		t.Errorf("told again: %q", said)
	}
}

func TestWithoutItsAuthorityATicketAdmitsNothing(t *testing.T) {
	tr := newTracker(t)
	tr.states["EXT-1"] = "approved"
	g := startGoverned(t, governedBy(t, tr))
	defer func() { stop(t, g.Daemon) }()
	if _, err := g.change(t, "EXT-1"); err != nil {
		t.Fatal(err)
	}
	tr.set(func() { tr.down = true })
	_, err := g.change(t, "EXT-1")
	refusedWith(t, err, api.CodeTicketAuthority, "it answered 503")
	stop(t, g.Daemon)
	g.again(t) // what was said before the stop is in the log, and does not count
	_, err = g.change(t, "EXT-1")
	refusedWith(t, err, api.CodeTicketAuthority, "tracker")
	tr.set(func() { tr.down = false })
	eventually(t, "the tracker to be asked again", func() bool { _, err := g.change(t, "EXT-1"); return err == nil })
}

// TestAGracePassesOverAnOutageAndEnds: policies say how old an answer may be.
func TestAGracePassesOverAnOutageAndEnds(t *testing.T) {
	tr := newTracker(t)
	tr.states["EXT-1"] = "approved"
	g := startGoverned(t, governedBy(t, tr))
	defer func() { stop(t, g.Daemon) }()
	const grace = 3 * time.Second
	system := control.Call{Actor: control.System("test")}
	o, err := g.Controller.OpenTicket(t.Context(), system, control.TicketRequest{Request: ticket.Request{
		ID: "CHG-1", Title: "a policy", Reason: "a test needs it", Scope: ticket.Scope{Addresses: []string{"*"}},
	}})
	accepted(t, o, err)
	o, err = g.Controller.ActOnTicket(t.Context(), control.Call{Actor: identity.Actor{Name: "anton"}}, "CHG-1", control.TicketAct{Action: ticket.Approve})
	accepted(t, o, err)
	p := lb.NewPolicy()
	p.Owner, p.AuthorityGrace = "sre", lb.Duration(grace)
	if _, err := clientOf(t, g.Daemon, "ada", identity.Admin, "CHG-1").Put(t.Context(), lb.Address{Kind: lb.KindPolicy, Name: "grace"}, p, client.IfAbsent()); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, err := g.change(t, "EXT-1"); err != nil {
		t.Fatal(err)
	}
	tr.set(func() { tr.down = true })
	if _, err := g.change(t, "EXT-1"); err != nil {
		t.Fatalf("within the grace: %v", err)
	}
	eventually(t, "the grace to end", func() bool { _, err = g.change(t, "EXT-1"); return err != nil })
	refusedWith(t, err, api.CodeTicketAuthority, "older than the grace of 3s")
	if took := time.Since(began); took < grace {
		t.Errorf("the grace of %s ended after %s", grace, took)
	}
}

// TestATicketThatWasNeverSeenMayBeThere: that its authority is down is not that there
// is none.
func TestATicketThatWasNeverSeenMayBeThere(t *testing.T) {
	tr := newTracker(t)
	tr.states["EXT-1"], tr.down = "approved", true
	g := startGoverned(t, governedBy(t, tr))
	defer func() { stop(t, g.Daemon) }()
	_, err := g.change(t, "EXT-1")
	refusedWith(t, err, api.CodeTicketAuthority, "it answered 503")
	tr.set(func() { tr.down = false })
	eventually(t, "the tracker to be asked again", func() bool { _, err := g.change(t, "EXT-1"); return err == nil })
}
