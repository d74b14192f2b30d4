package server_test

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity/oidc/oidctest"
)

// runPath is the path of a run.
func runPath(id string) string { return "/v1/runs/" + url.PathEscape(id) }

// TestARunIsTheOneThatItsTokenWasMadeFor: a token proves its own run, and no call in
// another's name gets through.
func TestARunIsTheOneThatItsTokenWasMadeFor(t *testing.T) {
	issuer := oidctest.Start(t)
	r := start(t, trustGitHub(issuer))
	r.create(t, "pool/web", pool())
	const claimed = "github/acme/infra/999/1"
	r.must(t, nil, http.MethodPut, runPath(claimed), `{"system":"github"}`)
	job := bearer(r.session(t, issuer.Sign(issuer.GitHubClaims(audience))).Secret)
	plan := `{"kind":"pool","name":"web","op":"update","object":` + pool("10.0.0.1:80") + `}`
	for name, call := range map[string]struct {
		method, path string
		body         any
		pre          option
	}{
		"create":   {http.MethodPut, "/v1/pools/new", pool(), creating},
		"update":   {http.MethodPut, "/v1/pools/web", pool("10.0.0.1:80"), updating},
		"delete":   {http.MethodDelete, "/v1/pools/web", nil, updating},
		"plan":     {http.MethodPost, "/v1/plans", plan, with("X")},
		"register": {http.MethodPut, runPath(claimed), `{"system":"github"}`, with("X")},
	} {
		t.Run(name, func(t *testing.T) {
			pools := func() string { return string(r.must(t, nil, http.MethodGet, "/v1/pools", nil).body) }
			before, last := pools(), r.newest(t).Seq
			a := r.do(t, call.method, call.path, call.body, call.pre, job, with(api.HeaderRun, claimed))
			if a.problem.Code != api.CodeRunContradicts || a.status != http.StatusForbidden || !strings.Contains(a.problem.Detail, gitHubRun) {
				t.Fatalf("%s, want %s", a, api.CodeRunContradicts)
			}
			entry := r.newest(t)
			checkRefusal(t, entry, a, last+1, gitHubActor)
			if entry.Run == nil || entry.Run.ID != claimed || entry.Run.Verified || entry.Run.Proved["commit"] == "" {
				t.Errorf("recorded of run %+v, want the claimed one, unverified, beside what was proved", entry.Run)
			}
			if after := pools(); after != before {
				t.Errorf("something changed:\nbefore %s\nafter  %s", before, after)
			}
		})
	}
	r.must(t, nil, http.MethodPut, "/v1/pools/web", pool("10.0.0.1:80"), updating, job, with(api.HeaderRun, gitHubRun))
}

func TestARunCanNotClaimWhatItsTokenDenies(t *testing.T) {
	gitHub, hcp := oidctest.Start(t), oidctest.Start(t)
	r := start(t, trustGitHub(gitHub), trustHCP(hcp))
	github := bearer(r.session(t, gitHub.Sign(gitHub.GitHubClaims(audience))).Secret)
	again := gitHub.GitHubClaims(audience)
	maps.Copy(again, map[string]any{"run_id": "77", "run_attempt": "2", "actor": "octocat"})
	rerun := bearer(r.session(t, gitHub.Sign(again)).Secret)
	terraform := bearer(r.session(t, hcp.Sign(hcp.HCPTerraformClaims(audience, "plan"))).Secret)
	for _, tt := range []struct {
		name    string
		who     option
		run     string
		claims  api.RunClaims
		pointer string
	}{
		{"system", github, gitHubRun, api.RunClaims{System: "jenkins"}, "/system"},
		{"repository", github, gitHubRun, api.RunClaims{System: "github", Repository: "acme/other"}, "/repository"},
		{"commit", github, gitHubRun, api.RunClaims{System: "github", Commit: strings.Repeat("0", 40)}, "/commit"},
		{"attempt", github, gitHubRun, api.RunClaims{System: "github", Attempt: "2"}, "/attempt"},
		{"actor", github, gitHubRun, api.RunClaims{System: "github", Actor: "mallory"}, "/actor"},
		{"phase", terraform, hcpRun, api.RunClaims{System: "hcp_terraform", Phase: "apply"}, "/phase"},
		{"workspace", terraform, hcpRun, api.RunClaims{System: "hcp_terraform", Workspace: "acme/staging"}, "/workspace"},
		{"nothing that is proved", github, gitHubRun, api.RunClaims{System: "github", URL: "https://elsewhere.example", Tool: "terraform", Host: "a"}, ""},
		{"what is proved, in other letters", github, gitHubRun, api.RunClaims{System: "GitHub", Repository: "ACME/infra", Actor: "Octocat"}, ""},
		{"somebody who started it again", rerun, "github/acme/infra/77/2", api.RunClaims{System: "github", Actor: "hubot"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			last := r.newest(t).Seq
			a := r.do(t, http.MethodPut, runPath(tt.run), tt.claims, tt.who)
			if tt.pointer == "" {
				if a.status != http.StatusOK {
					t.Fatalf("refused: %s", a)
				}
				return
			}
			if a.problem.Code != api.CodeRunContradicts || len(a.problem.Violations) != 1 || a.problem.Violations[0].Pointer != tt.pointer {
				t.Fatalf("%s, want %s at %s", a, api.CodeRunContradicts, tt.pointer)
			}
			if entry := r.newest(t); entry.Seq != last+1 || entry.Code != string(api.CodeRunContradicts) || entry.Resource != "run/"+tt.run {
				t.Errorf("recorded as %+v", entry.Entry)
			}
		})
	}
}

