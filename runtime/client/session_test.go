package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func TestManyCallsLogInOnce(t *testing.T) {
	a := newLoginAPI(t)
	hold, release := held(t)
	a.answer = func(int64, http.ResponseWriter) bool { <-hold; return false }
	c := a.client(t, idToken)
	var calls sync.WaitGroup
	for range 50 {
		calls.Go(func() {
			if _, err := c.Whoami(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	eventually(t, "a login", func() bool { return a.sessions.Load() > 0 })
	time.Sleep(20 * time.Millisecond)
	release()
	calls.Wait()
	if n := a.sessions.Load(); n != 1 {
		t.Errorf("50 calls logged in %d times, want once", n)
	}
	if got := a.bearers(); len(got) != 50 || slices.ContainsFunc(got, func(b string) bool { return b != "session-1" }) {
		t.Errorf("calls carried %q, want 50 times the session", got)
	}
	login := a.calls[slices.IndexFunc(a.calls, func(r *http.Request) bool { return r.URL.Path == "/v1/sessions" })]
	if login.Header.Get("Authorization") != "" || login.Method != http.MethodPost {
		t.Errorf("the login was a %s with the bearer %q", login.Method, login.Header.Get("Authorization"))
	}
	token, _ := idToken.IDToken(t.Context())
	if !strings.Contains(a.bodies[0], `{"token":"`+token.Reveal()+`"}`) {
		t.Errorf("the login sent %s", a.bodies[0])
	}
}

func TestASessionIsRenewedAtFourFifthsOfItsLife(t *testing.T) {
	a := newLoginAPI(t)
	hold, release := held(t)
	a.answer = func(n int64, _ http.ResponseWriter) bool {
		if n == 2 {
			<-hold
		}
		return false
	}
	c := a.client(t, idToken)
	whoami(t, c)
	a.clock.advance(48*time.Minute - time.Second)
	whoami(t, c)
	time.Sleep(50 * time.Millisecond) // a renewal would be in the background
	if n := a.sessions.Load(); n != 1 {
		t.Fatalf("%d logins just before four fifths, want 1", n)
	}
	a.clock.advance(time.Second)
	for range 10 {
		whoami(t, c) // the renewal hangs, and nobody waits for it
	}
	eventually(t, "the renewal", func() bool { return a.sessions.Load() == 2 })
	release()
	eventually(t, "the change of sessions", func() bool { whoami(t, c); b := a.bearers(); return b[len(b)-1] == "session-2" })
	if n := a.sessions.Load(); n != 2 {
		t.Errorf("%d logins, want 2", n)
	}
	if got := a.bearers()[:12]; slices.Contains(got, "session-2") {
		t.Errorf("calls during the renewal carried %q", got)
	}
}

func TestASessionOutlivesRenewalsThatFailAndNotItsEnd(t *testing.T) {
	a := newLoginAPI(t)
	a.answer = func(n int64, w http.ResponseWriter) bool {
		if n > 1 && n < 4 {
			writeProblem(w, api.NewProblem(api.CodeUnauthenticated, "the token has ended"))
		}
		return n > 1 && n < 4
	}
	c := a.client(t, idToken)
	whoami(t, c)
	a.clock.advance(50 * time.Minute)
	whoami(t, c)
	eventually(t, "a failed renewal", func() bool { return a.sessions.Load() == 2 })
	time.Sleep(20 * time.Millisecond)
	for range 10 {
		whoami(t, c)
	}
	time.Sleep(20 * time.Millisecond)
	if n := a.sessions.Load(); n != 2 {
		t.Errorf("%d logins: a renewal that failed was tried again at once", n)
	}
	a.clock.advance(10 * time.Minute)
	if _, err := c.Whoami(t.Context()); !errors.Is(err, client.ErrLogin) {
		t.Errorf("at the session's end: got %v, want %v", err, client.ErrLogin)
	}
	whoami(t, c) // the failure was not for good
	if got := a.bearers(); got[len(got)-1] != "session-4" {
		t.Errorf("the last call carried %s", got[len(got)-1])
	}
}

func TestAForgottenSessionIsReplacedAndItsCallRepeatedAsItWas(t *testing.T) {
	a := newLoginAPI(t)
	c := a.client(t, idToken)
	whoami(t, c)
	a.forgotten.Store(1)
	if _, err := c.Put(t.Context(), web, lb.NewPool(), client.IfRevision(6)); err != nil {
		t.Fatal(err)
	}
	if n := a.sessions.Load(); n != 2 {
		t.Errorf("%d logins, want 2", n)
	}
	if got, want := a.bearers(), []string{"session-1", "session-1", "session-2"}; !slices.Equal(got, want) {
		t.Errorf("calls carried %q, want %q", got, want)
	}
	first, last := 2, len(a.calls)-1
	key := a.calls[first].Header.Get(api.HeaderIdempotencyKey)
	if got := a.calls[last].Header.Get(api.HeaderIdempotencyKey); key == "" || got != key {
		t.Errorf("repeated with the key %q, want %q", got, key)
	}
	if a.bodies[first] == "" || a.bodies[first] != a.bodies[last] || a.calls[last].Header.Get(api.HeaderIfMatch) != `"6"` {
		t.Errorf("repeated as %v with %s", a.calls[last].Header, a.bodies[last])
	}
}

func TestManyCallsWithAForgottenSessionLogInOnce(t *testing.T) {
	a := newLoginAPI(t)
	c := a.client(t, idToken)
	whoami(t, c)
	a.forgotten.Store(1)
	var calls sync.WaitGroup
	for range 50 {
		calls.Go(func() {
			if _, err := c.Whoami(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	if n := a.sessions.Load(); n != 2 {
		t.Errorf("%d logins, want 2", n)
	}
}

func TestASessionThatIsRefusedFromTheStartIsNoLoop(t *testing.T) {
	a := newLoginAPI(t)
	a.forgotten.Store(1 << 40)
	_, err := a.client(t, idToken).Whoami(t.Context())
	if !client.HasCode(err, api.CodeUnauthenticated) {
		t.Errorf("got %v, want the API's refusal", err)
	}
	if n := a.sessions.Load(); n != 2 || len(a.bearers()) != 2 {
		t.Errorf("%d logins and %d calls, want 2 of each", n, len(a.bearers()))
	}
}

func TestAClockThatIsWrongCostsNoLogins(t *testing.T) {
	a := newLoginAPI(t)
	c := a.client(t, idToken)
	ahead := func() time.Time { return a.clock.now().Add(3 * time.Hour) }
	c.SetClock(ahead)
	for range 5 {
		whoami(t, c)
	}
	if n := a.sessions.Load(); n != 1 {
		t.Errorf("%d logins, want 1", n)
	}
}

func TestWhoGivesUpStopsNobodyElse(t *testing.T) {
	a := newLoginAPI(t)
	hold, release := held(t)
	a.answer = func(int64, http.ResponseWriter) bool { <-hold; return false }
	c := a.client(t, idToken)
	ctx, cancel := context.WithCancel(t.Context())
	gaveUp := make(chan error, 1)
	go func() { _, err := c.Whoami(ctx); gaveUp <- err }()
	eventually(t, "a login", func() bool { return a.sessions.Load() == 1 })
	patient := make(chan error, 1)
	go func() { _, err := c.Whoami(t.Context()); patient <- err }()
	cancel()
	if err := <-gaveUp; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	release()
	if err := <-patient; err != nil {
		t.Error(err)
	}
	if n := a.sessions.Load(); n != 1 {
		t.Errorf("%d logins, want 1", n)
	}
}

func TestATokenWinsOverALogin(t *testing.T) {
	var rec recorder
	srv := rec.serve(t, func(_ int, w http.ResponseWriter) { io.WriteString(w, `{}`) })
	whoami(t, newClient(t, srv.URL, func(cfg *client.Config) { cfg.Login = idToken }))
	if got := rec.calls[0].Header.Get("Authorization"); len(rec.calls) != 1 || got != "Bearer "+token {
		t.Errorf("%d calls, the first with %q", len(rec.calls), got)
	}
	if _, err := client.New(client.Config{Endpoint: srv.URL}); !errors.Is(err, client.ErrToken) {
		t.Errorf("neither token nor login: got %v, want %v", err, client.ErrToken)
	}
	if _, err := client.New(client.Config{Endpoint: srv.URL, Token: "a b", Login: idToken}); !errors.Is(err, client.ErrToken) {
		t.Errorf("a token that can't be sent: got %v, want %v", err, client.ErrToken)
	}
}
