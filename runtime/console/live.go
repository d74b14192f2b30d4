package console

import (
	"context"
	"net/http"
	"net/url"

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
	ctx, cancel := context.WithDeadline(r.Context(), v.session.ends)
	defer cancel()
	go func() {
		select {
		case <-v.session.done:
			cancel()
		case <-ctx.Done():
		}
	}()
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
	c.API.ServeHTTP(w, in)
}
