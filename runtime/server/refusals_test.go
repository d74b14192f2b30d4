package server_test

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/server"
)

// TestNobodyFillsTheLogWithRefusals: whoever leaves too many has to wait, and
// nobody else.
func TestNobodyFillsTheLogWithRefusals(t *testing.T) {
	r := start(t)
	r.contract.underLoad = true
	const more = 100
	var recorded, slowed atomic.Int64
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			for range (server.RefusedAtOnce + more) / 10 {
				a := r.do(t, http.MethodPut, "/v1/pools/x", `{}`, as(identity.Viewer), creating)
				switch a.problem.Code {
				case api.CodeRole:
					recorded.Add(1)
				case api.CodeTooManyFailures:
					if a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" {
						t.Errorf("slowed down with %s", a)
					}
					slowed.Add(1)
				default:
					t.Errorf("answered with %s", a)
				}
			}
		})
	}
	wg.Wait()
	// A few more come free while this takes its time.
	if n := recorded.Load(); n < server.RefusedAtOnce || slowed.Load() == 0 {
		t.Errorf("%d refusals were recorded and %d slowed down", n, slowed.Load())
	}
	r.must(t, nil, http.MethodGet, "/v1/pools", nil, as(identity.Viewer))
	r.create(t, "pool/web", pool())
}
