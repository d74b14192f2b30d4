package browsertest

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity/oidc/oidctest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
)

// tracker is what the runtime believes and does not own: an identity provider, and a
// system that tickets EXT-1, EXT-2 … live in.
type tracker struct {
	issuer *oidctest.Issuer
	url    string

	mu     sync.Mutex // guards ticket
	ticket map[string]any
}

func newTracker(t testing.TB) *tracker {
	t.Helper()
	tr := &tracker{issuer: oidctest.Start(t)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		w.Header().Set("Content-Type", api.ContentJSON)
		_ = json.MarshalWrite(w, tr.ticket)
	}))
	t.Cleanup(server.Close)
	tr.url = server.URL
	return tr
}

// says is what the system answers when it is asked for a ticket.
func (tr *tracker) says(ticket map[string]any) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.ticket = ticket
}

// trusted has a runtime believe both.
func (tr *tracker) trusted() []runtimetest.Option {
	fields := map[string]string{}
	for _, name := range []string{"state", "type", "title", "reason", "url", "requester", "approvers"} {
		fields[name] = "/" + name
	}
	return []runtimetest.Option{
		runtimetest.Trust(tr.issuer, daemon.OIDC{Name: "github", Preset: "github", Roles: []daemon.OIDCRole{{When: "true", Role: "operator"}}}),
		runtimetest.Configured(func(c *daemon.Config) {
			c.Authorities = append(c.Authorities, daemon.Authority{
				Type: "http", Name: "tracker", URL: tr.url + "/{id}", Pattern: "EXT-[0-9]+", Scope: []string{"*"}, Cache: "1ms", Fields: fields,
			})
		}),
	}
}
