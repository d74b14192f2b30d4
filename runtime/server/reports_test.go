package server_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity/oidc/oidctest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/server"
)

// report is a run's report, in pages of at most limit effects put together.
func (r *rig) report(t testing.TB, run string, limit int) api.RunReport {
	t.Helper()
	path := fmt.Sprintf("/v1/run-reports/%s?limit=%d", run, limit)
	var all api.RunReport
	for cursor := ""; ; {
		var page api.RunReport
		r.must(t, &page, http.MethodGet, path+cursor, nil)
		if len(page.Effects) > limit {
			t.Fatalf("a page of %d has %d effects", limit, len(page.Effects))
		}
		if len(all.Effects) > 100 {
			t.Fatalf("it has no end: %q", brief(all))
		}
		page.Effects = append(all.Effects, page.Effects...)
		if all = page; page.Next == "" {
			return all
		}
		cursor = "&cursor=" + strings.ReplaceAll(page.Next, " ", "%20")
	}
}

func brief(report api.RunReport) []string {
	out := make([]string, len(report.Effects))
	for i, e := range report.Effects {
		out[i] = fmt.Sprintf("%s %s %s", e.Op, e.Address, e.Status)
	}
	return out
}

// TestAReportFollowsWhatWasPlannedIntoTheRunThatAppliedIt is the way of a change: planned
// in a pull request, approved as it is, applied after the merge.
func TestAReportFollowsWhatWasPlannedIntoTheRunThatAppliedIt(t *testing.T) {
	r := start(t)
	planned(t, r, "pr", "a", "b", "c")
	if report := r.report(t, "pr", 10); report.Overall != api.RunPlanned || report.Counts != (api.EffectCounts{NotApplied: 3}) || len(report.Tickets) != 1 {
		t.Errorf("planned: %+v", report)
	}
	ticket := r.bound(t, "pr")
	r.must(t, nil, http.MethodPut, "/v1/runs/main", `{"system":"github","url":"https://ci.example/7","actor":"octocat"}`)
	in := with(api.HeaderRun, "main")
	r.must(t, nil, http.MethodPut, "/v1/pools/a", pool("10.0.0.1:80"), creating, in, under(ticket.ID))
	refused := r.do(t, http.MethodPut, "/v1/pools/b", pool("10.0.0.2:80"), creating, in, under(ticket.ID))
	if refused.problem.Code != api.CodeTicketDiffers {
		t.Fatalf("something else than planned: %s", refused)
	}
	r.must(t, nil, http.MethodPut, "/v1/pools/other", pool(), creating, in)

	pr := r.report(t, "pr", 10)
	if got := brief(pr); !slices.Equal(got, []string{"create pool/a applied", "create pool/b not_applied", "create pool/c not_applied"}) || pr.Overall != api.RunPartial {
		t.Fatalf("of the pull request: %s %q", pr.Overall, got)
	}
	a := pr.Effects[0]
	if a.Plan == nil || a.Plan.Run != "pr" || a.Apply == nil || a.Apply.Run != "main" || a.Apply.Actor != "olivia" || a.Ticket != ticket.ID || len(a.Patch) != 1 || a.EffectDigest == "" || a.Plan.Verified || a.Plan.At.IsZero() {
		t.Errorf("applied: %+v", a)
	}
	i := slices.IndexFunc(pr.Tickets, func(t api.Ticket) bool { return t.ID == ticket.ID })
	if i < 0 || len(pr.Tickets[i].Approvals) != 1 || pr.Tickets[i].Approvals[0].By != "anton" || pr.Tickets[i].Approvals[0].EffectsDigest != ticket.Binding.EffectsDigest {
		t.Errorf("tickets: %+v", pr.Tickets)
	}
	main := r.report(t, "main", 10)
	if got := brief(main); !slices.Equal(got, []string{"create pool/a applied", "create pool/b failed", "create pool/other unplanned"}) || main.Overall != api.RunFailed {
		t.Fatalf("after the merge: %s %q", main.Overall, got)
	}
	if a := main.Effects[0]; a.Plan == nil || a.Plan.Run != "pr" || a.Apply.Seq != pr.Effects[0].Apply.Seq {
		t.Errorf("applied what another run planned: %+v", a)
	}
	failed := main.Effects[1].Refusal
	if failed == nil || failed.Code != api.CodeTicketDiffers || failed.Seq != refused.problem.Seq || failed.Detail != refused.problem.Detail || !slices.Equal(failed.Violations, refused.problem.Violations) || len(failed.Violations) == 0 || failed.Planning {
		t.Errorf("refused: %+v, want what was answered: %+v", failed, refused.problem)
	}
	if main.Link != "https://ci.example/7" || main.Run.Claims.Actor != "octocat" || len(main.Actors) != 1 || main.Actors[0].Name != "olivia" || main.Actors[0].Verified {
		t.Errorf("who: link %q, %+v, %+v", main.Link, main.Run, main.Actors)
	}
	if a := r.do(t, http.MethodGet, "/v1/run-reports/nobody", nil); a.problem.Code != api.CodeNotFound {
		t.Errorf("of no run: %s", a)
	}
}

