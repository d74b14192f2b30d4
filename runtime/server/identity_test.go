package server_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity/oidc/oidctest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
)

// TestAStolenPlanTokenCanNotApply: the role would permit it, the phase does not.
func TestAStolenPlanTokenCanNotApply(t *testing.T) {
	issuer := oidctest.Start(t)
	r := start(t, trustHCP(issuer))
	r.create(t, "pool/web", pool())
	stolen := r.session(t, issuer.Sign(issuer.HCPTerraformClaims(audience, "plan")))
	if id := stolen.Identity; id.Name != hcpActor || id.Role != "planner" || id.Run == nil || id.Run.ID != hcpRun || id.Run.Proved["phase"] != "plan" {
		t.Fatalf("the plan's token is %+v", id)
	}
	plan := `{"kind":"pool","name":"web","op":"update","object":` + pool("10.0.0.1:80") + `}`
	r.must(t, nil, http.MethodPost, "/v1/plans", plan, bearer(stolen.Secret))
	for name, call := range map[string]struct {
		method, path string
		body         any
		pre          option
	}{
		"create":                {http.MethodPut, "/v1/pools/new", pool(), creating},
		"update":                {http.MethodPut, "/v1/pools/web", pool("10.0.0.1:80"), updating},
		"delete":                {http.MethodDelete, "/v1/pools/web", nil, updating},
		"an emergency's update": {http.MethodPost, "/v1/tickets", `{"type":"emergency","title":"now","reason":"because","scope":{"addresses":["*"]}}`, updating},
		"close a ticket":        {http.MethodPost, "/v1/tickets/" + r.Ticket + "/close", `{}`, updating},
		"approve a ticket":      {http.MethodPost, "/v1/tickets/" + r.Ticket + "/approve", `{}`, updating},
		"make a token":          {http.MethodPost, "/v1/tokens", `{"actor":"x","role":"admin"}`, updating},
	} {
		t.Run(name, func(t *testing.T) {
			before, last := r.state(t), r.newest(t).Seq
			a := r.do(t, call.method, call.path, call.body, call.pre, bearer(stolen.Secret))
			if a.problem.Code != api.CodeRole || a.status != http.StatusForbidden {
				t.Fatalf("%s, want %s", a, api.CodeRole)
			}
			entry := r.newest(t)
			checkRefusal(t, entry, a, last+1, hcpActor)
			if entry.Run == nil || entry.Run.ID != hcpRun || !entry.Run.Verified || entry.Run.Proved["phase"] != "plan" {
				t.Errorf("the refusal is of run %+v, want the verified plan", entry.Run)
			}
			if after := r.state(t); after != before {
				t.Errorf("something changed:\nbefore %s\nafter  %s", before, after)
			}
		})
	}
	applying := r.session(t, issuer.Sign(issuer.HCPTerraformClaims(audience, "apply")))
	r.must(t, nil, http.MethodPut, "/v1/pools/web", pool("10.0.0.1:80"), updating, bearer(applying.Secret))
	if entry := r.newest(t); entry.Type != "apply" || entry.Run.Proved["phase"] != "apply" {
		t.Errorf("applied as %+v", entry.Entry)
	}
}

