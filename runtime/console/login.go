package console

import (
	"crypto/hmac"
	"encoding/base64"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

// Signing in at an identity provider: there and back.
var (
	loginPage    = page{name: "sign-in", path: "/sign-in/at/{provider}", open: true, show: (*visit).login}
	callbackPage = page{name: "sign-in", path: "/sign-in/callback", open: true, show: (*visit).loggedIn}
)

// loginCookie holds what a login was begun with; loginFor is how long it may take.
const (
	loginCookie = "auditlb-console-login"
	loginFor    = 10 * time.Minute
	// maxNext bounds the page that is shown afterwards, so that it fits in the cookie.
	maxNext = 1000
)

// login is what a login was begun with. The cookie that holds it is sealed, and the
// browser's alone: who comes back with another's state or code has the wrong one.
type login struct {
	Provider string `json:"provider"`
	// State, Nonce and Verifier are random: for the way there and back, for the ID token,
	// and for the exchange of the code.
	State    string    `json:"state"`
	Nonce    string    `json:"nonce"`
	Verifier string    `json:"verifier"`
	Next     string    `json:"next"`
	Ends     time.Time `json:"ends"`
}

// login sends somebody to a provider.
func (v *visit) login() (view, error) {
	p := v.console.providers[v.PathValue("provider")]
	if p == nil {
		return view{}, api.NewProblem(api.CodeNotFound, "there is no such identity provider")
	}
	at, err := p.find(v.Context())
	if err != nil {
		return v.backToSignIn(p, err)
	}
	begun := login{Provider: p.Name, State: newCookie(), Nonce: newCookie(), Verifier: newCookie(), Next: v.URL.Query().Get("next"), Ends: v.console.Now().Add(loginFor)}
	if !local(begun.Next) || len(begun.Next) > maxNext {
		begun.Next = Root
	}
	to, err := url.Parse(at.Authorization)
	if err != nil {
		return v.backToSignIn(p, err)
	}
	query := to.Query()
	for name, value := range map[string]string{
		"response_type": "code", "scope": "openid", "client_id": p.ClientID, "redirect_uri": v.redirectURL(p),
		"state": begun.State, "nonce": begun.Nonce, "code_challenge": challenge(begun.Verifier), "code_challenge_method": "S256",
	} {
		query.Set(name, value)
	}
	to.RawQuery = query.Encode()
	text, err := json.Marshal(begun)
	if err != nil {
		return view{}, err
	}
	encoded := base64.RawURLEncoding.EncodeToString(text)
	v.setLogin(encoded+"."+v.console.forms.seal("login", "", encoded), int(loginFor.Seconds()))
	return view{redirect: to.String()}, nil
}

// loggedIn takes somebody back from a provider.
func (v *visit) loggedIn() (view, error) {
	query := v.URL.Query()
	begun, ok := v.begun()
	v.setLogin("", -1) // it is good once
	p := v.console.providers[begun.Provider]
	if !ok || p == nil || !hmac.Equal([]byte(begun.State), []byte(query.Get("state"))) {
		return v.backToSignIn(nil, api.NewProblem(api.CodeUnauthenticated, "this is not the sign-in that your browser began, or it took too long; begin again"))
	}
	at, err := p.find(v.Context())
	if err != nil {
		return v.backToSignIn(p, err)
	}
	if iss := query.Get("iss"); iss != p.Issuer && (iss != "" || at.NamesIssuer) {
		return v.backToSignIn(p, api.NewProblem(api.CodeUnauthenticated, "the answer is another identity provider's"))
	}
	if query.Get("error") != "" || query.Get("code") == "" {
		return v.backToSignIn(p, api.NewProblem(api.CodeUnauthenticated, p.Name+" did not sign you in"))
	}
	token, err := p.redeem(v.Context(), v.RemoteAddr, query.Get("code"), begun.Verifier, v.redirectURL(p))
	if err != nil {
		return v.backToSignIn(p, err)
	}
	if !hmac.Equal([]byte(nonceOf(token)), []byte(begun.Nonce)) {
		return v.backToSignIn(p, api.NewProblem(api.CodeUnauthenticated, "the ID token of "+p.Name+" was not made for this sign-in"))
	}
	held, err := v.exchange(token)
	if err == nil {
		err = v.begin(held)
	}
	if err != nil {
		return v.backToSignIn(p, err)
	}
	return view{redirect: begun.Next}, nil
}

// backToSignIn says at the page to sign in at why that did not work. Of what a provider
// did wrong the operator's log has more.
func (v *visit) backToSignIn(p *provider, err error) (view, error) {
	problem, ok := err.(*api.Problem) //nolint:errorlint // the API's are as they are
	if !ok {
		v.console.Logger.Warn("identity provider failed at a sign-in", "provider", p.Name, "request_id", v.id, "error", err)
		problem = api.NewProblem(api.CodeLoginUnavailable, "nobody can sign in at "+p.Name+" just now; its operator finds the cause in the log under this request id")
	}
	if v.cookie == "" {
		v.cookie = newCookie()
		setCookie(v.w, v.Request, v.cookie)
	}
	v.console.forms.leave(v.w, v.Request, v.cookie, signInURL, noticeOf(problem, v.id))
	return view{redirect: signInURL}, nil
}

// begun is the login that the browser began.
func (v *visit) begun() (login, bool) {
	var begun login
	c, err := v.Cookie(v.loginName())
	if err != nil {
		return begun, false
	}
	encoded, seal, _ := strings.Cut(c.Value, ".")
	if !hmac.Equal([]byte(seal), []byte(v.console.forms.seal("login", "", encoded))) {
		return begun, false
	}
	text, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || json.Unmarshal(text, &begun) != nil || !v.console.Now().Before(begun.Ends) {
		return login{}, false
	}
	return begun, true
}

func (v *visit) loginName() string { return hostOnly(v.Request, loginCookie) }

func (v *visit) setLogin(value string, maxAge int) {
	keep(v.w, v.Request, v.loginName(), value, "/", maxAge)
}

// redirectURL is where a provider sends people back to.
func (v *visit) redirectURL(p *provider) string {
	if p.RedirectURL != "" {
		return p.RedirectURL
	}
	scheme := "http"
	if encrypted(v.Request) {
		scheme = "https"
	}
	return scheme + "://" + v.Host + CallbackPath
}