// TestWhatIsProvedStandsApartFromWhatIsClaimed: in entries, in runs, and for callers
// with either kind of credential.
func TestWhatIsProvedStandsApartFromWhatIsClaimed(t *testing.T) {
	issuer := oidctest.Start(t)
	r := start(t, trustGitHub(issuer))
	s := r.session(t, issuer.Sign(issuer.GitHubClaims(audience)))
	claims := api.RunClaims{System: "github", URL: "https://elsewhere.example/1", Tool: "terraform", Host: "somewhere"}
	// Anybody can claim the run first; that proves nothing.
	var first, run api.Run
	r.must(t, &first, http.MethodPut, runPath(gitHubRun), api.RunClaims{System: "github", Actor: "mallory"})
	if first.Proof != nil || first.RegisteredBy != "olivia" {
		t.Errorf("claimed: %+v", first)
	}
	r.must(t, &run, http.MethodPut, runPath(gitHubRun), claims, bearer(s.Secret))
	if run.Claims != claims || run.Proof == nil || run.Proof.Provider != "github" || run.Proof.Issuer != issuer.URL || run.Proof.Subject != "repo:acme/infra:environment:production" {
		t.Fatalf("proved: %+v", run)
	}
	if facts := run.Proof.Facts; facts["repository"] != "acme/infra" || facts["actor"] != "octocat" || facts["environment"] != "production" || facts["url"] == claims.URL || facts["tool"] != "" {
		t.Errorf("proved are %v", facts)
	}
	// Nobody else has a say in it any more.
	if a := r.do(t, http.MethodPut, runPath(gitHubRun), api.RunClaims{System: "github", Actor: "mallory"}); a.problem.Code != api.CodePreconditionFailed {
		t.Errorf("a token changes what a proved run claims: %s", a)
	}

	r.must(t, nil, http.MethodPut, "/v1/pools/proved", pool(), creating, bearer(s.Secret))
	proved := r.newest(t)
	if a := proved.Actor; a.Name != gitHubActor || a.Provider != "github" || a.Issuer != issuer.URL || a.Subject != run.Proof.Subject || !strings.HasPrefix(a.Credential, "session/") || a.Role != "operator" {
		t.Errorf("the change is by %+v", a)
	}
	if p := proved.Run; p == nil || p.ID != gitHubRun || !p.Verified || p.Proved["repository"] != "acme/infra" || p.Proved["url"] == claims.URL {
		t.Errorf("the change is of run %+v", p)
	}
	r.must(t, nil, http.MethodPut, "/v1/pools/claimed", pool(), creating, with(api.HeaderRun, gitHubRun))
	said := r.newest(t)
	if a := said.Actor; a.Name != "olivia" || a.Provider != "" || a.Issuer != "" || a.Subject != "" || !strings.HasPrefix(a.Credential, "token/") {
		t.Errorf("the change under a token is by %+v", a)
	}
	if c := said.Run; c == nil || c.ID != gitHubRun || c.Verified || c.Proved != nil {
		t.Errorf("the change under a token is of run %+v", c)
	}
	var me api.Identity
	if r.must(t, &me, http.MethodGet, "/v1/whoami", nil, bearer(s.Secret)); me.Run == nil || !me.Run.Verified || me.Subject != run.Proof.Subject {
		t.Errorf("whoami of a session: %+v", me)
	}
	if r.must(t, &me, http.MethodGet, "/v1/whoami", nil, as(identity.Operator)); me.Name != "olivia" {
		t.Errorf("whoami of a token: %+v", me)
	}
}
