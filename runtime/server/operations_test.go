package server_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
)

// One walk through the whole API, each answer held to the document.
func TestEveryOperationDoesWhatTheDocumentSays(t *testing.T) {
	r := start(t)
	admin := as(identity.Admin)

	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/tlog/checkpoint", "/v1/openapi.json"} {
		r.must(t, nil, http.MethodGet, path, nil, with("Authorization"))
	}
	var me api.Actor
	if r.must(t, &me, http.MethodGet, "/v1/whoami", nil); me.Name != "olivia" || me.Role != "operator" || me.Credential == "" {
		t.Errorf("whoami: %+v", me)
	}

	t.Run("tickets", func(t *testing.T) { walkTickets(t, r) })
	t.Run("runs", func(t *testing.T) { walkRuns(t, r) })
	t.Run("objects", func(t *testing.T) { walkObjects(t, r) })

	var created api.TokenCreated
	r.must(t, &created, http.MethodPost, "/v1/tokens", api.TokenRequest{Actor: "tom", Role: "viewer"}, admin)
	var tokens api.TokenList
	r.must(t, &tokens, http.MethodGet, "/v1/tokens", nil, admin)
	if !slices.Contains(tokens.Items, created.Token) {
		t.Errorf("%+v is not among the tokens", created.Token)
	}
	bearer := with("Authorization", "Bearer "+created.Secret)
	r.must(t, nil, http.MethodGet, "/v1/pools", nil, bearer)
	var revoked api.Token
	if r.must(t, &revoked, http.MethodDelete, "/v1/tokens/"+created.Token.ID, nil, admin); !revoked.Revoked {
		t.Errorf("revoked token: %+v", revoked)
	}
	if a := r.do(t, http.MethodGet, "/v1/pools", nil, bearer); a.problem.Code != api.CodeUnauthenticated {
		t.Errorf("a revoked token still works: %s", a)
	}
	if last := r.newest(t); last.Body == nil || last.LeafHash == "" {
		t.Errorf("entry: %+v", last)
	}
	r.must(t, nil, http.MethodGet, "/v1/entries?actor=olivia&type=apply&since=2020-01-01T00:00:00Z&until=2100-01-01T00:00:00Z&include=patch&limit=2", nil)

	for _, op := range api.Operations {
		if r.contract.operations[op.ID] == 0 {
			t.Errorf("operation %s was not called", op.ID)
		}
	}
}

func walkTickets(t *testing.T, r *rig) {
	var opened, acted, shown api.Ticket
	a := r.must(t, &opened, http.MethodPost, "/v1/tickets", api.TicketRequest{
		Title: "Move web", Reason: "the old racks go", URL: "https://tracker.example/1", Scope: api.TicketScope{Addresses: []string{"pool/*"}, Operations: []string{"update"}},
	})
	if a.status != http.StatusCreated || opened.State != "pending" || opened.Requester != "olivia" || opened.ID == "" {
		t.Errorf("opened: %s", a)
	}
	path := "/v1/tickets/" + opened.ID
	if r.must(t, &acted, http.MethodPost, path+"/approve", api.TicketAction{Comment: "yes"}, as(identity.Approver)); acted.State != "approved" || len(acted.Approvals) != 1 {
		t.Errorf("approved: %+v", acted)
	}
	if r.must(t, &shown, http.MethodGet, path, nil); shown.Revision != acted.Revision {
		t.Errorf("shown: %+v, want %+v", shown, acted)
	}
	var closed api.Ticket
	if r.must(t, &closed, http.MethodPost, path+"/close", api.TicketAction{Comment: "done"}); closed.State != "closed" || closed.Closure == nil {
		t.Errorf("closed: %+v", closed)
	}
	var list api.TicketList
	if r.must(t, &list, http.MethodGet, "/v1/tickets?state=closed", nil); len(list.Items) != 1 || list.Items[0].ID != opened.ID {
		t.Errorf("closed tickets: %+v", list)
	}
}

