package console_test

import (
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/console"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
)

// stub is an API that knows the tokens of a few people, and nothing else.
type stub struct {
	mu sync.Mutex
	// calls are those that came, as method and path.
	calls []string
	// answer, if set, answers in place of the stub.
	answer http.HandlerFunc
}

func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.calls = append(s.calls, r.Method+" "+r.URL.Path)
	answer := s.answer
	s.mu.Unlock()
	if answer != nil {
		answer(w, r)
		return
	}
	name, known := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer token-of-")
	if name == "" && r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		name, known = r.TLS.VerifiedChains[0][0].Subject.CommonName, true
	}
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.URL.Path == "/v1/sessions":
		_, _ = io.WriteString(w, `{"secret":"token-of-ida","expires_at":"2030-01-01T02:00:00Z","identity":{"name":"ida","permissions":[]}}`)
	case !known:
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"code":"unauthenticated","status":401,"detail":"the token is not valid: it is unknown, expired or revoked"}`)
	case r.URL.Path == "/v1/whoami":
		_, _ = io.WriteString(w, `{"name":"`+name+`","role":"viewer","permissions":["read"]}`)
	case r.URL.Path == "/v1/events":
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, ": nothing new\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	case r.URL.Path == "/v1/entries" || r.URL.Path == "/v1/tickets" || r.URL.Path == "/v1/runs":
		_, _ = io.WriteString(w, `{"items":[]}`)
	default:
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"code":"not_found","status":404,"detail":"there is no such thing"}`)
	}
}

func (s *stub) called(call string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, c := range s.calls {
		if c == call {
			n++
		}
	}
	return n
}

// began is when the clock of a rig starts.
var began = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// rig is a console before a stub, with a clock that is moved by hand.
type rig struct {
	*stub
	*httptest.Server
	logs *runtimetest.Buffer

	mu  sync.Mutex // guards now
	now time.Time
}

func newRig(t *testing.T, start ...func(*httptest.Server)) *rig {
	t.Helper()
	return newRigWith(t, console.Options{}, start...)
}

func newRigWith(t *testing.T, opts console.Options, start ...func(*httptest.Server)) *rig {
	t.Helper()
	r := &rig{stub: &stub{}, now: began, logs: &runtimetest.Buffer{}}
	opts.API, opts.Logger = r.stub, slog.New(slog.NewTextHandler(r.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	opts.Now = func() time.Time {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.now
	}
	r.Server = httptest.NewUnstartedServer(console.New(opts))
	if len(start) == 0 {
		start = []func(*httptest.Server){(*httptest.Server).Start}
	}
	for _, how := range start {
		how(r.Server)
	}
	t.Cleanup(r.Close)
	return r
}

// pass moves the clock on.
func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

// browser is somebody's: it keeps cookies and follows redirects.
type browser struct {
	t      *testing.T
	base   string
	client *http.Client
}

// page is what a browser was answered.
type page struct {
	*http.Response
	body string
}

func newBrowser(t *testing.T, base string, tlsConfig *tls.Config) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = tlsConfig
	t.Cleanup(transport.CloseIdleConnections)
	return &browser{t, base, &http.Client{Jar: jar, Transport: transport, Timeout: 30 * time.Second}}
}

// send makes a request. Form nil is a GET.
func (b *browser) send(method, path string, form url.Values, header ...string) page {
	b.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.base+path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return page{resp, string(text)}
}

func (b *browser) get(path string) page {
	b.t.Helper()
	return b.send(http.MethodGet, path, nil)
}

var csrfInput = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// csrf is the token of the forms on a page.
func (b *browser) csrf(path string) string {
	b.t.Helper()
	p := b.get(path)
	found := csrfInput.FindStringSubmatch(p.body)
	if found == nil {
		b.t.Fatalf("%s holds no form: %d\n%s", path, p.StatusCode, p.body)
	}
	return found[1]
}

// post fills in a form of a page and sends it.
func (b *browser) post(path string, fields ...string) page {
	b.t.Helper()
	form := url.Values{"csrf": {b.csrf("/console/sign-in")}}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return b.send(http.MethodPost, path, form)
}

// signIn signs in with a token, and fails the test unless that works.
func (b *browser) signIn(token string) *browser {
	b.t.Helper()
	if p := b.post("/console/sign-in", "token", token); p.StatusCode != http.StatusOK || p.Request.URL.Path == "/console/sign-in" {
		b.t.Fatalf("not signed in: %d at %s\n%s", p.StatusCode, p.Request.URL, p.body)
	}
	return b
}

// signedIn reports whether the browser's session is alive. Asking counts as use.
func (b *browser) signedIn() bool {
	b.t.Helper()
	return b.get("/console/").Request.URL.Path == "/console/"
}

// cookie is the session cookie that the browser holds.
func (b *browser) cookie() string {
	b.t.Helper()
	u, err := url.Parse(b.base + "/console/")
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.client.Jar.Cookies(u) {
		if strings.HasSuffix(c.Name, "auditlb-console") {
			return c.Value
		}
	}
	return ""
}
