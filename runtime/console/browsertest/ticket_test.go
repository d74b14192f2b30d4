package browsertest

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// pending opens a ticket in olivia's name that waits for approval, and returns its id.
func (s *stage) pending(t testing.TB, req api.TicketRequest) string {
	t.Helper()
	req.ID = "CHG-" + uuid.NewString()[:8]
	if req.Title == "" {
		req.Title = "more members for the shop"
	}
	if req.Reason == "" {
		req.Reason = "the shop is slow on Friday evenings"
	}
	if req.Run == "" {
		req.Scope.Addresses = []string{"pool/*"}
	}
	if _, err := s.as(t, identity.Operator).OpenTicket(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	return req.ID
}

// planned has olivia plan a pool in a run, and returns a ticket that covers just that.
func (s *stage) planned(t *testing.T, run, pool, object string) string {
	t.Helper()
	c := s.Client(t, client.Config{Token: api.Secret(s.Operator), Ticket: s.Ticket, Run: run})
	if _, err := c.RegisterRun(t.Context(), run, api.RunClaims{System: "github", Workspace: "shop", Repository: "acme/infra", URL: "https://ci.example.com/1"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Plan(t.Context(), api.PlanRequest{Kind: lb.KindPool, Name: pool, Op: lb.OpCreate, Object: jsontext.Value(object)}); err != nil {
		t.Fatal(err)
	}
	return s.pending(t, api.TicketRequest{Run: run})
}

func (s *stage) ticket(t *testing.T, id string) *api.Ticket {
	t.Helper()
	ticket, err := s.as(t, identity.Viewer).Ticket(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return ticket
}

func TestAnApproverSeesWhatTheTicketCoversAndApprovesIt(t *testing.T) {
	s := start(t)
	id := s.planned(t, "run-approved", "approved", `{"owner":"team-shop","members":{"a":{"address":"10.1.0.1:80"}}}`)
	b := s.tab(t)
	b.signIn(identity.Approver)
	b.open("/tickets")
	b.follow(`#pending a[href="/console/tickets/` + id + `"]`)
	if text := b.text("article.effect"); !strings.Contains(text, "create pool/approved") || !strings.Contains(text, "members.a.address 10.1.0.1:80") {
		t.Errorf("the diff that it covers is %q", text)
	}
	b.fill("#comment-approve", "looks right")
	b.follow("#approve")
	if text := b.text("#notice"); !strings.Contains(text, "Done") || b.text("#state") != "approved" || b.has("#approve") {
		t.Errorf("approved: %q, %q", text, b.text("#state"))
	}
	ticket := s.ticket(t, id)
	if ticket.State != "approved" || len(ticket.Approvals) != 1 || ticket.Approvals[0].By != "anton" || ticket.Approvals[0].Comment != "looks right" ||
		ticket.Approvals[0].EffectsDigest != ticket.Binding.EffectsDigest {
		t.Errorf("the ticket is %+v", ticket)
	}
	b.open("/tickets/" + id)
	if b.has("#notice") {
		t.Error("the notice is shown again")
	}
}

func TestARejectionTakesAReason(t *testing.T) {
	s := start(t)
	id := s.pending(t, api.TicketRequest{})
	b := s.tab(t)
	b.signIn(identity.Approver)
	b.open("/tickets/" + id)
	b.click("#reject") // the browser asks for the reason
	if s.ticket(t, id).State != "pending" || !b.is(`document.getElementById("comment-reject").matches(":invalid")`) {
		t.Fatal("rejected without a reason")
	}
	b.fill("#comment-reject", "not on a Friday")
	b.follow("#reject")
	if b.text("#state") != "rejected" || !strings.Contains(b.text("main"), "not on a Friday") {
		t.Errorf("rejected: %q", b.text("main"))
	}
	if ticket := s.ticket(t, id); ticket.State != "rejected" || ticket.Closure == nil || ticket.Closure.Result != "not on a Friday" || ticket.Closure.By != "anton" {
		t.Errorf("the ticket is %+v", ticket)
	}
}

// TestAFormOfAnotherSessionDoesNothing: the token in a form is bound to who it was made for.
func TestAFormOfAnotherSessionDoesNothing(t *testing.T) {
	s := start(t)
	id := s.pending(t, api.TicketRequest{})
	b := s.tab(t)
	b.signIn(identity.Approver)
	b.open("/tickets/" + id)
	for _, forged := range []string{`"A".repeat(43)`, `""`} {
		b.do(`document.querySelector("#form-approve [name=csrf]").value = ` + forged)
		b.follow("#approve")
		if b.status != 403 || s.ticket(t, id).State != "pending" {
			t.Fatalf("a form with a token that is not its own: status %d, and the ticket is %s", b.status, s.ticket(t, id).State)
		}
		b.open("/tickets/" + id)
	}
}