func walkRuns(t *testing.T, r *rig) {
	var run, again, shown api.Run
	claims := api.RunClaims{System: "github", Tool: "terraform", ToolVersion: "1.14.0", Actor: "octocat"}
	r.must(t, &run, http.MethodPut, "/v1/runs/github-1", claims)
	if run.RegisteredBy != "olivia" || run.Claims != claims {
		t.Errorf("registered: %+v", run)
	}
	if r.must(t, &again, http.MethodPut, "/v1/runs/github-1", claims); again.Seq != run.Seq {
		t.Errorf("registering again made entry %d, want %d", again.Seq, run.Seq)
	}
	r.must(t, nil, http.MethodPost, "/v1/plans", `{"kind":"pool","name":"planned","op":"create","object":`+pool()+`}`, with(api.HeaderRun, "github-1"))
	if r.must(t, &shown, http.MethodGet, "/v1/runs/github-1", nil); shown.Counts.Planned != 1 {
		t.Errorf("counts: %+v", shown.Counts)
	}
	var list api.RunList
	if r.must(t, &list, http.MethodGet, "/v1/runs", nil); len(list.Items) != 1 {
		t.Errorf("runs: %+v", list)
	}
}

func walkObjects(t *testing.T, r *rig) {
	chain, key := runtimetest.KeyPair(t, "a.example.com")
	port := runtimetest.FreePort(t)
	bodies := []struct {
		kind           lb.Kind
		create, update any
	}{
		{lb.KindCertificate, certificate(chain, key), map[string]any{"owner": "others", "chain_pem": chain}},
		{lb.KindPool, pool("10.0.0.1:80"), `{"owner":"team-web","members":{},"health_check":{"interval":"5s"}}`},
		{lb.KindListener, listener(port, `,"protocol":"https","certificates":["x"],"default_pool":"x"`), listener(port, `,"protocol":"https","certificates":["x"]`)},
		{lb.KindRoute, route("x", "x"), `{"owner":"team-web","listener":"x","priority":5,"match":{"hosts":["a"]},"action":{"forward":{"x":{"weight":2}}}}`},
	}
	for _, b := range bodies {
		base := "/v1/" + b.kind.Plural()
		var created, updated, shown api.Object
		a := r.must(t, &created, http.MethodPut, base+"/x", b.create, creating)
		if a.status != http.StatusCreated || a.header.Get("ETag") != fmt.Sprintf(`"%d"`, created.Revision) {
			t.Errorf("%s: created: %s", b.kind, a)
		}
		a = r.must(t, &updated, http.MethodPut, base+"/x", b.update, with(api.HeaderIfMatch, a.header.Get("ETag")))
		if a.status != http.StatusOK || updated.Revision <= created.Revision || updated.LastChange.Ticket != r.Ticket {
			t.Errorf("%s: updated: %s", b.kind, a)
		}
		r.must(t, &shown, http.MethodGet, base+"/x", nil)
		if shown.Revision != updated.Revision || string(shown.Object) != string(updated.Object) {
			t.Errorf("%s: shown %+v, want %+v", b.kind, shown, updated)
		}
		var list api.ObjectList
		if r.must(t, &list, http.MethodGet, base+"?limit=10", nil); len(list.Items) != 1 || list.Next != "" {
			t.Errorf("%s: list: %+v", b.kind, list)
		}
		var history api.EntryList
		if r.must(t, &history, http.MethodGet, base+"/x/history?include=patch", nil); len(history.Items) != 2 || history.Items[0].Seq != updated.Revision || len(history.Items[0].Patch) == 0 {
			t.Errorf("%s: history: %+v", b.kind, history)
		}
		// What was answered can be sent back, and changes nothing.
		if b.kind != lb.KindCertificate {
			var same api.Object
			if r.must(t, &same, http.MethodPut, base+"/x", string(shown.Object), updating); same.Revision != shown.Revision {
				t.Errorf("%s: sending back what was answered made revision %d of %d", b.kind, same.Revision, shown.Revision)
			}
		}
	}
	slices.Reverse(bodies)
	for _, b := range bodies {
		r.must(t, nil, http.MethodDelete, "/v1/"+b.kind.Plural()+"/x", nil, updating)
	}
}
