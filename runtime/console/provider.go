package console

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Provider is an identity provider that people sign in at with their browser: OpenID
// Connect's authorization code, with PKCE (RFC 7636). The API must trust it too.
type Provider struct {
	// Name is the provider's in the configuration.
	Name string
	// Issuer is the URL that its ID tokens have as iss.
	Issuer string
	// ClientID is what the console is called there, and ClientSecret its secret; empty
	// for a public client.
	ClientID     string
	ClientSecret api.Secret
	// RedirectURL is where the provider sends people back to, as registered there. Empty:
	// [CallbackPath] at the host that the browser asked.
	RedirectURL string
	// CAPEM are the authorities of the provider's own certificate. Empty: the system's.
	CAPEM []byte
}

// CallbackPath is where providers send people back to.
const CallbackPath = Root + "sign-in/callback"

// Bounds of what providers are asked.
const (
	providerTimeout  = 10 * time.Second
	maxProviderBytes = 256 << 10
	// endpointsFor is how long its discovery document is believed.
	endpointsFor = 10 * time.Minute
	// failureFor is how long nobody tries again after that failed.
	failureFor = 5 * time.Second
	// maxExchanges bounds the exchanges of codes with one provider at a time.
	maxExchanges = 16
)

// endpoints are a provider's, of its discovery document (OpenID Connect Discovery 1.0 §3, RFC
// 9207 §3).
type endpoints struct {
	Issuer        string `json:"issuer"`
	Authorization string `json:"authorization_endpoint"`
	Token         string `json:"token_endpoint"`
	// NamesIssuer is set where people are never sent back without the issuer's name.
	NamesIssuer bool `json:"authorization_response_iss_parameter_supported"`
}

// provider asks a Provider.
type provider struct {
	Provider
	http *http.Client
	now  func() time.Time

	// slots bounds the exchanges under way, and failures those that fail: anybody can ask
	// for one.
	slots    chan struct{}
	failures *failures

	mu    sync.Mutex // guards what follows
	known endpoints
	// failed is why the last try to learn them failed, if it did.
	failed  error
	askedAt time.Time
}

// providers are those that can be signed in at, by name.
func (o *Options) providers() map[string]*provider {
	out := map[string]*provider{}
	for _, p := range o.Providers {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		transport.MaxResponseHeaderBytes = 64 << 10
		if len(p.CAPEM) > 0 {
			transport.TLSClientConfig.RootCAs = x509.NewCertPool()
			transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(p.CAPEM) // checked with the configuration
		}
		out[p.Name] = &provider{Provider: p, now: o.Now, slots: make(chan struct{}, maxExchanges), failures: newFailures(), http: &http.Client{
			Transport: transport, Timeout: providerTimeout,
			// A redirect would carry the code to wherever it points.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}}
	}
	return out
}

// find returns the provider's endpoints.
func (p *provider) find(ctx context.Context) (endpoints, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	since := p.now().Sub(p.askedAt)
	if p.failed == nil && p.known.Token != "" && since < endpointsFor || p.failed != nil && since < failureFor {
		return p.known, p.failed
	}
	found, err := p.discover(ctx)
	if ctx.Err() == nil {
		p.known, p.failed, p.askedAt = found, err, p.now()
	}
	return found, err
}

func (p *provider) discover(ctx context.Context) (endpoints, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(p.Issuer, "/")+"/.well-known/openid-configuration", nil) //nolint:gosec // the issuer is the operator's choice
	if err != nil {
		return endpoints{}, err
	}
	var found endpoints
	if err := p.ask(req, &found); err != nil {
		return endpoints{}, fmt.Errorf("discovery: %w", err)
	}
	if found.Issuer != p.Issuer || !secure(found.Authorization) || !secure(found.Token) {
		return endpoints{}, errors.New("discovery: it is another issuer's, or its endpoints are not https")
	}
	return found, nil
}

// secure reports whether a URL is https, or http on the machine itself.
func secure(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http" && lb.IsLoopback(u.Hostname()))
}

// ask makes a call whose answer is JSON. Its errors repeat nothing of the answer.
func (p *provider) ask(req *http.Request, out any) error {
	req.Header.Set("Accept", api.ContentJSON)
	resp, err := p.http.Do(req) //nolint:gosec // to the issuer, or where it says that its endpoints are
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxProviderBytes+1))
	switch {
	case err != nil:
		return err
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("answered with %d", resp.StatusCode)
	case len(body) > maxProviderBytes:
		return fmt.Errorf("answered with more than %d bytes", maxProviderBytes)
	case json.Unmarshal(body, out) != nil:
		return errors.New("did not answer with the JSON that was expected")
	}
	return nil
}

// redeem exchanges a code, that somebody at an address came back with, for an ID token.
func (p *provider) redeem(ctx context.Context, from, code, verifier, redirectURL string) (token api.Secret, err error) {
	failed := p.failures.of(from)
	if failed.TokensAt(p.now()) < 1 {
		return "", api.NewProblem(api.CodeTooManyFailures, "too many have failed to sign in at "+p.Name+" from here; try again in a minute")
	}
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	default:
		return "", api.NewProblem(api.CodeBusy, "too many people are signing in at "+p.Name+" just now; try again")
	}
	defer func() {
		if err != nil {
			failed.AllowN(p.now(), 1)
		}
	}()
	at, err := p.find(ctx)
	if err != nil {
		return "", err
	}
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirectURL},
		"client_id": {p.ClientID}, "code_verifier": {verifier},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at.Token, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if p.ClientSecret != "" {
		req.SetBasicAuth(url.QueryEscape(p.ClientID), url.QueryEscape(p.ClientSecret.Reveal()))
	}
	var answer struct {
		IDToken api.Secret `json:"id_token"`
	}
	if err := p.ask(req, &answer); err != nil {
		return "", fmt.Errorf("token endpoint: %w", err)
	}
	if answer.IDToken == "" {
		return "", errors.New("token endpoint: answered without an ID token")
	}
	return answer.IDToken, nil
}

// nonceOf is the nonce that an ID token says. Whether it is the provider's token the API
// finds out.
func nonceOf(token api.Secret) string {
	parts := strings.Split(token.Reveal(), ".")
	if len(parts) != 3 {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	var claims struct {
		Nonce string `json:"nonce"`
	}
	if json.Unmarshal(payload, &claims) != nil {
		return ""
	}
	return claims.Nonce
}

// challenge is what a provider is shown of a verifier (RFC 7636 §4.2).
func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// names are those of the providers, in order.
func (c *console) providerNames() []string {
	var out []string
	for name := range c.providers {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
