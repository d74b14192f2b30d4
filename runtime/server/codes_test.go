package server_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
)

// unprovoked are the codes that no call can bring about, with the reason. Let it
// stay empty: a code that nobody can get is not part of the contract.
var unprovoked = map[api.Code]string{}

func TestEveryProblemCodeCanComeAbout(t *testing.T) {
	r, store := startFaulty(t)
	full := start(t)
	port := runtimetest.FreePort(t)
	full.create(t, "pool/web", pool())
	full.create(t, "listener/edge", listener(port, `,"default_pool":"web"`))
	const put, get, post, web = http.MethodPut, http.MethodGet, http.MethodPost, "/v1/pools/web"
	under := func(ticket string) *answer {
		return full.do(t, put, web, pool(), updating, with(api.HeaderTicket, ticket))
	}
	short := full.open(t, api.TicketRequest{NotAfter: time.Now().Add(time.Second).UTC()}, "approver approve")
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
