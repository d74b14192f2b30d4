package server_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
)

// badCall is a call that has to be refused.
type badCall struct {
	name         string
	method, path string
	body         any
	options      []option
	code         api.Code
	// pointer is where the problem points, if it does.
	pointer string
	// unrecorded marks refusals that leave no entry: reads, and what is no call.
	unrecorded bool
}

// runBadCalls makes each call and holds: the code and its status, the pointer,
// an entry that names who tried and why it was refused, and nothing changed.
func runBadCalls(t *testing.T, r *rig, calls []badCall) {
	t.Helper()
	for _, c := range calls {
		t.Run(c.name, func(t *testing.T) {
			before, last := r.state(t), r.newest(t).Seq
			a := r.do(t, c.method, c.path, c.body, c.options...)
			if a.problem.Code != c.code || a.status != api.Statuses[c.code] || a.status/100 == 2 {
				t.Fatalf("%s, want %s", a, c.code)
			}
			if c.pointer != "" && (len(a.problem.Violations) == 0 || a.problem.Violations[0].Pointer != c.pointer) {
				t.Errorf("violations %q, want one at %s", a.problem.Violations, c.pointer)
			}
			if after := r.state(t); after != before {
				t.Errorf("something changed:\nbefore %s\nafter  %s", before, after)
			}
			entry := r.newest(t)
			if c.unrecorded {
				if entry.Seq != last {
					t.Errorf("left entry %d: %+v", entry.Seq, entry)
				}
				return
			}
			checkRefusal(t, entry, a, last+1, "olivia")
		})
	}
}

// checkRefusal holds the entry of a refusal to its answer.
func checkRefusal(t *testing.T, entry api.EntryRecord, a *answer, seq int64, actor string) {
	t.Helper()
	if entry.Seq != seq || a.problem.Seq != seq {
		t.Fatalf("the newest entry is %d and the answer names %d, want %d: %s", entry.Seq, a.problem.Seq, seq, a)
	}
	if entry.Type != "reject" || entry.Outcome != "refused" || entry.Code != string(a.problem.Code) || entry.Actor.Name != actor || entry.Actor.Credential == "" {
		t.Errorf("entry is %+v, want the refusal of %s", entry.Entry, actor)
	}
	if entry.Request == nil || entry.Request.ID != a.problem.RequestID || entry.Request.SourceIP != "127.0.0.1" {
		t.Errorf("entry's request is %+v, want %s", entry.Request, a.problem.RequestID)
	}
	if entry.Body == nil || entry.Body.Refusal == nil || entry.Body.Refusal.Detail != a.problem.Detail {
		t.Errorf("entry's body is %+v, want why it was refused", entry.Body)
	}
}

