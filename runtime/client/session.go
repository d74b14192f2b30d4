package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

// Errors of calls whose login failed. A login that the API refused has the
// *api.Problem inside, which says nothing of what was asked for.
var (
	// ErrLogin is in every error of a login.
	ErrLogin = errors.New("login")
	// ErrIDToken is in the errors of a login for which there was no ID token.
	ErrIDToken = errors.New("no ID token")
)

// loginTimeout bounds a login as a whole: the token's source and the exchange
// with all its attempts.
const loginTimeout = 2 * time.Minute

// session is what an ID token was exchanged for.
type session struct {
	secret api.Secret
	// renewAt is when to ask for the next one, at four fifths of its life.
	renewAt, endsAt time.Time
}

// sessions keeps the session that calls carry. However many calls need one,
// one login is under way at a time.
type sessions struct {
	login func(context.Context) (session, error)
	now   func() time.Time

	mu sync.Mutex
	// current is the zero session before the first login.
	current session
	// flight is the login under way, or nil.
	flight *flight
}

// flight is a login. Its result is there once done is closed.
type flight struct {
	done    chan struct{}
	session session
	err     error
}

// bearer returns the secret of a session that is valid, after a login if there
// is none. A session that is to be renewed is still good: nobody waits then.
func (s *sessions) bearer(ctx context.Context) (api.Secret, error) {
	s.mu.Lock()
	now := s.now()
	if now.Before(s.current.endsAt) {
		defer s.mu.Unlock()
		if !now.Before(s.current.renewAt) {
			s.launch(ctx)
		}
		return s.current.secret, nil
	}
	f := s.launch(ctx)
	s.mu.Unlock()
	select {
	case <-f.done:
		return f.session.secret, f.err
	case <-ctx.Done():
		return "", fmt.Errorf("%w: %w", ErrLogin, ctx.Err())
	}
}

// replace returns the bearer to go on with after one was refused: that of the
// session which took its place meanwhile, or else of a new login.
func (s *sessions) replace(ctx context.Context, refused api.Secret) (api.Secret, error) {
	s.mu.Lock()
	if s.current.secret == refused {
		s.current = session{}
	}
	s.mu.Unlock()
	return s.bearer(ctx)
}

// launch returns the login under way, or begins one. The lock is held. A login
// outlives the call that began it, because others may be waiting for it.
func (s *sessions) launch(ctx context.Context) *flight {
	if s.flight != nil {
		return s.flight
	}
	f := &flight{done: make(chan struct{})}
	s.flight = f
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loginTimeout)
	go func() {
		defer cancel()
		defer close(f.done)
		f.session, f.err = s.login(ctx)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.flight = nil
		if f.err == nil {
			s.current = f.session
			return
		}
		// A renewal that failed is tried again halfway to the end, and so on:
		// soon enough to help, seldom enough to bother nobody.
		now := s.now()
		s.current.renewAt = now.Add(s.current.endsAt.Sub(now) / 2)
	}()
	return f
}

// login exchanges an ID token for a session.
func (c *Client) login(ctx context.Context) (session, error) {
	token, err := c.cfg.Login.IDToken(ctx)
	if err != nil {
		return session{}, fmt.Errorf("%w: %w: %w", ErrLogin, ErrIDToken, err)
	}
	claims, err := readIDToken(token)
	if err != nil {
		return session{}, fmt.Errorf("%w: %w: %w", ErrLogin, ErrIDToken, err)
	}
	opened, err := c.openSession(ctx, token)
	if err != nil {
		return session{}, fmt.Errorf("%w with the ID token of %s: %w", ErrLogin, claims.describe(c.sessions.now()), err)
	}
	return opened, nil
}

// OpenSession exchanges an ID token for a session, whose secret is the bearer of other
// clients' calls. A client with a Login does so by itself.
func (c *Client) OpenSession(ctx context.Context, idToken api.Secret) (*api.Session, error) {
	out := &api.Session{}
	return out, c.do(ctx, call{method: http.MethodPost, path: []string{"v1", "sessions"}, body: api.SessionRequest{Token: idToken}}, out)
}

// openSession makes the call that needs no bearer. A lost answer costs a
// session that nobody uses, so each attempt is safe.
func (c *Client) openSession(ctx context.Context, token api.Secret) (session, error) {
	k := call{method: http.MethodPost, path: []string{"v1", "sessions"}, body: api.SessionRequest{Token: token}}
	req, err := c.request(ctx, k, api.ContentJSON)
	if err != nil {
		return session{}, err
	}
	data, header, err := c.send(k, req)
	if err != nil {
		return session{}, err
	}
	now := c.sessions.now()
	var answer api.Session
	unexpected := func(reason string) error {
		return &UnexpectedError{Method: k.method, Path: k.urlPath(), Reason: reason}
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return session{}, unexpected("the answer is not the JSON that this version expects")
	}
	secret := api.Secret(answer.Secret)
	if !isBearer(secret) {
		return session{}, unexpected("the session's secret can't be sent as a bearer token")
	}
	// The end is a time of the server's clock; only how far away it is can be
	// told without trust in this machine's.
	served, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		served = now
	}
	life := answer.ExpiresAt.Sub(served)
	if life <= 0 {
		return session{}, unexpected("the session has ended already")
	}
	return session{secret: secret, renewAt: now.Add(life - life/5), endsAt: now.Add(life)}, nil
}
