package oidc_test

import (
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity/oidc"
)

func TestAConfigurationIsRefusedAtTheField(t *testing.T) {
	tests := []struct {
		name   string
		change func(*oidc.Config)
		want   string // "": accepted
	}{
		{"complete", func(*oidc.Config) {}, ""},
		{"no name", func(c *oidc.Config) { c.Name = "" }, `oidc "": name: `},
		{"a name with a dot", func(c *oidc.Config) { c.Name = "a.b" }, `oidc "a.b": name: `},
		{"an unknown preset", func(c *oidc.Config) { c.Preset = "gitea" }, `oidc "main": preset: `},
		{"no issuer", func(c *oidc.Config) { c.Issuer = "" }, `oidc "main": issuer: `},
		{"an issuer over plain HTTP", func(c *oidc.Config) { c.Issuer = "http://gitlab.example.com" }, `oidc "main": issuer: `},
		{"an issuer on loopback", func(c *oidc.Config) { c.Issuer = "http://localhost:8080" }, ""},
		{"an issuer on loopback of IPv6", func(c *oidc.Config) { c.Issuer = "http://[::1]:8080" }, ""},
		{"an issuer that is called loopback", func(c *oidc.Config) { c.Issuer = "http://127.0.0.1.evil.example" }, `oidc "main": issuer: `},
		{"an issuer with a query", func(c *oidc.Config) { c.Issuer = "https://a.example?x" }, `oidc "main": issuer: `},
		{"an issuer with a user", func(c *oidc.Config) { c.Issuer = "https://u:p@a.example" }, `oidc "main": issuer: `},
		{"an issuer of another scheme", func(c *oidc.Config) { c.Issuer = "file:///etc/passwd" }, `oidc "main": issuer: `},
		{"no audience", func(c *oidc.Config) { c.Audiences = nil }, `oidc "main": audiences: `},
		{"an empty audience", func(c *oidc.Config) { c.Audiences = []string{"a", ""} }, `oidc "main": audiences: `},
		{"a CA that is none", func(c *oidc.Config) { c.CAPEM = []byte("-----BEGIN") }, `oidc "main": ca: `},
		{"a negative skew", func(c *oidc.Config) { c.Skew = -time.Second }, `oidc "main": skew: `},
		{"the largest skew", func(c *oidc.Config) { c.Skew = 5 * time.Minute }, ""},
		{"a larger skew", func(c *oidc.Config) { c.Skew = 5*time.Minute + 1 }, `oidc "main": skew: `},
		{"the shortest session", func(c *oidc.Config) { c.SessionTTL = time.Minute }, ""},
		{"a shorter session", func(c *oidc.Config) { c.SessionTTL = time.Minute - 1 }, `oidc "main": session_ttl: `},
		{"the longest session", func(c *oidc.Config) { c.SessionTTL = 12 * time.Hour }, ""},
		{"a longer session", func(c *oidc.Config) { c.SessionTTL = 12*time.Hour + 1 }, `oidc "main": session_ttl: `},
		{"a negative number of exchanges", func(c *oidc.Config) { c.Exchanges = -1 }, `oidc "main": exchanges: `},
		{"too many exchanges", func(c *oidc.Config) { c.Exchanges = 1001 }, `oidc "main": exchanges: `},
		{"no actor", func(c *oidc.Config) { c.Actor = "" }, `oidc "main": actor: `},
		{"an actor that is no CEL", func(c *oidc.Config) { c.Actor = "claims." }, `oidc "main": actor: is not a CEL expression`},
		{"an actor that is a number", func(c *oidc.Config) { c.Actor = "1 + 1" }, `oidc "main": actor: must give a string and gives a int`},
		{"an actor over what isn't there", func(c *oidc.Config) { c.Actor = "token.sub" }, `oidc "main": actor: is not a CEL expression`},
		{"an actor without end", func(c *oidc.Config) { c.Actor = `"` + strings.Repeat("a", 5000) + `"` }, `oidc "main": actor: is not a CEL expression`},
		{"an actor too deep", func(c *oidc.Config) { c.Actor = strings.Repeat("(", 300) + `"a"` + strings.Repeat(")", 300) }, `oidc "main": actor: is not a CEL expression`},
		{"no role", func(c *oidc.Config) { c.Roles = nil }, `oidc "main": role: `},
		{"an unknown role", func(c *oidc.Config) { c.Roles[0].Role = "root" }, `oidc "main": role[0].role: `},
		{"a role without condition", func(c *oidc.Config) { c.Roles[0].When = "" }, `oidc "main": role[0].when: is required`},
		{"a condition that is a string", func(c *oidc.Config) { c.Roles[0].When = `"true"` }, `oidc "main": role[0].when: must give a bool and gives a string`},
		{"a scope that is no glob", func(c *oidc.Config) { c.Roles[0].Scopes = []string{"pool"} }, `oidc "main": role[0].scopes: `},
		{"a run's unknown field", func(c *oidc.Config) { c.Run = map[string]string{"color": `"red"`} }, `oidc "main": run: "color"`},
		{"a run's field that is no string", func(c *oidc.Config) { c.Run = map[string]string{"id": "true"} }, `oidc "main": run.id: must give a string`},
		{"a regular expression too large", func(c *oidc.Config) { c.Roles[0].When = `claims.sub.matches("(a{500}){2}(b{900})(c{900})(d{900})")` }, `oidc "main": role[0].when: `},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := oidc.Config{
				Name: "main", Issuer: "https://issuer.example", Audiences: []string{audience}, Actor: "claims.sub",
				Roles: []oidc.RoleRule{{When: "true", Role: identity.Viewer}},
			}
			tt.change(&c)
			v, err := oidc.New([]oidc.Config{c}, oidc.Options{})
			if tt.want == "" {
				if err != nil || v == nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
			if v != nil {
				t.Error("a verifier in spite of the error")
			}
		})
	}
}

func TestBlocksThatCanNotBeToldApartAreRefused(t *testing.T) {
	block := func(name, issuer string, audiences ...string) oidc.Config {
		return oidc.Config{
			Name: name, Issuer: issuer, Audiences: audiences, Actor: "claims.sub",
			Roles: []oidc.RoleRule{{When: "true", Role: identity.Viewer}},
		}
	}
	tests := []struct {
		name   string
		blocks []oidc.Config
		want   string
	}{
		{"one name", []oidc.Config{block("a", "https://one.example", "x"), block("a", "https://two.example", "x")}, `oidc "a": name: `},
		{"one issuer and audience", []oidc.Config{block("a", "https://one.example", "x", "y"), block("b", "https://one.example", "z", "y")}, `oidc "b": audiences: "y"`},
		{"one issuer, two audiences", []oidc.Config{block("a", "https://one.example", "x"), block("b", "https://one.example", "y")}, ""},
		{"one audience, two issuers", []oidc.Config{block("a", "https://one.example", "x"), block("b", "https://two.example", "x")}, ""},
		{"every problem at once", []oidc.Config{block("A", "https://one.example", "x"), block("B", "ftp://two.example", "x")}, `oidc "B": issuer: `},
		{"none", nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := oidc.New(tt.blocks, oidc.Options{})
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
		})
	}
}
