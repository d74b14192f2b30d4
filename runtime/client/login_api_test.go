package client_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
)

// jwt returns a token with claims, whose signature is a text that must be seen
// nowhere.
func jwt(claims string) string {
	part := base64.RawURLEncoding.EncodeToString
	return part([]byte(`{"alg":"ES256"}`)) + "." + part([]byte(claims)) + "." + part([]byte("signature-of-the-token"))
}

// clock is a time that stands still until it is moved.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// loginAPI is an API that opens sessions of an hour, called session-1, session-2
// and so on, and knows no bearer but those that it has not forgotten.
type loginAPI struct {
	recorder
	clock    clock
	sessions atomic.Int64
	// forgotten is the number of the last session that is no longer known.
	forgotten atomic.Int64
	// answer, if set and true, has answered the n-th login itself.
	answer func(n int64, w http.ResponseWriter) bool
	url    string
}

func newLoginAPI(t *testing.T) *loginAPI {
	a := &loginAPI{}
	a.clock.at = time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		a.mu.Lock()
		a.calls, a.bodies = append(a.calls, req), append(a.bodies, string(body))
		a.mu.Unlock()
		w.Header().Set("Date", a.clock.now().Format(http.TimeFormat))
		if req.URL.Path != "/v1/sessions" {
			var n int64
			fmt.Sscanf(req.Header.Get("Authorization"), "Bearer session-%d", &n)
			if n <= a.forgotten.Load() {
				writeProblem(w, api.NewProblem(api.CodeUnauthenticated, "the token is not valid"))
				return
			}
			io.WriteString(w, `{"name":"ci"}`)
			return
		}
		n := a.sessions.Add(1)
		if a.answer != nil && a.answer(n, w) {
			return
		}
		b, _ := json.Marshal(api.Session{Secret: fmt.Sprintf("session-%d", n), ExpiresAt: a.clock.now().Add(time.Hour)})
		w.Write(b)
	}))
	t.Cleanup(srv.Close)
	a.url = srv.URL
	return a
}

// client returns a client that logs in with a token.
func (a *loginAPI) client(t *testing.T, source client.TokenSource) *client.Client {
	t.Helper()
	c := newClient(t, a.url, func(cfg *client.Config) { cfg.Token, cfg.Login = "", source })
	c.SetClock(a.clock.now)
	return c
}

// bearers returns what each call but logins carried.
func (a *loginAPI) bearers() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []string
	for _, call := range a.calls {
		if call.URL.Path != "/v1/sessions" {
			all = append(all, strings.TrimPrefix(call.Header.Get("Authorization"), "Bearer "))
		}
	}
	return all
}

var idToken = client.Static(api.Secret(jwt(`{"iss":"https://ci.example.com","sub":"repo:acme/edge","aud":"https://lb.example.com"}`)))

func whoami(t *testing.T, c *client.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := c.Whoami(ctx); err != nil {
		t.Fatal(err)
	}
}

// eventually waits until what goes on in the background has happened.
func eventually(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !happened(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not happen", what)
		}
	}
}

// held returns a channel that is open until it is released, or the test ends.
func held(t *testing.T) (hold chan struct{}, release func()) {
	hold = make(chan struct{})
	release = sync.OnceFunc(func() { close(hold) })
	t.Cleanup(release)
	return hold, release
}
