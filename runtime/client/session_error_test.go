package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
)

// noSecretIn fails when a text shows an ID token, or a part of one, or a session.
func noSecretIn(t *testing.T, text string) {
	t.Helper()
	for _, part := range strings.Split(jwt(`{"iss":`), ".") {
		if strings.Contains(text, strings.TrimRight(part, "Og")) {
			t.Errorf("a part of the token shows: %s", text)
		}
	}
	for _, secret := range []string{"session-", "signature-of", "request-token-of"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q shows: %s", secret, text)
		}
	}
}

func shown(err error) string { return fmt.Sprintf("%v %+v %#v", err, err, err) }

func TestALoginIsRetriedAndAnErrorIsNotKept(t *testing.T) {
	a := newLoginAPI(t)
	a.answer = func(n int64, w http.ResponseWriter) bool {
		switch n {
		case 1:
			writeProblem(w, api.NewProblem(api.CodeRole, "no role is mapped"))
		case 2:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 3:
			conn, _, _ := w.(http.Hijacker).Hijack()
			conn.Close()
		}
		return n < 4
	}
	c := a.client(t, idToken)
	if _, err := c.Whoami(t.Context()); !errors.Is(err, client.ErrLogin) {
		t.Fatalf("got %v, want %v", err, client.ErrLogin)
	}
	if n := a.sessions.Load(); n != 1 {
		t.Errorf("a refusal was retried: %d attempts", n)
	}
	whoami(t, c)
	if n := a.sessions.Load(); n != 4 {
		t.Errorf("%d attempts, want 4", n)
	}
}

func TestARefusedLoginSaysWhy(t *testing.T) {
	for _, code := range []api.Code{api.CodeUnauthenticated, api.CodeRole, api.CodeNotFound} {
		t.Run(string(code), func(t *testing.T) {
			a := newLoginAPI(t)
			a.answer = func(_ int64, w http.ResponseWriter) bool {
				writeProblem(w, api.NewProblem(code, "nobody logs in"))
				return true
			}
			expired := client.Static(api.Secret(jwt(`{"iss":"https://ci.example.com","sub":"repo:acme/edge","aud":["a","b"],"exp":1741064400}`)))
			_, err := a.client(t, expired).Whoami(t.Context())
			var problem *api.Problem
			if !errors.Is(err, client.ErrLogin) || !errors.As(err, &problem) || problem.Code != code || problem.RequestID != "req-1" {
				t.Fatalf("got %v", err)
			}
			for _, want := range []string{`"https://ci.example.com"`, `"repo:acme/edge"`, `audience "a", "b"`, "it ended at 2025-03-04T05:00:00Z", "nobody logs in"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v\ndoes not say %s", err, want)
				}
			}
			noSecretIn(t, shown(err))
			// A resource must not be taken for deleted because of a login.
			if client.IsNotFound(err) || client.HasCode(err, code) || client.IsUnreachable(err) {
				t.Errorf("%v passes for an answer to the call itself", err)
			}
		})
	}
}

func TestAnswersToALoginOutsideTheContract(t *testing.T) {
	for name, answer := range map[string]string{
		"not JSON":              "<html>session-x</html>",
		"no secret":             `{"expires_at":"2025-03-04T06:06:07Z"}`,
		"a secret of two lines": `{"secret":"session-x\r\nEvil: 1","expires_at":"2025-03-04T06:06:07Z"}`,
		"no end":                `{"secret":"session-x"}`,
		"already ended":         `{"secret":"session-x","expires_at":"2025-03-04T05:06:07Z"}`,
	} {
		t.Run(name, func(t *testing.T) {
			a := newLoginAPI(t)
			a.answer = func(_ int64, w http.ResponseWriter) bool { io.WriteString(w, answer); return true }
			_, err := a.client(t, idToken).Whoami(t.Context())
			var unexpected *client.UnexpectedError
			if !errors.Is(err, client.ErrLogin) || !errors.As(err, &unexpected) {
				t.Fatalf("got %v, want an unexpected answer to the login", err)
			}
			noSecretIn(t, shown(err))
			if n := len(a.bearers()); n != 0 {
				t.Errorf("%d calls were made without a session", n)
			}
		})
	}
}

func TestALoginNeedsAnIDToken(t *testing.T) {
	long := strings.Repeat("aaaa", client.MaxIDTokenBytes/4)
	for name, text := range map[string]string{
		"empty":         "",
		"a password":    "signature-of-nothing",
		"HTML":          "<html>signature-of.a.b</html>",
		"two lines":     jwt(`{}`) + "\r\nEvil: 1",
		"a line broken": strings.Replace(jwt(`{}`), ".", ".\n", 1),
		"four parts":    jwt(`{}`) + ".AA",
		"an empty part": "AA..AA",
		"plain base64":  jwt(`{}`) + "+/",
		"no JSON":       "AA.AA.AA",
		"other JSON":    jwt(`{"iss":7}`),
		"too long":      strings.TrimRight(jwt(`{}`), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") + long,
	} {
		t.Run(name, func(t *testing.T) {
			a := newLoginAPI(t)
			_, err := a.client(t, client.Static(api.Secret(text))).Whoami(t.Context())
			if !errors.Is(err, client.ErrLogin) || !errors.Is(err, client.ErrIDToken) {
				t.Errorf("got %v, want %v", err, client.ErrIDToken)
			}
			noSecretIn(t, shown(err))
			if len(a.calls) != 0 {
				t.Errorf("%d calls were made", len(a.calls))
			}
		})
	}
}

func TestASourceThatFailsFailsTheCall(t *testing.T) {
	a := newLoginAPI(t)
	cause := &net.OpError{Op: "dial", Err: errors.New("no route to the CI")}
	_, err := a.client(t, client.TokenSourceFunc(func(context.Context) (api.Secret, error) { return "", cause })).Whoami(t.Context())
	if !errors.Is(err, client.ErrLogin) || !errors.Is(err, client.ErrIDToken) || !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	if client.IsUnreachable(err) {
		t.Errorf("%v is blamed on the management API", err)
	}
}

func TestHostileClaimsAreShownShort(t *testing.T) {
	a := newLoginAPI(t)
	a.answer = func(_ int64, w http.ResponseWriter) bool {
		writeProblem(w, api.NewProblem(api.CodeUnauthenticated, "no"))
		return true
	}
	long := strings.Repeat("x", 5000)
	claims := `{"iss":"` + long + `","sub":"\u001b[31m","aud":["` + long + `"` + strings.Repeat(`,"`+long+`"`, 5) + `],"exp":1e300}`
	_, err := a.client(t, client.Static(api.Secret(jwt(claims)))).Whoami(t.Context())
	if err == nil || len(err.Error()) > 2000 || strings.Contains(err.Error(), "\x1b") || strings.Contains(err.Error(), " at ") {
		t.Errorf("got %v", err)
	}
}
