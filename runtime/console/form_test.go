package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/console"
)

const approval = "POST /v1/tickets/CHG-1/approve"

func TestAFormIsGoodOnlyForTheSessionThatItWasMadeFor(t *testing.T) {
	r := newRig(t)
	vera := newBrowser(t, r.URL, nil).signIn("token-of-vera")
	other := newBrowser(t, r.URL, nil).signIn("token-of-vera")
	stranger := newBrowser(t, r.URL, nil)
	good := vera.csrf("/console/")
	for _, tt := range []struct {
		name   string
		from   *browser
		form   url.Values
		header []string
		status int
	}{
		{"without a token", vera, url.Values{}, nil, http.StatusForbidden},
		{"with a wrong token", vera, url.Values{"csrf": {strings.Repeat("A", len(good))}}, nil, http.StatusForbidden},
		{"with that of another session", vera, url.Values{"csrf": {other.csrf("/console/")}}, nil, http.StatusForbidden},
		{"with that of a stranger", vera, url.Values{"csrf": {stranger.csrf("/console/sign-in")}}, nil, http.StatusForbidden},
		{"from another site, as Fetch Metadata says", vera, url.Values{"csrf": {good}}, []string{"Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
		{"from another host of the site", vera, url.Values{"csrf": {good}}, []string{"Sec-Fetch-Site", "same-site"}, http.StatusForbidden},
		{"from another site, as its Origin says", vera, url.Values{"csrf": {good}}, []string{"Origin", "https://evil.example"}, http.StatusForbidden},
		{"by a stranger", stranger, url.Values{"csrf": {stranger.csrf("/console/sign-in")}}, nil, http.StatusOK}, // of the page to sign in at
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.form.Set("action", "approve")
			p := tt.from.send(http.MethodPost, "/console/tickets/CHG-1", tt.form, tt.header...)
			if p.StatusCode != tt.status {
				t.Errorf("answered with %d, want %d\n%s", p.StatusCode, tt.status, p.body)
			}
			if n := r.called(approval); n != 0 {
				t.Errorf("the API was called %d times", n)
			}
		})
	}
	t.Run("as it was made", func(t *testing.T) {
		vera.send(http.MethodPost, "/console/tickets/CHG-1", url.Values{"csrf": {good}, "action": {"approve"}}, "Sec-Fetch-Site", "same-origin", "Origin", r.URL)
		if r.called(approval) != 1 {
			t.Error("the API was not called")
		}
	})
	t.Run("and not after signing out", func(t *testing.T) {
		cookie := vera.cookie()
		vera.post("/console/sign-out", "csrf", good)
		u, _ := url.Parse(r.URL)
		vera.client.Jar.SetCookies(u, []*http.Cookie{{Name: "auditlb-console", Value: cookie, Path: "/"}})
		vera.send(http.MethodPost, "/console/tickets/CHG-1", url.Values{"csrf": {good}, "action": {"approve"}})
		if n := r.called(approval); n != 1 {
			t.Errorf("the API was called %d times", n)
		}
	})
	t.Run("signing in, too", func(t *testing.T) {
		p := stranger.send(http.MethodPost, "/console/sign-in", url.Values{"token": {"token-of-vera"}})
		if p.StatusCode != http.StatusForbidden || stranger.signedIn() {
			t.Errorf("a form of nobody's signed in: %d", p.StatusCode)
		}
	})
}

func TestWhateverIsSentLeadsToAPageThatCanBeLoadedAgain(t *testing.T) {
	r := newRig(t)
	b := newBrowser(t, r.URL, nil).signIn("token-of-vera")
	csrf := b.csrf("/console/")
	b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, path := range []string{"/console/tickets/CHG-1", "/console/sign-in", "/console/sign-out"} {
		p := b.send(http.MethodPost, path, url.Values{"csrf": {csrf}, "action": {"approve"}, "token": {"wrong"}})
		if p.StatusCode != http.StatusSeeOther || !strings.HasPrefix(p.Header.Get("Location"), "/console/") {
			t.Errorf("%s: %d to %q", path, p.StatusCode, p.Header.Get("Location"))
		}
	}
}

func TestARefusalIsShownOnceAndOnlyToWhoeverWasRefused(t *testing.T) {
	r := newRig(t)
	b := newBrowser(t, r.URL, nil)
	const detail = "the token is not valid: it is unknown, expired or revoked"
	p := b.post("/console/sign-in", "token", "nobody's")
	if !strings.Contains(p.body, detail) || !strings.Contains(p.body, "unauthenticated") || !strings.Contains(p.body, "request <code>") {
		t.Errorf("the refusal is not shown: %d\n%s", p.StatusCode, p.body)
	}
	if p := b.get("/console/sign-in"); strings.Contains(p.body, detail) {
		t.Error("it is shown again")
	}
	u, _ := url.Parse(r.URL + "/console/sign-in")
	b.client.Jar.SetCookies(u, []*http.Cookie{{Name: "auditlb-console-notice", Value: "eyJ0ZXh0Ijoic2VuZCBtb25leSJ9.AAAA", Path: "/console/sign-in"}})
	if p := b.get("/console/sign-in"); strings.Contains(p.body, "send money") {
		t.Error("somebody else's words are shown")
	}
}

