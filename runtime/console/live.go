package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

// live answers the log's events as the API streams them, for as long as the session
// lasts. A script that is told of an entry asks for the page's fragment that has it.
func (c *console) live(w http.ResponseWriter, r *http.Request) {
	v := c.visit(r)
	v.w = w
	if v.session == nil {
		http.Error(w, "sign in again", http.StatusUnauthorized)
		return
	}
	if !c.sessions.beginStream(v.session) {
		w.Header().Set("Retry-After", "30")
		http.Error(w, "this session reads too many streams already", http.StatusTooManyRequests)
		return
	}
	defer c.sessions.endStream(v.session)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go func() {
		select {
		case <-v.session.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	out := &stream{w, v, c.Now()}
	in := r.Clone(ctx)
	in.URL = &url.URL{Path: "/v1/events", RawQuery: url.Values{"after": r.URL.Query()["after"]}.Encode()}
	in.Header = http.Header{"Accept": {"text/event-stream"}}
	for _, last := range r.Header.Values(api.HeaderLastEventID) {
		in.Header.Set(api.HeaderLastEventID, last)
	}
	if v.session.credential != "" {
		in.Header.Set("Authorization", "Bearer "+v.session.credential.Reveal())
	}
	in.Body = http.NoBody
	inProcess{c.API, r, v.id}.as(in)
	c.API.ServeHTTP(out, in)
}

// checkEvery is how long a stream goes on before it asks again whether the credential of
// its session is still good.
const checkEvery = 10 * time.Second

// stream is an answer that goes on, until whoever reads it is not signed in any more: what
// comes after that is not written.
type stream struct {
	http.ResponseWriter
	visit *visit
	// checked is when the credential was good.
	checked time.Time
}

var errEnded = errors.New("the session has ended")

// Write implements http.ResponseWriter.
func (s *stream) Write(b []byte) (int, error) {
	v := s.visit
	if now := v.console.Now(); now.Sub(s.checked) >= checkEvery {
		s.checked = now
		if _, err := v.client.Whoami(v.Context()); hasEnded(err) {
			v.console.sessions.end(v.cookie)
		}
	}
	if v.console.sessions.find(v.cookie, false) != v.session {
		return 0, errEnded
	}
	return s.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (s *stream) Unwrap() http.ResponseWriter { return s.ResponseWriter }
