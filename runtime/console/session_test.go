package console_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/console"
)

func TestSigningInGivesACookieThatNobodyKnewBefore(t *testing.T) {
	r := newRig(t)
	b := newBrowser(t, r.URL, nil)
	before := strings.Repeat("A", 43)
	u, _ := url.Parse(r.URL)
	b.client.Jar.SetCookies(u, []*http.Cookie{{Name: "auditlb-console", Value: before, Path: "/"}})
	b.signIn("token-of-vera")
	first := b.cookie()
	if first == before || first == "" {
		t.Fatalf("the cookie from before signing in is that of the session: %q", first)
	}
	b.signIn("token-of-olivia")
	if b.cookie() == first {
		t.Error("signing in again kept the cookie")
	}
	for name, cookie := range map[string]string{"the planted cookie": before, "the cookie of the session before": first} {
		thief := newBrowser(t, r.URL, nil)
		thief.client.Jar.SetCookies(u, []*http.Cookie{{Name: "auditlb-console", Value: cookie, Path: "/"}})
		if thief.signedIn() {
			t.Errorf("%s is good for a session", name)
		}
	}
}

func TestACookieIsKeptFromScriptsAndFromOtherSites(t *testing.T) {
	for _, tt := range []struct {
		name   string
		secure bool
		start  []func(*httptest.Server)
	}{
		{"over HTTP", false, nil},
		{"over TLS", true, []func(*httptest.Server){(*httptest.Server).StartTLS}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, tt.start...)
			b := newBrowser(t, r.URL, &tls.Config{InsecureSkipVerify: true})
			b.signIn("token-of-vera")
			b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			p := b.post("/console/sign-in", "token", "token-of-vera")
			found := false
			for _, c := range p.Cookies() {
				if !strings.HasSuffix(c.Name, "auditlb-console") {
					continue
				}
				found = true
				if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.Secure != tt.secure || strings.HasPrefix(c.Name, "__Host-") != tt.secure {
					t.Errorf("the cookie is %+v", c)
				}
				if strings.Contains(c.Value, "vera") || len(c.Value) != 43 {
					t.Errorf("the cookie is not 256 random bits: %q", c.Value)
				}
			}
			if !found {
				t.Errorf("no cookie was set: %v", p.Header)
			}
		})
	}
}

// TestBehindWhatSpeaksTLSCookiesAreSecure: the runtime speaks plain HTTP to what speaks TLS
// to browsers, and says so.
func TestBehindWhatSpeaksTLSCookiesAreSecure(t *testing.T) {
	p := newIDP(t)
	r := newRigWith(t, console.Options{Providers: []console.Provider{{Name: "corp", Issuer: p.URL, ClientID: "console"}}})
	inside, err := url.Parse(r.URL)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewTLSServer(&httputil.ReverseProxy{Rewrite: func(to *httputil.ProxyRequest) {
		to.SetURL(inside)
		to.SetXForwarded()
		to.Out.Host = to.In.Host
	}})
	t.Cleanup(front.Close)
	b := newBrowser(t, front.URL, &tls.Config{InsecureSkipVerify: true})
	b.signIn("token-of-vera")
	if !b.signedIn() {
		t.Error("the cookie that was set is not the one that is read")
	}
	b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, answer := range []page{b.post("/console/sign-in", "token", "token-of-vera"), b.post("/console/sign-in", "token", "wrong"), b.get("/console/sign-in/at/corp")} {
		if len(answer.Cookies()) == 0 {
			t.Errorf("%s sets no cookie", answer.Request.URL)
		}
		for _, c := range answer.Cookies() {
			if !c.Secure || !strings.HasPrefix(c.Name, "__Host-") && !strings.Contains(c.Name, "notice") {
				t.Errorf("the cookie is %+v", c)
			}
		}
		if to := answer.Header.Get("Location"); strings.Contains(to, "redirect_uri=") && !strings.Contains(to, "redirect_uri="+url.QueryEscape(front.URL)) {
			t.Errorf("people are sent back in the clear: %s", to)
		}
	}
}

