package server_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
)

// change makes a change under a ticket, each time another.
func (r *rig) change(t *testing.T, id string, options ...option) *answer {
	t.Helper()
	n := r.newest(t).Seq
	options = slices.Concat([]option{under(id), updating}, options)
	return r.do(t, http.MethodPut, "/v1/pools/web", pool(fmt.Sprintf("10.0.%d.%d:80", n>>8, n&255)), options...)
}

func TestADraftIsTheRequestersUntilItIsSubmitted(t *testing.T) {
	r := start(t)
	r.create(t, "pool/web", pool())
	draft := r.ticket(t, api.TicketRequest{Draft: true, Scope: addresses("pool/*")})
	if draft.State != "draft" {
		t.Fatalf("opened %+v", draft)
	}
	path := "/v1/tickets/" + draft.ID
	amendment := api.TicketRequest{Title: "another", Reason: "it became clear", Scope: addresses("pool/web")}
	for _, tt := range []struct {
		name, method, path string
		body               any
		who                option
		code               api.Code
	}{
		{"approve", http.MethodPost, path + "/approve", `{}`, as(identity.Approver), api.CodeTicketState},
		{"reject", http.MethodPost, path + "/reject", `{}`, as(identity.Approver), api.CodeTicketState},
		{"submit by another", http.MethodPost, path + "/submit", `{}`, as(identity.Admin), api.CodeTicketNotRequester},
		{"amend by another", http.MethodPut, path, amendment, as(identity.Admin), api.CodeTicketNotRequester},
		{"amend to an emergency", http.MethodPut, path, api.TicketRequest{Type: "emergency", Title: "another", Reason: "because", Scope: addresses("*")}, as(identity.Operator), api.CodeInvalid},
		{"amend a ticket that is not there", http.MethodPut, "/v1/tickets/CHG-NONE", amendment, as(identity.Operator), api.CodeNotFound},
	} {
		last := r.newest(t).Seq
		a := r.do(t, tt.method, tt.path, tt.body, tt.who)
		if entry := r.newest(t); a.problem.Code != tt.code || entry.Seq != last+1 || entry.Code != string(tt.code) {
			t.Errorf("%s: %s, want %s on record", tt.name, a, tt.code)
		}
	}
	if a := r.change(t, draft.ID); a.problem.Code != api.CodeTicketUnapproved {
		t.Errorf("a change under a draft: %s", a)
	}
	var amended api.Ticket
	r.must(t, &amended, http.MethodPut, path, amendment)
	if amended.State != "draft" || amended.Title != "another" || amended.Scope.Addresses[0] != "pool/web" || amended.Requester != "olivia" {
		t.Errorf("amended: %+v", amended)
	}
	if s := r.act(t, draft.ID, "submit", api.TicketAction{}); s.State != "pending" {
		t.Errorf("submitted: %+v", s)
	}
	r.act(t, draft.ID, "approve", api.TicketAction{}, as(identity.Approver))
	if a := r.change(t, draft.ID); a.status != http.StatusOK {
		t.Errorf("a change at last: %s", a)
	}
}

// TestAnAmendmentVoidsApprovals: whoever approved has approved something else.
func TestAnAmendmentVoidsApprovals(t *testing.T) {
	r := start(t)
	r.create(t, "pool/web", pool())
	id := r.open(t, api.TicketRequest{Scope: addresses("pool/web")}, "approver approve")
	if a := r.change(t, id); a.status != http.StatusOK {
		t.Fatalf("before: %s", a)
	}
	wider := api.TicketRequest{Title: "a change", Reason: "more of it", Scope: addresses("*")}
	var amended api.Ticket
	r.must(t, &amended, http.MethodPut, "/v1/tickets/"+id, wider)
	if amended.State != "pending" || len(amended.Approvals) != 0 || amended.Uses != 1 {
		t.Errorf("amended: %+v", amended)
	}
	if a := r.change(t, id); a.problem.Code != api.CodeTicketUnapproved {
		t.Errorf("a change under what nobody approved: %s", a)
	}
	for _, action := range []string{"close", "cancel"} {
		if action == "cancel" {
			r.act(t, id, action, api.TicketAction{})
			continue
		}
		if a := r.do(t, http.MethodPost, "/v1/tickets/"+id+"/"+action, `{}`); a.problem.Code != api.CodeTicketState {
			t.Errorf("%s of a pending ticket: %s", action, a)
		}
	}
	if a := r.do(t, http.MethodPut, "/v1/tickets/"+id, wider); a.problem.Code != api.CodeTicketState {
		t.Errorf("a cancelled ticket is amended: %s", a)
	}
}

