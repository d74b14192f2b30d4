package control

import (
	"context"
	"maps"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
)

const sessionPrefix = "session"

const (
	// sessionsKeptFor is how long a session is held after it has ended: what its
	// token was exchanged for counts as long as the token may be good.
	sessionsKeptFor = 24 * time.Hour
	// prunedAtOnce bounds how many hashes of ended sessions one exchange drops.
	prunedAtOnce = 20
	// usesKeptEvery is how often it is written down when tokens were last used.
	usesKeptEvery = time.Minute
)

// OpenSession exchanges an identity provider's token, which was verified, for a
// session, and returns the text for its holder. One token is good for
// login.Exchanges sessions: Terraform starts several processes for one command,
// and each logs in.
func (c *Controller) OpenSession(ctx context.Context, call Call, login identity.Login) (Outcome, string, error) {
	id, text, hash := identity.Generate()
	outcome, err := c.submit(ctx, call, Subject{sessionPrefix + "/" + id, "create"}, 0, func(b *batch) (draft, error) {
		now := b.time()
		if n := c.tokens.exchanged(login.TokenID) + b.exchanged[login.TokenID]; n >= login.Exchanges {
			return draft{}, refuse(CodeExchangesUsedUp, "this token was exchanged for %d sessions already, as many as its provider's configuration allows", n)
		}
		d, err := b.issue(c, identity.Token{
			ID: id, Actor: login.Actor.Name, Role: login.Actor.Role, Scopes: login.Actor.Scopes, CreatedBy: login.Actor.Name,
			NotAfter: now.Add(login.Session), Login: &identity.TokenLogin{TokenID: login.TokenID, ExpiresAt: login.ExpiresAt.UTC(), Verified: *login.Actor.Verified},
		}, hash)
		b.exchanged[login.TokenID]++
		for _, ended := range c.tokens.ended(now, prunedAtOnce) {
			d.secrets = append(d.secrets, Secret{ID: ended})
		}
		return d, err
	})
	if err != nil || outcome.Refusal() != nil {
		return outcome, "", err
	}
	return outcome, text, nil
}

// exchanged counts the sessions that are held for one token.
func (t *tokens) exchanged(tokenID string) int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	n := 0
	for _, held := range t.byID {
		if held.token.Login != nil && held.token.Login.TokenID == tokenID {
			n++
		}
	}
	return n
}

// ended forgets sessions that ended long ago and returns their resources.
func (t *tokens) ended(now time.Time, limit int) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []string
	for id, held := range t.byID {
		if len(out) == limit {
			break
		}
		if held.token.Login != nil && forgotten(&held.token, now) {
			out = append(out, held.token.Resource())
			delete(t.byID, id)
		}
	}
	return out
}

// longEnded reports whether a session is of no use any more. There is no end to
// those, so they are passed over before anything else is read of them.
func (c *Controller) longEnded(row audit.Current) bool {
	var session identity.Token
	err := json.Unmarshal(row.State, &session)
	return err == nil && session.Login != nil && forgotten(&session, c.opts.Now())
}

// forgotten reports whether a session and the token that it stands for ended so
// long ago that nobody can ask for another one.
func forgotten(session *identity.Token, now time.Time) bool {
	end := session.NotAfter
	if session.Login.ExpiresAt.After(end) {
		end = session.Login.ExpiresAt
	}
	return now.Sub(end) > sessionsKeptFor
}

// use notes that a token was used.
func (t *tokens) use(resource string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.used[resource] = now
}

// keepUses writes down when tokens were used. What can't be written now stays for
// the next time.
func (c *Controller) keepUses() {
	c.tokens.mu.Lock()
	uses := maps.Clone(c.tokens.used)
	c.tokens.mu.Unlock()
	if len(uses) == 0 {
		return
	}
	if err := c.opts.Store.KeepLastUses(context.Background(), uses); err != nil {
		c.opts.Logger.Warn("last uses of tokens not kept", "error", err)
		return
	}
	c.tokens.mu.Lock()
	defer c.tokens.mu.Unlock()
	maps.DeleteFunc(c.tokens.used, func(resource string, at time.Time) bool { return uses[resource].Equal(at) })
}
