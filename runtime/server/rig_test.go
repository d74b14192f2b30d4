package server_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
)

// rig is a running runtime and a client that holds every call to the OpenAPI
// document.
type rig struct {
	*runtimetest.Runtime
	contract *contract
	// raw is every answer's header and body.
	raw runtimetest.Buffer
}

func start(t *testing.T, opts ...runtimetest.Option) *rig {
	t.Helper()
	r := &rig{Runtime: runtimetest.Start(t, opts...)}
	r.contract = newContract(t, r.Endpoint, r.CAPEM)
	return r
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
	// problem is set when the answer is one.
	problem api.Problem
}

func (a *answer) String() string { return fmt.Sprintf("%d %s", a.status, a.body) }

// option changes a request before it is sent.
type option func(*rig, *http.Request)

func as(role identity.Role) option {
	return func(r *rig, req *http.Request) { req.Header.Set("Authorization", "Bearer "+r.Tokens[role]) }
}

// bearer makes a call with a secret of one's own.
func bearer(secret string) option { return with("Authorization", "Bearer "+secret) }

// with sets a header to values; none removes it.
func with(name string, values ...string) option {
	return func(_ *rig, req *http.Request) {
		req.Header.Del(name)
		for _, v := range values {
			req.Header.Add(name, v)
		}
	}
}

var (
	creating = with(api.HeaderIfNoneMatch, "*")
	updating = with(api.HeaderIfMatch, "*")
)

// do makes a call in olivia's name under the ticket that permits everything.
// A body that is not a string is sent as JSON.
func (r *rig) do(t testing.TB, method, path string, body any, options ...option) *answer {
	t.Helper()
	var content io.Reader
	switch body := body.(type) {
	case nil:
	case string:
		content = strings.NewReader(body)
	default:
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		content = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, r.Endpoint+path, content)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+r.Operator)
	if method != http.MethodGet {
		req.Header.Set(api.HeaderTicket, r.Ticket)
	}
	if body != nil {
		req.Header.Set("Content-Type", api.ContentJSON)
	}
	for _, o := range options {
		o(r, req)
	}
	return r.send(t, req)
}

func (r *rig) send(t testing.TB, req *http.Request) *answer {
	t.Helper()
	resp, err := (&http.Client{Transport: r.contract}).Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", req.Method, req.URL.Path, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", req.Method, req.URL.Path, err)
	}
	_ = resp.Header.Write(&r.raw)
	_, _ = r.raw.Write(b)
	a := &answer{status: resp.StatusCode, header: resp.Header, body: b}
	if resp.Header.Get("Content-Type") == api.ContentProblem {
		if err := json.Unmarshal(b, &a.problem, json.RejectUnknownMembers(true)); err != nil {
			t.Fatalf("%s %s: the problem is not one: %v\n%s", req.Method, req.URL.Path, err, b)
		}
		if a.problem.RequestID == "" || a.problem.RequestID != resp.Header.Get(api.HeaderRequestID) || a.problem.Status != a.status || a.problem.Detail == "" {
			t.Fatalf("%s %s: the problem is incomplete: %s", req.Method, req.URL.Path, a)
		}
	}
	return a
}

// must is do for calls that have to succeed. It reads the answer into out.
func (r *rig) must(t testing.TB, out any, method, path string, body any, options ...option) *answer {
	t.Helper()
	a := r.do(t, method, path, body, options...)
	if a.status/100 != 2 {
		t.Fatalf("%s %s: %s", method, path, a)
	}
	if out != nil {
		if err := json.Unmarshal(a.body, out, json.RejectUnknownMembers(true)); err != nil {
			t.Fatalf("%s %s: %v\n%s", method, path, err, a.body)
		}
	}
	return a
}

// create makes an object and returns its revision.
func (r *rig) create(t testing.TB, address string, body any) int64 {
	t.Helper()
	var obj api.Object
	r.must(t, &obj, http.MethodPut, pathOf(t, address), body, creating)
	return obj.Revision
}

// pathOf is the path of an object.
func pathOf(t testing.TB, address string) string {
	t.Helper()
	at, err := lb.ParseAddress(address)
	if err != nil {
		t.Fatal(err)
	}
	return "/v1/" + at.Kind.Plural() + "/" + at.Name
}

// newest is the log's last entry.
func (r *rig) newest(t testing.TB) api.EntryRecord {
	t.Helper()
	var list api.EntryList
	r.must(t, &list, http.MethodGet, "/v1/entries?limit=1", nil)
	var full api.EntryRecord
	r.must(t, &full, http.MethodGet, fmt.Sprintf("/v1/entries/%d", list.Items[0].Seq), nil)
	return full
}

// state is everything that a refused call must leave as it is.
func (r *rig) state(t testing.TB) string {
	t.Helper()
	var b strings.Builder
	for _, path := range []string{
		"/v1/pools", "/v1/listeners", "/v1/routes", "/v1/certificates", "/v1/freezes", "/v1/policies", "/v1/tickets", "/v1/runs", "/readyz",
	} {
		b.Write(r.must(t, nil, http.MethodGet, path, nil).body)
	}
	for _, token := range r.tokens(t) {
		fmt.Fprintf(&b, "%+v\n", token)
	}
	return b.String()
}

// tokens are the tokens there are, without when they were last used: that changes
// with every call.
func (r *rig) tokens(t testing.TB) []api.Token {
	t.Helper()
	var list api.TokenList
	r.must(t, &list, http.MethodGet, "/v1/tokens", nil, as(identity.Admin))
	for i := range list.Items {
		list.Items[i].LastUsed = time.Time{}
	}
	return list.Items
}

// Bodies of small valid objects.
func pool(members ...string) string {
	var parts []string
	for i, address := range members {
		parts = append(parts, fmt.Sprintf(`"m%d":{"address":%q}`, i, address))
	}
	return `{"owner":"team-web","members":{` + strings.Join(parts, ",") + `}}`
}

func listener(port int, more string) string {
	return fmt.Sprintf(`{"owner":"team-edge","address":"127.0.0.1","port":%d%s}`, port, more)
}

func route(listener, pool string) string {
	return fmt.Sprintf(`{"owner":"team-web","listener":%q,"action":{"forward":{%q:{}}}}`, listener, pool)
}

func certificate(chain, key string) map[string]any {
	return map[string]any{"owner": "team-tls", "chain_pem": chain, "private_key_pem": key}
}
