package browsertest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
)

var (
	absent  = map[string]string{api.HeaderIfNoneMatch: "*"}
	present = map[string]string{api.HeaderIfMatch: "*"}
)

// body reads JSON.
func body(text string) map[string]any {
	var v map[string]any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		panic(fmt.Sprintf("%v in %s", err, text))
	}
	return v
}

// objects attacks every text of every kind of object.
func (a *attacker) objects(texts map[string][][]string) {
	a.t.Helper()
	chain, key := runtimetest.KeyPair(a.t, "app.example.com")
	window := fmt.Sprintf(`"begin":%q,"end":%q`, "2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z")
	for _, kind := range []struct {
		op, path string
		role     identity.Role
		body     string
	}{
		{"putPool", "pools", "", `{"owner":"o","members":{"a":{"address":"10.0.0.1:80"}},"http_version":"2","health_check":{"type":"grpc","service":"s"},"outlier_detection":{},
			"hash_key":{"source":"header","name":"x-user"},"algorithm":"maglev","upstream_tls":{},"affinity":{"type":"cookie","name":"sid"}}`},
		{"putCertificate", "certificates", "", fmt.Sprintf(`{"owner":"o","chain_pem":%q,"private_key_pem":%q}`, chain, key)},
		{"putListener", "listeners", "", fmt.Sprintf(`{"owner":"o","address":"127.0.0.1","port":%d,"default_pool":"hostile"}`, runtimetest.FreePort(a.t))},
		{"putRoute", "routes", "", `{"owner":"o","listener":"hostile","action":{"fixed_response":{"status":503,"body":"b"}},
			"match":{"headers":{"x-a":{"type":"regex","value":"a"}},"query":{"q":{"value":"v"}}},"response_headers":{"set":{"x-b":"c"},"add":{"x-c":"d"}},"request_headers":{"set":{"x-b":"c"},"add":{"x-c":"d"}}}`},
		{"putFreeze", "freezes", identity.Admin, `{"owner":"o","reason":"r","addresses":["pool/none"],` + window + `}`},
		{"putPolicy", "policies", identity.Admin, `{"owner":"o","rules":{"a":{"when":"change.name == 'none'","require":"true","message":"m"}}}`},
	} {
		to := target{method: "PUT", path: "/v1/" + kind.path + "/hostile", role: kind.role, header: absent, body: body(kind.body)}
		a.must(to)
		to.header = present
		a.everyField(to, texts[kind.op])
		delete(texts, kind.op)
	}

	// What certificates say of themselves.
	hostileChain, hostileKey := a.certificate()
	a.must(target{method: "PUT", path: "/v1/certificates/hostile-names", header: absent, body: map[string]any{"owner": "o", "chain_pem": hostileChain, "private_key_pem": hostileKey}})

	// Rules and windows that refuse, in words of their own.
	message, literal, reason := a.keep("what a rule says"), a.keep("a text in a rule"), a.keep("what a window says")
	a.must(target{method: "PUT", path: "/v1/policies/hostile-rule", role: identity.Admin, header: absent, body: map[string]any{
		"owner": "o", "rules": map[string]any{"a": map[string]any{"when": "change.name == 'policed'", "require": strconv.Quote(literal) + " == ''", "message": message}},
	}})
	a.must(target{method: "PUT", path: "/v1/freezes/hostile-window", role: identity.Admin, header: absent, body: map[string]any{
		"owner": "o", "reason": reason, "addresses": []any{"pool/frozen"},
		"begin": time.Now().Add(-time.Hour).UTC().Format(time.RFC3339), "end": time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
	}})
	for _, name := range []string{"policed", "frozen"} {
		if a.send(target{method: "PUT", path: "/v1/pools/" + name, header: absent, body: body(`{"owner":"o"}`)}) {
			a.t.Errorf("pool/%s was not refused", name)
		}
		a.must(target{method: "POST", path: "/v1/plans", body: map[string]any{"kind": "pool", "name": name, "op": "create", "object": body(`{"owner":"o"}`)}})
	}
}

// keep is a payload that the API has to take.
func (a *attacker) keep(where string) string {
	a.kept[where] = true
	return a.payload(where)
}

// certificate makes one whose issuer and names are payloads.
func (a *attacker) certificate() (chainPEM, keyPEM string) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: a.keep("a certificate's issuer")}, DNSNames: []string{a.word("a certificate's name")},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		a.t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}

