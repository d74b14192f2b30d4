package server_test

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity/oidc/oidctest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
)

// One walk through the whole API, each answer held to the document.
func TestEveryOperationDoesWhatTheDocumentSays(t *testing.T) {
	issuer := oidctest.Start(t)
	r := start(t, trustGitHub(issuer))
	admin := as(identity.Admin)

	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/tlog/checkpoint", "/tlog/tile/0/000.p/1", "/v1/openapi.json"} {
		r.must(t, nil, http.MethodGet, path, nil, with("Authorization"))
	}
	var me api.Identity
	if r.must(t, &me, http.MethodGet, "/v1/whoami", nil); me.Name != "olivia" || me.Role != "operator" || me.Credential == "" ||
		!slices.Contains(me.Permissions, string(identity.Change)) || slices.Contains(me.Permissions, string(identity.ManageTokens)) || me.Run != nil || me.Provider != "" {
		t.Errorf("whoami: %+v", me)
	}
	session := r.session(t, issuer.Sign(issuer.GitHubClaims(audience)))
	if r.must(t, &me, http.MethodGet, "/v1/whoami", nil, bearer(session.Secret)); !reflect.DeepEqual(me, session.Identity) || me.Provider != "github" {
		t.Errorf("whoami of a session: %+v, want %+v", me, session.Identity)
	}
	if _, allowed := r.access(t, "pool/web", "create", r.Ticket); !allowed {
		t.Error("olivia may not make a pool")
	}

	t.Run("tickets", func(t *testing.T) { walkTickets(t, r) })
	t.Run("runs", func(t *testing.T) { walkRuns(t, r) })
	t.Run("objects", func(t *testing.T) { walkObjects(t, r) })
	t.Run("drift", func(t *testing.T) { walkDrift(t, r) })
	t.Run("rollbacks", func(t *testing.T) { walkRollbacks(t, r) })

	var sinks api.SinkList
	if r.must(t, &sinks, http.MethodGet, "/v1/sinks", nil); sinks.Items == nil || len(sinks.Items) != 0 {
		t.Errorf("sinks: %+v", sinks)
	}
	var created api.TokenCreated
	r.must(t, &created, http.MethodPost, "/v1/tokens", api.TokenRequest{Actor: "tom", Role: "viewer", Scopes: []string{"pool/*"}}, admin)
	if !created.Token.LastUsed.IsZero() || !slices.ContainsFunc(r.tokens(t), func(held api.Token) bool { return reflect.DeepEqual(held, created.Token) }) {
		t.Errorf("%+v is not among the tokens, unused", created.Token)
	}
	began := time.Now().Add(-time.Second)
	tom := bearer(created.Secret)
	r.must(t, nil, http.MethodGet, "/v1/pools", nil, tom)
	var tokens api.TokenList
	r.must(t, &tokens, http.MethodGet, "/v1/tokens", nil, admin)
	if i := slices.IndexFunc(tokens.Items, func(held api.Token) bool { return held.ID == created.Token.ID }); tokens.Items[i].LastUsed.Before(began) {
		t.Errorf("%+v was used since %s", tokens.Items[i], began)
	}
	var revoked api.Token
	if r.must(t, &revoked, http.MethodDelete, "/v1/tokens/"+created.Token.ID, nil, admin); !revoked.Revoked {
		t.Errorf("revoked token: %+v", revoked)
	}
	if a := r.do(t, http.MethodGet, "/v1/pools", nil, tom); a.problem.Code != api.CodeUnauthenticated {
		t.Errorf("a revoked token still works: %s", a)
	}
	if last := r.newest(t); last.Body == nil || last.LeafHash == "" {
		t.Errorf("entry: %+v", last)
	}
	if a := r.must(t, nil, http.MethodGet, "/v1/events?follow=false&after=0&type=apply", nil); !strings.HasPrefix(string(a.body), "id: ") {
		t.Errorf("events: %s", a)
	}
	r.must(t, nil, http.MethodGet, "/v1/entries?actor=olivia&type=apply&since=2020-01-01T00:00:00Z&until=2100-01-01T00:00:00Z&include=patch&limit=2", nil)

	var traffic api.Traffic
	if r.must(t, &traffic, http.MethodGet, "/v1/traffic?step=1m&limit=10", nil); traffic.Items == nil || traffic.StepSeconds != 60 {
		t.Errorf("traffic: %+v", traffic)
	}

	r.must(t, nil, http.MethodGet, "/tlog/tile/entries/000.p/1", nil)
	walkEvidence(t, r)

	for _, op := range api.Operations {
		if r.contract.operations[op.ID] == 0 {
			t.Errorf("operation %s was not called", op.ID)
		}
	}
}

