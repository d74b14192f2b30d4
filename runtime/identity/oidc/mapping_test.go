package oidc_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity/oidc"
)

func TestTheFirstRoleThatAppliesCountsAndNoneIsARejection(t *testing.T) {
	f := newFixture(t, func(c *oidc.Config) {
		c.Roles = []oidc.RoleRule{
			{When: `claims.team == "edge" && claims.?environment.orValue("") == "production"`, Role: identity.Operator, Scopes: []string{"pool/web-*", "route/*"}},
			{When: `claims.team == "edge"`, Role: identity.Planner},
			{When: `"sre" in claims.groups`, Role: identity.Admin},
		}
	})
	tests := []struct {
		name   string
		claims map[string]any
		role   identity.Role
		scopes []string
		code   string
	}{
		{"the first", map[string]any{"team": "edge", "environment": "production", "groups": []string{"sre"}}, identity.Operator, []string{"pool/web-*", "route/*"}, ""},
		{"the second", map[string]any{"team": "edge", "groups": []string{"sre"}}, identity.Planner, nil, ""},
		{"the third", map[string]any{"team": "core", "groups": []string{"all", "sre"}}, identity.Admin, nil, ""},
		{"none", map[string]any{"team": "core", "groups": []string{"all"}}, "", nil, oidc.CodeRole},
		{"a condition that fails", map[string]any{"groups": []string{"sre"}}, "", nil, oidc.CodeClaims},
		{"a condition over another type", map[string]any{"team": "core", "groups": 7}, "", nil, oidc.CodeClaims},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := *f
			f.t = t
			if tt.code != "" {
				r := f.rejects(f.token(tt.claims), tt.code)
				if r.Provider != "main" || r.Subject != "somebody" {
					t.Errorf("rejected %+v without whose token it is", r)
				}
				return
			}
			got := f.accepts(f.token(tt.claims)).Actor
			if got.Role != tt.role || !slices.Equal(got.Scopes, tt.scopes) {
				t.Errorf("role %s over %q, want %s over %q", got.Role, got.Scopes, tt.role, tt.scopes)
			}
		})
	}
}

func TestMappingsFailClosed(t *testing.T) {
	list := "[" + strings.Repeat("1, ", 99) + "1]"
	bomb := list + ".all(a, " + list + ".all(b, " + list + ".all(c, a + b + c > 0)))"
	tests := []struct {
		name   string
		change func(*oidc.Config)
		claims map[string]any
		about  string
	}{
		{"an actor that is no string", func(c *oidc.Config) { c.Actor = "claims.n" }, map[string]any{"n": 7}, "actor"},
		{"an actor that is absent", func(c *oidc.Config) { c.Actor = "claims.email" }, nil, "orValue"},
		{"an actor that is empty", func(c *oidc.Config) { c.Actor = `claims.?email.orValue("")` }, nil, "actor"},
		{"an actor with a line end", func(c *oidc.Config) { c.Actor = "claims.email" }, map[string]any{"email": "a@b.c\nadmin"}, "actor"},
		{"an actor like the runtime's", func(c *oidc.Config) { c.Actor = "claims.email" }, map[string]any{"email": "auditlb/runtime"}, "actor"},
		{"a condition that is no bool", func(c *oidc.Config) { c.Roles[0].When = "claims.admin" }, map[string]any{"admin": "true"}, "role 1"},
		{"a condition that costs too much", func(c *oidc.Config) { c.Roles[0].When = bomb }, nil, "cost limit"},
		{"a text that grows", func(c *oidc.Config) {
			c.Run = map[string]string{"url": `[1,2,3,4,5,6,7,8,9,10].map(i, claims.a.replace("", claims.a)).join(claims.a)`}
		}, map[string]any{"a": strings.Repeat("a", 2000)}, "cost limit"},
		{"a run with a line end", func(c *oidc.Config) { c.Run = map[string]string{"ref": "claims.ref"} }, map[string]any{"ref": "main\n2026-01-01 granted"}, "run.ref"},
		{"a run that turns the text around", func(c *oidc.Config) { c.Run = map[string]string{"ref": "claims.ref"} }, map[string]any{"ref": "\u202eniam"}, "run.ref"},
		{"a run without end", func(c *oidc.Config) { c.Run = map[string]string{"ref": "claims.ref"} }, map[string]any{"ref": strings.Repeat("a", 1025)}, "run.ref"},
		{"an id with a line end", func(c *oidc.Config) { c.Run = map[string]string{"id": "claims.id"} }, map[string]any{"id": "a\nb"}, "run.id"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, tt.change)
			began := time.Now()
			r := f.rejects(f.token(tt.claims), oidc.CodeClaims)
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("took %s", took)
			}
			if !strings.Contains(r.Detail, tt.about) {
				t.Errorf("detail %q is not about %q", r.Detail, tt.about)
			}
		})
	}
}

func TestARunIDHasTheProvidersForm(t *testing.T) {
	f := newFixture(t, func(c *oidc.Config) { c.Run = map[string]string{"id": `"x/" + string(claims.id)`} })
	tests := []struct {
		name string
		id   any
		want string
	}{
		{"text", "acme/infra", "x/acme/infra"},
		{"a number beyond floats", int64(9007199254740993), "x/9007199254740993"},
		{"a space and a letter beyond ASCII", "Défaut Project", "x/D_faut_Project"},
		// The provider's own digest of the same text.
		{"too long", strings.Repeat("a", 300), "x/" + strings.Repeat("a", 181) + "/da86f5beec155024"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := *f
			f.t = t
			if got := f.accepts(f.token(map[string]any{"id": tt.id})).Actor.Verified.Run.ID; got != tt.want {
				t.Errorf("id %q, want %q", got, tt.want)
			}
		})
	}
}

func TestALoginCarriesItsBounds(t *testing.T) {
	f := newFixture(t, func(c *oidc.Config) { c.SessionTTL, c.Exchanges = 20*time.Minute, 3 })
	end := time.Now().Add(time.Minute).Truncate(time.Second)
	login := f.accepts(f.token(map[string]any{"exp": end.Unix(), "aud": []string{"https://elsewhere.example", audience}}))
	if login.Session != 20*time.Minute || login.Exchanges != 3 || !login.ExpiresAt.Equal(end) || len(login.TokenID) != 64 {
		t.Errorf("login %+v", login)
	}
}

func TestBlocksOfOneIssuerAreToldApartByAudience(t *testing.T) {
	f := newFixture(t, nil)
	one, two := anyone(f.Issuer), anyone(f.Issuer)
	one.Name, one.Audiences = "one", []string{"https://one.example"}
	two.Name, two.Audiences, two.Roles[0].Role = "two", []string{"https://two.example"}, identity.Viewer
	v, err := oidc.New([]oidc.Config{one, two}, oidc.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f.verifier = v
	for aud, want := range map[string]string{"https://one.example": "one", "https://two.example": "two"} {
		if got := f.accepts(f.token(map[string]any{"aud": aud})).Actor.Verified.Provider; got != want {
			t.Errorf("a token for %s falls to the block %s, want %s", aud, got, want)
		}
	}
	f.rejects(f.token(map[string]any{"aud": "https://three.example"}), oidc.CodeAudience)
}
