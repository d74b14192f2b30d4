package browsertest

import (
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
)

func TestPeopleSignInAndOut(t *testing.T) {
	s := start(t)
	b := s.tab(t)

	b.open("/tickets?state=pending")
	if b.where() != "/console/sign-in?next=%2Fconsole%2Ftickets%3Fstate%3Dpending" {
		t.Fatalf("a stranger is sent to %s", b.where())
	}
	b.fill("#token", "auditlb_000000000000_"+strings.Repeat("A", 43))
	b.follow("#sign-in")
	if text := b.text("#notice"); !strings.Contains(text, "is not valid") || b.text("#notice-code") != string(api.CodeUnauthenticated) || b.has("#whoami") {
		t.Fatalf("with a wrong token: %q", text)
	}

	b.fill("#token", s.Tokens[identity.Viewer])
	b.follow("#sign-in")
	if b.where() != "/console/tickets?state=pending" || b.text("#whoami") != "vera" || b.text("#role") != "viewer" {
		t.Fatalf("signed in as %q, %q, and shown %s", b.text("#whoami"), b.text("#role"), b.where())
	}
	stored := value[string](b, "document.cookie + JSON.stringify(localStorage) + JSON.stringify(sessionStorage) + document.documentElement.outerHTML")
	if strings.Contains(stored, s.Tokens[identity.Viewer]) || strings.Contains(stored, "auditlb-console=") {
		t.Errorf("scripts can read a credential: %s", stored)
	}

	b.follow("#sign-out")
	if b.has("#whoami") || !strings.HasPrefix(b.where(), "/console/sign-in") {
		t.Errorf("signed out, and shown %s", b.where())
	}
	b.open("/")
	if !b.has("#token") {
		t.Errorf("after signing out there is %s", b.where())
	}
}

func TestAViewerIsRefusedAndItIsRecorded(t *testing.T) {
	s := start(t)
	id := s.pending(t, api.TicketRequest{Title: "for somebody else to decide"})
	b := s.tab(t)
	b.signIn(identity.Viewer)
	b.open("/tickets/" + id)
	if b.text("#state") != "pending" || !b.has("details.denied #approve") {
		t.Fatal("a viewer is offered approval as if it would do something")
	}
	b.click("details.denied summary")
	if text := b.text("details.denied"); !strings.Contains(text, "Not to you: your role, viewer, may not approve") {
		t.Errorf("a viewer is told %q", text)
	}
	b.follow("#approve")
	notice := b.text("#notice")
	if b.text("#notice-code") != string(api.CodeRole) || !strings.HasPrefix(notice, "Refused:") || b.text("#state") != "pending" {
		t.Fatalf("a viewer who approves is shown %q, and the ticket is %q", notice, b.text("#state"))
	}

	b.follow(`#notice a[href^="/console/entries/"]`)
	if b.text("h1 ~ .badge.type-reject") != "reject" || !strings.Contains(b.text("main"), "approve ticket/"+id) {
		t.Errorf("the entry of it is %q", b.text("main"))
	}
	refused := s.Entries(t, api.EntryQuery{Resource: "ticket/" + id, Type: "reject"})
	if len(refused) != 1 || refused[0].Actor.Name != "vera" || refused[0].Code != string(api.CodeRole) {
		t.Errorf("the log has %+v", refused)
	}
}