// tickets attacks everything that is said of tickets.
func (a *attacker) tickets(texts map[string][][]string) {
	a.t.Helper()
	request := body(`{"title":"a title","reason":"a reason","scope":{"addresses":["pool/*"]}}`)
	a.everyField(target{method: "POST", path: "/v1/tickets", body: request}, texts["openTicket"])
	open := func(change func(map[string]any)) string {
		req := body(`{"title":"a title","reason":"a reason","scope":{"addresses":["pool/*"]}}`)
		req["id"] = "CHG-" + uuid.NewString()[:8]
		change(req)
		a.must(target{method: "POST", path: "/v1/tickets", body: req})
		return req["id"].(string)
	}
	draft := open(func(req map[string]any) { req["draft"] = true })
	a.everyField(target{method: "PUT", path: "/v1/tickets/" + draft, body: request}, texts["amendTicket"])
	for i, script := range []string{"javascript:__xss=1", "JaVaScRiPt:__xss=1//", "data:text/html,<script>__xss=1</script>", "//evil.example/", `https://a"onmouseover="__xss=1`} {
		req := body(`{"title":"a title","reason":"a reason","scope":{"addresses":["pool/*"]}}`)
		req["url"], req["id"] = script, fmt.Sprintf("CHG-URL-%d", i)
		a.send(target{method: "POST", path: "/v1/tickets", body: req})
	}
	act := func(id, action string, role identity.Role) {
		a.must(target{method: "POST", path: "/v1/tickets/" + id + "/" + action, role: role, body: map[string]any{"comment": a.keep("a comment to " + action)}})
	}
	closed := open(func(map[string]any) {})
	act(closed, "approve", identity.Approver)
	act(closed, "close", identity.Operator)
	act(open(func(map[string]any) {}), "reject", identity.Approver)
	act(open(func(map[string]any) {}), "cancel", identity.Operator)
	act(open(func(req map[string]any) { req["type"] = "emergency" }), "review", identity.Approver)
	a.send(target{method: "POST", path: "/v1/tickets/" + open(func(map[string]any) {}) + "/approve", role: identity.Approver, body: map[string]any{"effects_digest": a.payload("an approver's digest")}})
	for _, op := range []string{"openTicket", "amendTicket", "actOnTicket"} {
		delete(texts, op)
	}

	// What another system says of a ticket that lives there.
	for i, address := range []string{"javascript:__xss=1", a.payload("another system's URL")} {
		a.tracker.says(map[string]any{
			"state": "approved", "type": "normal", "title": a.keep("another system's title"), "reason": a.keep("another system's reason"), "url": address,
			"requester": a.payload("another system's requester"), "approvers": a.payload("another system's approver"),
		})
		a.send(target{method: "PUT", path: "/v1/pools/hostile", header: map[string]string{api.HeaderIfMatch: "*", api.HeaderTicket: fmt.Sprintf("EXT-%d", i+1)}, body: body(`{"owner":"o"}`)})
	}
	a.tracker.says(map[string]any{"state": a.payload("another system's state"), "title": "t"})
	a.send(target{method: "PUT", path: "/v1/pools/hostile", header: map[string]string{api.HeaderIfMatch: "*", api.HeaderTicket: "EXT-9"}, body: body(`{"owner":"o"}`)})
}

