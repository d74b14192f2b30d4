package console

import (
	"context"
	"crypto/rand"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

// Root is the path that the console is mounted at.
const Root = "/console/"

// root is [Root] without its last slash: what pages' paths are below of.
const root = "/console"

// Bounds of a request.
const (
	// maxFormBytes bounds a form. An identity provider's token is the longest text in one.
	maxFormBytes = 128 << 10
	// pageTimeout bounds the calls that a page makes.
	pageTimeout = 20 * time.Second
)

// Options are what a console works with.
type Options struct {
	// API is the handler of the management API, which every page calls.
	API    http.Handler
	Logger *slog.Logger
	// Providers are the identity providers that people can sign in at.
	Providers []Provider
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// pages lists the console's pages, those with a nav in the order of the navigation.
var pages = []page{
	timelinePage,
	entryPage,
	proofPage,
	objectsPage,
	objectPage,
	diffPage,
	runsPage,
	runPage,
	ticketsPage,
	ticketPage,
	driftPage,
	trafficPage,
	evidencePage,
	signInPage,
	loginPage,
	callbackPage,
	signOutPage,
}

type console struct {
	Options
	pages     []page
	templates map[string]*template.Template
	sessions  *sessions
	forms     forms
	assets    assets
	providers map[string]*provider
}

// New returns the handler of everything below [Root].
func New(opts Options) http.Handler {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	c := &console{Options: opts, pages: pages, templates: parseTemplates(), sessions: newSessions(opts.Now), assets: loadAssets()}
	c.providers = opts.providers()
	_, _ = rand.Read(c.forms.key[:]) // never fails
	mux := http.NewServeMux()
	for _, p := range c.pages {
		pattern := root + p.path
		if p.path == "/" {
			pattern += "{$}"
		}
		if p.show != nil {
			mux.Handle("GET "+pattern, c.shows(p))
		}
		if p.act != nil {
			mux.Handle("POST "+pattern, c.acts(p))
		}
	}
	mux.Handle("GET "+root+"/live", http.HandlerFunc(c.live))
	mux.Handle("GET "+root+"/static/{hash}/{file}", c.assets)
	mux.Handle("/", c.nowhere(mux))
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.fail(w, c.visit(r), api.NewProblem(api.CodeRole, "this came from another site, so nothing was done"))
	}))
	return c.guarded(cross.Handler(mux))
}

// policy is the Content-Security-Policy of everything: nothing but what the console itself
// serves, and nothing inline.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// guarded sets what browsers are told with every answer, bounds what is read, and turns a
// panic into an error.
func (c *console) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Referrer-Policy", "same-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		id := requestID(r)
		h.Set(api.HeaderRequestID, id)
		r = r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id))
		r.Body = http.MaxBytesReader(w, r.Body, maxFormBytes)
		defer func() {
			switch p := recover(); p {
			case nil:
			case http.ErrAbortHandler:
				panic(p)
			default:
				c.fail(w, c.visit(r), fmt.Errorf("panic: %v", p))
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// nowhere answers paths and methods that no page has.
func (c *console) nowhere(mux *http.ServeMux) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		problem := api.NewProblem(api.CodeNotFound, "there is no such page")
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			probe := r.Clone(r.Context())
			probe.Method = method
			if _, pattern := mux.Handler(probe); pattern != "/" && pattern != "" {
				w.Header().Add("Allow", method)
				problem = api.NewProblem(api.CodeMethod, "this page does not take such a request")
			}
		}
		c.fail(w, c.visit(r), problem)
	}
}