func TestAReportInPagesIsTheSame(t *testing.T) {
	r := start(t)
	planned(t, r, "many", "a", "b", "c", "d", "e")
	r.must(t, nil, http.MethodPut, "/v1/pools/c", pool("10.0.0.1:80"), creating, with(api.HeaderRun, "many"))
	r.must(t, nil, http.MethodDelete, "/v1/pools/c", nil, updating, with(api.HeaderRun, "many"))
	want := []string{"create pool/a not_applied", "create pool/b not_applied", "create pool/c applied", "delete pool/c unplanned", "create pool/d not_applied", "create pool/e not_applied"}
	for _, limit := range []int{1, 2, 5, 6, 7} {
		report := r.report(t, "many", limit)
		if got := brief(report); !slices.Equal(got, want) || report.Overall != api.RunUnplanned || report.Counts != (api.EffectCounts{Applied: 1, NotApplied: 4, Unplanned: 1}) {
			t.Errorf("in pages of %d: %s %+v %q", limit, report.Overall, report.Counts, got)
		}
	}
}

// TestAReportTellsWhatIsProvedFromWhatIsClaimed: also of who acted.
func TestAReportTellsWhatIsProvedFromWhatIsClaimed(t *testing.T) {
	issuer := oidctest.Start(t)
	r := start(t, trustGitHub(issuer))
	job := bearer(r.session(t, issuer.Sign(issuer.GitHubClaims(audience))).Secret)
	r.must(t, nil, http.MethodPut, runPath(gitHubRun), api.RunClaims{System: "github", URL: "javascript:alert(1)"}, job)
	r.must(t, nil, http.MethodPost, "/v1/plans", `{"kind":"pool","name":"a","op":"create","object":`+pool()+`}`, job)
	r.must(t, nil, http.MethodPut, "/v1/pools/a", pool(), creating, with(api.HeaderRun, gitHubRun))
	report := r.report(t, url.PathEscape(gitHubRun), 10)
	if p := report.Run.Proof; p == nil || p.Facts["repository"] != "acme/infra" || report.Link != "" {
		t.Errorf("run: %+v, link %q", report.Run, report.Link)
	}
	if e := report.Effects; len(e) != 1 || !e[0].Plan.Verified || e[0].Apply.Verified {
		t.Errorf("effects: %+v", e)
	}
	if a := report.Actors; len(a) != 2 || a[0].Name != gitHubActor || !a[0].Verified || a[0].Subject == "" || a[1].Name != "olivia" || a[1].Verified {
		t.Errorf("actors: %+v", a)
	}
}

// TestOnlyAWebAddressBecomesALink: what a run claims may be anything.
func TestOnlyAWebAddressBecomesALink(t *testing.T) {
	r := start(t)
	for i, tt := range []struct{ url, want string }{
		{"https://ci.example/acme/infra/runs/7?x=1#y", "https://ci.example/acme/infra/runs/7?x=1#y"},
		{"HTTP://ci.example/7", "http://ci.example/7"},
		{"javascript:alert(1)//https://ci.example", ""},
		{"data:text/html,hello", ""},
		{"//ci.example/7", ""},
		{"https:ci.example", ""},
		{"https://user:secret@ci.example/", ""},
		{"ci.example/7", ""},
		{"https://ci.example/%zz", ""},
	} {
		run := fmt.Sprintf("run-%d", i)
		r.must(t, nil, http.MethodPut, "/v1/runs/"+run, api.RunClaims{System: "x", URL: tt.url})
		if report := r.report(t, run, 1); report.Link != tt.want || report.Overall != api.RunNothing {
			t.Errorf("%s: link %q, want %q; %s", tt.url, report.Link, tt.want, report.Overall)
		}
	}
}

// TestARefusedPlanIsPartOfTheReport: Terraform stops there, and so there is no plan.
func TestARefusedPlanIsPartOfTheReport(t *testing.T) {
	r := start(t)
	planned(t, r, "run")
	a := r.do(t, http.MethodPost, "/v1/plans", `{"kind":"pool","name":"a","op":"create","object":{"owner":"team-web","members":{"m":{"address":"nowhere"}}}}`, with(api.HeaderRun, "run"))
	report := r.report(t, "run", 1)
	if e := report.Effects; len(e) != 1 || e[0].Status != api.EffectFailed || e[0].Plan != nil || e[0].Refusal == nil || !e[0].Refusal.Planning || e[0].Refusal.Seq != a.problem.Seq || len(e[0].Refusal.Violations) != 1 {
		t.Errorf("%+v, want what was refused with %s", e, a)
	}
	// A role that does not suffice is no different.
	r.do(t, http.MethodPut, "/v1/pools/b", pool(), creating, with(api.HeaderRun, "run"), as(identity.Viewer))
	if report = r.report(t, "run", 5); len(report.Effects) != 2 || report.Effects[1].Refusal.Code != api.CodeRole {
		t.Errorf("effects: %+v", report.Effects)
	}
}

// TestAReportSaysWhatItDoesNotLookAt: it never takes a part for everything.
func TestAReportSaysWhatItDoesNotLookAt(t *testing.T) {
	t.Cleanup(server.SetMaxReported(3))
	r := start(t)
	names := make([]string, 25)
	for i := range names {
		names[i] = fmt.Sprintf("p%02d", i)
	}
	planned(t, r, "large", names...)
	for _, name := range names {
		r.must(t, nil, http.MethodPut, "/v1/pools/"+name, pool("10.0.0.1:80"), creating, with(api.HeaderRun, "large"))
	}
	report := r.report(t, "large", 500)
	if seen := 2*len(names) - report.LeftOut; report.Overall != api.RunUnclear || report.LeftOut == 0 || seen < 3 || len(report.Effects) > seen || len(report.Effects) == 0 {
		t.Errorf("%s, %d effects, %d entries left out", report.Overall, len(report.Effects), report.LeftOut)
	}
}
