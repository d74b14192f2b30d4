package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
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
	mu sync.RWMutex // guards byID
	// byID holds every token; hash is the SHA-256 of its secret.
	byID map[string]heldToken
}

type heldToken struct {
	token identity.Token
	hash  []byte
}

func newTokens() *tokens { return &tokens{byID: map[string]heldToken{}} }

func (t *tokens) set(token identity.Token, hash []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if hash == nil {
		hash = t.byID[token.ID].hash
	}
	t.byID[token.ID] = heldToken{token, hash}
}

func (t *tokens) replace(fresh *tokens) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.byID = fresh.byID
}

func tokenSecret(id string) string { return tokenPrefix + "/" + id }

// loadToken takes a token into memory. Its hash stands apart from the log.
func (c *Controller) loadToken(ctx context.Context, row audit.Current, held *tokens) error {
	var token identity.Token
	if err := json.Unmarshal(row.State, &token); err != nil {
		return fmt.Errorf("state of %s: %w", row.Resource, err)
	}
	hash, err := c.opts.Store.Secret(ctx, tokenSecret(token.ID))
	if err != nil {
		return fmt.Errorf("read hash of %s: %w", row.Resource, err)
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
	return held.token.AsActor(), nil
}

// Tokens returns every token by actor and age, without secrets.
func (c *Controller) Tokens() []identity.Token {
	c.tokens.mu.RLock()
	defer c.tokens.mu.RUnlock()
	out := make([]identity.Token, 0, len(c.tokens.byID))
	for _, held := range slices.Collect(maps.Values(c.tokens.byID)) {
		out = append(out, held.token)
	}
	slices.SortFunc(out, func(a, b identity.Token) int {
		return cmp.Or(cmp.Compare(a.Actor, b.Actor), a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// CreateToken makes a token and returns the text for its holder, which is not
// kept anywhere.
func (c *Controller) CreateToken(ctx context.Context, call Call, actor string, role identity.Role, notAfter time.Time) (Outcome, string, error) {
	id, text, hash := identity.Generate()
	outcome, err := c.submit(ctx, call, Subject{tokenPrefix + "/" + id, "create"}, 0, func(b *batch) (draft, error) {
		d := draft{kind: audit.TypeIdentity, secrets: []Secret{{ID: tokenSecret(id), Sealed: hash}}}
		var vs lb.Violations
		if msg := identity.CheckActor(actor); msg != "" {
			vs = append(vs, lb.Violation{Pointer: "/actor", Detail: msg})
		}
		if !role.Valid() {
			vs = append(vs, lb.Violation{Pointer: "/role", Detail: fmt.Sprintf("%.32q must be one of %s", string(role), roleWords())})
		}
		if !notAfter.IsZero() && !notAfter.After(b.time()) {
			vs = append(vs, lb.Violation{Pointer: "/not_after", Detail: "has already passed"})
		}
		if notAfter.UTC().Year() > 9999 {
			vs = append(vs, lb.Violation{Pointer: "/not_after", Detail: "is too far away"})
		}
		if len(vs) > 0 {
			return draft{}, refuseFields(CodeInvalid, "the token is not valid", vs)
		}
		token := identity.Token{ID: id, Actor: actor, Role: role, CreatedBy: call.Actor.Name, CreatedAt: b.time(), NotAfter: notAfter.UTC(), HashDigest: identity.HashDigest(hash)}
		b.committed = append(b.committed, func() { c.tokens.set(token, hash) })
		var err error
		d.body.After, err = lb.Canonical(token)
		return d, err
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

// RevokeToken ends a token's life at once.
func (c *Controller) RevokeToken(ctx context.Context, call Call, id string) (Outcome, error) {
	return c.submit(ctx, call, Subject{tokenPrefix + "/" + id, "revoke"}, 0, func(b *batch) (draft, error) {
		d := draft{kind: audit.TypeIdentity}
		var token identity.Token
		revision, err := b.state(tokenPrefix+"/"+id, &token)
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
