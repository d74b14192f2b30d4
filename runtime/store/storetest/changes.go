package storetest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// changes asks for the changes of objects, one by one and all at a time, and compares the
// answers with a walk over the entries.
func (s *suite) changes(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	resources := []string{"certificate/a", "pool/a", "pool/b", "route/z", "freeze/f", "policy/p", "ticket/CHG-1", "run/r", "token/0", "drift/edge/pool/a", "log"}
	var drafts []draft
	for range 200 {
		d := change(resources[rng.IntN(len(resources))], `{}`)
		d.entry.Type = []audit.Type{audit.TypeApply, audit.TypeApply, audit.TypePlan, audit.TypeDrift}[rng.IntN(4)]
		if rng.IntN(5) == 0 {
			d.entry.Outcome = audit.OutcomeRefused
		}
		if rng.IntN(3) > 0 {
			d.entry.Run = &audit.RunRef{ID: fmt.Sprintf("run-%d", rng.IntN(4))}
		}
		drafts = append(drafts, d)
	}
	s.write(t, drafts...)
	// accepted are the changes of what, newest first.
	accepted := func(through int64, of func(*audit.Entry) bool) []int64 {
		out := []int64{}
		for _, r := range slices.Backward(s.records) {
			if e := &r.Entry; e.Seq <= through && e.Type == audit.TypeApply && e.Outcome == audit.OutcomeOK && of(e) {
				out = append(out, e.Seq)
			}
		}
		return out
	}
	for _, through := range []int64{0, 1, 50, 120, 199, 1000} {
		var newest []audit.Entry
		for _, resource := range resources {
			all := accepted(through, func(e *audit.Entry) bool { return e.Resource == resource })
			for _, limit := range []int{1, 3, 500} {
				rows := get(s.store.Changes(t.Context(), resource, through, limit))(t)
				if got, want := seqs(rows), all[:min(limit, len(all))]; !slices.Equal(got, want) {
					t.Errorf("changes of %s through %d: %v, want %v", resource, through, got, want)
				}
				for _, row := range rows {
					sameRow(t, row, s.records[row.Seq])
				}
			}
			if _, err := lb.ParseAddress(resource); err == nil && len(all) > 0 {
				newest = append(newest, s.records[all[0]].Entry)
			}
		}
		slices.SortFunc(newest, func(a, b audit.Entry) int { return cmp.Compare(a.Resource, b.Resource) })
		for _, after := range []string{"", "pool/", "pool/a", "zebra"} {
			for _, limit := range []int{1, 2, 500} {
				for _, since := range []int64{-1, 0, through / 2, through} {
					want := []int64{}
					for _, e := range newest {
						if e.Seq > since && e.Resource > after && len(want) < limit {
							want = append(want, e.Seq)
						}
					}
					if got := seqs(get(s.store.ChangesAt(t.Context(), since, through, after, limit))(t)); !slices.Equal(got, want) {
						t.Errorf("changes at %d since %d after %q, %d at most: %v, want %v", through, since, after, limit, got, want)
					}
				}
			}
		}
	}
	for _, run := range []string{"run-0", "run-3", "run-404", ""} {
		all := accepted(1000, func(e *audit.Entry) bool { return run != "" && e.RunID() == run })
		var want [2]int64
		if len(all) > 0 {
			want = [2]int64{all[len(all)-1], all[0]}
		}
		first, last, err := s.store.RunSpan(t.Context(), run)
		if err != nil || [2]int64{first, last} != want {
			t.Errorf("span of %q: %d to %d, %v; want %v", run, first, last, err, want)
		}
	}
}
