package daemon

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity/oidc"
)

// OIDC is an identity provider whose tokens can be exchanged for sessions. What
// its attributes mean and may be stands with [oidc.Config].
type OIDC struct {
	Name       string            `hcl:"name,label"`
	Preset     string            `hcl:"preset,optional"`
	Issuer     string            `hcl:"issuer,optional"`
	Audiences  []string          `hcl:"audiences"`
	CAFile     string            `hcl:"ca_file,optional"`
	Skew       string            `hcl:"skew,optional"`
	SessionTTL string            `hcl:"session_ttl,optional"`
	Exchanges  int               `hcl:"exchanges,optional"`
	Actor      string            `hcl:"actor,optional"`
	Roles      []OIDCRole        `hcl:"role,block"`
	Run        map[string]string `hcl:"run,optional"`
	// Console lets people sign in to the console at the provider. Default: they bring a
	// token.
	Console *OIDCConsole `hcl:"console,block"`
}

// OIDCConsole is what the console is to an identity provider: a client that is sent a
// code, with PKCE, at /console/sign-in/callback.
type OIDCConsole struct {
	// ClientID is one of the provider's audiences, and ClientSecretFile holds the client's
	// secret. Default: none, as public clients have.
	ClientID         string `hcl:"client_id"`
	ClientSecretFile string `hcl:"client_secret_file,optional"`
	// RedirectURL is where people are sent back to. Default: the host that the browser
	// asked, which is wrong where something else speaks TLS for the runtime.
	RedirectURL string `hcl:"redirect_url,optional"`
}

// OIDCRole gives a role to the tokens for which When holds.
type OIDCRole struct {
	When   string   `hcl:"when"`
	Role   string   `hcl:"role"`
	Scopes []string `hcl:"scopes,optional"`
}

// ClientCertificate maps client certificates to an actor, see
// [identity.CertificateRule].
type ClientCertificate struct {
	Name   string   `hcl:"name,label"`
	Match  string   `hcl:"match"`
	Actor  string   `hcl:"actor,optional"`
	Role   string   `hcl:"role"`
	Scopes []string `hcl:"scopes,optional"`
}

// logins makes the verifier of identity providers' tokens; nil without any.
func (c *Config) logins(logger *slog.Logger) (*oidc.Verifier, error) {
	if len(c.OIDC) == 0 {
		return nil, nil
	}
	var configs []oidc.Config
	var errs []error
	for _, block := range c.OIDC {
		config, err := block.config()
		if err != nil {
			errs = append(errs, fmt.Errorf("configuration: oidc %q: %w", block.Name, err))
		}
		configs = append(configs, config)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	v, err := oidc.New(configs, oidc.Options{Logger: logger})
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	return v, nil
}

func (o *OIDC) config() (oidc.Config, error) {
	out := oidc.Config{
		Name: o.Name, Preset: o.Preset, Issuer: o.Issuer, Audiences: o.Audiences,
		Exchanges: o.Exchanges, Actor: o.Actor, Run: o.Run,
	}
	for _, r := range o.Roles {
		out.Roles = append(out.Roles, oidc.RoleRule{When: r.When, Role: identity.Role(r.Role), Scopes: r.Scopes})
	}
	var errs [3]error
	out.Skew, errs[0] = duration("skew", o.Skew)
	out.SessionTTL, errs[1] = duration("session_ttl", o.SessionTTL)
	if o.CAFile != "" {
		if out.CAPEM, errs[2] = os.ReadFile(o.CAFile); errs[2] != nil {
			errs[2] = fmt.Errorf("ca_file: %w", errs[2])
		}
	}
	return out, errors.Join(errs[:]...)
}

// duration reads an optional duration of the configuration; 0 stands for its default.
func duration(name, text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%s: %q must be a duration such as 30s or 15m", name, text)
	}
	return d, nil
}

// certificates are the rules by which client certificates speak for actors.
func (c *Config) certificates() (identity.CertificateRules, error) {
	var rules identity.CertificateRules
	for _, b := range c.Management.ClientCertificates {
		rules = append(rules, identity.CertificateRule{Name: b.Name, Match: b.Match, Actor: b.Actor, Role: identity.Role(b.Role), Scopes: b.Scopes})
	}
	if err := rules.Check(); err != nil {
		return nil, fmt.Errorf("configuration: management: %w", err)
	}
	if len(rules) > 0 && (c.Management.TLS == nil || c.Management.TLS.ClientCAFile == "") {
		return nil, errors.New("configuration: management.client_certificate: needs management.tls with client_ca_file, the authorities that client certificates come from")
	}
	return rules, nil
}

// tlsConfig is the TLS of the management API. Client certificates are asked for
// where there is an authority for them, and may be left out: a token will do too.
func (t *TLS) tlsConfig() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("management.tls: %w", err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	if t.ClientCAFile == "" {
		return config, nil
	}
	pem, err := os.ReadFile(t.ClientCAFile)
	if err != nil {
		return nil, fmt.Errorf("management.tls.client_ca_file: %w", err)
	}
	config.ClientCAs = x509.NewCertPool()
	if !config.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("management.tls.client_ca_file: %s holds no certificate in PEM", t.ClientCAFile)
	}
	config.ClientAuth = tls.VerifyClientCertIfGiven
	return config, nil
}
