package server_test

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
)

const rollbacks = "/v1/rollbacks"

// rollback makes a rollback, or previews it.
func (r *rig) rollback(t testing.TB, req api.RollbackRequest, options ...option) api.Rollback {
	t.Helper()
	var out api.Rollback
	r.must(t, &out, http.MethodPost, rollbacks, req, options...)
	return out
}

func dry(req api.RollbackRequest) api.RollbackRequest {
	req.DryRun = true
	return req
}

func walkRollbacks(t *testing.T, r *rig) {
	was := r.create(t, "pool/back", pool("10.0.0.1:80"))
	var bad api.Object
	r.must(t, &bad, http.MethodPut, "/v1/pools/back", pool("10.0.0.2:80"), updating)
	req := api.RollbackRequest{Resource: "pool/back"}
	last := r.newest(t).Seq
	preview := r.rollback(t, dry(req), as(identity.Viewer))
	if r.newest(t).Seq != last {
		t.Error("a preview without a run left an entry")
	}
	if len(preview.Effects) != 1 || !preview.DryRun || preview.Uses != 1 || preview.Revision != 0 || preview.At != last || *preview.To != bad.Revision-1 || preview.PlannedIn != "" {
		t.Fatalf("preview: %+v", preview)
	}
	e := preview.Effects[0]
	if e.Op != "update" || e.From != bad.Revision || e.To != was || !slices.Equal(e.Undone, []int64{bad.Revision}) || len(e.Patch) != 1 || string(e.Patch[0].Value) != `"10.0.0.1:80"` || e.Seq != 0 {
		t.Errorf("effect: %+v", e)
	}
	run := inWorkspace(t, r, "rollbacks")
	planned := r.rollback(t, dry(req), run, as(identity.Planner))
	if planned.PlannedIn != "run-of-rollbacks" || planned.EffectsDigest != preview.EffectsDigest || planned.Effects[0].Seq != r.newest(t).Seq {
		t.Errorf("planned: %+v", planned)
	}
	if plan := r.newest(t); plan.Type != "plan" || plan.Rollback == nil || plan.Rollback.To != was || plan.EffectDigest != e.EffectDigest {
		t.Errorf("plan: %+v", plan.Entry)
	}
	bound := r.ticket(t, api.TicketRequest{Run: "run-of-rollbacks"})
	if bound.Binding.SetDigest != preview.EffectsDigest {
		t.Errorf("the ticket is bound to the set %s, the preview is of %s", bound.Binding.SetDigest, preview.EffectsDigest)
	}
	req.To, req.Expect, req.PreviewAt = fmt.Sprint(*preview.To), preview.EffectsDigest, preview.At
	made := r.rollback(t, req, run)
	entry := r.newest(t)
	if made.Revision != entry.Seq || made.EffectsDigest != preview.EffectsDigest || made.Uses != 1 || made.Effects[0].Seq != entry.Seq || made.Effects[0].From != bad.Revision || made.Effects[0].To != was {
		t.Errorf("made: %+v", made)
	}
	if entry.Rollback == nil || entry.Rollback.To != was || !slices.Equal(entry.Body.Undone, []int64{bad.Revision}) || entry.Plan != planned.Effects[0].Seq || entry.Run.Workspace != "" {
		t.Errorf("entry: %+v", entry)
	}
	var list api.EntryList
	if r.must(t, &list, http.MethodGet, "/v1/pools/back/history?include=patch&limit=1", nil); !slices.Equal(list.Items[0].Undone, []int64{bad.Revision}) {
		t.Errorf("listed: %+v", list.Items[0])
	}
	req = api.RollbackRequest{Resource: "pool/back", To: fmt.Sprint(was)}
	if none := r.rollback(t, req); len(none.Effects) != 0 || none.Revision != 0 || r.newest(t).Seq != entry.Seq {
		t.Errorf("with nothing to do: %+v", none)
	}
}