func TestBadObjectsAreRefusedAtTheFieldAndNothingChanges(t *testing.T) {
	r := start(t)
	chain, key := runtimetest.KeyPair(t, "a.example.com")
	_, otherKey := runtimetest.KeyPair(t, "b.example.com")
	port, taken := runtimetest.FreePort(t), runtimetest.FreePort(t)
	r.create(t, "pool/web", pool("10.0.0.1:80"))
	r.create(t, "pool/db", `{"owner":"dba","protocol":"tcp"}`)
	r.create(t, "certificate/a", certificate(chain, key))
	r.create(t, "listener/edge", listener(taken, `,"default_pool":"web"`))
	r.create(t, "route/shop", route("edge", "web"))

	const put, web = http.MethodPut, "/v1/pools/web"
	update := []option{updating}
	create := []option{creating}
	pem := func(chain, key string) any { return certificate(chain, key) }
	runBadCalls(t, r, []badCall{
		{"unknown field", put, web, `{"owner":"x","colour":"red"}`, update, api.CodeInvalid, "/colour", false},
		{"unknown field of a member", put, web, `{"owner":"x","members":{"a":{"address":"a:1","wait":1}}}`, update, api.CodeInvalid, "/members/a/wait", false},
		{"wrong type", put, web, `{"owner":1}`, update, api.CodeInvalid, "/owner", false},
		{"null", put, web, `{"owner":"x","members":null}`, update, api.CodeInvalid, "/members", false},
		{"repeated field", put, web, `{"owner":"x","owner":"y"}`, update, api.CodeInvalid, "/owner", false},
		{"bad UTF-8", put, web, "{\"owner\":\"\xff\"}", update, api.CodeInvalid, "/owner", false},
		{"not JSON", put, web, `owner = "x"`, update, api.CodeInvalid, "", false},
		{"nothing", put, web, "", update, api.CodeInvalid, "", false},
		{"name inside", put, web, `{"owner":"x","name":"web"}`, update, api.CodeInvalid, "/name", false},
		{"out of bounds", put, web, `{"owner":"x","members":{"a":{"address":"a:1","weight":1000}}}`, update, api.CodeInvalid, "/members/a/weight", false},
		{"not a duration", put, web, `{"owner":"x","timeouts":{"connect":"soon"}}`, update, api.CodeInvalid, "/timeouts/connect", false},
		{"huge object", put, web, `{"owner":"` + strings.Repeat("x", 1<<20) + `"}`, update, api.CodeInvalid, "", false},
		{"many things wrong", put, web, `{"owner":"x","members":{` + strings.Repeat(" ", 10) + manyBadMembers(5000) + `}}`, update, api.CodeInvalid, "/members/m0/address", false},
		{"bad PEM", put, "/v1/certificates/a", pem("hello", key), update, api.CodeInvalid, "/chain_pem", false},
		{"chain with text in it", put, "/v1/certificates/a", pem("hello\n"+chain, key), update, api.CodeInvalid, "/chain_pem", false},
		{"bad key", put, "/v1/certificates/a", pem(chain, "hello"), update, api.CodeInvalid, "/private_key_pem", false},
		{"key of another chain", put, "/v1/certificates/a", pem(chain, otherKey), update, api.CodeInvalid, "/private_key_pem", false},
		{"new certificate without a key", put, "/v1/certificates/b", map[string]string{"owner": "x", "chain_pem": chain}, create, api.CodeInvalid, "/private_key_pem", false},
		{"same address and port", put, "/v1/listeners/other", listener(taken, ""), create, api.CodeAddressInUse, "/port", false},
		{"every address on the same port", put, "/v1/listeners/other", `{"owner":"x","port":` + itoa(taken) + `}`, create, api.CodeAddressInUse, "/port", false},
		{"the same address as IPv6", put, "/v1/listeners/other", `{"owner":"x","address":"::ffff:127.0.0.1","port":` + itoa(taken) + `}`, create, api.CodeAddressInUse, "/port", false},
		{"address of another machine", put, "/v1/listeners/other", `{"owner":"x","address":"192.0.2.1","port":` + itoa(port) + `}`, create, api.CodeAddressUnavailable, "/port", false},
		{"pool that is not there", put, "/v1/listeners/other", listener(port, `,"default_pool":"gone"`), create, api.CodeReferenceMissing, "/default_pool", false},
		{"certificate that is not there", put, "/v1/listeners/other", listener(port, `,"protocol":"https","certificates":["a","gone"]`), create, api.CodeReferenceMissing, "/certificates/1", false},
		{"pool of the wrong protocol", put, "/v1/listeners/other", listener(port, `,"default_pool":"db"`), create, api.CodeReferenceUnsuited, "/default_pool", false},
		{"protocol that others rely on", put, web, `{"owner":"x","protocol":"tcp"}`, update, api.CodeReferenceUnsuited, "/protocol", false},
		{"route to nothing", put, "/v1/routes/other", route("edge", "gone"), create, api.CodeReferenceMissing, "/action/forward/gone", false},
		{"route of no listener", put, "/v1/routes/other", route("gone", "web"), create, api.CodeReferenceMissing, "/listener", false},
		{"deletion of a pool in use", http.MethodDelete, web, nil, update, api.CodeReferenced, "", false},
		{"deletion of a listener in use", http.MethodDelete, "/v1/listeners/edge", nil, update, api.CodeReferenced, "", false},
		{"deletion of nothing", http.MethodDelete, "/v1/pools/gone", nil, update, api.CodeNotFound, "", false},
	})
	a := r.do(t, http.MethodDelete, web, nil, updating)
	if got := strings.Join(a.problem.Referents, " "); got != "listener/edge route/shop" {
		t.Errorf("referents are %q", got)
	}
}

func itoa(n int) string { return strconv.Itoa(n) }

// manyBadMembers have long addresses that are none.
func manyBadMembers(n int) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = `"m` + itoa(i) + `":{"address":"` + strings.Repeat(`\"`, 40) + `"}`
	}
	return strings.Join(parts, ",")
}

