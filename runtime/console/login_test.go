package console_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/console"
)

// idp is an identity provider where everybody is signed in already.
type idp struct {
	*httptest.Server
	mu sync.Mutex // guards what follows
	// challenges and nonces are what codes were given for.
	challenges, nonces map[string]string
	redeemed           int
	// elsewhere counts what came to where the provider never is.
	elsewhere int
	// discovery and token, if set, answer in place of the provider.
	discovery, token http.HandlerFunc
	// nonce, if set, stands in tokens.
	nonce string
}

func newIDP(t *testing.T) *idp {
	t.Helper()
	p := &idp{challenges: map[string]string{}, nonces: map[string]string{}}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

func (p *idp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := r.URL.Query()
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		if p.discovery != nil {
			p.discovery(w, r)
			return
		}
		fmt.Fprintf(w, `{"issuer":%q,"authorization_endpoint":%q,"token_endpoint":%q,"authorization_response_iss_parameter_supported":true}`, p.URL, p.URL+"/authorize?tenant=1", p.URL+"/token")
	case "/authorize":
		if q.Get("response_type") != "code" || q.Get("client_id") != "console" || q.Get("code_challenge_method") != "S256" || q.Get("tenant") != "1" || q.Get("scope") != "openid" {
			http.Error(w, "a bad request: "+r.URL.RawQuery, http.StatusBadRequest)
			return
		}
		code := fmt.Sprintf("code-%d", len(p.challenges))
		p.challenges[code], p.nonces[code] = q.Get("code_challenge"), q.Get("nonce")
		http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {p.URL}}.Encode(), http.StatusFound)
	case "/elsewhere":
		p.elsewhere++
	case "/token":
		p.redeemed++
		if token := p.token; token != nil {
			p.mu.Unlock()
			token(w, r)
			p.mu.Lock()
			return
		}
		code := r.PostFormValue("code")
		sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
		id, secret, _ := r.BasicAuth()
		if p.challenges[code] == "" || base64.RawURLEncoding.EncodeToString(sum[:]) != p.challenges[code] || id != "console" || secret != "s%2Fecret" || !strings.HasSuffix(r.PostFormValue("redirect_uri"), console.CallbackPath) {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"error":"invalid_grant"}`)
			return
		}
		nonce := p.nonces[code]
		if p.nonce != "" {
			nonce = p.nonce
		}
		delete(p.challenges, code)
		claims := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"nonce":%q}`, nonce))
		fmt.Fprintf(w, `{"access_token":"not-to-be-kept","id_token":%q}`, "head."+claims+".signature")
	}
}

func (p *idp) change(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// loginRig is a console whose people sign in at a provider.
func loginRig(t *testing.T) (*rig, *idp, *browser) {
	t.Helper()
	p := newIDP(t)
	r := newRigWith(t, console.Options{Providers: []console.Provider{{Name: "corp", Issuer: p.URL, ClientID: "console", ClientSecret: "s/ecret"}}})
	return r, p, newBrowser(t, r.URL, nil)
}

func TestPeopleSignInAtTheirIdentityProvider(t *testing.T) {
	r, _, b := loginRig(t)
	page := b.get("/console/runs")
	link := ""
	for _, to := range elements(t, page, "a", "href") {
		if strings.Contains(to, "/sign-in/at/corp") {
			link = to
		}
	}
	before := b.cookie()
	p := b.get(link)
	if p.StatusCode != http.StatusOK || p.Request.URL.Path != "/console/runs" || !strings.Contains(p.body, ">ida<") {
		t.Fatalf("%q led to %s: %d\n%s", link, p.Request.URL, p.StatusCode, p.body)
	}
	if b.cookie() == before {
		t.Error("the session has the cookie from before")
	}
	if strings.Contains(r.logs.String(), "not-to-be-kept") || strings.Contains(r.logs.String(), "head.") {
		t.Error("a token was logged")
	}
	r.pass(2 * time.Hour)
	if b.signedIn() {
		t.Error("the session is longer than that of the API")
	}
}

// callback begins a login and returns what the provider sends the browser back with.
func callback(t *testing.T, b *browser) string {
	t.Helper()
	defer func(check func(*http.Request, []*http.Request) error) { b.client.CheckRedirect = check }(b.client.CheckRedirect)
	b.client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Path == console.CallbackPath {
			return http.ErrUseLastResponse
		}
		return nil
	}
	p := b.get("/console/sign-in/at/corp?next=https://evil.example/")
	u, err := url.Parse(p.Header.Get("Location"))
	if err != nil || u.Path != console.CallbackPath {
		t.Fatalf("sent to %q, %v", p.Header.Get("Location"), err)
	}
	return u.RequestURI()
}