func TestARollbackIsRefusedWhereItIsCalledWrongly(t *testing.T) {
	r := start(t)
	revision := r.create(t, "pool/web", pool())
	for name, tt := range map[string]struct {
		body, pointer string
		code          api.Code
	}{
		"nothing":                  {`{}`, "", api.CodeInvalid},
		"two things":               {`{"resource":"pool/web","run":"x"}`, "", api.CodeInvalid},
		"no address":               {`{"resource":"web"}`, "/resource", api.CodeInvalid},
		"everything to nowhere":    {`{"everything":true}`, "/to", api.CodeInvalid},
		"a run to somewhere":       {`{"run":"x","to":"3"}`, "/to", api.CodeInvalid},
		"a revision to come":       {fmt.Sprintf(`{"resource":"pool/web","to":"%d"}`, revision+1000), "/to", api.CodeInvalid},
		"no point in time":         {`{"resource":"pool/web","to":"soon"}`, "/to", api.CodeInvalid},
		"a run without changes":    {`{"everything":true,"to":"run:x"}`, "/to", api.CodeInvalid},
		"governance of an object":  {`{"resource":"pool/web","include_governance":true}`, "/include_governance", api.CodeInvalid},
		"a run with a line break":  {`{"run":"a\nb"}`, "/run", api.CodeInvalid},
		"an unknown run":           {`{"run":"x"}`, "", api.CodeNotFound},
		"an object that never was": {`{"resource":"pool/none"}`, "", api.CodeNotFound},
		"an unknown field":         {`{"resource":"pool/web","force":true}`, "/force", api.CodeInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			last := r.newest(t).Seq
			a := r.do(t, http.MethodPost, rollbacks, tt.body)
			if a.problem.Code != tt.code || tt.code == api.CodeInvalid && a.problem.Violations[0].Pointer != tt.pointer {
				t.Fatalf("%s; want %s at %q", a, tt.code, tt.pointer)
			}
			checkRefusal(t, r.newest(t), a, last+1, "olivia")
		})
	}
	last := r.newest(t).Seq
	if a := r.do(t, http.MethodPost, rollbacks, `{"run":"x","dry_run":true}`, as(identity.Viewer)); a.problem.Code != api.CodeNotFound || a.problem.Seq != 0 || r.newest(t).Seq != last {
		t.Errorf("a preview of nothing: %s", a)
	}
}

// TestARollbackNeedsTheRightToEveryChange that it makes, wherever it stands in the set.
func TestARollbackNeedsTheRightToEveryChange(t *testing.T) {
	r := start(t)
	admin := as(identity.Admin)
	r.must(t, nil, http.MethodPut, "/v1/runs/admins", api.RunClaims{System: "test"}, admin)
	ofAdmins := with(api.HeaderRun, "admins")
	before := r.newest(t).Seq
	r.create(t, "pool/web", pool())
	r.create(t, "pool/api", pool())
	r.must(t, nil, http.MethodPut, "/v1/freezes/f", freezing(time.Now().Add(time.Hour), "pool/none"), creating, admin, ofAdmins)
	everything := api.RollbackRequest{Everything: true, To: fmt.Sprint(before)}
	governing := everything
	governing.IncludeGovernance = true

	sam := bearer(r.Token(t, "sam", identity.Operator, "pool/web"))
	outOfScope(t, r, "sam", http.MethodPost, rollbacks, everything, sam)
	if e := r.newest(t); e.Resource != "pool/api" || e.Op != "delete" {
		t.Errorf("the refusal is about %s of %s", e.Op, e.Resource)
	}
	run := inWorkspace(t, r, "x")
	if a := r.do(t, http.MethodPost, rollbacks, dry(everything), sam, run); a.problem.Code != api.CodeScope || !strings.Contains(a.problem.Detail, "pool/api") {
		t.Errorf("sam plans what is not theirs: %s", a)
	}
	if preview := r.rollback(t, dry(governing), sam); len(preview.Effects) != 3 || len(preview.Left) != 0 {
		t.Errorf("preview: %+v", preview)
	}
	state := r.state(t)
	if a := r.do(t, http.MethodPost, rollbacks, governing); a.problem.Code != api.CodeRole || r.newest(t).Resource != "freeze/f" || r.state(t) != state {
		t.Errorf("an operator lifts a freeze window: %s", a)
	}
	for name, req := range map[string]api.RollbackRequest{"by name": {Resource: "freeze/f"}, "as what a run did": {Run: "admins"}} {
		if a := r.do(t, http.MethodPost, rollbacks, req); a.problem.Code != api.CodeRole || r.newest(t).Resource != "freeze/f" || r.state(t) != state {
			t.Errorf("an operator lifts a freeze window %s: %s", name, a)
		}
	}
	if a := r.do(t, http.MethodPost, rollbacks, dry(everything), run, as(identity.Viewer)); a.problem.Code != api.CodeRole {
		t.Errorf("a viewer plans: %s", a)
	}
	if preview := r.rollback(t, dry(everything)); !slices.Equal(preview.Left, []string{"freeze/f"}) || len(preview.Effects) != 2 {
		t.Errorf("preview: %+v", preview)
	}
	overriding := with(api.HeaderTicket, r.open(t, api.TicketRequest{OverrideConflicts: true}, "approver approve"))
	if made := r.rollback(t, governing, admin, overriding); len(made.Effects) != 3 {
		t.Errorf("made: %+v", made)
	}
}

