package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

const tokenPrefix = "token"

// ErrUnauthenticated means that a token is not known, has ended or was revoked.
// It does not say which, so that it tells a guesser nothing.
var ErrUnauthenticated = errors.New("the token is not valid")

// tokens are the credentials that can be used, in memory.
type tokens struct {
	mu sync.RWMutex // guards what follows
	// byID holds every token, and every session until a while after it ended.
	byID map[string]heldToken
	// used is when tokens were used since that was last kept, by resource.
	used map[string]time.Time
}

// heldToken is a token with the SHA-256 of its secret.
type heldToken struct {
	token identity.Token
	hash  []byte
}

func newTokens() *tokens {
	return &tokens{byID: map[string]heldToken{}, used: map[string]time.Time{}}
}

func (t *tokens) set(token identity.Token, hash []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if hash == nil {
		hash = t.byID[token.ID].hash
	}
	t.byID[token.ID] = heldToken{token, hash}
}

// resource is what an id stands for in the log: a session, or else a token.
func (t *tokens) resource(id string) string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if held, ok := t.byID[id]; ok {
		return held.token.Resource()
	}
	return tokenPrefix + "/" + id
}

func (t *tokens) replace(fresh *tokens) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.byID = fresh.byID
}

// loadToken takes a token or session into memory. Its hash stands apart from the log.
func (c *Controller) loadToken(ctx context.Context, row audit.Current, held *tokens) error {
	var token identity.Token
	if err := json.Unmarshal(row.State, &token); err != nil {
		return fmt.Errorf("state of %s: %w", row.Resource, err)
	}
	hash, err := c.opts.Store.Secret(ctx, token.Resource())
	if err != nil {
		return fmt.Errorf("read hash of %s: %w", row.Resource, err)
	}
	if hash == nil && token.Login != nil {
		// Dropped once it had ended, by a clock that was ahead. It lets nobody in, but
		// still counts as an exchange.
		held.byID[token.ID] = heldToken{token, nil}
		return nil
	}
	if identity.HashDigest(hash) != token.HashDigest {
		return &IntegrityError{[]audit.Finding{{Seq: row.Seq, Resource: row.Resource, Problem: "the kept hash is not that of the token this entry made"}}}
	}
	held.byID[token.ID] = heldToken{token, hash}
	return nil
}

// Authenticate returns the actor that a presented token belongs to.
func (c *Controller) Authenticate(presented string) (identity.Actor, error) {
	id, hash, err := identity.Split(presented)
	if err != nil {
		return identity.Actor{}, ErrUnauthenticated
	}
	c.tokens.mu.RLock()
	held, ok := c.tokens.byID[id]
	c.tokens.mu.RUnlock()
	if !ok || len(held.hash) == 0 || !identity.Matches(held.hash, hash) || held.token.Live(c.opts.Now()) != nil {
		return identity.Actor{}, ErrUnauthenticated
	}
	if held.token.Login == nil {
		c.tokens.use(held.token.Resource(), c.opts.Now())
	}
	return held.token.AsActor(), nil
}

// HeldToken is a token with when it was last used; zero is never.
type HeldToken struct {
	identity.Token
	LastUsed time.Time
}