// TestATokenThatIsNotGoodIsRefusedRecordedAndForgotten is the matrix of attacks on
// the exchange: each is answered alike, and only the log says what was wrong.
func TestATokenThatIsNotGoodIsRefusedRecordedAndForgotten(t *testing.T) {
	issuer, other := oidctest.Start(t), oidctest.Start(t)
	r := start(t, trustGitHub(issuer))
	claims := func(more map[string]any) map[string]any {
		all := issuer.GitHubClaims(audience)
		maps.Copy(all, more)
		maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
		return all
	}
	ago := time.Now().Add(-time.Hour).Unix()
	later := time.Now().Add(time.Hour).Unix()
	attacks := []struct {
		name, token, why string
		// who is whom the log names, once a signature vouches for it.
		who string
	}{
		{"for another audience", issuer.Sign(claims(map[string]any{"aud": "https://other.example.com"})), "token_audience", "github repo:acme/infra"},
		{"expired", issuer.Sign(claims(map[string]any{"exp": ago})), "token_expired", "github repo:acme/infra"},
		{"not yet valid", issuer.Sign(claims(map[string]any{"nbf": later})), "token_not_yet_valid", "github repo:acme/infra"},
		{"unsigned", issuer.Sign(claims(nil), oidctest.Unsigned()), "token_algorithm", ""},
		{"signed with the public key for a secret", issuer.Sign(claims(nil), oidctest.WithPublicKeyAsSecret()), "token_algorithm", ""},
		{"signed by a stranger", issuer.Sign(claims(nil), oidctest.ByStranger(t)), "token_signature", ""},
		{"signed by another issuer", other.Sign(claims(nil)), "token_signature", ""},
		{"of an issuer that is not trusted", other.Sign(other.GitHubClaims(audience)), "issuer_unknown", ""},
		{"without an expiry", issuer.Sign(claims(map[string]any{"exp": nil})), "claims_unsuitable", ""},
		{"without a repository", issuer.Sign(claims(map[string]any{"repository": nil})), "claims_unsuitable", "github repo:acme/infra"},
		{"with a name that climbs", issuer.Sign(claims(map[string]any{"repository": "acme/../../system"})), "role_unmapped", "github repo:acme/infra"},
		{"no token at all", strings.Repeat("x", 400), "token_malformed", ""},
		{"too long", strings.Repeat("x", 20_000), "token_malformed", ""},
	}
	for _, attack := range attacks {
		t.Run(attack.name, func(t *testing.T) {
			code, status := api.CodeUnauthenticated, http.StatusUnauthorized
			if attack.why == "role_unmapped" {
				code, status = api.CodeRole, http.StatusForbidden
			}
			last := r.newest(t).Seq
			a := r.login(t, attack.token)
			if a.problem.Code != code || a.status != status || !strings.HasPrefix(a.problem.Detail, attack.why+": ") {
				t.Fatalf("%s, want %s because of %s", a, code, attack.why)
			}
			entry := r.newest(t)
			if entry.Seq != last+1 {
				t.Fatalf("the newest entry is %d, want %d", entry.Seq, last+1)
			}
			detail := identified(t, entry, code)
			if !strings.Contains(detail, attack.why+": ") || !strings.HasPrefix(detail, attack.who) {
				t.Errorf("recorded as %q, want %s of %q", detail, attack.why, attack.who)
			}
		})
	}
	r.session(t, issuer.Sign(claims(nil)))
	traces := r.traces(t)
	for _, attack := range attacks {
		assertForgotten(t, traces, "a token "+attack.name, attack.token)
	}
}

func TestATokenWithoutARoleIsAPersonWithoutRights(t *testing.T) {
	issuer := oidctest.Start(t)
	r := start(t, trustGitHub(issuer))
	claims := issuer.GitHubClaims(audience)
	claims["ref"] = "refs/heads/evil"
	a := r.login(t, issuer.Sign(claims))
	if a.problem.Code != api.CodeRole || a.status != http.StatusForbidden || len(r.sessions(t)) != 0 {
		t.Errorf("%s, want %s and no session", a, api.CodeRole)
	}
	if detail := identified(t, r.newest(t), api.CodeRole); !strings.Contains(detail, "repo:acme/infra:environment:production") || !strings.Contains(detail, gitHubActor) {
		t.Errorf("recorded as %q, want who it was", detail)
	}
}

// sessions are the entries that made sessions.
func (r *rig) sessions(t *testing.T) []api.EntryRecord {
	t.Helper()
	var made []api.EntryRecord
	for _, e := range r.Entries(t, api.EntryQuery{Type: "identity"}) {
		if strings.HasPrefix(e.Resource, "session/") {
			made = append(made, e)
		}
	}
	return made
}

