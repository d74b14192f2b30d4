package server_test

import (
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
)

// scalar is the part of a P-256 key in PKCS #8 that is secret, in base64: the
// rest is the same in every key, or public.
func scalar(keyPEM string) string {
	lines := strings.Split(strings.TrimSpace(keyPEM), "\n")
	return strings.Join(lines[1:len(lines)-1], "")[48:90]
}

// traces is all that the runtime has said, logged and kept, by where.
func (r *rig) traces(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{"answers": r.raw.String(), "logs": r.Logs.String(), "metrics": string(r.must(t, nil, http.MethodGet, "/metrics", nil).body)}
	err := filepath.WalkDir(r.Dir, func(path string, d fs.DirEntry, err error) error {
		// The keys that sign and seal lie in files of their own.
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".key") {
			return err
		}
		b, err := os.ReadFile(path)
		out[filepath.Base(path)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"auditlb.db", "auditlb.db-wal"} {
		if _, ok := out[name]; !ok {
			t.Fatalf("there is no %s", name)
		}
	}
	var entries strings.Builder
	for seq := range r.newest(t).Seq + 1 {
		entries.Write(r.must(t, nil, http.MethodGet, fmt.Sprintf("/v1/entries/%d", seq), nil).body)
	}
	out["entries"] = entries.String()
	return out
}

// assertNoTrace fails when a part of a secret is anywhere.
func assertNoTrace(t *testing.T, traces map[string]string, what, secret string) {
	t.Helper()
	for where, text := range traces {
		for i := 0; i+16 <= len(secret); i++ {
			if at := strings.Index(text, secret[i:i+16]); at >= 0 {
				t.Errorf("a part of %s is in the %s: …%q…", what, where, text[max(0, at-120):min(len(text), at+60)])
				break
			}
		}
	}
}

func TestAPrivateKeyLeavesNoTraceWhereverItIsSent(t *testing.T) {
	r := start(t)
	chain, key := runtimetest.KeyPair(t, "a.example.com")
	otherChain, otherKey := runtimetest.KeyPair(t, "b.example.com")
	r.create(t, "pool/web", pool())
	r.create(t, "certificate/other", certificate(otherChain, otherKey))

	bare := strings.Join(strings.Split(strings.TrimSpace(key), "\n")[1:4], "\n") // its lines without BEGIN and END
	encrypted := strings.ReplaceAll(key, "PRIVATE KEY", "ENCRYPTED PRIVATE KEY")
	for name, body := range map[string]map[string]any{
		"chain":           {"owner": "x", "chain_pem": chain + key, "private_key_pem": key},
		"chain, first":    {"owner": "x", "chain_pem": key + chain, "private_key_pem": key},
		"chain, bare":     {"owner": "x", "chain_pem": bare + "\n" + chain, "private_key_pem": key},
		"chain, alone":    {"owner": "x", "chain_pem": key},
		"owner":           {"owner": strings.ReplaceAll(key, "\n", ""), "chain_pem": chain, "private_key_pem": key},
		"label":           {"owner": "x", "labels": map[string]string{"a": key}, "chain_pem": chain, "private_key_pem": key},
		"unknown field":   {"owner": "x", "chain_pem": chain, "private_key": key},
		"name of a field": {"owner": "x", "chain_pem": chain, key: "x"},
		"fingerprint":     {"owner": "x", "chain_pem": chain, "private_key_pem": key, "fingerprint": map[string]string{"x": key}},
		"time":            {"owner": "x", "chain_pem": chain, "private_key_pem": key, "not_after": key},
		"wrong chain":     {"owner": "x", "chain_pem": otherChain, "private_key_pem": key},
		"twice":           {"owner": "x", "chain_pem": chain, "private_key_pem": key + key},
		"encrypted":       {"owner": "x", "chain_pem": chain, "private_key_pem": encrypted},
		"broken":          {"owner": "x", "chain_pem": chain, "private_key_pem": key[:150] + "!" + key[150:]},
		"bare":            {"owner": "x", "chain_pem": chain, "private_key_pem": bare},
		"no owner":        {"chain_pem": chain, "private_key_pem": key},
	} {
		if a := r.do(t, http.MethodPut, "/v1/certificates/a", body, creating); a.status/100 != 4 {
			t.Errorf("%s: %s", name, a)
		}
	}
	// In the right place it is accepted, and stands for nothing but itself.
	r.must(t, nil, http.MethodPut, "/v1/certificates/a", certificate(chain, key), creating)
	r.must(t, nil, http.MethodGet, "/v1/certificates/a", nil)
	r.must(t, nil, http.MethodGet, "/v1/certificates/a/history?include=patch", nil)

	sendEverywhere(t, r, key, strings.ReplaceAll(strings.TrimSpace(key), "\n", " "))
	assertNoTrace(t, r.traces(t), "the key", scalar(key))
}

func TestATokenLeavesNoTraceWhereverItIsSent(t *testing.T) {
	r := start(t)
	r.create(t, "pool/web", pool())
	token := r.Tokens[identity.Admin]
	sendEverywhere(t, r, token, token)
	for role := range r.Tokens {
		assertNoTrace(t, r.traces(t), "the token of "+string(role), strings.SplitN(r.Tokens[role], "_", 3)[2])
	}
}

// sendEverywhere sends a secret, and its form in one line, wherever text can be
// sent and no secret belongs. Every call has to be refused, or not to keep it.
func sendEverywhere(t *testing.T, r *rig, secret, line string) {
	t.Helper()
	escaped := url.PathEscape(secret)
	object := func(name string, value any) map[string]any { return map[string]any{"owner": "x", name: value} }
	ticket := func(name string, value any) map[string]any {
		out := map[string]any{"title": "a change", "reason": "because", "scope": map[string]any{"addresses": []string{"*"}}}
		out[name] = value
		return out
	}
	refused := []struct {
		name, method, path string
		body               any
		option             option
	}{
		{"owner", http.MethodPut, "/v1/pools/web", object("owner", line), updating},
		{"label", http.MethodPut, "/v1/pools/web", object("labels", map[string]string{"a": line}), updating},
		{"key of a label", http.MethodPut, "/v1/pools/web", object("labels", map[string]string{line: "a"}), updating},
		{"key of a member", http.MethodPut, "/v1/pools/web", object("members", map[string]any{line: map[string]any{}}), updating},
		{"protocol", http.MethodPut, "/v1/pools/web", object("protocol", secret), updating},
		{"duration", http.MethodPut, "/v1/pools/web", object("timeouts", map[string]string{"idle": secret}), updating},
		{"path", http.MethodPut, "/v1/pools/web", object("health_check", map[string]string{"path": secret}), updating},
		{"unknown field", http.MethodPut, "/v1/pools/web", object("password", secret), updating},
		{"name of a field", http.MethodPut, "/v1/pools/web", object(secret, "x"), updating},
		{"instead of JSON", http.MethodPut, "/v1/pools/web", secret, updating},
		{"name", http.MethodPut, "/v1/pools/" + escaped, object("labels", map[string]string{}), creating},
		{"planned object", http.MethodPost, "/v1/plans", map[string]any{"kind": "pool", "name": "web", "op": "update", "object": object("owner", line)}, updating},
		{"planned name", http.MethodPost, "/v1/plans", map[string]any{"kind": "pool", "name": secret, "op": "delete"}, updating},
		{"planned kind", http.MethodPost, "/v1/plans", map[string]any{"kind": secret, "name": "web", "op": "delete"}, updating},
		{"unknown of a plan", http.MethodPost, "/v1/plans", map[string]any{"kind": "pool", "name": "web", "op": "update", "object": object("protocol", "http"), "unknown": []string{"/" + secret}}, updating},
		{"title", http.MethodPost, "/v1/tickets", ticket("title", line), updating},
		{"reason", http.MethodPost, "/v1/tickets", ticket("reason", secret), updating},
		{"URL", http.MethodPost, "/v1/tickets", ticket("url", "https://x/"+line), updating},
		{"ticket's id", http.MethodPost, "/v1/tickets", ticket("id", line), updating},
		{"scope", http.MethodPost, "/v1/tickets", ticket("scope", map[string]any{"addresses": []string{"pool/" + line}}), updating},
		{"comment", http.MethodPost, "/v1/tickets/" + r.Ticket + "/cancel", map[string]string{"comment": secret}, updating},
		{"action", http.MethodPost, "/v1/tickets/" + r.Ticket + "/" + escaped, map[string]string{}, updating},
		{"run's id", http.MethodPut, "/v1/runs/" + escaped, map[string]string{"system": "x"}, updating},
		{"claim", http.MethodPut, "/v1/runs/a", map[string]string{"system": "x", "url": line}, updating},
		{"actor", http.MethodPost, "/v1/tokens", map[string]string{"actor": line, "role": "viewer"}, as(identity.Admin)},
		{"role", http.MethodPost, "/v1/tokens", map[string]string{"actor": "x", "role": secret}, as(identity.Admin)},
		{"ticket in the path", http.MethodPost, "/v1/tickets/" + escaped + "/cancel", map[string]string{}, updating},
		{"token's id", http.MethodDelete, "/v1/tokens/" + escaped, nil, as(identity.Admin)},
		{"ticket header", http.MethodPut, "/v1/pools/web", pool(), with(api.HeaderTicket, line)},
		{"run header", http.MethodPut, "/v1/pools/web", pool(), with(api.HeaderRun, line)},
		{"idempotency key", http.MethodPut, "/v1/pools/web", pool(), with(api.HeaderIdempotencyKey, line)},
		{"precondition", http.MethodPut, "/v1/pools/web", pool(), with(api.HeaderIfMatch, line)},
		{"media type", http.MethodPut, "/v1/pools/web", pool(), with("Content-Type", line)},
		{"user agent", http.MethodPut, "/v1/pools/web", `{}`, with("User-Agent", line)},
		{"request id", http.MethodPut, "/v1/pools/web", `{}`, with(api.HeaderRequestID, strings.ReplaceAll(line, " ", ""))},
		{"bearer", http.MethodPut, "/v1/pools/web", pool(), with("Authorization", "Bearer x"+line)},
		{"query of a change", http.MethodPut, "/v1/pools/web?key=" + url.QueryEscape(secret), `{}`, updating},
		{"query", http.MethodGet, "/v1/entries?type=" + url.QueryEscape(secret), nil, updating},
		{"cursor", http.MethodGet, "/v1/entries?cursor=" + url.QueryEscape(secret), nil, updating},
	}
	for _, c := range refused {
		if a := r.do(t, c.method, c.path, c.body, c.option); a.status/100 != 4 {
			t.Errorf("%s: %s", c.name, a)
		}
	}
	r.must(t, nil, http.MethodGet, "/v1/entries?actor="+url.QueryEscape(secret), nil)
}