// Tokens returns every token by actor and age, without secrets and sessions.
func (c *Controller) Tokens(ctx context.Context) ([]HeldToken, error) {
	kept, err := c.opts.Store.LastUses(ctx)
	if err != nil {
		return nil, err
	}
	c.tokens.mu.RLock()
	defer c.tokens.mu.RUnlock()
	out := make([]HeldToken, 0, len(c.tokens.byID))
	for _, held := range c.tokens.byID {
		if held.token.Login != nil {
			continue
		}
		last := kept[held.token.Resource()]
		if used, ok := c.tokens.used[held.token.Resource()]; ok {
			last = used.UTC().Truncate(time.Second)
		}
		out = append(out, HeldToken{held.token, last})
	}
	slices.SortFunc(out, func(a, b HeldToken) int {
		return cmp.Or(cmp.Compare(a.Actor, b.Actor), a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return out, nil
}

// CredentialsOf returns as whom an actor's live tokens and sessions may act. Of
// those that the gate can't tell apart there is only one: each that is explained
// costs a search and a decision, and anyone may log in many times.
func (c *Controller) CredentialsOf(actor string) []identity.Actor {
	c.tokens.mu.RLock()
	defer c.tokens.mu.RUnlock()
	var out []identity.Actor
	for _, held := range c.tokens.byID {
		if held.token.Actor == actor && held.token.Live(c.opts.Now()) == nil {
			out = append(out, held.token.AsActor())
		}
	}
	slices.SortFunc(out, func(a, b identity.Actor) int { return cmp.Compare(a.Credential, b.Credential) })
	type standing struct {
		role     identity.Role
		scopes   string
		verified identity.Verified
	}
	seen := map[standing]bool{}
	return slices.DeleteFunc(out, func(a identity.Actor) bool {
		of := standing{role: a.Role, scopes: strings.Join(a.Scopes, "\n")}
		if a.Verified != nil {
			of.verified = *a.Verified
		}
		twice := seen[of]
		seen[of] = true
		return twice
	})
}

// TokenRequest is what is asked for with a token.
type TokenRequest struct {
	Actor string
	Role  identity.Role
	// Scopes are globs over what the role is good for; none: everything.
	Scopes   []string
	NotAfter time.Time
}

// CreateToken makes a token and returns the text for its holder, which is not
// kept anywhere.
func (c *Controller) CreateToken(ctx context.Context, call Call, r TokenRequest) (Outcome, string, error) {
	id, text, hash := identity.Generate()
	outcome, err := c.submit(ctx, call, Subject{tokenPrefix + "/" + id, "create"}, 0, func(b *batch) (draft, error) {
		if err := checkVerified(call); err != nil {
			return draft{}, err
		}
		if vs := r.validate(b.time()); len(vs) > 0 {
			return draft{}, refuseFields(CodeInvalid, "the token is not valid", vs)
		}
		return b.issue(c, identity.Token{
			ID: id, Actor: r.Actor, Role: r.Role, Scopes: r.Scopes, CreatedBy: call.Actor.Name, NotAfter: r.NotAfter.UTC(),
		}, hash)
	})
	if err != nil || outcome.Refusal() != nil {
		return outcome, "", err
	}
	if outcome.Entry.Resource != tokenPrefix+"/"+id {
		// The idempotency key was answered before, and the secret is gone.
		return outcome, "", nil
	}
	return outcome, text, nil
}

func (r *TokenRequest) validate(now time.Time) lb.Violations {
	var vs lb.Violations
	add := func(pointer, format string, args ...any) {
		vs = append(vs, lb.Violation{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
	}
	if msg := identity.CheckActor(r.Actor); msg != "" {
		add("/actor", "%s", msg)
	}
	if !r.Role.Valid() {
		add("/role", "%.32q must be one of %s", string(r.Role), roleWords())
	}
	if !r.NotAfter.IsZero() && !r.NotAfter.After(now) {
		add("/not_after", "has already passed")
	}
	if r.NotAfter.UTC().Year() > 9999 {
		add("/not_after", "is too far away")
	}
	if len(r.Scopes) > identity.MaxScopes {
		add("/scopes", "has %d globs; at most %d are allowed", len(r.Scopes), identity.MaxScopes)
		return vs
	}
	for i, glob := range r.Scopes {
		if msg := lb.CheckGlob(glob); msg != "" {
			add(fmt.Sprintf("/scopes/%d", i), "%s", msg)
		}
	}
	return vs
}

// issue records a token or a session. It can be used once that is committed.
func (b *batch) issue(c *Controller, token identity.Token, hash []byte) (draft, error) {
	token.CreatedAt, token.HashDigest = b.time(), identity.HashDigest(hash)
	after, err := lb.Canonical(token)
	b.committed = append(b.committed, func() { c.tokens.set(token, hash) })
	return draft{
		kind: audit.TypeIdentity, body: audit.Body{After: after},
		secrets: []Secret{{ID: token.Resource(), Sealed: hash}},
	}, err
}

// RevokeToken ends the life of a token or session at once.
func (c *Controller) RevokeToken(ctx context.Context, call Call, id string) (Outcome, error) {
	resource := c.tokens.resource(id)
	return c.submit(ctx, call, Subject{resource, "revoke"}, 0, func(b *batch) (draft, error) {
		d := draft{kind: audit.TypeIdentity}
		if err := checkVerified(call); err != nil {
			return d, err
		}
		var token identity.Token
		revision, err := b.state(resource, &token)
		if err != nil {
			return d, err
		}
		if revision == 0 {
			return d, refuse(CodeNotFound, "there is no token %q", Recordable(id, 64))
		}
		if token.Revoked {
			outcome, err := b.outcome(revision)
			outcome.Unchanged = true
			return draft{existing: &outcome}, err
		}
		d.base = revision
		if d.body.Before, err = lb.Canonical(token); err != nil {
			return d, err
		}
		token.Revoked = true
		b.committed = append(b.committed, func() { c.tokens.set(token, nil) })
		d.body.After, err = lb.Canonical(token)
		return d, err
	})
}

func roleWords() string {
	words := make([]string, len(identity.Roles))
	for i, r := range identity.Roles {
		words[i] = string(r)
	}
	return strings.Join(words, ", ")
}
