package client_test

import (
	"context"
	"crypto/sha256"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

const token = "alb_secret-token"

var web = lb.Address{Kind: lb.KindPool, Name: "web"}

// recorder answers calls with handler and keeps what arrived.
type recorder struct {
	mu     sync.Mutex
	calls  []*http.Request
	bodies []string
}

func (r *recorder) serve(t *testing.T, handler func(n int, w http.ResponseWriter)) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		r.calls = append(r.calls, req)
		r.bodies = append(r.bodies, string(body))
		n := len(r.calls)
		r.mu.Unlock()
		handler(n, w)
	}))
	t.Cleanup(srv.Close)
	return srv
}

func newClient(t *testing.T, endpoint string, change func(*client.Config)) *client.Client {
	t.Helper()
	cfg := client.Config{
		Endpoint: endpoint, Token: token, Ticket: "CHG-1", Run: "local/h/1", UserAgent: "test/1",
		MinWait: time.Millisecond, MaxWait: 5 * time.Millisecond, Timeout: 5 * time.Second,
	}
	if change != nil {
		change(&cfg)
	}
	c, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func writeProblem(w http.ResponseWriter, p *api.Problem) {
	w.Header().Set("Content-Type", api.ContentProblem)
	w.WriteHeader(p.Status)
	fmt.Fprintf(w, `{"type":%q,"title":%q,"status":%d,"code":%q,"detail":%q,"request_id":"req-1","violations":[{"pointer":"/owner","detail":"is required"}],"later_field":1}`,
		p.Type, p.Title, p.Status, p.Code, p.Detail)
}

func TestRetriesKeepOneIdempotencyKeyAndBody(t *testing.T) {
	for _, status := range []int{429, 502, 503, 504} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			var rec recorder
			srv := rec.serve(t, func(n int, w http.ResponseWriter) {
				if n < 3 {
					w.WriteHeader(status)
					return
				}
				io.WriteString(w, `{"kind":"pool","name":"web","revision":7}`)
			})
			obj, err := newClient(t, srv.URL, nil).Put(t.Context(), web, lb.NewPool(), client.IfRevision(6))
			if err != nil || obj.Revision != 7 {
				t.Fatalf("got %+v, %v", obj, err)
			}
			if len(rec.calls) != 3 {
				t.Fatalf("got %d attempts, want 3", len(rec.calls))
			}
			key := rec.calls[0].Header.Get(api.HeaderIdempotencyKey)
			for i, call := range rec.calls {
				if got := call.Header.Get(api.HeaderIdempotencyKey); key == "" || got != key {
					t.Errorf("attempt %d: key %q, want %q", i+1, got, key)
				}
				if rec.bodies[i] != rec.bodies[0] || rec.bodies[i] == "" {
					t.Errorf("attempt %d sent %q", i+1, rec.bodies[i])
				}
			}
		})
	}
}

func TestTwoCallsHaveTwoIdempotencyKeys(t *testing.T) {
	var rec recorder
	srv := rec.serve(t, func(_ int, w http.ResponseWriter) { io.WriteString(w, `{}`) })
	c := newClient(t, srv.URL, nil)
	for range 2 {
		if _, err := c.Delete(t.Context(), web, client.IfRevision(1)); err != nil {
			t.Fatal(err)
		}
	}
	if a, b := rec.calls[0].Header.Get(api.HeaderIdempotencyKey), rec.calls[1].Header.Get(api.HeaderIdempotencyKey); a == b {
		t.Errorf("both calls carry the key %q", a)
	}
}