// TestABrokenExchangeTellsNothing: bodies that are none, with a token in the wrong
// place, and tokens sent where sessions belong.
func TestABrokenExchangeTellsNothing(t *testing.T) {
	issuer := oidctest.Start(t)
	r := start(t, trustGitHub(issuer))
	token := issuer.Sign(issuer.GitHubClaims(audience))
	const post, path = http.MethodPost, "/v1/sessions"
	for name, body := range map[string]string{
		"another name":  fmt.Sprintf(`{"jwt":%q}`, token),
		"a name itself": fmt.Sprintf(`{%q:"x"}`, token),
		"a list":        fmt.Sprintf(`{"token":[%q]}`, token),
		"twice":         fmt.Sprintf(`{"token":%q,"token":%q}`, token, token),
		"bare":          token,
		"quoted":        fmt.Sprintf("%q", token),
		"more after it": fmt.Sprintf(`{"token":%q} %q`, token, token),
	} {
		if a := r.do(t, post, path, body, with("Authorization")); a.problem.Code != api.CodeUnauthenticated {
			t.Errorf("%s: %s", name, a)
		}
	}
	for name, tt := range map[string]struct {
		body   string
		option option
		code   api.Code
	}{
		"too large":       {`{"token":"` + strings.Repeat("x", 64<<10) + `"}`, with("Authorization"), api.CodeTooLarge},
		"media type":      {fmt.Sprintf(`{"token":%q}`, token), with("Content-Type", "text/plain"), api.CodeMediaType},
		"idempotency key": {fmt.Sprintf(`{"token":%q}`, token), with(api.HeaderIdempotencyKey, token), api.CodeIdempotencyKey},
	} {
		if a := r.do(t, post, path, tt.body, tt.option); a.problem.Code != tt.code {
			t.Errorf("%s: %s, want %s", name, a, tt.code)
		}
	}
	a := r.do(t, http.MethodGet, "/v1/whoami", nil, bearer(token))
	if a.problem.Code != api.CodeUnauthenticated || !strings.Contains(a.problem.Detail, "POST /v1/sessions") {
		t.Errorf("a token of an issuer as a bearer: %s", a)
	}
	if made := r.sessions(t); len(made) != 0 {
		t.Errorf("%d sessions were made", len(made))
	}
	assertForgotten(t, r.traces(t), "a token", token)
}

// TestWithoutAnIdentityProviderNobodyLogsIn: nothing is trusted that is not configured.
func TestWithoutAnIdentityProviderNobodyLogsIn(t *testing.T) {
	issuer := oidctest.Start(t)
	r := start(t)
	a := r.login(t, issuer.Sign(issuer.GitHubClaims(audience)))
	if a.problem.Code != api.CodeUnauthenticated || !strings.Contains(a.problem.Detail, "trusts no identity provider") {
		t.Errorf("%s", a)
	}
	identified(t, r.newest(t), api.CodeUnauthenticated)
}

// TestTheRoleOfASessionHoldsItToItsScopes: what the configuration gives is all there is.
func TestTheRoleOfASessionHoldsItToItsScopes(t *testing.T) {
	issuer := oidctest.Start(t)
	r := start(t, runtimetest.Trust(issuer, daemon.OIDC{Name: "github", Preset: "github", Roles: []daemon.OIDCRole{
		{When: `claims.environment == "production"`, Role: "operator", Scopes: []string{"pool/shop-*"}},
	}}))
	s := r.session(t, issuer.Sign(issuer.GitHubClaims(audience)))
	if len(s.Identity.Scopes) != 1 || s.Identity.Scopes[0] != "pool/shop-*" {
		t.Errorf("the session may act on %q", s.Identity.Scopes)
	}
	r.must(t, nil, http.MethodPut, "/v1/pools/shop-1", pool(), creating, bearer(s.Secret))
	if a := r.do(t, http.MethodPut, "/v1/pools/web", pool(), creating, bearer(s.Secret)); a.problem.Code != api.CodeScope {
		t.Errorf("outside its scope: %s", a)
	}
}
