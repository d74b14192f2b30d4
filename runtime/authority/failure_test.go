package authority_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/authority"
)

// fault is a way for an authority to fail.
type fault struct {
	name   string
	answer http.HandlerFunc
	// reason is what the error says; empty: ErrNotFound.
	reason string
	// least and most bound the error's RetryAfter.
	least, most time.Duration
	// reads is set when only reading fails by it.
	reads bool
}

func status(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		fmt.Fprintf(w, `{"error":%q}`, leak)
	}
}

func body(contentType, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		fmt.Fprint(w, text)
	}
}

func cut(raw string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, buf, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = buf.WriteString(raw)
		_ = buf.Flush()
		_ = conn.Close()
	}
}

// forever answers until the client has had enough.
func forever(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	for err := error(nil); err == nil; {
		_, err = io.WriteString(w, strings.Repeat(leak, 1000))
	}
}

func faults(elsewhere string) []fault {
	soon := time.Now().Add(90 * time.Second)
	return []fault{
		{name: "401", answer: status(401), reason: "it refuses our credentials (401)"},
		{name: "403", answer: status(403), reason: "our account may not do this (403)"},
		{name: "404", answer: status(404)},
		{name: "410", answer: status(410)},
		{name: "400", answer: status(400), reason: "it answered 400"},
		{name: "429 with seconds", answer: status(429, "Retry-After", "17"), reason: "it asks for fewer requests (429)", least: 17 * time.Second, most: 17 * time.Second},
		{name: "429 with a date", answer: status(429, "Retry-After", soon.UTC().Format(http.TimeFormat)), reason: "it asks for fewer requests (429)", least: 60 * time.Second, most: 90 * time.Second},
		{name: "429 with a date that has passed", answer: status(429, "Retry-After", "Mon, 02 Jan 2006 15:04:05 GMT"), reason: "it asks for fewer requests (429)", least: time.Minute, most: time.Minute},
		{name: "429 with an age", answer: status(429, "Retry-After", "4000000000"), reason: "it asks for fewer requests (429)", least: time.Hour, most: time.Hour},
		{name: "429 without a time", answer: status(429), reason: "it asks for fewer requests (429)", least: time.Minute, most: time.Minute},
		{name: "403 with nothing remaining", answer: status(403, "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", fmt.Sprint(soon.Unix())), reason: "it asks for fewer requests (403)", least: 60 * time.Second, most: 90 * time.Second},
		{name: "500", answer: status(500), reason: "it answered 500"},
		{name: "503 with seconds", answer: status(503, "Retry-After", "5"), reason: "it answered 503", least: 5 * time.Second, most: 5 * time.Second},
		{name: "redirect to another host", answer: status(302, "Location", elsewhere), reason: "it redirects elsewhere (302), where credentials are not sent: correct its URL"},
		{name: "permanent redirect to another host", answer: status(308, "Location", elsewhere), reason: "it redirects elsewhere (308), where credentials are not sent: correct its URL"},
		{name: "a stranger's answer", answer: status(200, "X-Seraph-LoginReason", "AUTHENTICATED_FAILED"), reason: "it refuses our credentials"},
		{name: "connection closed", answer: cut(""), reason: "the connection failed"},
		{name: "no HTTP", answer: cut(leak + "\r\n\r\n"), reason: "the connection failed"},
		{name: "malformed JSON", answer: body("application/json", `{"`+leak+`":`), reason: "its answer can't be understood", reads: true},
		{name: "JSON of another shape", answer: body("application/json", `"`+leak+`"`), reads: true, reason: "*"},
		{name: "a name given twice", answer: body("application/json", `{"number":1,"number":2,"result":[],"result":[]}`), reason: "its answer can't be understood", reads: true},
		{name: "wrong content type", answer: body("text/html", "<h1>"+leak), reason: "it answered with something other than JSON", reads: true},
		{name: "no content type", answer: body("", "{}"), reason: "it answered with something other than JSON", reads: true},
		{name: "truncated body", answer: cut("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"" + leak), reason: "its answer broke off", reads: true},
		{name: "a body without end", answer: forever, reason: "its answer is larger than 1024 KiB", reads: true},
		{name: "oversized body", answer: body("application/json", `"`+strings.Repeat(leak, authority.MaxResponseBytes/len(leak)+1)+`"`), reason: "its answer is larger than 1024 KiB", reads: true},
	}
}

// checkFailure holds an error to what a fault makes of it.
func checkFailure(t *testing.T, err error, f fault) {
	t.Helper()
	var u *authority.Unavailable
	switch {
	case f.reason == "":
		if !errors.Is(err, authority.ErrNotFound) {
			t.Fatalf("error is %v, want ErrNotFound", err)
		}
		return
	case !errors.As(err, &u) || u.Authority != "prod" || f.reason != "*" && u.Reason != f.reason:
		t.Fatalf("error is %v, want Unavailable because %q", err, f.reason)
	case u.RetryAfter < f.least || u.RetryAfter > f.most:
		t.Errorf("RetryAfter is %s, want %s to %s", u.RetryAfter, f.least, f.most)
	}
	if text := fmt.Sprintf("%v %+v %#v", err, u, u); strings.Contains(text, secret) || strings.Contains(text, leak) {
		t.Errorf("the error tells too much: %s", text)
	}
}

func TestEveryFailureIsToldApart(t *testing.T) {
	var visits atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visits.Add(1) }))
	t.Cleanup(elsewhere.Close)
	for name, k := range kinds() {
		for _, f := range faults(elsewhere.URL) {
			t.Run(name+"/"+f.name, func(t *testing.T) {
				srv := httptest.NewServer(f.answer)
				defer srv.Close()
				a := k.at(t, srv.URL, nil)
				_, err := a.Read(t.Context(), k.id)
				checkFailure(t, err, f)
				if !f.reads {
					checkFailure(t, a.Comment(t.Context(), k.id, "text"), f)
				}
			})
		}
	}
	if n := visits.Load(); n != 0 {
		t.Errorf("another host was visited %d times", n)
	}
}