func TestFinalAnswersAreNotRetried(t *testing.T) {
	for _, code := range []api.Code{api.CodeLogFull, api.CodeInternal, api.CodeInvalid, api.CodePreconditionFailed, api.CodeTicketRequired} {
		t.Run(string(code), func(t *testing.T) {
			var rec recorder
			srv := rec.serve(t, func(_ int, w http.ResponseWriter) { writeProblem(w, api.NewProblem(code, "no")) })
			_, err := newClient(t, srv.URL, nil).Put(t.Context(), web, lb.NewPool(), client.IfAbsent())
			var problem *api.Problem
			if !errors.As(err, &problem) || problem.Code != code {
				t.Fatalf("got %v, want a problem %s", err, code)
			}
			if len(problem.Violations) != 1 || problem.Violations[0].Pointer != "/owner" || problem.RequestID != "req-1" {
				t.Errorf("the problem lost its details: %+v", problem)
			}
			if len(rec.calls) != 1 {
				t.Errorf("got %d attempts, want 1", len(rec.calls))
			}
		})
	}
}

func TestAttemptsAreBounded(t *testing.T) {
	var rec recorder
	srv := rec.serve(t, func(_ int, w http.ResponseWriter) {
		writeProblem(w, api.NewProblem(api.CodeLogUnavailable, "the log can't be written"))
	})
	c := newClient(t, srv.URL, func(cfg *client.Config) { cfg.Attempts = 3 })
	_, err := c.Get(t.Context(), web)
	if !client.HasCode(err, api.CodeLogUnavailable) {
		t.Errorf("got %v, want the last answer's problem", err)
	}
	if len(rec.calls) != 3 {
		t.Errorf("got %d attempts, want 3", len(rec.calls))
	}
}

func TestLostConnectionIsRetried(t *testing.T) {
	var rec recorder
	srv := rec.serve(t, func(n int, w http.ResponseWriter) {
		if n == 1 {
			conn, _, _ := w.(http.Hijacker).Hijack()
			conn.Close()
			return
		}
		io.WriteString(w, `{"revision":9}`)
	})
	deleted, err := newClient(t, srv.URL, nil).Delete(t.Context(), web, client.IfPresent())
	if err != nil || deleted.Revision != 9 {
		t.Fatalf("got %+v, %v", deleted, err)
	}
}

func TestRetryAfterIsHonouredWithinBounds(t *testing.T) {
	for name, tc := range map[string]struct {
		header   string
		min, max time.Duration
	}{
		"seconds":            {"1", time.Second, 3 * time.Second},
		"beyond the bound":   {"86400", 1500 * time.Millisecond, 4 * time.Second},
		"beyond all numbers": {"99999999999999999999", 1500 * time.Millisecond, 4 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var rec recorder
			srv := rec.serve(t, func(n int, w http.ResponseWriter) {
				if n == 1 {
					w.Header().Set("Retry-After", tc.header)
					w.WriteHeader(http.StatusServiceUnavailable)
					return
				}
				io.WriteString(w, `{}`)
			})
			c := newClient(t, srv.URL, func(cfg *client.Config) { cfg.MaxWait = 1500 * time.Millisecond })
			start := time.Now()
			if _, err := c.Whoami(t.Context()); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took < tc.min || took > tc.max {
				t.Errorf("waited %s, want between %s and %s", took, tc.min, tc.max)
			}
		})
	}
}

