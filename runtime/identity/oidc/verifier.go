package oidc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
)

// Options are what a [Verifier] gets from its surroundings. All are optional.
type Options struct {
	// Transport reaches issuers; copies of it are used. Default:
	// [http.DefaultTransport], which heeds the environment's proxies.
	Transport *http.Transport
	// Now is the clock. Default: [time.Now].
	Now func() time.Time
	// Logger is told when issuers can't be reached. Default: nobody is.
	Logger *slog.Logger
}

// Verifier judges tokens. It may be used by many at a time.
type Verifier struct {
	now func() time.Time
	// issuers holds the blocks by issuer, in the order of the configuration.
	issuers map[string][]*provider
}

// provider is one block at work.
type provider struct {
	config  Config
	mapping mapping
	keys    *keyring
}

// New prepares a verifier for blocks. It reaches for no network. Errors name
// block and field.
func New(configs []Config, opts Options) (*Verifier, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	opts.Logger = cmp.Or(opts.Logger, slog.New(slog.DiscardHandler))
	if opts.Transport == nil {
		opts.Transport = http.DefaultTransport.(*http.Transport)
	}
	language, err := newLanguage()
	if err != nil {
		return nil, fmt.Errorf("prepare CEL: %w", err)
	}
	v := &Verifier{now: opts.Now, issuers: map[string][]*provider{}}
	var errs []error
	names := map[string]bool{}
	for _, c := range configs {
		c = c.complete()
		mapping, problems := newMapping(language, c)
		problems = append(c.check(), problems...)
		if names[c.Name] {
			problems = append(problems, errors.New("name: another block has it"))
		}
		names[c.Name] = true
		for _, other := range v.issuers[c.Issuer] {
			for _, a := range c.Audiences {
				if other.meant([]string{a}) {
					problems = append(problems, fmt.Errorf("audiences: %q of the issuer %s belongs to the block %q already", a, c.Issuer, other.config.Name))
				}
			}
		}
		for _, problem := range problems {
			errs = append(errs, fmt.Errorf("oidc %q: %w", c.Name, problem))
		}
		v.issuers[c.Issuer] = append(v.issuers[c.Issuer], &provider{c, mapping, &keyring{
			provider: c.Name,
			fetch:    newSource(c.Issuer, c.CAPEM, opts.Transport).fetch,
			now:      opts.Now,
			logger:   opts.Logger,
		}})
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return v, nil
}

// Verify judges a token. The error is a [Rejected] or an [Unavailable].
func (v *Verifier) Verify(ctx context.Context, raw string) (identity.Login, error) {
	token, rejected := parse(raw)
	if rejected != nil {
		return identity.Login{}, rejected
	}
	p := v.responsible(token)
	if p == nil {
		return identity.Login{}, reject(CodeIssuer, "no oidc block has the issuer %q; compare iss to the letter, also a slash at its end", shown(token.issuer))
	}
	claims, err := p.verify(ctx, raw, token.header)
	if err != nil {
		return identity.Login{}, p.attribute(err, "")
	}
	if rejected := p.admit(claims, v.now()); rejected != nil {
		return identity.Login{}, p.attribute(rejected, claims.subject)
	}
	actor, run, rejected := p.mapping.apply(claims.all)
	if rejected != nil {
		return identity.Login{}, p.attribute(rejected, claims.subject)
	}
	actor.Verified = &identity.Verified{Provider: p.config.Name, Issuer: p.config.Issuer, Subject: claims.subject, Run: run}
	return identity.Login{
		Actor:     actor,
		TokenID:   tokenID(p.config.Issuer, claims.id, token.signed),
		ExpiresAt: claims.expires,
		Session:   p.config.SessionTTL,
		Exchanges: p.config.Exchanges,
	}, nil
}

// responsible returns the block that a token falls to: of those with its issuer
// the first that has one of its audiences, or the first, to reject it; nil if
// there is none.
func (v *Verifier) responsible(token unverified) *provider {
	blocks := v.issuers[token.issuer]
	for _, p := range blocks {
		if p.meant(token.audiences) {
			return p
		}
	}
	if len(blocks) > 0 {
		return blocks[0]
	}
	return nil
}

func (p *provider) meant(audiences []string) bool {
	return slices.ContainsFunc(audiences, func(a string) bool { return slices.Contains(p.config.Audiences, a) })
}

// verify returns a token's claims once the issuer's key vouches for them.
func (p *provider) verify(ctx context.Context, raw string, h header) (claims, error) {
	if rejected := h.check(); rejected != nil {
		return claims{}, rejected
	}
	s := &signature{keys: p.keys, header: h}
	// Audiences and times are checked in admit: there are several of the one,
	// and the skew that the library allows can't be chosen.
	_, err := gooidc.NewVerifier(p.config.Issuer, s, &gooidc.Config{
		SupportedSigningAlgs: algorithms,
		SkipClientIDCheck:    true,
		SkipExpiryCheck:      true,
	}).Verify(ctx, raw)
	switch {
	case s.err != nil:
		return claims{}, s.err
	case err != nil:
		return claims{}, reject(CodeMalformed, "the token is no ID token: %s", shown(err.Error()))
	}
	c, err := readClaims(s.payload)
	if err != nil {
		return claims{}, reject(CodeClaims, "the token's claims are unsuitable: %s", shown(err.Error()))
	}
	return c, nil
}

// admit returns why a verified token is not for us or not for now, or nil.
func (p *provider) admit(c claims, now time.Time) *Rejected {
	if !p.meant(c.audiences) {
		return reject(CodeAudience, "the token is for %q and must be for one of %q; request it for that audience", shown(fmt.Sprint(c.audiences)), p.config.Audiences)
	}
	return c.checkTimes(now, p.config.Skew)
}

// attribute completes a rejection with whose token it is.
func (p *provider) attribute(err error, subject string) error {
	if r, ok := errors.AsType[*Rejected](err); ok {
		r.Provider, r.Issuer, r.Subject = p.config.Name, p.config.Issuer, subject
	}
	return err
}

// signature verifies one token's signature. It remembers the outcome, since the
// library flattens errors to text.
type signature struct {
	keys    *keyring
	header  header
	payload []byte
	err     error
}

// VerifySignature implements [gooidc.KeySet].
func (s *signature) VerifySignature(ctx context.Context, raw string) ([]byte, error) {
	s.payload, s.err = s.verify(ctx, raw)
	return s.payload, s.err
}

func (s *signature) verify(ctx context.Context, raw string) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(s.header.Algorithm)})
	if err != nil {
		return nil, reject(CodeMalformed, "the token is not a signed JWT: %s", shown(err.Error()))
	}
	keys, err := s.keys.find(ctx, s.header.KeyID)
	if errors.Is(err, errUnknownKey) {
		return nil, reject(CodeSignature, "the issuer has no key %q; if it began to use it just now, try again in %s", shown(s.header.KeyID), searchInterval)
	}
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		if key.Algorithm != "" && key.Algorithm != s.header.Algorithm {
			continue
		}
		if payload, err := jws.Verify(key); err == nil {
			return payload, nil
		}
	}
	return nil, reject(CodeSignature, "the token's signature is not that of the issuer's key %q", shown(s.header.KeyID))
}
