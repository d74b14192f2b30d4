package server_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func (r *rig) entries(t testing.TB, path string) []api.EntryRecord {
	t.Helper()
	var list api.EntryList
	r.must(t, &list, http.MethodGet, path, nil)
	return list.Items
}

// revisions are the addresses of a page of state with their revisions.
func revisions(items []api.PastObject) (out []string) {
	for _, o := range items {
		out = append(out, fmt.Sprintf("%s@%d", lb.Address{Kind: o.Kind, Name: o.Name}, o.Revision))
	}
	return out
}

// TestAPointIsOneMomentHoweverItIsWritten: a revision, its time to the microsecond, the run
// that made it.
func TestAPointIsOneMomentHoweverItIsWritten(t *testing.T) {
	r := start(t)
	edge := inWorkspace(t, r, "edge")
	before := r.create(t, "pool/a", pool("10.0.0.1:80"))
	var first, second api.Object
	r.must(t, &first, http.MethodPut, "/v1/pools/b", pool("10.0.0.1:80"), creating, edge)
	r.must(t, &second, http.MethodPut, "/v1/pools/b", pool("10.0.0.2:80"), updating, edge)
	after := r.create(t, "pool/c", pool("10.0.0.1:80"))
	stamp := func(o api.Object, d time.Duration) string { return o.LastChange.At.Add(d).Format(time.RFC3339Nano) }
	a, b1, b2, c := fmt.Sprintf("pool/a@%d", before), fmt.Sprintf("pool/b@%d", first.Revision), fmt.Sprintf("pool/b@%d", second.Revision), fmt.Sprintf("pool/c@%d", after)
	for _, tt := range []struct {
		at   string
		want []string
	}{
		{"0", nil},
		{fmt.Sprint(before), []string{a}},
		{fmt.Sprint(first.Revision), []string{a, b1}},
		{stamp(first, 0), []string{a, b1}},
		{stamp(first, -time.Microsecond), []string{a}},
		{stamp(second, 0), []string{a, b2}},
		{stamp(second, -time.Microsecond), []string{a, b1}},
		{"run:run-of-edge", []string{a, b2}},
		{"now", []string{a, b2, c}},
		{"", []string{a, b2, c}},
		{"2100-01-01T00:00:00Z", []string{a, b2, c}},
	} {
		var state api.State
		r.must(t, &state, http.MethodGet, "/v1/state?resource=pool&at="+strings.ReplaceAll(tt.at, "+", "%2B"), nil)
		if got := revisions(state.Items); !slices.Equal(got, tt.want) {
			t.Errorf("at %q: %v, want %v", tt.at, got, tt.want)
		}
	}
	var diff api.Diff
	r.must(t, &diff, http.MethodGet, "/v1/diff?from=run:run-of-edge&to=run:run-of-edge", nil)
	if len(diff.Items) != 1 || diff.Items[0].Address != "pool/b" || diff.Items[0].Op != lb.OpCreate || diff.To.Revision != second.Revision || diff.From.Revision != first.Revision-1 {
		t.Errorf("what the run did: %+v", diff)
	}
	for at, says := range map[string]string{
		"yesterday": "RFC 3339", "-1": "revision from 0", "99999": "revision from 0", "99999999999999999999": "must be a revision such as", "run:nobody": "changed nothing",
		"run:": "changed nothing", "1990-01-01T00:00:00Z": "before the log begins",
	} {
		for _, path := range []string{"/v1/state?at=", "/v1/diff?from=", "/v1/diff?to=", "/v1/pools/a/blame?at="} {
			if a := r.do(t, http.MethodGet, path+at, nil); a.status != http.StatusBadRequest || a.problem.Code != api.CodeMalformed || !strings.Contains(a.problem.Detail, says) {
				t.Errorf("%s%s: %s", path, at, a)
			}
		}
	}
	for _, path := range []string{"/v1/state?resource=puddle", "/v1/state?resource=puddle/a", "/v1/diff?resource=pool", "/v1/state?limit=0", "/v1/diff?limit=501"} {
		if a := r.do(t, http.MethodGet, path, nil); a.status != http.StatusBadRequest {
			t.Errorf("%s: %s", path, a)
		}
	}
}

func TestPagesOfStateAndDiffAreTheWhole(t *testing.T) {
	r := start(t)
	var want []string
	for i := range 7 {
		name := fmt.Sprintf("pool/p%d", i)
		want = append(want, fmt.Sprintf("%s@%d", name, r.create(t, name, pool("10.0.0.1:80"))))
	}
	port := 9000
	want = append([]string{fmt.Sprintf("listener/l@%d", r.create(t, "listener/l", listener(port, "")))}, want...)
	for _, limit := range []int{1, 2, 3, 8, 100} {
		var got, differ []string
		for cursor := ""; ; {
			var page api.State
			r.must(t, &page, http.MethodGet, fmt.Sprintf("/v1/state?limit=%d&cursor=%s", limit, cursor), nil)
			got = append(got, revisions(page.Items)...)
			if len(page.Items) > limit {
				t.Errorf("%d on a page of %d", len(page.Items), limit)
			}
			if cursor = page.Next; cursor == "" {
				break
			}
		}
		for cursor := ""; ; {
			var page api.Diff
			r.must(t, &page, http.MethodGet, fmt.Sprintf("/v1/diff?from=0&limit=%d&cursor=%s", limit, cursor), nil)
			for _, d := range page.Items {
				differ = append(differ, fmt.Sprintf("%s@%d", d.Address, d.To.Revision))
			}
			if cursor = page.Next; cursor == "" {
				break
			}
		}
		if !slices.Equal(got, want) || !slices.Equal(differ, want) {
			t.Errorf("%d at once: state %v, diff %v, want %v", limit, got, differ, want)
		}
	}
}