func TestWhatIsTooLargeOrNotAsked(t *testing.T) {
	r := newRig(t)
	b := newBrowser(t, r.URL, nil).signIn("token-of-vera")
	csrf := b.csrf("/console/")
	large := url.Values{"csrf": {csrf}, "action": {"approve"}, "comment": {strings.Repeat("x", console.MaxFormBytes)}}
	if p := b.send(http.MethodPost, "/console/tickets/CHG-1", large); p.StatusCode != http.StatusRequestEntityTooLarge || r.called(approval) != 0 {
		t.Errorf("a form that is too large: %d", p.StatusCode)
	}
	for _, tt := range []struct {
		method, path string
		status       int
	}{
		{http.MethodPost, "/console/", http.StatusMethodNotAllowed},
		{http.MethodPost, "/console/runs", http.StatusMethodNotAllowed},
		{http.MethodGet, "/console/sign-out", http.StatusMethodNotAllowed},
		{http.MethodPut, "/console/tickets/CHG-1", http.StatusMethodNotAllowed},
		{http.MethodDelete, "/console/tickets/CHG-1", http.StatusMethodNotAllowed},
		{http.MethodPost, "/console/live", http.StatusMethodNotAllowed},
		{http.MethodGet, "/console/nowhere", http.StatusNotFound},
		{http.MethodGet, "/console/tickets/CHG-1/approve", http.StatusNotFound},
		{http.MethodGet, "/console/static/0000000000000000/console.css", http.StatusNotFound},
		{http.MethodGet, "/console/static/../templates/layout.html", http.StatusNotFound},
	} {
		if p := b.send(tt.method, tt.path, url.Values{"csrf": {csrf}}); p.StatusCode != tt.status {
			t.Errorf("%s %s: %d, want %d", tt.method, tt.path, p.StatusCode, tt.status)
		}
	}
}

func TestAnInternalErrorIsNotShown(t *testing.T) {
	r := newRig(t)
	b := newBrowser(t, r.URL, nil).signIn("token-of-vera")
	for name, answer := range map[string]http.HandlerFunc{
		"an answer that is no JSON": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("sqlite: disk I/O error")) },
		"a panic":                   func(http.ResponseWriter, *http.Request) { panic("sqlite: disk I/O error") },
		"a strange status": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusTeapot)
			_, _ = w.Write([]byte("sqlite: disk I/O error"))
		},
	} {
		r.stub.mu.Lock()
		r.answer = answer
		r.stub.mu.Unlock()
		p := b.send(http.MethodGet, "/console/", nil, "X-Request-Id", "request-17")
		if p.StatusCode != http.StatusInternalServerError || strings.Contains(p.body, "sqlite") || !strings.Contains(p.body, "request-17") {
			t.Errorf("%s: %d\n%s", name, p.StatusCode, p.body)
		}
		if !strings.Contains(r.logs.String(), "request-17") {
			t.Errorf("%s: the log does not name the request", name)
		}
	}
}

func TestARequestIDHoldsNoToken(t *testing.T) {
	r := newRig(t)
	b := newBrowser(t, r.URL, nil).signIn("token-of-vera")
	for id, kept := range map[string]bool{
		"0af7651916cd43dd8448eb211c80319c": true, "6ba7b810-9dad-11d1-80b4-00c04fd430c8": true, strings.Repeat("a", 64): true, strings.Repeat("a", 65): false, "<b>": false,
		"auditlb_0123456789ab_" + strings.Repeat("A", 43): false, "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzb21lYm9keSJ9.c2lnbmF0dXJlLW9m": false,
	} {
		p := b.send(http.MethodGet, "/console/nowhere", nil, "X-Request-Id", id)
		if got := p.Header.Get("X-Request-Id"); (got == id) != kept || !strings.Contains(p.body, got) {
			t.Errorf("%s: the id is %s", id, got)
		}
	}
}

func TestAnAnswerThatWasCutOffIsNotTakenForWhole(t *testing.T) {
	r := newRig(t)
	b := newBrowser(t, r.URL, nil).signIn("token-of-vera")
	r.stub.mu.Lock()
	r.answer = func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	r.stub.mu.Unlock()
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, r.URL+"/console/", nil)
	if resp, err := b.client.Do(req); err == nil {
		resp.Body.Close()
		t.Errorf("answered with %d", resp.StatusCode)
	}
}
