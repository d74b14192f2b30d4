package server_test

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/server"
)

// startAt serves a log by a clock of the test's own.
func startAt(t *testing.T, clock *clock) *rig {
	t.Helper()
	return startOver(t, control.Options{Store: openStore(t, t.TempDir()), Now: clock.Now}, server.Options{Now: clock.Now})
}

// unknown is a token of nobody, with an id of its own.
func unknown(id int) option {
	return bearer(fmt.Sprintf("auditlb_%012x_%s", id, strings.Repeat("A", 43)))
}

// failures are the entries of those who could not be identified, oldest first.
func (r *rig) failures(t *testing.T) []api.EntryRecord {
	t.Helper()
	var list api.EntryList
	r.must(t, &list, http.MethodGet, "/v1/entries?resource=identity&limit=500", nil)
	return list.Items
}

func TestWhoIsNotWhoTheySayIsRefusedAndRecorded(t *testing.T) {
	r := start(t)
	r.create(t, "pool/web", pool())
	const nameless = "/v1/pools/web"
	secret := strings.Repeat("S", 43)
	for _, tt := range []struct {
		name    string
		options []option
		says    string
	}{
		{"nothing", []option{with("Authorization")}, "needs a token"},
		{"a token of nobody", []option{bearer("auditlb_000000000000_" + secret)}, "token/000000000000: "},
		{"the id of somebody", []option{bearer(strings.Join(strings.SplitN(r.Operator, "_", 3)[:2], "_") + "_" + secret)}, "token/" + strings.SplitN(r.Operator, "_", 3)[1]},
		{"an id of bytes that are no text", []option{bearer("auditlb_\xff\xfe\xff\xfe\xff\xfe\xff\xfe\xff\xfe\xff\xfe_" + secret)}, "is not valid"},
		{"an id that would be read as more", []option{bearer("auditlb_olivia: fine_" + secret)}, "is not valid"},
		{"two tokens", []option{with("Authorization", "Bearer "+r.Operator, "Bearer "+r.Operator)}, "needs one token"},
		{"a password", []option{with("Authorization", "Basic "+r.Operator)}, "needs one token"},
		{"an empty one", []option{with("Authorization", "Bearer ")}, "needs one token"},
		{"a token with a space", []option{bearer(" " + r.Operator)}, "is not valid"},
		{"a token and more", []option{bearer(r.Operator + "A")}, "is not valid"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before, last := r.state(t), r.newest(t).Seq
			a := r.do(t, http.MethodPut, nameless, pool("10.0.0.1:80"), append(tt.options, updating)...)
			if a.problem.Code != api.CodeUnauthenticated || a.header.Get("WWW-Authenticate") == "" {
				t.Fatalf("%s, want %s", a, api.CodeUnauthenticated)
			}
			entry := r.newest(t)
			if entry.Seq != last+1 {
				t.Fatalf("the newest entry is %d, want %d", entry.Seq, last+1)
			}
			detail := identified(t, entry, api.CodeUnauthenticated)
			if !strings.Contains(detail, tt.says) || strings.Contains(detail, secret[:20]) || strings.Contains(detail, "olivia") {
				t.Errorf("recorded as %q, want … %s …", detail, tt.says)
			}
			if after := r.state(t); after != before {
				t.Errorf("something changed:\nbefore %s\nafter  %s", before, after)
			}
		})
	}
}

