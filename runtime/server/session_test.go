package server_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity/oidc"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity/oidc/oidctest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/server"
)

// trustAFewTimes makes every job an operator, and a token good for so many sessions.
func trustAFewTimes(issuer *oidctest.Issuer, exchanges int) runtimetest.Option {
	return runtimetest.Trust(issuer, daemon.OIDC{
		Name: "github", Preset: "github", Exchanges: exchanges, Roles: []daemon.OIDCRole{{When: "true", Role: "operator"}},
	})
}

func TestATokenIsGoodForItsExchangesAndNoMore(t *testing.T) {
	issuer := oidctest.Start(t)
	r := start(t, trustAFewTimes(issuer, 3))
	token := issuer.Sign(issuer.GitHubClaims(audience))
	secrets := map[string]bool{}
	for range 3 {
		secrets[r.session(t, token).Secret] = true
	}
	if len(secrets) != 3 {
		t.Errorf("three exchanges gave %d secrets", len(secrets))
	}
	usedUp := func(when string) {
		t.Helper()
		a := r.login(t, token)
		if a.problem.Code != api.CodeTokenUsedUp || a.status != http.StatusForbidden {
			t.Fatalf("%s: %s, want %s", when, a, api.CodeTokenUsedUp)
		}
		entry := r.newest(t)
		if entry.Seq != a.problem.Seq || entry.Type != "reject" || entry.Code != string(api.CodeTokenUsedUp) || entry.Actor.Name != gitHubActor || entry.Actor.Subject == "" {
			t.Errorf("%s: recorded as %+v", when, entry.Entry)
		}
	}
	usedUp("the fourth time")
	r.session(t, issuer.Sign(issuer.GitHubClaims(audience)))
	r.Restart(t)
	usedUp("after a restart")
	for secret := range secrets {
		r.must(t, nil, http.MethodGet, "/v1/whoami", nil, bearer(secret))
	}
	traces := r.traces(t)
	delete(traces, "answers") // they are what gives the secrets out
	for secret := range secrets {
		assertNoTrace(t, traces, "a session's secret", strings.SplitN(secret, "_", 3)[2])
	}
	assertForgotten(t, r.traces(t), "the token", token)
}

// TestManyProcessesExchangeOneTokenAtOnce: Terraform starts several for a command.
func TestManyProcessesExchangeOneTokenAtOnce(t *testing.T) {
	issuer := oidctest.Start(t)
	const exchanges, processes = 10, 16
	r := start(t, trustAFewTimes(issuer, exchanges))
	token := issuer.Sign(issuer.GitHubClaims(audience))
	answers := make([]*answer, processes)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = r.login(t, token) })
	}
	wg.Wait()
	made := 0
	for _, a := range answers {
		switch {
		case a.status == http.StatusCreated:
			made++
		case a.problem.Code != api.CodeTokenUsedUp:
			t.Errorf("%s", a)
		}
	}
	if made != exchanges || len(r.sessions(t)) != exchanges {
		t.Errorf("%d sessions were answered and %d recorded, want %d", made, len(r.sessions(t)), exchanges)
	}
}

// TestASessionEndsAtItsTime watches a session through a clock of the test's own.
func TestASessionEndsAtItsTime(t *testing.T) {
	issuer, clock := oidctest.Start(t), newClock()
	logins, err := oidc.New([]oidc.Config{{
		Name: "github", Preset: "github", Issuer: issuer.URL, CAPEM: issuer.CAPEM, Audiences: []string{audience},
		SessionTTL: 10 * time.Minute, Roles: []oidc.RoleRule{{When: "true", Role: identity.Operator}},
	}}, oidc.Options{Now: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	r := startOver(t, control.Options{Store: openStore(t, t.TempDir()), Now: clock.Now}, server.Options{Now: clock.Now, Logins: logins})
	token := issuer.Sign(issuer.GitHubClaims(audience))
	s := r.session(t, token)
	if want := clock.Now().Add(10 * time.Minute); s.ExpiresAt.Sub(want).Abs() > time.Second {
		t.Errorf("ends at %s, want %s", s.ExpiresAt, want)
	}
	try := func() *answer { return r.do(t, http.MethodPut, "/v1/pools/web", pool(), creating, bearer(s.Secret)) }
	clock.advance(s.ExpiresAt.Sub(clock.Now()) - time.Microsecond)
	if a := try(); a.status != http.StatusCreated {
		t.Errorf("at its last moment: %s", a)
	}
	clock.advance(time.Microsecond)
	if a := try(); a.problem.Code != api.CodeUnauthenticated {
		t.Errorf("at its end: %s", a)
	}
	if detail := identified(t, r.newest(t), api.CodeUnauthenticated); strings.Contains(detail, strings.SplitN(s.Secret, "_", 3)[2]) {
		t.Errorf("recorded with the secret: %s", detail)
	}
	// The token itself is still good, or not.
	clock.advance(-6 * time.Minute)
	r.session(t, token)
	clock.advance(6 * time.Minute)
	if a := r.login(t, token); a.problem.Code != api.CodeUnauthenticated || !strings.HasPrefix(a.problem.Detail, "token_expired: ") {
		t.Errorf("a token after its end: %s", a)
	}
}

// TestAnIssuerThatIsDownIsNotTheTokensFault: it may be tried again, and counts as no
// failure of whoever tries.
func TestAnIssuerThatIsDownIsNotTheTokensFault(t *testing.T) {
	t.Parallel() // it waits
	issuer := oidctest.Start(t)
	r := start(t, trustGitHub(issuer))
	token := issuer.Sign(issuer.GitHubClaims(audience))
	issuer.Down()
	last := r.newest(t).Seq
	for range 30 {
		if a := r.login(t, token); a.problem.Code != api.CodeLoginUnavailable || a.header.Get("Retry-After") == "" {
			t.Fatalf("%s, want %s", a, api.CodeLoginUnavailable)
		}
	}
	if now := r.newest(t).Seq; now != last {
		t.Errorf("left %d entries", now-last)
	}
	issuer.Up()
	waitFor(t, "the issuer to be asked again", func() bool { return r.login(t, token).status == http.StatusCreated })
}

// TestAGoodTokenIsExchangedFromWhereOthersFail: runners share an address with whoever
// is on their network.
func TestAGoodTokenIsExchangedFromWhereOthersFail(t *testing.T) {
	issuer := oidctest.Start(t)
	r := start(t, trustGitHub(issuer))
	bad := issuer.Sign(issuer.GitHubClaims(audience), oidctest.ByStranger(t))
	waitFor(t, "failures to be slowed down", func() bool { return r.login(t, bad).problem.Code == api.CodeTooManyFailures })
	r.session(t, issuer.Sign(issuer.GitHubClaims(audience)))
}
