package storetest

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
)

// queries asks many queries of a log of all kinds of entries and compares each
// answer with a walk over the entries.
func (s *suite) queries(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	pick := func(of ...string) string { return of[rng.IntN(len(of))] }
	var drafts []draft
	for range 300 {
		d := draft{audit.Entry{
			Type: audit.Types[rng.IntN(len(audit.Types))], Resource: pick("pool/a", "pool/b", "route/a"),
			Actor: audit.Actor{Name: pick("olivia", "oscar", "anton")}, Ticket: pick("", "CHG-1", "CHG-2"),
		}, `{}`}
		if run := pick("", "run-1", "run-2"); run != "" {
			d.entry.Run = &audit.RunRef{ID: run, Workspace: pick("edge", "core")}
		}
		d.entry.Owner = pick("", "team-web", "team-db")
		if d.entry.Type == audit.TypeReject {
			d.entry.Outcome = audit.OutcomeRefused
		}
		drafts = append(drafts, d)
	}
	s.write(t, drafts[:150]...)
	s.write(t, drafts[150:]...)

	var asked []control.Query
	for _, q := range []control.Query{
		{},
		{Resource: "pool/a"},
		{Run: "run-1"},
		{Ticket: "CHG-1"},
		{Actor: "oscar"},
		{Types: []audit.Type{audit.TypePlan}},
		{Types: []audit.Type{audit.TypeReject}},
		{Types: []audit.Type{audit.TypeApply, audit.TypeDrift, audit.TypePlan}},
		{Owner: "team-web"},
		{Workspace: "edge"},
		{Owner: "nobody"},
		{Workspace: "nowhere"},
		{Resource: "pool/nothing"},
		{Run: "run-404"},
		{Ticket: "CHG-404"},
		{Actor: "nobody"},
		{Types: []audit.Type{"gossip"}},
		{Before: 1},
		{Before: 100},
	} {
		q.Limit = 1000
		asked = append(asked, q)
	}
	for range 400 {
		q := control.Query{
			Resource: pick("", "pool/a", "route/a"), Run: pick("", "", "run-1", "run-2"), Ticket: pick("", "CHG-1"), Actor: pick("", "", "olivia", "anton"),
			Owner: pick("", "", "", "team-web"), Workspace: pick("", "", "", "edge"), Limit: 1 + rng.IntN(30),
		}
		for range rng.IntN(3) {
			q.Types = append(q.Types, audit.Type(pick("plan", "apply", "reject", "ticket")))
		}
		if rng.IntN(3) == 0 {
			q.Before = 1 + rng.Int64N(310)
		}
		if rng.IntN(3) == 0 {
			q.Since = began.Add(time.Duration(rng.IntN(320_000)) * time.Millisecond)
		}
		if rng.IntN(3) == 0 {
			q.Until = began.Add(time.Duration(rng.IntN(320_000)) * time.Millisecond)
		}
		asked = append(asked, q)
	}
	answers := 0
	for _, q := range asked {
		rows := get(s.store.Entries(t.Context(), q))(t)
		want := s.matching(q)
		if got := seqs(rows); !slices.Equal(got, want) {
			t.Errorf("%+v: entries %v, want %v", q, got, want)
			continue
		}
		for _, row := range rows {
			sameRow(t, row, s.records[row.Seq])
		}
		answers += len(rows)
	}
	if answers < 1000 {
		t.Errorf("only %d entries were found in all: the queries ask nothing", answers)
	}
}

// matching walks the entries, newest first.
func (s *suite) matching(q control.Query) []int64 {
	out := []int64{}
	for _, r := range slices.Backward(s.records) {
		e := r.Entry
		if (q.Resource == "" || e.Resource == q.Resource) && (q.Run == "" || e.RunID() == q.Run) && (q.Ticket == "" || e.Ticket == q.Ticket) &&
			(q.Actor == "" || e.Actor.Name == q.Actor) && (len(q.Types) == 0 || slices.Contains(q.Types, e.Type)) &&
			(q.Workspace == "" || e.WorkspaceName() == q.Workspace) && (q.Owner == "" || e.Owner == q.Owner) &&
			(q.Since.IsZero() || !e.Time.Before(q.Since)) && (q.Until.IsZero() || e.Time.Before(q.Until)) &&
			(q.Before == 0 || e.Seq < q.Before) && len(out) < q.Limit {
			out = append(out, e.Seq)
		}
	}
	return out
}

// times asks at the microseconds around each entry: since includes its moment,
// until does not.
func (s *suite) times(t *testing.T) {
	var drafts []draft
	for range 9 {
		drafts = append(drafts, change("pool/web", `{}`))
	}
	s.write(t, drafts...)
	for _, r := range s.records {
		for _, offset := range []time.Duration{-time.Microsecond, 0, time.Microsecond} {
			at := r.Entry.Time.Add(offset)
			for _, q := range []control.Query{{Since: at, Limit: 100}, {Until: at, Limit: 100}, {Since: at, Until: at.Add(2 * time.Second), Limit: 100}} {
				if got, want := seqs(get(s.store.Entries(t.Context(), q))(t)), s.matching(q); !slices.Equal(got, want) {
					t.Errorf("since %s until %s: %v, want %v", q.Since, q.Until, got, want)
				}
			}
		}
	}
}

func (s *suite) counts(t *testing.T) {
	var drafts []draft
	for i := range 12 {
		d := change(fmt.Sprintf("pool/p%d", i), `{}`)
		d.entry.Actor.Name = []string{"olivia", "oscar"}[i%2] // one run, several changesets
		d.entry.Run = &audit.RunRef{ID: "run-1"}
		switch {
		case i%3 == 0:
			d.entry.Type = audit.TypePlan
		case i%5 == 0:
			d.entry.Type, d.entry.Outcome = audit.TypeReject, audit.OutcomeRefused
		case i == 11:
			d.entry.Run = nil
		}
		drafts = append(drafts, d)
	}
	s.write(t, drafts...)
	counts := map[control.Count]bool{}
	for _, c := range get(s.store.CountEntries(t.Context(), "run-1"))(t) {
		counts[c] = true
	}
	want := map[control.Count]bool{
		{Type: audit.TypePlan, N: 4}: true, {Type: audit.TypeReject, Refused: true, N: 2}: true, {Type: audit.TypeApply, N: 5}: true,
	}
	if !reflect.DeepEqual(counts, want) {
		t.Errorf("counts %v, want %v", counts, want)
	}
	for _, run := range []string{"", "run-404"} {
		if got := get(s.store.CountEntries(t.Context(), run))(t); len(got) != 0 {
			t.Errorf("counts of run %q: %v", run, got)
		}
	}
}
