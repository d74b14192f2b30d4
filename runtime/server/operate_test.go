package server_test

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
)

func TestHealthReadinessAndMetrics(t *testing.T) {
	r := start(t)
	revision := r.create(t, "pool/web", pool())
	r.do(t, http.MethodGet, "/v1/pools", nil, with("Authorization"))
	if a := r.must(t, nil, http.MethodGet, "/healthz", nil, with("Authorization")); string(a.body) != "ok\n" || a.header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("healthz: %s", a)
	}
	var ready api.Readiness
	if r.must(t, &ready, http.MethodGet, "/readyz", nil, with("Authorization")); !ready.Ready || ready.Revision != revision || len(ready.Problems) != 0 {
		t.Errorf("readyz: %+v, want revision %d", ready, revision)
	}
	metrics := string(r.must(t, nil, http.MethodGet, "/metrics", nil, with("Authorization")).body)
	for _, line := range []string{
		`auditlb_api_calls_total{operation="putPool",status="201"} 1`,
		`auditlb_api_calls_total{operation="listPools",status="401"} 1`,
		`auditlb_api_unauthenticated_total 1`,
		`auditlb_api_call_duration_seconds_count{operation="putPool"} 1`,
		`auditlb_log_entries_total `, `auditlb_log_commit_failures_total 0`, `auditlb_log_commit_entries_count `, `auditlb_log_commit_duration_seconds_count `,
		`go_goroutines `, `process_open_fds `,
	} {
		if !strings.Contains(metrics, "\n"+line) {
			t.Errorf("metrics have no %s", line)
		}
	}
	// What a caller sends never becomes a label: labels stay few.
	for range 20 {
		r.do(t, "BREW", "/v1/pots/x", nil)
	}
	if again := string(r.must(t, nil, http.MethodGet, "/metrics", nil).body); strings.Contains(again, "BREW") || strings.Contains(again, "pots") {
		t.Error("metrics have what a caller sent")
	}
}

func TestTheCheckpointOpensWithTheLogsPublicKey(t *testing.T) {
	r := start(t)
	r.create(t, "pool/web", pool())
	size := r.newest(t).Seq + 1
	text := r.must(t, nil, http.MethodGet, "/tlog/checkpoint", nil, with("Authorization")).body
	key, err := os.ReadFile(r.Daemon.PublicKeyFile())
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(strings.TrimSpace(string(key)))
	if err != nil {
		t.Fatal(err)
	}
	checkpoint, err := audit.OpenCheckpoint(text, verifier)
	if err != nil || checkpoint.Size != size {
		t.Errorf("%+v, %v, want size %d", checkpoint, err, size)
	}
	forged := strings.Replace(string(text), "\n", "\n1", 1)
	if _, err := audit.OpenCheckpoint([]byte(forged), verifier); err == nil {
		t.Error("a changed checkpoint opens too")
	}
}

func TestAnswersAreNotKeptOrGuessedAt(t *testing.T) {
	r := start(t)
	for _, path := range []string{"/v1/pools", "/v1/whoami", "/v1/nothing"} {
		a := r.do(t, http.MethodGet, path, nil)
		if a.header.Get("Cache-Control") != "no-store" || a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get(api.HeaderRequestID) == "" {
			t.Errorf("%s: %v", path, a.header)
		}
	}
	for sent, kept := range map[string]bool{"my-request/1": true, strings.Repeat("x", 64): true, strings.Repeat("x", 65): false, "a b": false, "ä": false} {
		if a := r.do(t, http.MethodGet, "/v1/pools", nil, with(api.HeaderRequestID, sent)); (a.header.Get(api.HeaderRequestID) == sent) != kept {
			t.Errorf("request id %q came back as %q", sent, a.header.Get(api.HeaderRequestID))
		}
	}
}
