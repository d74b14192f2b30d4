package console

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

// Names of cookies. Over TLS those of sessions and logins have the prefix __Host-, which keeps
// other hosts of the domain from setting them.
const (
	sessionCookie = "auditlb-console"
	noticeCookie  = "auditlb-console-notice"
	hostPrefix    = "__Host-"
)

// csrfField is the name of the token in every form.
const csrfField = "csrf"

// forms binds forms and notices to the cookie that they were made for.
type forms struct {
	key [32]byte
}

// seal is a MAC over a text for one cookie.
func (f *forms) seal(purpose, cookie, text string) string {
	mac := hmac.New(sha256.New, f.key[:])
	for _, part := range []string{purpose, cookie, text} {
		mac.Write([]byte(part))
		mac.Write([]byte{0})
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// token is what stands in the forms of a cookie's holder.
func (f *forms) token(cookie string) string { return f.seal("form", cookie, "") }

// holds reports whether a form was made for the cookie's holder.
func (f *forms) holds(cookie, token string) bool {
	return cookie != "" && hmac.Equal([]byte(token), []byte(f.token(cookie)))
}

// notice is what is said on the page that comes after something was done, or refused.
type notice struct {
	// Text is a sentence.
	Text string `json:"text"`
	// Code is that of the problem; empty when all went well.
	Code      string `json:"code,omitzero"`
	RequestID string `json:"request_id,omitzero"`
	// Seq is the entry that recorded it, if one did.
	Seq int64 `json:"seq,omitzero"`
}

// maxNotice bounds a notice's text, so that it fits in a cookie.
const maxNotice = 1500

// leave keeps a notice for the page at a path, which shows it once. It is sealed for the
// holder of a cookie: nobody else can put words there.
func (f *forms) leave(w http.ResponseWriter, r *http.Request, cookie, path string, n notice) {
	if runes := []rune(n.Text); len(runes) > maxNotice/3 && len(n.Text) > maxNotice {
		n.Text = string(runes[:maxNotice/3]) + "…"
	}
	text, err := json.Marshal(n)
	if err != nil {
		return
	}
	encoded := base64.RawURLEncoding.EncodeToString(text)
	keep(w, r, noticeCookie, encoded+"."+f.seal("notice "+path, cookie, encoded), path, 60)
}

// take returns the notice that was left for this page, and removes it.
func (f *forms) take(w http.ResponseWriter, r *http.Request, cookie string) *notice {
	path := r.URL.EscapedPath()
	for _, held := range r.CookiesNamed(noticeCookie) {
		encoded, seal, _ := strings.Cut(held.Value, ".")
		if !hmac.Equal([]byte(seal), []byte(f.seal("notice "+path, cookie, encoded))) {
			continue // another page's, whose path this one's begins with, or nobody's
		}
		keep(w, r, noticeCookie, "", path, -1)
		n := &notice{}
		if text, err := base64.RawURLEncoding.DecodeString(encoded); err != nil || json.Unmarshal(text, n) != nil {
			return nil
		}
		return n
	}
	return nil
}

// noticeOf says what a problem was.
func noticeOf(p *api.Problem, id string) notice {
	n := notice{Text: p.Detail, Code: string(p.Code), RequestID: id, Seq: p.Seq}
	for _, v := range p.Violations {
		if !strings.Contains(n.Text, v.Detail) {
			n.Text += "; " + v.Pointer + " " + v.Detail
		}
	}
	return n
}

// encrypted reports whether the browser speaks TLS: to the runtime, or to what stands before
// it and says so. Nobody gains by saying so without: it makes cookies stricter.
func encrypted(r *http.Request) bool {
	outermost, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",")
	return r.TLS != nil || strings.EqualFold(strings.TrimSpace(outermost), "https")
}

// hostOnly is the name of a cookie as the browser holds it.
func hostOnly(r *http.Request, name string) string {
	if encrypted(r) {
		return hostPrefix + name
	}
	return name
}

func cookieName(r *http.Request) string { return hostOnly(r, sessionCookie) }

// cookieOf returns the session cookie's value, or "" when there is none that the console
// could have made.
func cookieOf(r *http.Request) string {
	c, err := r.Cookie(cookieName(r))
	if err != nil || len(c.Value) != base64.RawURLEncoding.EncodedLen(32) {
		return ""
	}
	return c.Value
}

// setCookie hands a session cookie to the browser, which forgets it when it is closed.
func setCookie(w http.ResponseWriter, r *http.Request, value string) {
	keep(w, r, cookieName(r), value, "/", 0)
}

// dropCookie takes it back.
func dropCookie(w http.ResponseWriter, r *http.Request) {
	keep(w, r, cookieName(r), "", "/", -1)
}

// keep hands a cookie to the browser for some seconds, 0 until it is closed: out of reach
// of scripts, and of what other sites send, but for links. Over plain HTTP, which is for
// loopback and what speaks TLS to others, it can't be a secure one.
func keep(w http.ResponseWriter, r *http.Request, name, value, path string, seconds int) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // secure wherever it can be
		Name: name, Value: value, Path: path, MaxAge: seconds, HttpOnly: true, Secure: encrypted(r), SameSite: http.SameSiteLaxMode,
	})
}