func TestALoginThatIsNotTheBrowsersOwnSignsNobodyIn(t *testing.T) {
	for _, tt := range []struct {
		name string
		// spoil changes what the browser comes back with.
		spoil func(r *rig, p *idp, b *browser, back string) string
		said  string
		// exchanged is set where the provider may have been asked.
		exchanged bool
	}{
		{"another state", func(_ *rig, _ *idp, _ *browser, back string) string {
			return strings.Replace(back, "state=", "state=x", 1)
		}, "not the sign-in that your browser began", false},
		{"no state", func(*rig, *idp, *browser, string) string { return console.CallbackPath + "?code=code-0" }, "not the sign-in that your browser began", false},
		{"another browser", func(r *rig, _ *idp, b *browser, back string) string {
			*b = *newBrowser(b.t, r.URL, nil)
			return back
		}, "not the sign-in that your browser began", false},
		{"somebody else's login, in a browser that began one too", func(r *rig, _ *idp, b *browser, _ string) string {
			return callback(b.t, newBrowser(b.t, r.URL, nil))
		}, "not the sign-in that your browser began", false},
		{"too late", func(r *rig, _ *idp, _ *browser, back string) string { r.pass(10 * time.Minute); return back }, "took too long", false},
		{"twice", func(_ *rig, _ *idp, b *browser, back string) string {
			b.get(back)
			b.post("/console/sign-out")
			return back
		}, "not the sign-in that your browser began", true},
		{"another issuer", func(_ *rig, _ *idp, _ *browser, back string) string {
			return strings.Replace(back, "iss=", "iss=https%3A%2F%2Fevil.example", 1)
		}, "another identity provider", false},
		{"no issuer, where it always says so", func(_ *rig, _ *idp, _ *browser, back string) string {
			return strings.Replace(back, "iss=", "x=", 1)
		}, "another identity provider", false},
		{"refused there", func(_ *rig, _ *idp, _ *browser, back string) string {
			return strings.Replace(back, "code=", "error=access_denied&x=", 1)
		}, "corp did not sign you in", false},
		{"a code that is not good", func(_ *rig, _ *idp, _ *browser, back string) string {
			return strings.Replace(back, "code=code", "code=x", 1)
		}, "nobody can sign in at corp just now", true},
		{"a token that was made for another login", func(_ *rig, p *idp, _ *browser, back string) string {
			p.change(func() { p.nonce = "another" })
			return back
		}, "was not made for this sign-in", true},
		{"a cookie that the browser wrote itself", func(r *rig, _ *idp, b *browser, back string) string {
			u, _ := url.Parse(r.URL)
			forged := base64.RawURLEncoding.EncodeToString([]byte(`{"provider":"corp","state":"s","nonce":"n","verifier":"v","next":"/console/","ends":"2031-01-01T00:00:00Z"}`))
			b.client.Jar.SetCookies(u, []*http.Cookie{{Name: "auditlb-console-login", Value: forged + ".AAAA", Path: "/"}})
			return console.CallbackPath + "?code=code-0&state=s"
		}, "not the sign-in that your browser began", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, p, b := loginRig(t)
			back := tt.spoil(r, p, b, callback(t, b))
			answer := b.get(back)
			if answer.Request.URL.Path != "/console/sign-in" || !strings.Contains(text(t, answer), tt.said) {
				t.Errorf("led to %s: %s", answer.Request.URL, text(t, answer))
			}
			if b.signedIn() {
				t.Error("signed in")
			}
			if p.redeemed > 0 != tt.exchanged {
				t.Errorf("the provider was asked %d times", p.redeemed)
			}
		})
	}
}

// TestALoginFitsInItsCookie: browsers drop what is larger than 4096 bytes (RFC 6265 §6.1).
func TestALoginFitsInItsCookie(t *testing.T) {
	_, _, b := loginRig(t)
	next := "/console/?text=" + strings.Repeat(`"`, 3000)
	b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, c := range b.get("/console/sign-in/at/corp?next=" + url.QueryEscape(next)).Cookies() {
		if n := len(c.Name) + len(c.Value); n > 4000 {
			t.Errorf("the cookie %s has %d bytes", c.Name, n)
		}
	}
}

func TestAStrangerDoesNotLearnOfOtherProviders(t *testing.T) {
	_, _, b := loginRig(t)
	if p := b.get("/console/sign-in/at/other"); p.StatusCode != http.StatusNotFound {
		t.Errorf("%d", p.StatusCode)
	}
	none := newBrowser(t, newRig(t).URL, nil)
	if p := none.get("/console/sign-in"); slices.ContainsFunc(elements(t, p, "a", "href"), func(s string) bool { return strings.Contains(s, "/at/") }) {
		t.Error("offers a provider where there is none")
	}
}
