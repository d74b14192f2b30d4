package server_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity/oidc/oidctest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/server"
)

// unprovoked are the codes that no call can bring about, with the reason. Let it
// stay empty: a code that nobody can get is not part of the contract.
var unprovoked = map[api.Code]string{}

func TestEveryProblemCodeCanComeAbout(t *testing.T) {
	r, store := startFaulty(t)
	issuer, dead := oidctest.Start(t), oidctest.Start(t)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", api.ContentJSON)
		_, _ = io.WriteString(w, `{"state":"approved"}`)
	}))
	t.Cleanup(elsewhere.Close)
	full := start(t, trustAFewTimes(issuer, 1), trustHCP(dead), ticketsLiveIn(elsewhere.URL))
	port := runtimetest.FreePort(t)
	full.create(t, "pool/web", pool())
	full.create(t, "listener/edge", listener(port, `,"default_pool":"web"`))
	const put, get, post, web = http.MethodPut, http.MethodGet, http.MethodPost, "/v1/pools/web"
	under := func(ticket string) *answer {
		return full.do(t, put, web, pool(), updating, with(api.HeaderTicket, ticket))
	}
	act := func(id, action string, req api.TicketAction, who identity.Role) *answer {
		return full.do(t, post, "/v1/tickets/"+id+"/"+action, req, as(who))
	}
	emergency := func() string { return full.ticket(t, api.TicketRequest{Type: "emergency", Scope: addresses("*")}).ID }
	planned(t, full, "run-1", "planned")
	token := issuer.Sign(issuer.GitHubClaims(audience))
	short := full.brief(t)
	key := with(api.HeaderIdempotencyKey, uuid.NewString())
	provoke := map[api.Code]func() *answer{
		api.CodeMalformed:       func() *answer { return full.do(t, get, "/v1/pools?limit=x", nil) },
		api.CodeUnauthenticated: func() *answer { return full.do(t, get, web, nil, with("Authorization")) },
		api.CodeRole:            func() *answer { return full.do(t, put, web, pool(), as(identity.Viewer)) },
		api.CodeNotFound:        func() *answer { return full.do(t, get, "/v1/pools/gone", nil) },
		api.CodeMethod:          func() *answer { return full.do(t, http.MethodPatch, web, nil) },
		api.CodeMediaType:       func() *answer { return full.do(t, put, web, pool(), with("Content-Type", "text/plain")) },
		api.CodeTooLarge:        func() *answer { return full.do(t, put, web, string(make([]byte, 2<<20))) },
		api.CodeInvalid:         func() *answer { return full.do(t, put, web, `{}`, updating) },
		api.CodeReferenceMissing: func() *answer {
			return full.do(t, put, "/v1/routes/x", route("edge", "gone"), creating)
		},
		api.CodeReferenceUnsuited: func() *answer { return full.do(t, put, web, `{"owner":"x","protocol":"tcp"}`, updating) },
		api.CodeAddressInUse:      func() *answer { return full.do(t, put, "/v1/listeners/x", listener(port, ""), creating) },
		api.CodeAddressUnavailable: func() *answer {
			return full.do(t, put, "/v1/listeners/x", `{"owner":"x","address":"192.0.2.1","port":80}`, creating)
		},
		api.CodeReferenced:         func() *answer { return full.do(t, http.MethodDelete, web, nil, updating) },
		api.CodePreconditionNeeded: func() *answer { return full.do(t, put, web, pool()) },
		api.CodePreconditionFailed: func() *answer { return full.do(t, put, web, pool(), creating) },
		api.CodeIdempotencyKey: func() *answer {
			return full.do(t, put, web, pool(), updating, with(api.HeaderIdempotencyKey, "x"))
		},
		api.CodeIdempotencyReused: func() *answer {
			full.must(t, nil, put, web, pool("10.0.0.1:80"), updating, key)
			return full.do(t, put, web, pool("10.0.0.2:80"), updating, key)
		},
		api.CodeTicketRequired: func() *answer {
			return full.do(t, put, web, pool(), updating, with(api.HeaderTicket))
		},
		api.CodeTicketUnknown:    func() *answer { return under("CHG-0") },
		api.CodeTicketUnapproved: func() *answer { return under(full.open(t, api.TicketRequest{})) },
		api.CodeTicketRejected:   func() *answer { return under(full.open(t, api.TicketRequest{}, "approver reject")) },
		api.CodeTicketNotYet: func() *answer {
			return under(full.open(t, api.TicketRequest{NotBefore: time.Now().Add(time.Hour).UTC()}, "approver approve"))
		},
		api.CodeTicketExpired: func() *answer {
			waitFor(t, "the ticket's end", func() bool { return under(short).status == http.StatusForbidden })
			return under(short)
		},
		api.CodeTicketClosed: func() *answer {
			return under(full.open(t, api.TicketRequest{}, "approver approve", "operator close"))
		},
		api.CodeTicketScope: func() *answer {
			return under(full.open(t, api.TicketRequest{Scope: api.TicketScope{Addresses: []string{"route/*"}}}, "approver approve"))
		},
		api.CodeTicketExists: func() *answer {
			return full.do(t, post, "/v1/tickets", `{"id":"`+full.Ticket+`","title":"abc","reason":"because","scope":{"addresses":["*"]}}`)
		},
		api.CodeTicketState: func() *answer {
			return full.do(t, post, "/v1/tickets/"+full.open(t, api.TicketRequest{})+"/close", `{}`)
		},
		api.CodeTicketSelfApproval: func() *answer {
			var own api.Ticket
			full.must(t, &own, post, "/v1/tickets", `{"title":"abc","reason":"because","scope":{"addresses":["*"]}}`, as(identity.Admin))
			return full.do(t, post, "/v1/tickets/"+own.ID+"/approve", `{}`, as(identity.Admin))
		},
		api.CodeTicketUsedUp: func() *answer {
			id := full.open(t, api.TicketRequest{MaxUses: 1}, "approver approve")
			full.must(t, nil, put, "/v1/pools/used", pool(), creating, with(api.HeaderTicket, id))
			return under(id)
		},
		api.CodeTicketApprover: func() *answer {
			id := full.open(t, api.TicketRequest{SeparateApplier: true}, "admin approve")
			return full.do(t, put, web, pool(), updating, with(api.HeaderTicket, id), as(identity.Admin))
		},
		api.CodeTicketNotCovered: func() *answer { return under(full.bound(t, "run-1").ID) },
		api.CodeTicketDiffers: func() *answer {
			return full.do(t, put, "/v1/pools/planned", pool(), creating, with(api.HeaderTicket, full.bound(t, "run-1").ID))
		},
		api.CodeTicketEffects: func() *answer {
			return act(full.ticket(t, api.TicketRequest{Run: "run-1"}).ID, "approve", api.TicketAction{EffectsDigest: "x"}, identity.Approver)
		},
		api.CodeTicketSelfReview: func() *answer {
			id := full.ticket(t, api.TicketRequest{Type: "emergency", Scope: addresses("*")}, as(identity.Admin)).ID
			return act(id, "review", api.TicketAction{}, identity.Admin)
		},
		api.CodeTicketUnreviewed: func() *answer { return act(emergency(), "close", api.TicketAction{}, identity.Operator) },
		api.CodeTicketNotRequester: func() *answer {
			return act(full.ticket(t, api.TicketRequest{Draft: true, Scope: addresses("*")}).ID, "submit", api.TicketAction{}, identity.Admin)
		},
		api.CodeTicketElsewhere: func() *answer {
			return full.do(t, post, "/v1/tickets", `{"id":"EXT-1","title":"abc","reason":"because","scope":{"addresses":["*"]}}`)
		},
		api.CodeTicketAuthority: func() *answer {
			full.must(t, nil, put, web, pool("10.0.0.7:80"), updating, with(api.HeaderTicket, "EXT-1"))
			elsewhere.Close()
			return under("EXT-1")
		},
		api.CodeFrozen: func() *answer {
			full.must(t, nil, put, "/v1/freezes/x", freezing(time.Now().Add(-time.Minute), "pool/frozen"), creating, as(identity.Admin))
			return full.do(t, put, "/v1/pools/frozen", pool(), creating)
		},
		api.CodePolicyDenied: func() *answer {
			full.must(t, nil, put, "/v1/policies/x", policy(`change.name == "denied"`, "false"), creating, as(identity.Admin))
			return full.do(t, put, "/v1/pools/denied", pool(), creating)
		},
		api.CodeTooManyStreams: func() *answer {
			full.follow(t, server.MaxOwnStreams)
			return full.do(t, get, "/v1/events?follow=false", nil)
		},
		api.CodeBusy: func() *answer { return r.crowd(t, store, func() {}) },
		api.CodeScope: func() *answer {
			return full.do(t, put, web, pool(), updating, bearer(full.Token(t, "sam", identity.Operator, "route/*")))
		},
		api.CodeTooManyFailures: func() *answer {
			for range server.FailuresAtOnce {
				full.do(t, get, web, nil, with("Authorization"), from("127.0.0.9"))
			}
			return full.do(t, get, web, nil, with("Authorization"), from("127.0.0.9"))
		},
		api.CodeLoginUnavailable: func() *answer {
			dead.Down()
			return full.login(t, dead.Sign(dead.HCPTerraformClaims(audience, "plan")))
		},
		api.CodeTokenUsedUp: func() *answer {
			full.session(t, token)
			return full.login(t, token)
		},
		api.CodeRunContradicts: func() *answer {
			session := full.session(t, issuer.Sign(issuer.GitHubClaims(audience)))
			return full.do(t, put, web, pool(), updating, bearer(session.Secret), with(api.HeaderRun, "github/acme/infra/999/1"))
		},
		api.CodeRollbackConflict: func() *answer {
			full.create(t, "pool/rolled", pool())
			full.must(t, nil, put, "/v1/pools/rolled", pool("10.0.0.1:80"), updating, with(api.HeaderTicket, full.open(t, api.TicketRequest{}, "approver approve")))
			return full.do(t, post, "/v1/rollbacks", `{"resource":"pool/rolled","to":"0"}`)
		},
		api.CodeRollbackImpossible: func() *answer {
			chain, privateKey := runtimetest.KeyPair(t, "a.example.com")
			r.must(t, nil, put, "/v1/certificates/rolled", certificate(chain, privateKey), creating)
			r.must(t, nil, http.MethodDelete, "/v1/certificates/rolled", nil, updating)
			store.keyless.Store(true)
			defer store.keyless.Store(false)
			return r.do(t, post, "/v1/rollbacks", `{"resource":"certificate/rolled"}`)
		},
		api.CodeRunUnknown: func() *answer { return full.do(t, put, web, pool(), updating, with(api.HeaderRun, "x")) },
		api.CodeInternal: func() *answer {
			store.read.Store(failing(errors.New("x")))
			defer store.read.Store(nil)
			return r.do(t, get, "/v1/entries", nil)
		},
		api.CodeLogFull: func() *answer {
			store.write.Store(failing(control.ErrLogFull))
			defer store.write.Store(nil)
			return r.do(t, put, web, pool(), creating)
		},
		api.CodeLogUnavailable: func() *answer {
			store.write.Store(failing(control.ErrLogUnavailable))
			defer store.write.Store(nil)
			return r.do(t, put, web, pool(), creating)
		},
	}
	for code, status := range api.Statuses {
		if provoke[code] == nil {
			if unprovoked[code] == "" {
				t.Errorf("%s: nothing provokes it", code)
			}
			continue
		}
		a := provoke[code]()
		if a.problem.Code != code || a.status != status || a.problem.Type != api.ProblemTypePrefix+string(code) {
			t.Errorf("%s, want %d %s", a, status, code)
		}
	}
}

// ticketsLiveIn makes tickets EXT-1, EXT-2 … live at a URL, and has it asked each time.
func ticketsLiveIn(url string) runtimetest.Option {
	return runtimetest.Configured(func(c *daemon.Config) {
		c.Authorities = append(c.Authorities, daemon.Authority{
			Type: "http", Name: "tracker", URL: url + "/{id}", Pattern: "EXT-[0-9]+", Scope: []string{"*"}, Cache: "1ms",
			Fields: map[string]string{"state": "/state"},
		})
	})
}

// follow opens streams of events that stay open until the test ends.
func (r *rig) follow(t *testing.T, n int) {
	t.Helper()
	for range n {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.Endpoint+"/v1/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		bearer(r.Operator)(r, req)
		resp, err := (&http.Client{Transport: r.contract.transport}).Do(req)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%+v, %v", resp, err)
		}
		t.Cleanup(func() { resp.Body.Close() })
	}
}
