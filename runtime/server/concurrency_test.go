package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

// Fifty clients change one object at what they believe is its revision.
func TestEveryRevisionHasExactlyOneWinner(t *testing.T) {
	const clients, rounds = 50, 4
	r := start(t)
	r.contract.underLoad = true
	revision := r.create(t, "pool/web", pool())
	var (
		mu      sync.Mutex // guards winners and losers
		winners = map[string]int{}
		losers  int
	)
	for round := range rounds {
		var next int64
		var wg sync.WaitGroup
		for client := range clients {
			wg.Go(func() {
				body := pool(fmt.Sprintf("10.%d.0.%d:80", round, client+1))
				a := r.do(t, http.MethodPut, "/v1/pools/web", body, with(api.HeaderIfMatch, fmt.Sprintf(`"%d"`, revision)), with(api.HeaderIdempotencyKey, uuid.NewString()))
				mu.Lock()
				defer mu.Unlock()
				switch {
				case a.status == http.StatusOK:
					winners[fmt.Sprint(revision)]++
					_, _ = fmt.Sscanf(a.header.Get("ETag"), `"%d"`, &next)
				case a.problem.Code == api.CodePreconditionFailed && a.problem.Current != nil && a.problem.Current.Actor == "olivia" && a.problem.Current.Ticket == r.Ticket && a.problem.Seq > 0:
					losers++
				default:
					t.Errorf("client %d: %s", client, a)
				}
			})
		}
		wg.Wait()
		if winners[fmt.Sprint(revision)] != 1 || next <= revision {
			t.Fatalf("revision %d has %d winners, the next is %d", revision, winners[fmt.Sprint(revision)], next)
		}
		revision = next
	}
	var history api.EntryList
	r.must(t, &history, http.MethodGet, "/v1/pools/web/history?limit=500", nil)
	applied, refused := 0, 0
	for _, e := range history.Items {
		if e.Outcome == "ok" {
			applied++
		} else if e.Code == string(api.CodePreconditionFailed) {
			refused++
		}
	}
	if applied != rounds+1 || refused != losers || losers != rounds*(clients-1) {
		t.Errorf("%d changes and %d refusals on record, %d clients lost", applied, refused, losers)
	}
}

// Everything at once, for the race detector: changes, plans, reads, refusals.
func TestManyCallersAtOnceAreAllAnswered(t *testing.T) {
	r := start(t)
	r.contract.underLoad = true
	r.create(t, "pool/web", pool())
	var wg sync.WaitGroup
	for n := range 16 {
		wg.Go(func() {
			name := fmt.Sprintf("/v1/pools/p%d", n)
			for i := range 6 {
				body := pool(fmt.Sprintf("10.0.%d.%d:80", n, i+1))
				pre := updating
				if i == 0 {
					pre = creating
				}
				r.must(t, nil, http.MethodPut, name, body, pre)
				r.must(t, nil, http.MethodPost, "/v1/plans", fmt.Sprintf(`{"kind":"pool","name":"p%d","op":"update","object":%s}`, n, body))
				r.must(t, nil, http.MethodPut, fmt.Sprintf("/v1/runs/run-%d", n), `{"system":"x"}`)
				r.must(t, nil, http.MethodGet, "/v1/pools", nil)
				r.must(t, nil, http.MethodGet, name+"/history?include=patch", nil)
				r.must(t, nil, http.MethodGet, "/readyz", nil)
				if a := r.do(t, http.MethodPut, name, `{`, updating); a.problem.Code != api.CodeInvalid {
					t.Errorf("%s", a)
				}
			}
			r.must(t, nil, http.MethodDelete, name, nil, updating)
		})
	}
	wg.Wait()
	var list api.ObjectList
	r.must(t, &list, http.MethodGet, "/v1/pools", nil)
	if len(list.Items) != 1 || list.Items[0].Name != "web" {
		t.Errorf("left over: %+v", list)
	}
	if logs := r.Logs.String(); strings.Contains(logs, "level=ERROR") {
		t.Errorf("errors in the log:\n%s", logs)
	}
}
