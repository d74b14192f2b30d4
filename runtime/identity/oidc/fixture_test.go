package oidc_test

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity/oidc"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity/oidc/oidctest"
)

const audience = "https://lb.example.com"

// clock is the time of day plus what a test adds.
type clock struct{ ahead atomic.Int64 }

func (c *clock) Now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) Advance(d time.Duration) { c.ahead.Add(int64(d)) }

// fixture is an issuer and a verifier that trusts it.
type fixture struct {
	*oidctest.Issuer
	t        *testing.T
	clock    *clock
	verifier *oidc.Verifier
}

// anyone makes everybody an operator under their subject's name.
func anyone(i *oidctest.Issuer) oidc.Config {
	return oidc.Config{
		Name: "main", Issuer: i.URL, CAPEM: i.CAPEM, Audiences: []string{audience},
		Actor: "claims.sub",
		Roles: []oidc.RoleRule{{When: "true", Role: identity.Operator}},
	}
}

func newFixture(t *testing.T, change func(*oidc.Config), opts ...oidctest.Option) *fixture {
	t.Helper()
	f := &fixture{Issuer: oidctest.Start(t, opts...), t: t, clock: &clock{}}
	c := anyone(f.Issuer)
	if change != nil {
		change(&c)
	}
	v, err := oidc.New([]oidc.Config{c}, oidc.Options{Now: f.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	f.verifier = v
	return f
}

// token is a good one, with claims changed. A nil value leaves the claim out.
func (f *fixture) token(change map[string]any, opts ...oidctest.SignOption) string {
	f.t.Helper()
	claims := f.Claims(audience, change)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return f.Sign(claims, opts...)
}

func (f *fixture) accepts(token string) identity.Login {
	f.t.Helper()
	login, err := f.verifier.Verify(f.t.Context(), token)
	if err != nil {
		f.t.Fatalf("rejected: %v", err)
	}
	return login
}

func (f *fixture) rejects(token, code string) *oidc.Rejected {
	f.t.Helper()
	login, err := f.verifier.Verify(f.t.Context(), token)
	rejected, ok := errors.AsType[*oidc.Rejected](err)
	if !ok {
		f.t.Fatalf("accepted as %+v, error %v; want it rejected as %s", login.Actor, err, code)
	}
	if rejected.Code != code {
		f.t.Fatalf("rejected as %s (%s), want %s", rejected.Code, rejected.Detail, code)
	}
	return rejected
}

func (f *fixture) unavailable(token string) *oidc.Unavailable {
	f.t.Helper()
	login, err := f.verifier.Verify(f.t.Context(), token)
	unavailable, ok := errors.AsType[*oidc.Unavailable](err)
	if !ok {
		f.t.Fatalf("accepted as %+v, error %v; want the issuer to be unavailable", login.Actor, err)
	}
	return unavailable
}

// publish lets the issuer publish its only key with some members changed.
func (f *fixture) publish(change func(key map[string]any)) {
	f.t.Helper()
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := json.Unmarshal(f.Published(), &set); err != nil {
		f.t.Fatal(err)
	}
	change(set.Keys[0])
	text, err := json.Marshal(set)
	if err != nil {
		f.t.Fatal(err)
	}
	f.Stand(oidctest.KeysPath, func(w http.ResponseWriter, _ *http.Request) { w.Write(text) })
}