func TestCancellationEndsTheWait(t *testing.T) {
	var rec recorder
	ctx, cancel := context.WithCancel(t.Context())
	srv := rec.serve(t, func(_ int, w http.ResponseWriter) {
		w.WriteHeader(http.StatusServiceUnavailable)
		cancel()
	})
	c := newClient(t, srv.URL, func(cfg *client.Config) { cfg.MinWait, cfg.MaxWait = time.Hour, time.Hour })
	if _, err := c.Whoami(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func TestHeadersOfAChange(t *testing.T) {
	var rec recorder
	srv := rec.serve(t, func(_ int, w http.ResponseWriter) { io.WriteString(w, `{}`) })
	c := newClient(t, srv.URL, nil)
	if _, err := c.Put(t.Context(), web, lb.NewPool(), client.IfRevision(41)); err != nil {
		t.Fatal(err)
	}
	got := rec.calls[0].Header
	for header, want := range map[string]string{
		"Authorization": "Bearer " + token, api.HeaderTicket: "CHG-1", api.HeaderRun: "local/h/1",
		api.HeaderIfMatch: `"41"`, "User-Agent": "test/1", "Content-Type": api.ContentJSON,
	} {
		if got.Get(header) != want {
			t.Errorf("%s: got %q, want %q", header, got.Get(header), want)
		}
	}
}

func TestRunIDWithSlashesIsOneSegment(t *testing.T) {
	var rec recorder
	srv := rec.serve(t, func(_ int, w http.ResponseWriter) { io.WriteString(w, `{}`) })
	if _, err := newClient(t, srv.URL, nil).RegisterRun(t.Context(), "github/org/repo/1/2", api.RunClaims{System: "github"}); err != nil {
		t.Fatal(err)
	}
	if got, want := rec.calls[0].URL.EscapedPath(), "/v1/runs/github%2Forg%2Frepo%2F1%2F2"; got != want {
		t.Errorf("got path %s, want %s", got, want)
	}
	if rec.calls[0].Header.Get(api.HeaderRun) != "" {
		t.Error("the registration names the run that it is about to register")
	}
}

func TestPrivateKeyIsSentAndNowhereElse(t *testing.T) {
	const key = "-----BEGIN PRIVATE KEY-----top-secret"
	var rec recorder
	srv := rec.serve(t, func(_ int, w http.ResponseWriter) { writeProblem(w, api.NewProblem(api.CodeInvalid, "no")) })
	at := lb.Address{Kind: lb.KindCertificate, Name: "site"}
	_, err := newClient(t, srv.URL, nil).Put(t.Context(), at, &api.CertificateWrite{PrivateKeyPEM: key}, client.IfAbsent())
	if !strings.Contains(rec.bodies[0], key) {
		t.Errorf("the key was not sent: %s", rec.bodies[0])
	}
	if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), "top-secret") {
		t.Errorf("the error repeats the key: %v", err)
	}
}

func TestAnswersOutsideTheContract(t *testing.T) {
	for name, tc := range map[string]struct {
		answer func(w http.ResponseWriter)
		want   string
	}{
		"not JSON":      {func(w http.ResponseWriter) { io.WriteString(w, "<html>secret</html>") }, "not the JSON"},
		"HTML refusal":  {func(w http.ResponseWriter) { http.Error(w, "secret", http.StatusForbidden) }, "status 403"},
		"redirect":      {func(w http.ResponseWriter) { w.Header().Set("Location", "/x"); w.WriteHeader(302) }, "status 302"},
		"empty problem": {func(w http.ResponseWriter) { w.Header().Set("Content-Type", api.ContentProblem); w.WriteHeader(400) }, "status 400"},
		"endless answer": {func(w http.ResponseWriter) {
			chunk := make([]byte, 1<<20)
			for range client.MaxResponseBytes>>20 + 2 {
				w.Write(chunk)
			}
		}, "larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			var rec recorder
			srv := rec.serve(t, func(_ int, w http.ResponseWriter) { tc.answer(w) })
			// An endless answer takes the race detector a while.
			_, err := newClient(t, srv.URL, func(c *client.Config) { c.Timeout = 5 * time.Minute }).Whoami(t.Context())
			var unexpected *client.UnexpectedError
			if !errors.As(err, &unexpected) || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v, want an unexpected answer with %q", err, tc.want)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error repeats the answer: %v", err)
			}
			if len(rec.calls) != 1 {
				t.Errorf("got %d calls, want 1: a redirect must not be followed", len(rec.calls))
			}
		})
	}
}

