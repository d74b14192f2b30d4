package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
)

// effects are those that a ticket is bound to, read page by page.
func (r *rig) effects(t *testing.T, id string) (all []api.TicketEffect, digest string) {
	t.Helper()
	for cursor, page := "", 0; ; page++ {
		var list api.TicketEffectList
		r.must(t, &list, http.MethodGet, "/v1/tickets/"+id+"/effects?limit=2&cursor="+cursor, nil, as(identity.Approver))
		if len(list.Items) == 0 || len(list.Items) > 2 || page > 10 || digest != "" && digest != list.EffectsDigest {
			t.Fatalf("page %d is %+v", page, list)
		}
		all, digest = append(all, list.Items...), list.EffectsDigest
		if list.Next == "" {
			return all, digest
		}
		cursor = list.Next
	}
}

func TestAnApproverSeesAndSignsExactlyWhatABoundTicketCovers(t *testing.T) {
	r := start(t)
	planned(t, r, "run-1", "a", "b", "c", "d", "e")
	opened := r.ticket(t, api.TicketRequest{Run: "run-1"})
	if b := opened.Binding; opened.State != "pending" || b == nil || b.Run != "run-1" || b.Effects != 5 || len(b.EffectsDigest) != 64 {
		t.Fatalf("opened %+v", opened)
	}
	effects, digest := r.effects(t, opened.ID)
	if len(effects) != 5 || digest != opened.Binding.EffectsDigest {
		t.Fatalf("%d effects of %s, want 5 of %s", len(effects), digest, opened.Binding.EffectsDigest)
	}
	for i, e := range effects {
		plan := r.Entries(t, api.EntryQuery{Resource: e.Address, Type: "plan"})
		if e.Address != "pool/"+string(rune('a'+i)) || e.Op != "create" || len(plan) != 1 || e.Plan != plan[0].Seq || e.EffectDigest != plan[0].EffectDigest || len(e.Patch) == 0 {
			t.Errorf("effect %d is %+v, planned was %+v", i, e, plan)
		}
	}
	path := "/v1/tickets/" + opened.ID + "/approve"
	approver := as(identity.Approver)
	a := r.do(t, http.MethodPost, path, `{}`, approver)
	if a.problem.Code != api.CodeInvalid || len(a.problem.Violations) != 1 || a.problem.Violations[0].Pointer != "/effects_digest" {
		t.Errorf("approved unseen: %s", a)
	}
	for name, wrong := range map[string]string{"another": strings.Repeat("0", 64), "a part": digest[:63], "in capitals": strings.ToUpper(digest)} {
		if a := r.do(t, http.MethodPost, path, api.TicketAction{EffectsDigest: wrong}, approver); a.problem.Code != api.CodeTicketEffects {
			t.Errorf("approved with %s digest: %s", name, a)
		}
	}
	if s := r.shown(t, opened.ID); s.State != "pending" || len(s.Approvals) != 0 {
		t.Errorf("after approvals that were refused: %+v", s)
	}
	approved := r.act(t, opened.ID, "approve", api.TicketAction{EffectsDigest: digest}, approver)
	if approved.State != "approved" || len(approved.Approvals) != 1 || approved.Approvals[0].EffectsDigest != digest {
		t.Errorf("approved: %+v", approved)
	}
}