func TestASessionEnds(t *testing.T) {
	for _, tt := range []struct {
		name string
		// steps are how long nobody does anything, before a page is asked for.
		steps []time.Duration
		alive bool
	}{
		{"in use", []time.Duration{59 * time.Minute, 59 * time.Minute, 59 * time.Minute}, true},
		{"idle", []time.Duration{console.IdleTimeout}, false},
		{"in use for 12 hours", slices.Repeat([]time.Duration{50 * time.Minute}, 15), false},
		{"in use for a little less", slices.Repeat([]time.Duration{50 * time.Minute}, 14), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			b := newBrowser(t, r.URL, nil).signIn("token-of-vera")
			alive := true
			for _, d := range tt.steps {
				r.pass(d)
				alive = b.signedIn()
			}
			if alive != tt.alive {
				t.Errorf("alive = %t, want %t", alive, tt.alive)
			}
		})
	}
	t.Run("when the session of the API does", func(t *testing.T) {
		r := newRig(t)
		b := newBrowser(t, r.URL, nil).signIn("head.claims.signature") // the stub's lasts two hours
		for range 3 {
			r.pass(39 * time.Minute)
			if !b.signedIn() {
				t.Fatal("ended early")
			}
		}
		r.pass(4 * time.Minute)
		if b.signedIn() {
			t.Error("goes on after it")
		}
	})
	t.Run("though a script goes on asking", func(t *testing.T) {
		r := newRig(t)
		b := newBrowser(t, r.URL, nil).signIn("token-of-vera")
		for range 7 {
			r.pass(10 * time.Minute)
			b.get("/console/?fragment=rows")
		}
		if b.signedIn() {
			t.Error("a page that is left open keeps a session alive")
		}
	})
	t.Run("when the API no longer knows the credential", func(t *testing.T) {
		r := newRig(t)
		b := newBrowser(t, r.URL, nil).signIn("token-of-vera")
		r.stub.mu.Lock()
		r.answer = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"code":"unauthenticated","detail":"revoked"}`)
		}
		r.stub.mu.Unlock()
		if b.signedIn() {
			t.Error("goes on")
		}
		r.stub.mu.Lock()
		r.answer = nil
		r.stub.mu.Unlock()
		if b.signedIn() {
			t.Error("the session was kept")
		}
	})
}

func TestAWrongTokenEndsNoSession(t *testing.T) {
	r := newRig(t)
	b := newBrowser(t, r.URL, nil).signIn("token-of-vera")
	if p := b.post("/console/sign-in", "token", "nobody's"); !strings.Contains(text(t, p), "the token is not valid") || !b.signedIn() {
		t.Errorf("led to %s: %s", p.Request.URL, text(t, p))
	}
}

func TestSessionsAreBounded(t *testing.T) {
	r := newRig(t)
	first := newBrowser(t, r.URL, nil).signIn("token-of-vera")
	other := newBrowser(t, r.URL, nil).signIn("token-of-olivia")
	again := newBrowser(t, r.URL, nil)
	for range console.MaxOwnSessions {
		again.client.Jar, _ = cookiejar.New(nil)
		r.pass(time.Second)
		again.signIn("token-of-vera")
	}
	if first.signedIn() {
		t.Errorf("one actor has more than %d sessions", console.MaxOwnSessions)
	}
	if !other.signedIn() {
		t.Error("somebody else's session made room for them")
	}
	if !again.signedIn() {
		t.Error("the newest session has ended")
	}
	t.Run("all together", func(t *testing.T) {
		now := began
		all := console.NewSessions(func() time.Time { return now })
		oldest := all.Begin("a")
		now = now.Add(time.Second)
		second := all.Begin("b")
		for i := range console.MaxSessions - 1 {
			now = now.Add(time.Second)
			all.Begin(fmt.Sprint(i))
		}
		if all.Alive(oldest) || !all.Alive(second) {
			t.Errorf("of %d sessions the one that was idle for longest did not make room", console.MaxSessions)
		}
	})
}

func TestAStrangerIsLedToWhereTheyWantedToGo(t *testing.T) {
	r := newRig(t)
	for path, want := range map[string]string{
		"/console/runs?cursor=7":                   "/console/runs?cursor=7",
		"/console/sign-in?next=//evil.example/":    "/console/",
		"/console/sign-in?next=https://evil.exam/": "/console/",
		"/console/sign-in?next=/v1/entries":        "/console/",
		`/console/sign-in?next=/console/\..\..`:    "/console/",
	} {
		b := newBrowser(t, r.URL, nil)
		p := b.send(http.MethodGet, path, nil)
		next := ""
		if _, rest, ok := strings.Cut(p.body, `name="next" value="`); ok {
			next, _, _ = strings.Cut(rest, `"`)
		}
		p = b.post("/console/sign-in", "token", "token-of-vera", "next", strings.ReplaceAll(next, "&amp;", "&"))
		if got := p.Request.URL.RequestURI(); got != want || p.Request.URL.Host != strings.TrimPrefix(r.URL, "http://") {
			t.Errorf("%s leads to %s, want %s", path, p.Request.URL, want)
		}
		p = b.post("/console/sign-in", "token", "token-of-vera", "next", strings.TrimPrefix(path, "/console/sign-in?next="))
		if got := p.Request.URL.RequestURI(); got != want {
			t.Errorf("the form leads to %s, want %s", p.Request.URL, want)
		}
	}
}
