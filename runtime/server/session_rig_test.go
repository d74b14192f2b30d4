package server_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity/oidc/oidctest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
)

const audience = runtimetest.Audience

// The runs and actors that the issuers' claims stand for.
const (
	gitHubRun, gitHubActor = "github/acme/infra/123/1", "github.acme.infra"
	hcpRun, hcpActor       = "hcp_terraform/acme/production/run-X3n1AUXNGWbfECsJ", "hcp.acme.production"
)

// trustGitHub makes every job of acme/infra on main an operator.
func trustGitHub(issuer *oidctest.Issuer) runtimetest.Option {
	return runtimetest.Trust(issuer, daemon.OIDC{Name: "github", Preset: "github", Roles: []daemon.OIDCRole{
		{When: `claims.repository == "acme/infra" && claims.ref == "refs/heads/main"`, Role: "operator"},
	}})
}

// trustHCP makes every run of the workspace production an operator.
func trustHCP(issuer *oidctest.Issuer) runtimetest.Option {
	return runtimetest.Trust(issuer, daemon.OIDC{Name: "hcp", Preset: "hcp_terraform", Roles: []daemon.OIDCRole{
		{When: `claims.terraform_workspace_name == "production"`, Role: "operator"},
	}})
}

// login exchanges an identity provider's token.
func (r *rig) login(t testing.TB, token string, options ...option) *answer {
	t.Helper()
	options = slices.Concat([]option{with("Authorization"), with(api.HeaderTicket)}, options)
	return r.do(t, http.MethodPost, "/v1/sessions", map[string]string{"token": token}, options...)
}

// session is login for tokens that have to be accepted.
func (r *rig) session(t testing.TB, token string) api.Session {
	t.Helper()
	var s api.Session
	a := r.must(t, &s, http.MethodPost, "/v1/sessions", map[string]string{"token": token}, with("Authorization"), with(api.HeaderTicket))
	if a.status != http.StatusCreated || s.Secret == "" {
		t.Fatalf("exchanged for %s", a)
	}
	return s
}

// assertForgotten fails when the beginning of a part of a token is anywhere.
func assertForgotten(t *testing.T, traces map[string]string, what, token string) {
	t.Helper()
	for part := range strings.SplitSeq(token, ".") {
		assertNoTrace(t, traces, what, part[:min(len(part), 64)])
	}
}

// clock is a clock that stands still until it is moved.
type clock struct {
	mu  sync.Mutex // guards now
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now().UTC().Truncate(time.Second)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// identified holds the entry of somebody who could not be identified: what it says,
// and that it is about nothing but that.
func identified(t *testing.T, entry api.EntryRecord, code api.Code) string {
	t.Helper()
	if entry.Type != "reject" || entry.Outcome != "refused" || entry.Resource != "identity" || entry.Op != "authenticate" || entry.Code != string(code) {
		t.Fatalf("entry is %+v, want a failed authentication with %s", entry.Entry, code)
	}
	if entry.Actor != (api.Actor{Name: "unauthenticated"}) || entry.Request == nil || entry.Request.SourceIP == "" || entry.Request.BodyDigest != "" {
		t.Errorf("entry is of %+v by request %+v, want nobody from somewhere, without a digest", entry.Actor, entry.Request)
	}
	if entry.Body == nil || entry.Body.Refusal == nil {
		t.Fatalf("entry's body is %+v, want why it was refused", entry.Body)
	}
	return entry.Body.Refusal.Detail
}
