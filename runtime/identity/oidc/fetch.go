package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Bounds of what an issuer is asked for.
const (
	// fetchTimeout is for the discovery document and the keys together.
	fetchTimeout    = 5 * time.Second
	maxAnswerLength = 1 << 20
	minFreshness    = 10 * time.Second
	maxFreshness    = 10 * time.Minute
	// minRSABits is RFC 7518, §3.3.
	minRSABits = 2048
)

// source is where an issuer's keys come from.
type source struct {
	issuer string
	client *http.Client
}

// newSource returns the source of an issuer, reached by a copy of a transport.
// Without certificates in PEM the transport's own count.
func newSource(issuer string, caPEM []byte, transport *http.Transport) source {
	transport = transport.Clone()
	transport.MaxResponseHeaderBytes = 64 << 10
	transport.IdleConnTimeout = 10 * time.Second
	if len(caPEM) > 0 {
		if transport.TLSClientConfig == nil {
			transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(caPEM)
	}
	return source{issuer: issuer, client: &http.Client{
		Transport: transport,
		Timeout:   fetchTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("redirects are not followed")
		},
	}}
}

// fetch returns the issuer's keys and for how long they may be held for fresh.
func (s source) fetch(ctx context.Context) ([]jose.JSONWebKey, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	uri, err := s.discover(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("discovery: %w", err)
	}
	var set struct {
		Keys []jsontext.Value `json:"keys"`
	}
	answered, err := s.get(ctx, uri, &set)
	if err != nil {
		return nil, 0, fmt.Errorf("keys: %w", err)
	}
	if set.Keys == nil {
		return nil, 0, errors.New("keys: the answer is no JWK set")
	}
	var keys []jose.JSONWebKey
	for _, text := range set.Keys {
		// RFC 7517, §5: what isn't understood is passed over.
		var key jose.JSONWebKey
		if key.UnmarshalJSON(text) == nil && usable(key) {
			keys = append(keys, key)
		}
	}
	return keys, freshness(answered), nil
}

// discover returns where the keys are (OpenID Connect Discovery 1.0, §4).
func (s source) discover(ctx context.Context) (string, error) {
	var document struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if _, err := s.get(ctx, strings.TrimSuffix(s.issuer, "/")+"/.well-known/openid-configuration", &document); err != nil {
		return "", err
	}
	if document.Issuer != s.issuer {
		return "", fmt.Errorf("the document is that of another issuer, %q", shown(document.Issuer))
	}
	u, err := url.Parse(document.JWKSURI)
	if err != nil || u.Host == "" {
		return "", errors.New("the document has no jwks_uri")
	}
	if problem := checkTransport(u); problem != "" {
		return "", fmt.Errorf("jwks_uri %q %s", shown(document.JWKSURI), problem)
	}
	return document.JWKSURI, nil
}

// get decodes what an address answers, and returns the answer's header. Of an
// answer that isn't as it should be nothing gets into the error.
func (s source) get(ctx context.Context, address string, into any) (http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %d", address, resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerLength+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	if len(body) > maxAnswerLength {
		return nil, fmt.Errorf("%s answers more than %d bytes", address, maxAnswerLength)
	}
	if json.Unmarshal(body, into) != nil {
		return nil, fmt.Errorf("%s answers no JSON of the right shape", address)
	}
	return resp.Header, nil
}

// usable reports whether a key may verify tokens: a public one, for signatures,
// and strong enough. One without id is never found, for tokens must name theirs.
func usable(key jose.JSONWebKey) bool {
	if key.Use != "" && key.Use != "sig" {
		return false
	}
	switch k := key.Key.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen() >= minRSABits
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	default:
		return false
	}
}

// freshness reads max-age (RFC 9111, §5.2.2.1), within bounds.
func freshness(h http.Header) time.Duration {
	fresh := maxFreshness
	for directive := range strings.SplitSeq(h.Get("Cache-Control"), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
		switch name {
		case "no-store", "no-cache":
			return minFreshness
		case "max-age":
			if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
				fresh = time.Duration(seconds) * time.Second
			}
		}
	}
	return min(max(fresh, minFreshness), maxFreshness)
}