func TestEndpointsThatWouldLeakTheTokenAreRefused(t *testing.T) {
	for endpoint, ok := range map[string]bool{
		"https://lb.example.com":        true,
		"https://lb.example.com/base/":  true,
		"http://127.0.0.1:8080":         true,
		"http://[::1]:8080":             true,
		"http://localhost:8080":         true,
		"http://lb.example.com":         false,
		"http://localhost.example.com":  false,
		"https://user:pass@example.com": false,
		"https://example.com?x=1":       false,
		"ftp://example.com":             false,
		"lb.example.com:8443":           false,
		"":                              false,
	} {
		_, err := client.New(client.Config{Endpoint: endpoint, Token: token})
		if (err == nil) != ok {
			t.Errorf("%q: got %v, want ok %t", endpoint, err, ok)
		}
		if err != nil && !errors.Is(err, client.ErrEndpoint) {
			t.Errorf("%q: %v does not wrap ErrEndpoint", endpoint, err)
		}
		if err != nil && strings.Contains(err.Error(), "pass") {
			t.Errorf("%q: the error repeats the password: %v", endpoint, err)
		}
	}
	if _, err := client.New(client.Config{Endpoint: "http://lb.example.com", Token: token, InsecureHTTP: true}); err != nil {
		t.Errorf("allowed on purpose: %v", err)
	}
}

func TestOnlyTheGivenAuthorityIsTrusted(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"name":"alice"}`) }))
	defer srv.Close()
	srv.Config.ErrorLog = nil
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}))
	actor, err := newClient(t, srv.URL, func(cfg *client.Config) { cfg.CACertPEM = ca }).Whoami(t.Context())
	if err != nil || actor.Name != "alice" {
		t.Fatalf("got %+v, %v", actor, err)
	}
	_, err = newClient(t, srv.URL, func(cfg *client.Config) { cfg.MinWait, cfg.MaxWait = time.Hour, time.Hour }).Whoami(t.Context())
	if err == nil || !client.IsUnreachable(err) {
		t.Errorf("got %v, want a refusal without retries", err)
	}
	if _, err := client.New(client.Config{Endpoint: srv.URL, Token: token, CACertPEM: "x"}); !errors.Is(err, client.ErrCACert) {
		t.Errorf("got %v, want %v", err, client.ErrCACert)
	}
}

func TestTokenIsNotInErrors(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	srv.Close()
	_, err := newClient(t, srv.URL, func(cfg *client.Config) { cfg.Attempts = 2 }).Whoami(t.Context())
	if err == nil || !client.IsUnreachable(err) {
		t.Fatalf("got %v, want an unreachable endpoint", err)
	}
	if strings.Contains(fmt.Sprintf("%+v", err), token) {
		t.Errorf("the error repeats the token: %v", err)
	}
}

func TestEntriesSendsEveryFilter(t *testing.T) {
	var rec recorder
	srv := rec.serve(t, func(_ int, w http.ResponseWriter) { io.WriteString(w, `{"items":[]}`) })
	at := time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC)
	_, err := newClient(t, srv.URL, nil).Entries(t.Context(), api.EntryQuery{
		Resource: "pool/web", Run: "r", Ticket: "t", Actor: "a", Type: "apply",
		Since: at, Until: at, Limit: 3, Cursor: "c", IncludePatch: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "actor=a&cursor=c&include=patch&limit=3&resource=pool%2Fweb&run=r&since=2025-03-04T05%3A06%3A07Z&ticket=t&type=apply&until=2025-03-04T05%3A06%3A07Z"
	if got := rec.calls[0].URL.RawQuery; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestCheckpointIsReturnedAsItIs(t *testing.T) {
	note := fmt.Sprintf("auditlb\n7\n%x\n\n— auditlb sig\n", sha256.Sum256(nil))
	var rec recorder
	srv := rec.serve(t, func(_ int, w http.ResponseWriter) { io.WriteString(w, note) })
	got, err := newClient(t, srv.URL, nil).Checkpoint(t.Context())
	if err != nil || string(got) != note {
		t.Errorf("got %q, %v", got, err)
	}
	if rec.calls[0].URL.Path != "/tlog/checkpoint" {
		t.Errorf("asked for %s", rec.calls[0].URL.Path)
	}
}
