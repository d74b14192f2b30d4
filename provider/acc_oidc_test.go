package provider_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/provider/acctest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity/oidc/oidctest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
)

// githubJob is the environment of a job of run 123 in acme/infra, which asks for
// its tokens at a local endpoint. asked counts how often it did.
func githubJob(t *testing.T, rt *acctest.Runtime, issuer *oidctest.Issuer, asked *atomic.Int32) []string {
	t.Helper()
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Header.Get("Authorization") != "Bearer job-secret" {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"value":%q}`, issuer.Sign(issuer.GitHubClaims(r.URL.Query().Get("audience"))))
	}))
	t.Cleanup(tokens.Close)
	claims := issuer.GitHubClaims("")
	return []string{
		"AUDITLB_ENDPOINT=" + rt.Endpoint, "AUDITLB_CHANGE_TICKET=" + rt.Ticket, "AUDITLB_OIDC_AUDIENCE=" + runtimetest.Audience,
		"GITHUB_RUN_ID=" + fmt.Sprint(claims["run_id"]), "GITHUB_RUN_ATTEMPT=" + fmt.Sprint(claims["run_attempt"]),
		"GITHUB_REPOSITORY=" + fmt.Sprint(claims["repository"]), "GITHUB_SERVER_URL=https://github.com", "GITHUB_SHA=" + fmt.Sprint(claims["sha"]),
		"GITHUB_ACTOR=" + fmt.Sprint(claims["actor"]), "GITHUB_TRIGGERING_ACTOR=" + fmt.Sprint(claims["actor"]),
		"ACTIONS_ID_TOKEN_REQUEST_URL=" + tokens.URL + "/?api-version=2.0", "ACTIONS_ID_TOKEN_REQUEST_TOKEN=job-secret",
	}
}

// TestAccAJobInCILogsInAndIsVerified: no token is configured anywhere, and every
// entry says whose word it is that this is the run.
func TestAccAJobInCILogsInAndIsVerified(t *testing.T) {
	acctest.Need(t)
	issuer := oidctest.Start(t)
	rt := acctest.Start(t, runtimetest.Trust(issuer, daemon.OIDC{
		Name: "github", Preset: "github",
		Roles: []daemon.OIDCRole{{When: `claims.repository == "acme/infra" && claims.ref == "refs/heads/main"`, Role: "operator", Scopes: []string{"pool/*"}}},
	}))
	var asked atomic.Int32
	w := acctest.NewWorkspace(t, githubJob(t, rt, issuer, &asked)...)
	w.Write(t, "main.tf", poolWeb(1))
	w.MustRun(t, "plan", "-no-color", "-out=plan")
	w.MustRun(t, "apply", "-no-color", "plan")

	const run = "github/acme/infra/123/1"
	entries := rt.Entries(t, api.EntryQuery{Resource: "pool/web"})
	if got := brief(entries); len(got) != 2 || got[1] != "apply create pool/web" {
		t.Fatalf("entries %q", got)
	}
	for _, e := range entries {
		if e.Run == nil || e.Run.ID != run || !e.Run.Verified || e.Run.Proved["repository"] != "acme/infra" || e.Run.Proved["ref"] != "refs/heads/main" {
			t.Errorf("entry %d: run %+v", e.Seq, e.Run)
		}
		if e.Actor.Provider != "github" || e.Actor.Issuer != issuer.URL || !strings.HasPrefix(e.Actor.Credential, "session/") || e.Actor.Name != "github.acme.infra" {
			t.Errorf("entry %d: actor %+v", e.Seq, e.Actor)
		}
	}
	if n := asked.Load(); n == 0 || n > 8 {
		t.Errorf("the CI was asked for %d tokens", n)
	}
	for _, file := range []string{"terraform.tfstate", "plan"} {
		if text := w.Read(t, file) + private(t, w.Read(t, file)); strings.Contains(text, "job-secret") || jwt.MatchString(text) {
			t.Errorf("%s holds a token", file)
		}
	}
	if strings.Contains(rt.Logs.String(), "eyJ") {
		t.Error("a token is in the runtime's log")
	}
}

// TestAccAJobThatPretendsIsRefused: the token says run 123, the environment another.
func TestAccAJobThatPretendsIsRefused(t *testing.T) {
	acctest.Need(t)
	issuer := oidctest.Start(t)
	rt := acctest.Start(t, runtimetest.Trust(issuer, daemon.OIDC{
		Name: "github", Preset: "github", Roles: []daemon.OIDCRole{{When: "true", Role: "operator"}},
	}))
	var asked atomic.Int32
	env := append(githubJob(t, rt, issuer, &asked), "GITHUB_RUN_ID=999")
	w := acctest.NewWorkspace(t, env...)
	w.Write(t, "main.tf", poolWeb(1))
	out, err := w.Run(t, "apply", "-auto-approve", "-no-color")
	if err == nil || !strings.Contains(out, string(api.CodeRunContradicts)) {
		t.Errorf("%v\n%s", err, out)
	}
	refused := rt.Entries(t, api.EntryQuery{Type: "reject"})
	if len(refused) == 0 || refused[len(refused)-1].Code != string(api.CodeRunContradicts) {
		t.Errorf("recorded: %q", brief(refused))
	}
	if left := rt.Entries(t, api.EntryQuery{Resource: "pool/web"}); len(left) != 0 {
		t.Errorf("it left %q", brief(left))
	}
}

// jwt is what a token of an identity provider looks like: two parts in base64 that
// begin as JSON objects do, and a signature.
var jwt = regexp.MustCompile(`eyJ[\w-]+\.eyJ[\w-]+\.`)

// private is what a state keeps out of sight.
func private(t *testing.T, state string) string {
	t.Helper()
	var out strings.Builder
	for _, m := range regexp.MustCompile(`"private": "([^"]*)"`).FindAllStringSubmatch(state, -1) {
		text, err := base64.StdEncoding.DecodeString(m[1])
		if err != nil {
			t.Fatal(err)
		}
		out.Write(text)
		for _, value := range regexp.MustCompile(`"([\w+/]{20,}=*)"`).FindAllStringSubmatch(string(text), -1) {
			if inner, err := base64.StdEncoding.DecodeString(value[1]); err == nil {
				out.Write(inner)
			}
		}
	}
	return out.String()
}
