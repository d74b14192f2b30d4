package console

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
)

var (
	signInPage  = page{name: "sign-in", path: "/sign-in", open: true, show: (*visit).signInForm, act: (*visit).signIn}
	signOutPage = page{name: "sign-out", path: "/sign-out", open: true, act: (*visit).signOut}
)

// signInURL is where strangers are sent.
const signInURL = Root + "sign-in"

// signInData is what the page shows.
type signInData struct {
	// Next is the page that was asked for.
	Next string
	// Providers are the identity providers that can be signed in at, each with its URL.
	Providers [][2]string
	// Certificate is the subject of a client certificate that the connection shows.
	Certificate string
}

func (v *visit) signInForm() (view, error) {
	if v.cookie == "" {
		// The form is bound to a cookie. It is that of no session: signing in makes another.
		v.cookie = newCookie()
		setCookie(v.w, v.Request, v.cookie)
	}
	data := signInData{Next: v.URL.Query().Get("next")}
	if !local(data.Next) {
		data.Next = ""
	}
	if _, ok := leafOf(v.Request); ok {
		data.Certificate = v.TLS.VerifiedChains[0][0].Subject.String()
	}
	for _, name := range v.console.providerNames() {
		to := Root + "sign-in/at/" + url.PathEscape(name)
		if data.Next != "" {
			to += "?next=" + url.QueryEscape(data.Next)
		}
		data.Providers = append(data.Providers, [2]string{name, to})
	}
	return view{title: "Sign in", data: data}, nil
}

// signIn begins a session for whoever the API says a credential is. Its refusals are
// counted, slowed down and recorded by the API.
func (v *visit) signIn() (string, error) {
	back := signInURL
	next := v.PostFormValue("next")
	if !local(next) {
		next = Root
	} else if next != Root {
		back += "?next=" + url.QueryEscape(next)
	}
	held := &session{}
	token := api.Secret(strings.TrimSpace(v.PostFormValue("token")))
	switch {
	case v.PostForm.Has("certificate"):
		if _, ok := leafOf(v.Request); !ok {
			return back, api.NewProblem(api.CodeUnauthenticated, "the connection shows no client certificate")
		}
	case token == "":
		return back, api.NewProblem(api.CodeUnauthenticated, "paste a token to sign in")
	case strings.Count(token.Reveal(), ".") == 2:
		var err error
		if held, err = v.exchange(token); err != nil {
			return back, err
		}
	default:
		held.credential = token
	}
	if err := v.begin(held); err != nil {
		return back, err
	}
	return next, nil
}

// exchange opens a session of the API for an identity provider's token. What becomes of
// it here ends with it.
func (v *visit) exchange(token api.Secret) (*session, error) {
	stranger, err := v.caller("")
	if err != nil {
		return nil, err
	}
	opened, err := stranger.OpenSession(v.Context(), token)
	if err != nil {
		return nil, err
	}
	return &session{credential: api.Secret(opened.Secret), ends: opened.ExpiresAt}, nil
}

// begin asks the API who a credential is, and begins their session in place of any other.
func (v *visit) begin(held *session) error {
	caller, err := v.caller(held.credential)
	if errors.Is(err, client.ErrToken) {
		return api.NewProblem(api.CodeUnauthenticated, "this is not a token: a token has no spaces and no line breaks")
	}
	if err != nil {
		return err
	}
	who, err := caller.Whoami(v.Context())
	if err != nil {
		return err
	}
	held.who = *who
	if held.credential == "" {
		held.leaf, _ = leafOf(v.Request)
	}
	v.console.sessions.end(v.cookie)
	v.cookie = v.console.sessions.begin(held)
	v.session, v.client = held, caller
	setCookie(v.w, v.Request, v.cookie)
	v.console.Logger.Info("signed in to the console", "actor", who.Name, "credential", who.Credential, "request_id", v.id)
	return nil
}

// signInByCertificate begins a session for a stranger whose connection shows a client
// certificate. Where that speaks for nobody, they stay a stranger. So does what another
// site has the browser fetch: it shows the certificate, and not the cookie.
func (c *console) signInByCertificate(v *visit) {
	if _, ok := leafOf(v.Request); !ok || v.background() || !v.goesTo() {
		return
	}
	if err := v.begin(&session{}); err != nil && !hasEnded(err) {
		c.Logger.Warn("client certificate not taken at the console", "request_id", v.id, "error", err)
	}
}

// signInAgain sends somebody whose session has ended, or never began, to where they can
// sign in. Scripts are told in a status.
func (c *console) signInAgain(v *visit) {
	c.sessions.end(v.cookie)
	if v.background() {
		http.Error(v.w, "sign in again", http.StatusUnauthorized)
		return
	}
	to := signInURL
	switch {
	case v.Method == http.MethodPost:
		if v.cookie != "" {
			c.forms.leave(v.w, v.Request, v.cookie, to, notice{
				Text: "your session has ended, so nothing was done; sign in and do it again", Code: string(api.CodeUnauthenticated), RequestID: v.id,
			})
		}
	case v.URL.Path != Root || v.URL.RawQuery != "":
		to += "?next=" + url.QueryEscape(v.URL.RequestURI())
	}
	http.Redirect(v.w, v.Request, to, http.StatusSeeOther)
}

func (v *visit) signOut() (string, error) {
	v.console.sessions.end(v.cookie)
	dropCookie(v.w, v.Request)
	return signInURL, nil
}