func TestABoundTicketAdmitsWhatWasPlannedAndNothingElse(t *testing.T) {
	r := start(t)
	planned(t, r, "run-1", "web", "api", "other")
	id := r.bound(t, "run-1").ID
	for _, tt := range []struct {
		name, method, object, body string
		pre                        option
		code                       api.Code
		pointer                    string
	}{
		{"another address", http.MethodPut, "more", pool("10.0.0.1:80"), creating, api.CodeTicketNotCovered, ""},
		{"another value", http.MethodPut, "web", pool("10.0.0.2:80"), creating, api.CodeTicketDiffers, "/members/m0/address"},
		{"one more value", http.MethodPut, "web", pool("10.0.0.1:80", "10.0.0.2:80"), creating, api.CodeTicketDiffers, "/members/m1"},
		{"what was planned", http.MethodPut, "web", pool("10.0.0.1:80"), creating, "", ""},
		{"another operation", http.MethodDelete, "web", "", updating, api.CodeTicketNotCovered, ""},
		{"an update of it", http.MethodPut, "web", pool(), updating, api.CodeTicketNotCovered, ""},
		{"the next", http.MethodPut, "api", pool("10.0.0.1:80"), creating, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before, last := r.state(t), r.newest(t).Seq
			var body any
			if tt.body != "" {
				body = tt.body
			}
			a := r.do(t, tt.method, "/v1/pools/"+tt.object, body, tt.pre, under(id))
			if a.problem.Code != tt.code {
				t.Fatalf("%s, want %q", a, tt.code)
			}
			if tt.code == "" {
				return
			}
			checkRefusal(t, r.newest(t), a, last+1, "olivia")
			if tt.pointer != "" && (len(a.problem.Violations) == 0 || a.problem.Violations[0].Pointer != tt.pointer) {
				t.Errorf("differences %+v, want one at %s", a.problem.Violations, tt.pointer)
			}
			if after := r.state(t); after != before {
				t.Errorf("something changed:\nbefore %s\nafter  %s", before, after)
			}
		})
	}
	if s := r.shown(t, id); s.Uses != 2 {
		t.Errorf("%d uses are shown, want 2", s.Uses)
	}
}

// TestWhatIsPlannedAfterwardsIsNotApproved: neither by itself, nor by an amendment.
func TestWhatIsPlannedAfterwardsIsNotApproved(t *testing.T) {
	r := start(t)
	planned(t, r, "run-1", "web")
	first := r.bound(t, "run-1")
	planned(t, r, "run-1", "late")
	put := func(object string) *answer {
		return r.do(t, http.MethodPut, "/v1/pools/"+object, pool("10.0.0.1:80"), creating, under(first.ID))
	}
	if a := put("late"); a.problem.Code != api.CodeTicketNotCovered {
		t.Errorf("planned after the approval: %s", a)
	}
	amendment := api.TicketRequest{Title: "a change", Reason: "one more pool", Run: "run-1"}
	var amended api.Ticket
	r.must(t, &amended, http.MethodPut, "/v1/tickets/"+first.ID, amendment)
	if amended.State != "pending" || len(amended.Approvals) != 0 || amended.Binding.Effects != 2 || amended.Binding.EffectsDigest == first.Binding.EffectsDigest {
		t.Fatalf("amended: %+v", amended)
	}
	for _, object := range []string{"web", "late"} {
		if a := put(object); a.problem.Code != api.CodeTicketUnapproved {
			t.Errorf("%s, after an amendment that nobody approved: %s", object, a)
		}
	}
	approve := "/v1/tickets/" + first.ID + "/approve"
	if a := r.do(t, http.MethodPost, approve, api.TicketAction{EffectsDigest: first.Binding.EffectsDigest}, as(identity.Approver)); a.problem.Code != api.CodeTicketEffects {
		t.Errorf("what was seen before is approved: %s", a)
	}
	r.act(t, first.ID, "approve", api.TicketAction{EffectsDigest: amended.Binding.EffectsDigest}, as(identity.Approver))
	for _, object := range []string{"web", "late"} {
		if a := put(object); a.status != http.StatusCreated {
			t.Errorf("%s, approved at last: %s", object, a)
		}
	}
}

func TestATicketCanNotBeBoundToNothing(t *testing.T) {
	r := start(t)
	planned(t, r, "run-empty")
	for run, code := range map[string]api.Code{"run-none": api.CodeRunUnknown, "run-empty": api.CodeInvalid} {
		a := r.do(t, http.MethodPost, "/v1/tickets", api.TicketRequest{Title: "a change", Reason: "because", Run: run})
		if a.problem.Code != code || len(a.problem.Violations) != 1 || a.problem.Violations[0].Pointer != "/run" {
			t.Errorf("%s: %s, want %s at /run", run, a, code)
		}
	}
	if a := r.do(t, http.MethodGet, "/v1/tickets/"+r.Ticket+"/effects", nil); a.problem.Code != api.CodeNotFound {
		t.Errorf("effects of a ticket that is not bound: %s", a)
	}
}
