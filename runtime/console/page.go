package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
)

// page is one page of the console.
type page struct {
	// name is that of its template, templates/NAME.html.
	name string
	// path is a pattern of net/http's ServeMux, below /console.
	path string
	// nav is what it is called in the navigation; empty keeps it out. A page that
	// belongs to another one's has that one's name in under.
	nav, under string
	// open marks a page that strangers may see.
	open bool
	// show says what is to be seen.
	show func(*visit) (view, error)
	// act does what a form asks for, and returns the path of the page that is shown next.
	// Its error is shown there as a notice. Nil: the page has no forms.
	act func(*visit) (next string, err error)
}

// view is what a page shows.
type view struct {
	title string
	// status is that of the answer; 0 is 200.
	status int
	// scripts are the modules in static/ that the page loads.
	scripts []string
	// fragment names the one template to answer with, without what is around it.
	fragment string
	data     any
	// download is a file to answer with in place of a page.
	download *download
	// redirect is where to go in place of a page: a path, or an identity provider.
	redirect string
}

// download is a file.
type download struct {
	name, contentType string
	content           []byte
}

// visit is a request for a page.
type visit struct {
	*http.Request
	console *console
	w       http.ResponseWriter
	// id is the request id, of the page and of all its calls.
	id string
	// cookie is the visitor's, and session theirs; nil for a stranger.
	cookie  string
	session *session
	// client calls the API as the visitor.
	client *client.Client
}

// visit begins one, for whoever the cookie says. It does not count as use of the session.
func (c *console) visit(r *http.Request) *visit {
	v := &visit{Request: r, console: c, cookie: cookieOf(r)}
	v.id, _ = r.Context().Value(requestIDKey{}).(string)
	if v.cookie != "" {
		v.session = c.sessions.find(v.cookie, false)
	}
	if v.session != nil && v.session.credential == "" {
		if leaf, ok := leafOf(r); !ok || leaf != v.session.leaf {
			v.session = nil // the cookie came without the certificate that it stands for
		}
	}
	var credential api.Secret
	if v.session != nil {
		credential = v.session.credential
	}
	v.client, _ = v.caller(credential) // the credential was good for a client before
	return v
}

// caller makes a client of the API that shows a credential or, without one, what the
// connection shows.
func (v *visit) caller(credential api.Secret) (*client.Client, error) {
	return client.New(client.Config{
		Endpoint: "https://console.invalid", Token: credential, Attempts: 1, Timeout: pageTimeout,
		Transport: inProcess{v.console.API, v.Request, v.id},
	})
}

// shows answers with a page.
func (c *console) shows(p page) http.Handler {
	return c.visited(p, func(v *visit) {
		shown, err := p.show(v)
		if err != nil {
			c.fail(v.w, v, err)
			return
		}
		c.render(v, p, shown)
	})
}

// acts does what a form asks for. Whatever becomes of it, a page is shown next that can
// be loaded again without doing it again.
func (c *console) acts(p page) http.Handler {
	return c.visited(p, func(v *visit) {
		if err := v.ParseForm(); err != nil {
			c.fail(v.w, v, formProblem(err))
			return
		}
		if !c.forms.holds(v.cookie, v.PostFormValue(csrfField)) {
			c.fail(v.w, v, api.NewProblem(api.CodeRole, "this form was made for another session, or before a restart, so nothing was done; load the page again"))
			return
		}
		next, err := p.act(v)
		if next == "" {
			next = v.URL.EscapedPath()
		}
		if err != nil {
			if hasEnded(err) && v.session != nil && !p.open {
				c.signInAgain(v)
				return
			}
			path, _, _ := strings.Cut(next, "?")
			c.forms.leave(v.w, v.Request, v.cookie, path, noticeOf(c.problem(v, err), v.id))
		}
		http.Redirect(v.w, v.Request, next, http.StatusSeeOther) //nolint:gosec // act names pages only; what a form says is held to them
	})
}

func formProblem(err error) *api.Problem {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return api.NewProblem(api.CodeTooLarge, fmt.Sprintf("the form has more than %d bytes", large.Limit))
	}
	return api.NewProblem(api.CodeMalformed, "the form can't be read")
}

// visited lets those in who are signed in, and sends others to where they can.
func (c *console) visited(p page, do func(*visit)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := c.Now()
		ctx, cancel := context.WithTimeout(r.Context(), pageTimeout)
		defer cancel()
		v := c.visit(r.WithContext(ctx))
		v.w = w
		if v.session != nil && !v.background() {
			c.sessions.find(v.cookie, true)
		}
		if v.session == nil && !p.open && r.Method != http.MethodPost {
			c.signInByCertificate(v)
		}
		if v.session == nil && !p.open {
			c.signInAgain(v)
			return
		}
		do(v)
		c.Logger.Debug("page", "page", p.name, "method", r.Method, "actor", v.actor(), "request_id", v.id, "took", c.Now().Sub(began))
	})
}

// background reports whether a script asks, and not a person.
func (v *visit) background() bool {
	return v.Header.Get("Sec-Fetch-Mode") == "cors" || v.URL.Query().Has("fragment")
}

// goesTo reports whether a browser goes to the page, and does not fetch it for another.
func (v *visit) goesTo() bool {
	as := v.Header.Get("Sec-Fetch-Dest")
	return as == "" || as == "document"
}

// actor is the name of whoever is signed in, or "".
func (v *visit) actor() string {
	if v.session == nil {
		return ""
	}
	return v.session.who.Name
}

// may reports whether the role of whoever is signed in has a permission, in the API's
// words. It is for what is offered: what is permitted is the API's to say.
func (v *visit) may(permission string) bool {
	return v.session != nil && slices.Contains(v.session.who.Permissions, permission)
}

// page is the page of a list that the URL asks for.
func (v *visit) page() client.Page { return client.Page{Cursor: v.URL.Query().Get("cursor")} }

// done leaves word of what was done on the page at a path, and returns the path.
func (v *visit) done(path, text string) string {
	v.console.forms.leave(v.w, v.Request, v.cookie, path, notice{Text: text})
	return path
}

// local reports whether a path is that of a page, and leads nowhere else.
func local(path string) bool {
	u, err := url.Parse(path)
	return err == nil && u.Scheme == "" && u.Host == "" && u.User == nil && strings.HasPrefix(path, Root) && !strings.ContainsAny(path, "\\\x00\r\n\t")
}