// TestAnEmergencyWorksAtOnceAndIsLookedAtAfterwards by somebody who had no part in it.
func TestAnEmergencyWorksAtOnceAndIsLookedAtAfterwards(t *testing.T) {
	r := start(t)
	r.create(t, "pool/web", pool())
	opened := r.ticket(t, api.TicketRequest{Type: "emergency", Scope: addresses("pool/*")}, as(identity.Admin))
	if opened.State != "approved" || !opened.ReviewPending || len(opened.Approvals) != 0 {
		t.Fatalf("opened %+v", opened)
	}
	id := opened.ID
	if a := r.change(t, id); a.status != http.StatusOK || !r.newest(t).Emergency {
		t.Fatalf("a change: %s, recorded as %+v", a, r.newest(t).Entry)
	}
	refused := r.do(t, http.MethodDelete, "/v1/routes/x", nil, updating, under(id))
	if entry := r.newest(t); refused.problem.Code != api.CodeTicketScope || !entry.Emergency {
		t.Errorf("outside its scope: %s, recorded as %+v", refused, entry.Entry)
	}
	owen := bearer(r.Token(t, "olivia", identity.Approver)) // the same person by another token
	const post = http.MethodPost
	path := "/v1/tickets/" + id
	for _, tt := range []struct {
		name, action string
		who          option
		code         api.Code
	}{
		{"close before the review", "close", as(identity.Operator), api.CodeTicketUnreviewed},
		{"review by who opened it", "review", as(identity.Admin), api.CodeTicketSelfReview},
		{"review by who made changes", "review", owen, api.CodeTicketSelfReview},
	} {
		if a := r.do(t, post, path+"/"+tt.action, `{}`, tt.who); a.problem.Code != tt.code {
			t.Errorf("%s: %s, want %s", tt.name, a, tt.code)
		}
	}
	reviewed := r.act(t, id, "review", api.TicketAction{Comment: "it had to be"}, as(identity.Approver))
	if reviewed.ReviewPending || reviewed.Review == nil || reviewed.Review.By != "anton" || reviewed.Review.Comment != "it had to be" || reviewed.State != "approved" {
		t.Errorf("reviewed: %+v", reviewed)
	}
	if a := r.do(t, post, path+"/review", `{}`, as(identity.Approver)); a.problem.Code != api.CodeTicketState {
		t.Errorf("reviewed again: %s", a)
	}
	closed := r.act(t, id, "close", api.TicketAction{Comment: "over"})
	if e := closed.Closure.Evidence; closed.State != "closed" || e == nil || e.Applied != 1 || e.Refused != 1 || !slices.Equal(e.Appliers, []string{"olivia"}) || e.LogSize == 0 || e.LogRoot == "" {
		t.Errorf("closed: %+v with %+v", closed, closed.Closure.Evidence)
	}
}

func TestATicketIsUsedUpByChangesAndShowsHowMany(t *testing.T) {
	r := start(t)
	r.create(t, "pool/web", pool())
	id := r.open(t, api.TicketRequest{MaxUses: 2, Scope: addresses("pool/web")}, "approver approve")
	if s := r.shown(t, id); s.MaxUses != 2 || s.Uses != 0 {
		t.Errorf("new: %+v", s)
	}
	first := r.change(t, id)
	if same := r.do(t, http.MethodPut, "/v1/pools/web", string(jsonOf(t, first)), updating, under(id)); same.status != http.StatusOK || r.shown(t, id).Uses != 1 {
		t.Errorf("what changes nothing is a use: %s, %d", same, r.shown(t, id).Uses)
	}
	if a := r.do(t, http.MethodPut, "/v1/pools/web", pool(), creating, under(id)); a.problem.Code != api.CodePreconditionFailed || r.shown(t, id).Uses != 1 {
		t.Errorf("what is refused is a use: %s, %d", a, r.shown(t, id).Uses)
	}
	if a := r.change(t, id); a.status != http.StatusOK {
		t.Errorf("the second: %s", a)
	}
	if a := r.change(t, id); a.problem.Code != api.CodeTicketUsedUp {
		t.Errorf("the third: %s", a)
	}
	r.Restart(t)
	if a := r.change(t, id); a.problem.Code != api.CodeTicketUsedUp || r.shown(t, id).Uses != 2 {
		t.Errorf("after a restart: %s, %d uses", a, r.shown(t, id).Uses)
	}
}

// jsonOf is the object in an answer.
func jsonOf(t *testing.T, a *answer) []byte {
	t.Helper()
	var obj api.Object
	if err := json.Unmarshal(a.body, &obj); err != nil {
		t.Fatal(err)
	}
	return obj.Object
}

func TestWhoApprovesDoesNotApplyWhereThatIsAskedFor(t *testing.T) {
	r := start(t)
	r.create(t, "pool/web", pool())
	for _, separate := range []bool{true, false} {
		id := r.open(t, api.TicketRequest{SeparateApplier: separate}, "admin approve")
		if s := r.shown(t, id); s.SeparateApplier != separate {
			t.Errorf("shown %+v", s)
		}
		other := bearer(r.Token(t, "ada", identity.Operator))
		for name, who := range map[string]option{"who approved": as(identity.Admin), "who approved, by another token": other} {
			a := r.change(t, id, who)
			if refused := a.problem.Code == api.CodeTicketApprover; refused != separate || !separate && a.status != http.StatusOK {
				t.Errorf("separate %t, %s: %s", separate, name, a)
			}
		}
		if a := r.change(t, id); a.status != http.StatusOK {
			t.Errorf("separate %t, somebody else: %s", separate, a)
		}
	}
}