// TestAFloodOfFailuresLeavesLittleAndHoldsNobodyUp: 5,000 from one source, while
// others work, and while somebody works from that very source.
func TestAFloodOfFailuresLeavesLittleAndHoldsNobodyUp(t *testing.T) {
	const flood, callers = 5000, 8
	clock := newClock()
	r := startAt(t, clock)
	r.contract.underLoad = true
	r.create(t, "pool/web", pool())
	attacker := from("127.0.0.66")
	var refused, slowed sync.Map
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := c; i < flood; i += callers {
				switch a := r.do(t, http.MethodGet, "/v1/pools", nil, unknown(i), attacker); a.status {
				case http.StatusUnauthorized:
					refused.Store(i, true)
				case http.StatusTooManyRequests:
					slowed.Store(i, a)
				default:
					t.Errorf("failure %d: %s", i, a)
				}
			}
		})
	}
	for name, where := range map[string]option{"elsewhere": from("127.0.0.2"), "the same source": attacker} {
		wg.Go(func() {
			for i := range 100 {
				if a := r.do(t, http.MethodPut, "/v1/pools/web", pool(fmt.Sprintf("10.0.0.%d:80", i+1)), updating, where); a.status != http.StatusOK {
					t.Errorf("change %d from %s: %s", i, name, a)
				}
			}
		})
	}
	wg.Go(func() {
		for i := range 5 { // is heard through the flood
			r.do(t, http.MethodGet, "/v1/pools", nil, unknown(flood+i), from("127.0.0.77"))
		}
	})
	wg.Wait()

	if n := length(&refused); n != server.FailuresAtOnce {
		t.Errorf("%d failures were answered 401, want the first %d", n, server.FailuresAtOnce)
	}
	slowed.Range(func(_, v any) bool {
		a := v.(*answer)
		if wait, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || wait != int(server.FailureEvery.Seconds()) || a.problem.Code != api.CodeTooManyFailures {
			t.Errorf("%s with Retry-After %q", a, a.header.Get("Retry-After"))
		}
		return !t.Failed()
	})
	bySource := map[string]int{}
	for _, e := range r.failures(t) {
		bySource[e.Request.SourceIP]++
	}
	if bySource["127.0.0.66"] != server.RecordedPerSource || bySource["127.0.0.77"] != 5 || len(bySource) != 2 {
		t.Errorf("recorded are %v", bySource)
	}
	clock.advance(server.RecordedPerSourceEvery)
	r.do(t, http.MethodGet, "/v1/pools", nil, unknown(1), attacker)
	said := 0
	for _, e := range r.failures(t) {
		var full api.EntryRecord
		r.must(t, &full, http.MethodGet, fmt.Sprintf("/v1/entries/%d", e.Seq), nil)
		_, rest, _ := strings.Cut(full.Body.Refusal.Detail, "(")
		n, _ := strconv.Atoi(strings.SplitN(rest, " ", 2)[0])
		said += n
	}
	if want := flood - server.RecordedPerSource; said != want {
		t.Errorf("the entries account for %d failures that were not recorded, want %d", said, want)
	}
}

func length(m *sync.Map) int {
	n := 0
	m.Range(func(any, any) bool { n++; return true })
	return n
}

// TestAnAttackFromEverywhereIsBoundedToo: on one identity, it is slowed down there.
func TestAnAttackFromEverywhereIsBoundedToo(t *testing.T) {
	clock := newClock()
	r := startAt(t, clock)
	id := strings.SplitN(r.Operator, "_", 3)[1]
	guess := bearer("auditlb_" + id + "_" + strings.Repeat("A", 43))
	for i := range server.FailuresAtOnce {
		if a := r.do(t, http.MethodGet, "/v1/pools", nil, guess, from(fmt.Sprintf("127.0.2.%d", i+1))); a.problem.Code != api.CodeUnauthenticated {
			t.Fatalf("guess %d: %s", i, a)
		}
	}
	if a := r.do(t, http.MethodGet, "/v1/pools", nil, guess, from("127.0.2.200")); a.problem.Code != api.CodeTooManyFailures {
		t.Errorf("another guess from another source: %s", a)
	}
	if a := r.do(t, http.MethodGet, "/v1/pools", nil, unknown(1), from("127.0.2.200")); a.problem.Code != api.CodeUnauthenticated {
		t.Errorf("a guess at another identity: %s", a)
	}
	r.must(t, nil, http.MethodPut, "/v1/pools/web", pool(), creating) // whose token it is
	r.must(t, nil, http.MethodGet, "/v1/whoami", nil, as(identity.Viewer))

	for source := range 20 {
		for i := range server.RecordedPerSource {
			r.do(t, http.MethodGet, "/v1/pools", nil, unknown(100*source+i), from(fmt.Sprintf("127.0.3.%d", source+1)))
		}
	}
	if n := len(r.failures(t)); n != server.RecordedAtOnce {
		t.Errorf("%d failures are recorded, want %d", n, server.RecordedAtOnce)
	}
	clock.advance(server.FailureEvery)
	if a := r.do(t, http.MethodGet, "/v1/pools", nil, guess, from("127.0.2.201")); a.problem.Code != api.CodeUnauthenticated {
		t.Errorf("after waiting: %s", a)
	}
	wait := math.Ceil(server.FailureEvery.Seconds())
	if a := r.do(t, http.MethodGet, "/v1/pools", nil, guess, from("127.0.2.202")); a.header.Get("Retry-After") != fmt.Sprint(wait) {
		t.Errorf("%s with Retry-After %q, want %v", a, a.header.Get("Retry-After"), wait)
	}
}