// runs attacks what runs say of themselves, and what is done in them.
func (a *attacker) runs(texts map[string][][]string) (workspace string) {
	a.t.Helper()
	id := a.word("a run's id")
	path := "/v1/runs/" + url.PathEscape(id)
	a.everyField(target{method: "PUT", path: path, body: body(`{"system":"github","workspace":"w","url":"https://ci.example.com/1"}`)}, texts["putRun"])
	a.must(target{method: "PUT", path: "/v1/runs/hostile-url", body: body(`{"system":"github","url":"javascript:__xss=1"}`)})
	workspace = a.keep("a workspace")
	a.must(target{method: "PUT", path: path, body: map[string]any{"system": "github", "workspace": workspace}})

	within := map[string]string{api.HeaderIfNoneMatch: "*", api.HeaderRun: id}
	a.must(target{method: "PUT", path: "/v1/pools/adrift", header: within, body: map[string]any{"owner": a.keep("an owner, before drift")}})
	a.must(target{method: "PUT", path: "/v1/pools/adrift", header: present, body: map[string]any{"owner": a.keep("an owner, after drift")}})
	a.everyField(target{method: "POST", path: "/v1/plans", header: map[string]string{api.HeaderRun: id}, body: map[string]any{
		"kind": "pool", "name": "planned-hostile", "op": "create", "object": map[string]any{"owner": a.keep("an owner, planned")},
	}}, texts["plan"])
	bound := map[string]any{"title": "a title", "reason": "a reason", "run": id, "id": "CHG-BOUND"}
	a.must(target{method: "POST", path: "/v1/tickets", body: bound})
	a.everyField(target{method: "PUT", path: "/v1/run-addresses/" + url.PathEscape(id), body: body(`{"addresses":{"pool/adrift":"auditlb_pool.adrift"}}`)}, texts["putRunAddresses"])
	revision := a.Entries(a.t, api.EntryQuery{Resource: "pool/adrift", Type: "apply"})[0].Seq
	a.everyField(target{method: "POST", path: "/v1/drift/sightings", header: map[string]string{api.HeaderRun: id}, body: map[string]any{"address": "pool/adrift", "base": revision}}, texts["seeDrift"])
	a.everyField(target{method: "POST", path: "/v1/drift/acceptances", body: map[string]any{
		"address": "pool/adrift", "workspace": workspace, "reason": "it may stay", "until": time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
	}}, texts["acceptDrift"])
	a.everyField(target{method: "POST", path: "/v1/rollbacks", body: body(`{"resource":"pool/adrift","dry_run":true}`)}, texts["rollBack"])
	for _, op := range []string{"putRun", "plan", "putRunAddresses", "seeDrift", "acceptDrift", "rollBack"} {
		delete(texts, op)
	}
	return workspace
}

// callers attacks what is known of who calls.
func (a *attacker) callers(texts map[string][][]string) {
	a.t.Helper()
	a.everyField(target{method: "POST", path: "/v1/tokens", role: identity.Admin, body: body(`{"actor":"tom","role":"viewer"}`)}, texts["createToken"])
	delete(texts, "createToken")
	delete(texts, "openSession")
	a.send(target{method: "POST", path: "/v1/sessions", body: map[string]any{"token": a.payload("an identity provider's token")}})

	claims := a.tracker.issuer.GitHubClaims(runtimetest.Audience)
	for _, name := range []string{"sub", "actor", "environment", "event_name", "head_ref", "base_ref", "job_workflow_ref", "ref", "workflow", "workflow_ref", "run_attempt", "sha", "repository", "run_id"} {
		hostile := a.tracker.issuer.GitHubClaims(runtimetest.Audience)
		hostile[name] = a.payload("a claim: " + name)
		a.login(hostile)
		if !slices.Contains([]string{"repository", "run_id", "run_attempt", "sub"}, name) {
			claims[name] = a.payload("a claim, with all others: " + name)
		}
	}
	a.login(claims)

	put := target{method: "PUT", path: "/v1/pools/hostile", body: body(`{"owner":"o"}`)}
	for name, value := range map[string]string{
		"User-Agent": a.keep("a user agent"), api.HeaderRequestID: a.word("a request's id"), api.HeaderTicket: a.payload("a ticket's id"), api.HeaderRun: a.word("the id of a run that is none"),
		api.HeaderIdempotencyKey: a.payload("an idempotency key"), api.HeaderIfMatch: a.payload("a precondition"), "Content-Type": a.payload("a content type"),
		"Authorization": "Bearer " + a.word("a token"), "Host": "evil.example",
	} {
		put.header = map[string]string{api.HeaderIfMatch: "*", name: value}
		put.body["labels"] = map[string]any{"n": uuid.NewString()} // what changes nothing leaves no entry
		a.send(put)
	}
	put.header = absent
	for _, path := range []string{"/v1/pools/", "/v1/tickets/", "/v1/runs/a/", "/v1/"} {
		put.path = path + url.PathEscape(a.word("a path: "+path))
		a.send(put)
	}
}

// login exchanges a token for a session and uses it.
func (a *attacker) login(claims map[string]any) {
	a.t.Helper()
	c := a.Client(a.t, anonymous)
	s, err := c.OpenSession(a.t.Context(), api.Secret(a.tracker.issuer.Sign(claims)))
	if err != nil {
		return // it is recorded
	}
	a.secrets["session"] = s.Secret
	if run := s.Identity.Run; run != nil {
		a.send(target{method: "PUT", path: "/v1/runs/" + url.PathEscape(run.ID), role: "session", body: body(`{"system":"github"}`)})
	}
	a.send(target{method: "PUT", path: "/v1/pools/by-" + strings.ToLower(uuid.NewString()[:8]), role: "session", header: absent, body: body(`{"owner":"o"}`)})
}