// TestARetryOfARollbackIsGivenTheWholeAnswer: of a set, and of a refusal.
func TestARetryOfARollbackIsGivenTheWholeAnswer(t *testing.T) {
	r := start(t)
	before := r.newest(t).Seq
	for i := range 5 {
		r.create(t, fmt.Sprintf("pool/p%d", i), pool())
	}
	key := with(api.HeaderIdempotencyKey, uuid.NewString())
	req := api.RollbackRequest{Everything: true, To: fmt.Sprint(before)}
	first := r.must(t, nil, http.MethodPost, rollbacks, req, key)
	r.create(t, "pool/later", pool())
	last := r.newest(t).Seq
	if again := r.must(t, nil, http.MethodPost, rollbacks, req, key); !bytes.Equal(first.body, again.body) || r.newest(t).Seq != last || bytes.Count(again.body, []byte(`"seq"`)) != 5 {
		t.Errorf("the retry is answered %s\nthe first was %s", again, first)
	}
	req.Expect = "other"
	if a := r.do(t, http.MethodPost, rollbacks, req, key); a.problem.Code != api.CodeIdempotencyReused {
		t.Errorf("another call with the key: %s", a)
	}
	key = with(api.HeaderIdempotencyKey, uuid.NewString())
	refused := r.do(t, http.MethodPost, rollbacks, req, key)
	if again := r.do(t, http.MethodPost, rollbacks, req, key); refused.problem.Code != api.CodePreconditionFailed || again.problem.Seq != refused.problem.Seq {
		t.Errorf("%s, then %s", refused, again)
	}
}

// TestNoRollbackTakesBackWhatItsPreviewDidNotShow while others change the same objects.
func TestNoRollbackTakesBackWhatItsPreviewDidNotShow(t *testing.T) {
	r := start(t)
	other := with(api.HeaderTicket, r.open(t, api.TicketRequest{}, "approver approve"))
	overriding := with(api.HeaderTicket, r.open(t, api.TicketRequest{OverrideConflicts: true}, "approver approve"))
	r.create(t, "pool/web", pool("10.0.0.1:80"))
	before := r.create(t, "pool/api", pool("10.0.0.1:80"))
	for i := range 12 {
		for _, name := range []string{"web", "api"} {
			r.must(t, nil, http.MethodPut, "/v1/pools/"+name, pool(fmt.Sprintf("10.0.1.%d:80", i)), updating, other)
		}
		req := api.RollbackRequest{Everything: true, To: fmt.Sprint(before)}
		preview := r.rollback(t, dry(req))
		req.Expect, req.PreviewAt = preview.EffectsDigest, preview.At
		var racing sync.WaitGroup
		racing.Go(func() {
			if a := r.do(t, http.MethodPut, "/v1/pools/web", pool(fmt.Sprintf("10.0.2.%d:80", i)), updating, other); a.status != http.StatusOK {
				t.Errorf("change: %s", a)
			}
		})
		a := r.do(t, http.MethodPost, rollbacks, req, overriding)
		racing.Wait()
		if a.status == http.StatusPreconditionFailed && strings.Contains(a.problem.Detail, "pool/web in revision") {
			continue
		}
		var made api.Rollback
		if err := json.Unmarshal(a.body, &made); err != nil || a.status != http.StatusOK || len(made.Effects) != len(preview.Effects) {
			t.Fatalf("%s, %v", a, err)
		}
		for i, e := range made.Effects {
			if want := preview.Effects[i]; e.EffectDigest != want.EffectDigest || !slices.Equal(e.Undone, want.Undone) {
				t.Errorf("took back %v of %s, the preview showed %v", e.Undone, e.Address, want.Undone)
			}
		}
	}
}
