package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
)

const requestToken = api.Secret("request-token-of-the-job")

func TestGitHubIsAskedForAnAudienceEachTime(t *testing.T) {
	var rec recorder
	srv := rec.serve(t, func(n int, w http.ResponseWriter) { fmt.Fprintf(w, `{"count":1,"value":"token-%d"}`, n) })
	for name, tc := range map[string]struct{ url, audience, want string }{
		"after a query":   {srv.URL + "/job?api-version=2.0", "https://lb.example.com:8443/&x", "api-version=2.0&audience=https%3A%2F%2Flb.example.com%3A8443%2F%26x"},
		"without a query": {srv.URL + "/job", "a b", "audience=a+b"},
		"no audience":     {srv.URL + "/job?x=1", "", "x=1"},
	} {
		t.Run(name, func(t *testing.T) {
			rec.calls = nil
			source := client.GitHubActions(tc.url, requestToken, tc.audience)
			mustGive(t, source, "token-1")
			mustGive(t, source, "token-2")
			for _, call := range rec.calls {
				if call.Method != http.MethodGet || call.URL.RawQuery != tc.want || call.Header.Get("Authorization") != "Bearer "+requestToken.Reveal() {
					t.Errorf("asked with %s %s %q", call.Method, call.URL, call.Header)
				}
			}
		})
	}
}

func TestGitHubIsAskedAgainAfterAFailure(t *testing.T) {
	var rec recorder
	srv := rec.serve(t, func(n int, w http.ResponseWriter) {
		if n == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		io.WriteString(w, `{"value":"token"}`)
	})
	mustGive(t, client.GitHubActions(srv.URL, requestToken, "a"), "token")
	down := rec.serve(t, func(_ int, w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) })
	rec.calls = nil
	if _, err := client.GitHubActions(down.URL, requestToken, "a").IDToken(t.Context()); err == nil || !strings.Contains(err.Error(), "status 502") || len(rec.calls) != 4 {
		t.Errorf("got %v after %d attempts, want 4", err, len(rec.calls))
	}
}

func TestGitHubsAnswersThatHoldNoToken(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		t.Errorf("the redirect was followed, with %q", req.Header)
	}))
	defer elsewhere.Close()
	for name, tc := range map[string]struct {
		answer func(w http.ResponseWriter)
		want   string
	}{
		"HTML":        {func(w http.ResponseWriter) { io.WriteString(w, "<html>signature-of</html>") }, "holds no token"},
		"other JSON":  {func(w http.ResponseWriter) { io.WriteString(w, `{"value":["signature-of"]}`) }, "holds no token"},
		"empty token": {func(w http.ResponseWriter) { io.WriteString(w, `{"value":""}`) }, "holds no token"},
		"refusal":     {func(w http.ResponseWriter) { http.Error(w, "signature-of", http.StatusForbidden) }, "status 403"},
		"redirect": {func(w http.ResponseWriter) {
			w.Header().Set("Location", elsewhere.URL+"/signature-of")
			w.WriteHeader(http.StatusTemporaryRedirect)
		}, "status 307"},
		"endless": {func(w http.ResponseWriter) {
			io.WriteString(w, `{"value":"`)
			for range 64 {
				if _, err := w.Write([]byte(strings.Repeat("signature-of", 1<<14))); err != nil {
					return
				}
			}
			io.WriteString(w, `"}`)
		}, "holds no token"},
	} {
		t.Run(name, func(t *testing.T) {
			var rec recorder
			srv := rec.serve(t, func(_ int, w http.ResponseWriter) { tc.answer(w) })
			token, err := client.GitHubActions(srv.URL+"/request-token-of-the-url", requestToken, "a").IDToken(t.Context())
			if err == nil || !strings.Contains(err.Error(), tc.want) || token != "" {
				t.Errorf("got a token of %d bytes, %v, want %q", len(token), err, tc.want)
			}
			noSecretIn(t, shown(err))
			if len(rec.calls) != 1 {
				t.Errorf("%d calls, want 1", len(rec.calls))
			}
		})
	}
}

func TestASlowGitHubIsNotWaitedFor(t *testing.T) {
	stop := make(chan struct{})
	defer close(stop)
	for name, answer := range map[string]func(w http.ResponseWriter){
		"no answer":     func(http.ResponseWriter) {},
		"half a header": func(w http.ResponseWriter) { w.(http.Flusher).Flush() },
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				answer(w)
				select {
				case <-stop:
				case <-req.Context().Done():
				}
			}))
			defer srv.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			_, err := client.GitHubActions(srv.URL+"/request-token-of-the-url", requestToken, "a").IDToken(ctx)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
			}
			noSecretIn(t, shown(err))
		})
	}
}

func TestGitHubIsAskedOnlyWhereNobodyListens(t *testing.T) {
	const clear, badURL, badToken = "in clear text", "its URL is not", "token of the request"
	for name, tc := range map[string]struct {
		url   string
		token api.Secret
		want  string
	}{
		"clear text":         {"http://token.example.com/request-token-of-the-url", requestToken, clear},
		"another scheme":     {"ftp://127.0.0.1/request-token-of-the-url", requestToken, clear},
		"no URL":             {"request-token-of-the-url", requestToken, badURL},
		"userinfo":           {"https://request-token-of-the-url@example.com", requestToken, badURL},
		"not a URL":          {"https://exa mple.com/request-token-of-the-url", requestToken, badURL},
		"a token of 2 lines": {"https://127.0.0.1:1/", requestToken + "\r\nEvil: 1", badToken},
		"nobody there":       {"http://127.0.0.1:1/request-token-of-the-url", requestToken, "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := client.GitHubActions(tc.url, tc.token, "a").IDToken(t.Context())
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v, want %q", err, tc.want)
			}
			noSecretIn(t, shown(err))
		})
	}
}

func TestAnApplyThatOutlivesItsTokenGoesOn(t *testing.T) {
	var rec recorder
	github := rec.serve(t, func(_ int, w http.ResponseWriter) { fmt.Fprintf(w, `{"value":%q}`, jwt(`{}`)) })
	a := newLoginAPI(t)
	c := a.client(t, client.GitHubActions(github.URL, requestToken, "a"))
	for range 3 {
		whoami(t, c)
		a.clock.advance(2 * time.Hour)
	}
	if a.sessions.Load() != 3 || len(rec.calls) != 3 {
		t.Errorf("%d sessions of %d tokens, want 3 of 3", a.sessions.Load(), len(rec.calls))
	}
}
