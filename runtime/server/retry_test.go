package server_test

import (
	"bytes"
	"net/http"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
)

func TestARetryIsGivenTheFirstAnswerAndAppendsNothing(t *testing.T) {
	r := start(t)
	r.create(t, "pool/used", pool())
	const put, web = http.MethodPut, "/v1/pools/web"
	calls := []struct {
		name, method, path string
		body               any
		options            []option
		status             int
	}{
		{"creation", put, web, pool(), []option{creating}, 201},
		{"update", put, web, pool("10.0.0.1:80"), []option{updating}, 200},
		{"refused by the gate", put, web, pool(), []option{updating, with(api.HeaderTicket, "CHG-0")}, 403},
		{"refused by what is there", put, web, pool(), []option{creating}, 412},
		{"refused by its body", put, web, `{"owner":5}`, []option{updating}, 422},
		{"refused by the role", put, web, pool(), []option{updating, as(identity.Viewer)}, 403},
		{"refused for its size", put, web, string(make([]byte, 2<<20)), []option{updating}, 413},
		{"plan", http.MethodPost, "/v1/plans", `{"kind":"pool","name":"web","op":"delete"}`, nil, 200},
		{"ticket", http.MethodPost, "/v1/tickets", `{"title":"abc","reason":"because","scope":{"addresses":["*"]}}`, nil, 201},
		{"deletion", http.MethodDelete, web, nil, []option{updating}, 200},
		{"deletion of nothing", http.MethodDelete, web, nil, []option{updating}, 404},
	}
	for _, c := range calls {
		t.Run(c.name, func(t *testing.T) {
			options := slices.Concat(c.options, []option{with(api.HeaderIdempotencyKey, uuid.NewString())})
			first := r.do(t, c.method, c.path, c.body, options...)
			if first.status != c.status {
				t.Fatalf("%s, want %d", first, c.status)
			}
			last := r.newest(t).Seq
			second := r.do(t, c.method, c.path, c.body, options...)
			first.problem.RequestID, second.problem.RequestID = "", ""
			if second.status != first.status || second.header.Get("ETag") != first.header.Get("ETag") ||
				(first.status < 300 && !bytes.Equal(second.body, first.body)) || second.problem.Seq != first.problem.Seq || second.problem.Detail != first.problem.Detail {
				t.Errorf("the retry is answered %s, the first was %s", second, first)
			}
			if seq := r.newest(t).Seq; seq != last {
				t.Errorf("the retry appended entry %d", seq)
			}
		})
	}
}

func TestAnIdempotencyKeyIsOfOneActorAndOneCall(t *testing.T) {
	r := start(t)
	key := with(api.HeaderIdempotencyKey, uuid.NewString())
	const put, web = http.MethodPut, "/v1/pools/web"
	body := pool("10.0.0.1:80")
	r.must(t, nil, put, web, body, creating, key)

	// Another actor with the same key and call is not given olivia's answer.
	if a := r.do(t, put, web, body, creating, key, as(identity.Admin)); a.problem.Code != api.CodePreconditionFailed {
		t.Errorf("another actor: %s", a)
	}
	for name, a := range map[string]*answer{
		"another body":         r.do(t, put, web, pool("10.0.0.2:80"), creating, key),
		"another object":       r.do(t, put, "/v1/pools/other", body, creating, key),
		"another precondition": r.do(t, put, web, body, updating, key),
		"another ticket":       r.do(t, put, web, body, creating, key, with(api.HeaderTicket, "CHG-0")),
		"another method":       r.do(t, http.MethodDelete, web, nil, updating, key),
		"an unreadable body":   r.do(t, put, web, `{`, creating, key),
	} {
		if a.problem.Code != api.CodeIdempotencyReused {
			t.Errorf("%s: %s", name, a)
		}
	}
	// The same person with less rights does not get in by an old key.
	less := with("Authorization", "Bearer "+r.Token(t, "olivia", identity.Viewer))
	if a := r.do(t, put, web, body, creating, key, less); a.problem.Code != api.CodeRole || a.problem.Seq == 0 {
		t.Errorf("olivia as a viewer: %s", a)
	}
	// A key in capitals is the same key.
	id := uuid.NewString()
	first := r.must(t, nil, put, "/v1/pools/caps", body, creating, with(api.HeaderIdempotencyKey, id))
	again := r.must(t, nil, put, "/v1/pools/caps", body, creating, with(api.HeaderIdempotencyKey, upper(id)))
	if !bytes.Equal(first.body, again.body) {
		t.Errorf("%s and %s", first, again)
	}
}

func upper(id string) string {
	b := []byte(id)
	for i, c := range b {
		if 'a' <= c && c <= 'f' {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}

func TestARunClaimsWhatItsFirstActorSaid(t *testing.T) {
	r := start(t)
	var run, shown api.Run
	r.must(t, &run, http.MethodPut, "/v1/runs/ci%2Fbuild-7", `{"system":"jenkins","actor":"olivia"}`)
	if run.ID != "ci/build-7" {
		t.Errorf("id is %q", run.ID)
	}
	// A pipeline may plan with one token and apply with another.
	var again api.Run
	if r.must(t, &again, http.MethodPut, "/v1/runs/ci%2Fbuild-7", `{"system":"jenkins","actor":"olivia"}`, as(identity.Planner)); again.Seq != run.Seq {
		t.Errorf("registered again by another actor: %+v", again)
	}
	a := r.do(t, http.MethodPut, "/v1/runs/ci%2Fbuild-7", `{"system":"jenkins","actor":"mallory"}`, as(identity.Viewer))
	if a.problem.Code != api.CodePreconditionFailed {
		t.Errorf("another actor takes the run over: %s", a)
	}
	r.must(t, &shown, http.MethodGet, "/v1/runs/ci%2Fbuild-7", nil)
	if shown.RegisteredBy != "olivia" || shown.Claims.Actor != "olivia" || shown.Seq != run.Seq || shown.Counts.Refused != 1 {
		t.Errorf("the run is now %+v", shown)
	}
}