func TestASlowAuthorityIsGivenUp(t *testing.T) {
	for name, k := range kinds() {
		t.Run(name, func(t *testing.T) {
			answers := map[string]http.HandlerFunc{
				"says nothing": func(_ http.ResponseWriter, r *http.Request) {
					_, _ = io.Copy(io.Discard, r.Body) // until then the server doesn't see the client leave
					<-r.Context().Done()
				},
				"stops in the middle": func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Type", "application/json")
					fmt.Fprint(w, `{`)
					_ = http.NewResponseController(w).Flush()
					<-r.Context().Done()
				},
			}
			for what, answer := range answers {
				srv := httptest.NewServer(answer)
				a := k.at(t, srv.URL, func(c *authority.Config) { c.Timeout = 30 * time.Millisecond })
				_, err := a.Read(t.Context(), k.id)
				checkFailure(t, err, fault{reason: "it took longer than 30ms"})
				if what == "says nothing" {
					checkFailure(t, a.Comment(t.Context(), k.id, "text"), fault{reason: "it took longer than 30ms"})
				}
				srv.CloseClientConnections()
				srv.Close()
			}
		})
	}
}

func TestAnAuthorityThatIsGoneIsUnavailable(t *testing.T) {
	k := kinds()["jira"]
	srv := httptest.NewServer(http.NotFoundHandler())
	srv.Close()
	_, err := k.at(t, srv.URL, nil).Read(t.Context(), k.id)
	checkFailure(t, err, fault{reason: "it refuses connections"})

	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	defer untrusted.Close()
	_, err = k.at(t, untrusted.URL, nil).Read(t.Context(), k.id)
	checkFailure(t, err, fault{reason: "its certificate is not trusted"})
}

func TestACallersOwnCancellationIsNotTheAuthoritysFault(t *testing.T) {
	ctx, cancel := contextOf(t)
	k := kinds()["jira"]
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	defer srv.Close()
	_, err := k.at(t, srv.URL, nil).Read(ctx, k.id)
	var u *authority.Unavailable
	if !errors.Is(err, ctx.Err()) || errors.As(err, &u) {
		t.Errorf("error is %v, want the context's", err)
	}
}

func TestCredentialsThatCanNotBeSentAreNotSent(t *testing.T) {
	k := kinds()["jira"]
	srv := serve(t, k.answers)
	for name, text := range map[string]string{"empty": " \n", "with a second line": secret + "\r\nX: y"} {
		t.Run(name, func(t *testing.T) {
			a := k.at(t, srv.URL, func(c *authority.Config) { c.Token = authority.SecretFrom(func() string { return text }) })
			_, err := a.Read(t.Context(), k.id)
			checkFailure(t, err, fault{reason: "our credentials are empty or not fit to be sent"})
		})
	}
	if n := len(srv.asked()); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}
