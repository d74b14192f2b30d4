package oidc

import (
	"crypto/x509"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Defaults and bounds of a configuration.
const (
	DefaultSkew       = 30 * time.Second
	MaxSkew           = 5 * time.Minute
	DefaultSessionTTL = 15 * time.Minute
	MinSessionTTL     = time.Minute
	MaxSessionTTL     = 12 * time.Hour
	DefaultExchanges  = 32
	MaxExchanges      = 1000
)

// Config says which tokens of one issuer are accepted, and what they are good
// for. Zero values of optional fields stand for the defaults.
//
// Expressions are CEL. They see claims, the token's claims by name; provider,
// the block's name; and host, the host of the issuer without port. A claim that
// a token may lack is written claims.?environment.orValue("") or asked for with
// has(claims.environment): an expression that fails rejects the token.
type Config struct {
	// Name is the block's own, and stands in every entry: a lower-case letter,
	// then letters, digits, "_" and "-", 32 in all.
	Name string
	// Preset is one of [Presets], or empty for issuers that none is for.
	Preset string
	// Issuer is the URL that tokens have as iss, to the letter. https, or http on
	// a loopback address. Default: the preset's.
	Issuer string
	// Audiences are those of which a token must name one. Required.
	Audiences []string
	// CAPEM are the certificates that the issuer's own must lead to. Default:
	// the system's.
	CAPEM []byte
	// Skew is how far the issuer's clock and ours may be apart: 0 to 5m.
	// Default: 30s.
	Skew time.Duration
	// SessionTTL is how long a session lives: 1m to 12h. Default: 15m.
	SessionTTL time.Duration
	// Exchanges is how many sessions one token may be exchanged for, 1 to 1000:
	// Terraform starts a provider process for every walk. Default: 32.
	Exchanges int
	// Actor gives the name that entries carry, see [identity.CheckActor].
	// Default: the preset's, which is the block's name and then what runs, such
	// as github.acme.infra; the person is in the verified run. Required without
	// a preset.
	Actor string
	// Roles are tried in order, and the first that applies counts. When none
	// does the token is rejected. Required.
	Roles []RoleRule
	// Run gives values of [identity.VerifiedRun] by their JSON names. They
	// override the preset's.
	Run map[string]string
}

// RoleRule gives a role to the tokens that it applies to.
type RoleRule struct {
	// When is a CEL expression that gives a bool.
	When string
	Role identity.Role
	// Scopes are globs over addresses, see [lb.CheckGlob]. Empty: everything.
	Scopes []string
}

var namePattern = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)

// complete fills in what was left out.
func (c Config) complete() Config {
	p := presets[c.Preset]
	if c.Issuer == "" {
		c.Issuer = p.issuer
	}
	if c.Actor == "" {
		c.Actor = p.actor
	}
	if c.Skew == 0 {
		c.Skew = DefaultSkew
	}
	if c.SessionTTL == 0 {
		c.SessionTTL = DefaultSessionTTL
	}
	if c.Exchanges == 0 {
		c.Exchanges = DefaultExchanges
	}
	run := make(map[string]string, len(p.run)+len(c.Run))
	for _, from := range []map[string]string{p.run, c.Run} {
		for field, expression := range from {
			run[field] = expression
		}
	}
	c.Run = run
	return c
}

// check returns what is wrong with a completed configuration, expressions
// apart, each problem with its field.
func (c Config) check() (errs []error) {
	wrong := func(field, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: "+format, append([]any{field}, args...)...))
	}
	if !namePattern.MatchString(c.Name) {
		wrong("name", "%q must be a lower-case letter, then letters, digits, '_' and '-', at most 32 in all", c.Name)
	}
	if _, ok := presets[c.Preset]; !ok && c.Preset != "" {
		wrong("preset", "%q must be one of %s", c.Preset, strings.Join(Presets(), ", "))
	}
	if c.Issuer == "" {
		wrong("issuer", "is required")
	} else if problem := checkIssuer(c.Issuer); problem != "" {
		wrong("issuer", "%q %s", c.Issuer, problem)
	}
	if len(c.Audiences) == 0 {
		wrong("audiences", "must name at least one audience, such as the URL of this API: without it any token of the issuer would do")
	}
	if slices.Contains(c.Audiences, "") {
		wrong("audiences", "must not have an empty one")
	}
	if len(c.CAPEM) > 0 && !x509.NewCertPool().AppendCertsFromPEM(c.CAPEM) {
		wrong("ca", "has no certificate in PEM")
	}
	if c.Skew < 0 || c.Skew > MaxSkew {
		wrong("skew", "%s must be between 0s and %s", c.Skew, MaxSkew)
	}
	if c.SessionTTL < MinSessionTTL || c.SessionTTL > MaxSessionTTL {
		wrong("session_ttl", "%s must be between %s and %s", c.SessionTTL, MinSessionTTL, MaxSessionTTL)
	}
	if c.Exchanges < 1 || c.Exchanges > MaxExchanges {
		wrong("exchanges", "%d must be between 1 and %d", c.Exchanges, MaxExchanges)
	}
	if c.Actor == "" {
		wrong("actor", "is required without a preset, such as claims.email")
	}
	if len(c.Roles) == 0 {
		wrong("role", "at least one is required: a trusted issuer alone gives no rights")
	}
	for i, r := range c.Roles {
		if !r.Role.Valid() {
			wrong(fmt.Sprintf("role[%d].role", i), "%q must be one of %v", r.Role, identity.Roles)
		}
		for _, glob := range r.Scopes {
			if problem := lb.CheckGlob(glob); problem != "" {
				wrong(fmt.Sprintf("role[%d].scopes", i), "%s", problem)
			}
		}
	}
	return errs
}

// host is that of the issuer, without port.
func (c Config) host() string {
	u, err := url.Parse(c.Issuer)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// checkIssuer returns what is wrong with an issuer's URL, or "" (OpenID Connect
// Discovery 1.0, §3: no query and no fragment).
func checkIssuer(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" || u.User != nil || strings.ContainsAny(issuer, "?#") {
		return "must be a URL with neither user nor query nor fragment, such as https://gitlab.example.com"
	}
	return checkTransport(u)
}

// checkTransport returns why keys can't be fetched from a URL, or "".
func checkTransport(u *url.URL) string {
	if u.Scheme == "https" || u.Scheme == "http" && lb.IsLoopback(u.Hostname()) {
		return ""
	}
	return "must begin with https://: whoever can change keys on the way can be anyone"
}