func walkTickets(t *testing.T, r *rig) {
	var opened, amended, shown api.Ticket
	req := api.TicketRequest{
		Title: "Move web", Reason: "the old racks go", URL: "https://tracker.example/1", Draft: true, MaxUses: 3, SeparateApplier: true,
		Scope: api.TicketScope{Addresses: []string{"pool/*"}, Operations: []string{"update"}},
	}
	a := r.must(t, &opened, http.MethodPost, "/v1/tickets", req)
	if a.status != http.StatusCreated || opened.State != "draft" || opened.Requester != "olivia" || opened.ID == "" || opened.MaxUses != 3 || !opened.SeparateApplier {
		t.Errorf("opened: %s", a)
	}
	path := "/v1/tickets/" + opened.ID
	req.Title = "Move web and api"
	if r.must(t, &amended, http.MethodPut, path, req); amended.Title != req.Title || amended.State != "draft" || amended.Revision <= opened.Revision {
		t.Errorf("amended: %+v", amended)
	}
	if acted := r.act(t, opened.ID, "submit", api.TicketAction{}); acted.State != "pending" {
		t.Errorf("submitted: %+v", acted)
	}
	acted := r.act(t, opened.ID, "approve", api.TicketAction{Comment: "yes"}, as(identity.Approver))
	if acted.State != "approved" || len(acted.Approvals) != 1 {
		t.Errorf("approved: %+v", acted)
	}
	if r.must(t, &shown, http.MethodGet, path, nil); shown.Revision != acted.Revision {
		t.Errorf("shown: %+v, want %+v", shown, acted)
	}
	if closed := r.act(t, opened.ID, "close", api.TicketAction{Comment: "done"}); closed.State != "closed" || closed.Closure == nil {
		t.Errorf("closed: %+v", closed)
	}
	var list api.TicketList
	if r.must(t, &list, http.MethodGet, "/v1/tickets?state=closed", nil); len(list.Items) != 1 || list.Items[0].ID != opened.ID {
		t.Errorf("closed tickets: %+v", list)
	}
	emergency := r.ticket(t, api.TicketRequest{Type: "emergency", Scope: addresses("*")})
	if reviewed := r.act(t, emergency.ID, "review", api.TicketAction{}, as(identity.Approver)); reviewed.Review == nil {
		t.Errorf("reviewed: %+v", reviewed)
	}
	planned(t, r, "run-bound", "planned-for-a-ticket")
	bound := r.bound(t, "run-bound")
	if effects, digest := r.effects(t, bound.ID); len(effects) != 1 || digest != bound.Binding.EffectsDigest {
		t.Errorf("effects of %+v: %+v", bound, effects)
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
	if r.must(t, &list, http.MethodGet, "/v1/runs", nil); len(list.Items) != 2 || list.Items[0].ID != "github-1" {
		t.Errorf("runs: %+v", list)
	}
	var kept api.RunAddressesKept
	r.must(t, &kept, http.MethodPut, "/v1/run-addresses/github-1", `{"addresses":{"pool/planned":"auditlb_pool.planned"}}`)
	var report api.RunReport
	r.must(t, &report, http.MethodGet, "/v1/run-reports/github-1?limit=1", nil)
	if report.Overall != api.RunPlanned || len(report.Effects) != 1 || report.Effects[0].TerraformAddress != "auditlb_pool.planned" || kept.Seq == 0 {
		t.Errorf("report: %+v, kept %+v", report, kept)
	}
}

func walkObjects(t *testing.T, r *rig) {
	chain, key := runtimetest.KeyPair(t, "a.example.com")
	port := runtimetest.FreePort(t)
	freeze, later := freezing(time.Now().Add(time.Hour), "pool/x"), freezing(time.Now().Add(2*time.Hour), "pool/x")
	bodies := []struct {
		kind           lb.Kind
		create, update any
	}{
		{lb.KindFreeze, freeze, later},
		{lb.KindPolicy, policy(`change.name == "y"`, "false"), policy(`change.name == "z"`, "false")},
		{lb.KindCertificate, certificate(chain, key), map[string]any{"owner": "others", "chain_pem": chain}},
		{lb.KindPool, pool("10.0.0.1:80"), `{"owner":"team-web","members":{},"health_check":{"interval":"5s"}}`},
		{lb.KindListener, listener(port, `,"protocol":"https","certificates":["x"],"default_pool":"x"`), listener(port, `,"protocol":"https","certificates":["x"]`)},
		{lb.KindRoute, route("x", "x"), `{"owner":"team-web","listener":"x","priority":5,"match":{"hosts":["a"]},"action":{"forward":{"x":{"weight":2}}}}`},
	}
	admin := as(identity.Admin) // who may change what governs, too
	for _, b := range bodies {
		base := "/v1/" + b.kind.Plural()
		var created, updated, shown api.Object
		a := r.must(t, &created, http.MethodPut, base+"/x", b.create, creating, admin)
		if a.status != http.StatusCreated || a.header.Get("ETag") != fmt.Sprintf(`"%d"`, created.Revision) {
			t.Errorf("%s: created: %s", b.kind, a)
		}
		a = r.must(t, &updated, http.MethodPut, base+"/x", b.update, with(api.HeaderIfMatch, a.header.Get("ETag")), admin)
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
		var blame api.Blame
		if r.must(t, &blame, http.MethodGet, base+"/x/blame", nil); blame.Revision != updated.Revision || len(blame.Attributes) == 0 || blame.Deleted {
			t.Errorf("%s: blame: %+v", b.kind, blame)
		}
		// What was answered can be sent back, and changes nothing.
		if b.kind != lb.KindCertificate {
			var same api.Object
			if r.must(t, &same, http.MethodPut, base+"/x", string(shown.Object), updating, admin); same.Revision != shown.Revision {
				t.Errorf("%s: sending back what was answered made revision %d of %d", b.kind, same.Revision, shown.Revision)
			}
		}
	}
	slices.Reverse(bodies)
	for _, b := range bodies {
		r.must(t, nil, http.MethodDelete, "/v1/"+b.kind.Plural()+"/x", nil, updating, admin)
	}
	var before api.Point
	for _, e := range r.entries(t, "/v1/pools/x/history") {
		before.Revision = e.Seq - 1
	}
	var state api.State
	if r.must(t, &state, http.MethodGet, fmt.Sprintf("/v1/state?at=%d&resource=pool", before.Revision+1), nil); len(state.Items) != 1 || state.Items[0].Revision != before.Revision+1 {
		t.Errorf("state: %+v", state)
	}
	var diff api.Diff
	if r.must(t, &diff, http.MethodGet, fmt.Sprintf("/v1/diff?from=%d&to=%d&limit=10", before.Revision, before.Revision+1), nil); len(diff.Items) != 1 || diff.Items[0].Op != lb.OpCreate || diff.Items[0].Address != "pool/x" {
		t.Errorf("diff: %+v", diff)
	}
}