func TestBadCallsAreRefusedAndNothingChanges(t *testing.T) {
	r := start(t)
	r.create(t, "pool/web", pool())
	const put, get, post, web = http.MethodPut, http.MethodGet, http.MethodPost, "/v1/pools/web"
	opts := func(o ...option) []option { return o }
	header := func(name string, values ...string) []option { return opts(updating, with(name, values...)) }
	ok := pool("10.0.0.1:80")
	long := strings.Repeat("x", 200)
	runBadCalls(t, r, []badCall{
		{"huge body", put, web, strings.Repeat(" ", 2<<20), header("X"), api.CodeTooLarge, "", false},
		{"no media type", put, web, ok, header("Content-Type"), api.CodeMediaType, "", false},
		{"wrong media type", put, web, ok, header("Content-Type", "text/json"), api.CodeMediaType, "", false},
		{"bad name", put, "/v1/pools/Web", ok, opts(creating), api.CodeInvalid, "/name", false},
		{"bad name to delete", http.MethodDelete, "/v1/pools/a%20b", nil, opts(updating), api.CodeInvalid, "/name", false},
		{"name with a slash", put, "/v1/pools/a%2Fb", ok, opts(creating), api.CodeInvalid, "/name", false},
		{"name that is not UTF-8", put, "/v1/pools/%ff%00%0a", ok, opts(creating), api.CodeInvalid, "/name", false},
		{"name that climbs", put, "/v1/pools/%2e%2e", ok, opts(creating), api.CodeInvalid, "/name", false},
		{"long name", put, "/v1/pools/" + strings.Repeat(long, 50), ok, opts(creating), api.CodeInvalid, "/name", false},
		{"bad name to read", get, "/v1/pools/Web", nil, nil, api.CodeNotFound, "", true},
		{"no precondition", put, web, ok, nil, api.CodePreconditionNeeded, "", false},
		{"no precondition to delete", http.MethodDelete, web, nil, nil, api.CodePreconditionNeeded, "", false},
		{"revision without quotes", put, web, ok, header(api.HeaderIfMatch, "12"), api.CodeMalformed, "", false},
		{"weak revision", put, web, ok, header(api.HeaderIfMatch, `W/"12"`), api.CodeMalformed, "", false},
		{"revision 0", put, web, ok, header(api.HeaderIfMatch, `"0"`), api.CodeMalformed, "", false},
		{"revision with a zero before", put, web, ok, header(api.HeaderIfMatch, `"012"`), api.CodeMalformed, "", false},
		{"list of revisions", put, web, ok, header(api.HeaderIfMatch, `"1", "2"`), api.CodeMalformed, "", false},
		{"two revisions", put, web, ok, header(api.HeaderIfMatch, `"1"`, `"2"`), api.CodeMalformed, "", false},
		{"both preconditions", put, web, ok, opts(updating, creating), api.CodeMalformed, "", false},
		{"creation only if not at a revision", put, web, ok, opts(with(api.HeaderIfNoneMatch, `"12"`)), api.CodeMalformed, "", false},
		{"deletion of what must not exist", http.MethodDelete, web, nil, opts(creating), api.CodeMalformed, "", false},
		{"creation of what exists", put, web, ok, opts(creating), api.CodePreconditionFailed, "", false},
		{"update of what does not exist", put, "/v1/pools/gone", ok, opts(updating), api.CodePreconditionFailed, "", false},
		{"update of another revision", put, web, ok, header(api.HeaderIfMatch, `"1"`), api.CodePreconditionFailed, "", false},
		{"idempotency key", put, web, ok, header(api.HeaderIdempotencyKey, "again"), api.CodeIdempotencyKey, "", false},
		{"idempotency key in braces", put, web, ok, header(api.HeaderIdempotencyKey, "{"+uuid.NewString()+"}"), api.CodeIdempotencyKey, "", false},
		{"two idempotency keys", put, web, ok, header(api.HeaderIdempotencyKey, uuid.NewString(), uuid.NewString()), api.CodeMalformed, "", false},
		{"two tickets", put, web, ok, header(api.HeaderTicket, r.Ticket, "CHG-1"), api.CodeMalformed, "", false},
		{"run that is not registered", put, web, ok, header(api.HeaderRun, "run-1"), api.CodeRunUnknown, "", false},
		{"run with control characters", put, web, ok, header(api.HeaderRun, "a\tb"), api.CodeRunUnknown, "", false},
		{"run's id", put, "/v1/runs/a%0ab", `{"system":"x"}`, nil, api.CodeInvalid, "/id", false},
		{"run's id that is not UTF-8", put, "/v1/runs/%ff", `{"system":"x"}`, nil, api.CodeInvalid, "/id", false},
		{"run's id that is empty", put, "/v1/runs/", `{"system":"x"}`, nil, api.CodeInvalid, "/id", false},
		{"run's id that is long", put, "/v1/runs/" + long + "x", `{"system":"x"}`, nil, api.CodeInvalid, "/id", false},
		{"run's claim", put, "/v1/runs/a", `{"system":"x","url":"a\u001b[31m"}`, nil, api.CodeInvalid, "/url", false},
		{"run without a system", put, "/v1/runs/a", `{}`, nil, api.CodeInvalid, "/system", false},
		{"plan of no kind", post, "/v1/plans", `{"kind":"gateway","name":"a","op":"delete"}`, nil, api.CodeInvalid, "/kind", false},
		{"plan of a bad object", post, "/v1/plans", `{"kind":"pool","name":"a","op":"create","object":{"owner":5}}`, nil, api.CodeInvalid, "/object/owner", false},
		{"plan without an object", post, "/v1/plans", `{"kind":"pool","name":"a","op":"create"}`, nil, api.CodeInvalid, "/object", false},
		{"plan that hides a value", post, "/v1/plans", `{"kind":"pool","name":"a","op":"create","object":{"owner":"x","labels":{"a":"b\u0000"}},"unknown":["/labels/a/x"]}`, nil, api.CodeInvalid, "/unknown/0", false},
		{"ticket that says nothing", post, "/v1/tickets", `{"title":"...","reason":"because","scope":{"addresses":["*"]}}`, nil, api.CodeInvalid, "/title", false},
		{"ticket's long id", post, "/v1/tickets", `{"id":"` + strings.Repeat(long, 500) + `","title":"abc","reason":"because","scope":{"addresses":["*"]}}`, nil, api.CodeInvalid, "/id", false},
		{"ticket's long type", post, "/v1/tickets", `{"type":"` + strings.Repeat(long, 500) + `","title":"abc","reason":"because","scope":{"addresses":["*"]}}`, nil, api.CodeInvalid, "/type", false},
		{"ticket's many operations", post, "/v1/tickets", `{"title":"abc","reason":"because","scope":{"addresses":["*"],"operations":["x"` + strings.Repeat(`,"x"`, 100_000) + `]}}`, nil, api.CodeInvalid, "/scope/operations", false},
		{"ticket without end", post, "/v1/tickets", `{"title":"abc","reason":"because","scope":{"addresses":["*"]},"not_before":"9999-12-31T23:59:59Z"}`, nil, api.CodeInvalid, "/not_after", false},
		{"ticket's action", post, "/v1/tickets/" + r.Ticket + "/frobnicate", `{}`, nil, api.CodeNotFound, "", false},
		{"action on no ticket", post, "/v1/tickets/%ff/cancel", `{}`, nil, api.CodeNotFound, "", false},
		{"comment with an escape sequence", post, "/v1/tickets/" + r.Ticket + "/cancel", `{"comment":"\u001b[2J"}`, nil, api.CodeInvalid, "/comment", false},
		{"patch", http.MethodPatch, web, ok, opts(updating), api.CodeMethod, "", true},
		{"post to a pool", post, web, ok, opts(updating), api.CodeMethod, "", true},
		{"unknown path", get, "/v2/pools", nil, nil, api.CodeNotFound, "", true},
		{"path that is not clean", put, "/v1//pools/web", ok, opts(updating), api.CodeNotFound, "", true},
		{"path that climbs", put, "/v1/runs/../pools/web", ok, opts(updating), api.CodeNotFound, "", true},
		{"page size", get, "/v1/pools?limit=0", nil, nil, api.CodeMalformed, "", true},
		{"large page size", get, "/v1/entries?limit=501", nil, nil, api.CodeMalformed, "", true},
		{"cursor", get, "/v1/entries?cursor=x", nil, nil, api.CodeMalformed, "", true},
		{"negative cursor", get, "/v1/runs?cursor=-1", nil, nil, api.CodeMalformed, "", true},
		{"time", get, "/v1/entries?since=yesterday", nil, nil, api.CodeMalformed, "", true},
		{"type of entry", get, "/v1/entries?type=gossip", nil, nil, api.CodeMalformed, "", true},
		{"what to include", get, "/v1/pools/web/history?include=everything", nil, nil, api.CodeMalformed, "", true},
		{"state of tickets", get, "/v1/tickets?state=lost", nil, nil, api.CodeMalformed, "", true},
		{"entry that is none", get, "/v1/entries/x", nil, nil, api.CodeNotFound, "", true},
		{"entry that is not there", get, "/v1/entries/999999", nil, nil, api.CodeNotFound, "", true},
		{"run that is not there", get, "/v1/runs/%ff", nil, nil, api.CodeNotFound, "", true},
		{"ticket that is not there", get, "/v1/tickets/CHG-0", nil, nil, api.CodeNotFound, "", true},
	})
}
