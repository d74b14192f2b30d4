package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
)

func (s *suite) states(t *testing.T) {
	refused := change("pool/web", `{"n":9}`)
	refused.entry.Type, refused.entry.Outcome = audit.TypeReject, audit.OutcomeRefused
	s.write(t, change("pool/web", `{"n":1}`), change("pool/gone", `{"n":1}`), change("pool/web", `{"n":2}`), refused)
	s.write(t, change("pool/gone", ""), change("pool/back", `{"n":1}`), change("pool/back", ""), change("pool/back", `{"n":2}`))
	for resource, want := range map[string]*audit.Current{
		"pool/web":     {Resource: "pool/web", Seq: 2, State: []byte(`{"n":2}`)},
		"pool/gone":    {Resource: "pool/gone", Seq: 4},
		"pool/back":    {Resource: "pool/back", Seq: 7, State: []byte(`{"n":2}`)},
		"pool/nothing": nil,
	} {
		got := get(s.store.Current(t.Context(), resource))(t)
		tx := s.begin(t)
		inTx := get(tx.State(t.Context(), resource))(t)
		tx.Rollback()
		if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(inTx, want) {
			t.Errorf("%s: %+v, in a transaction %+v; want %+v", resource, got, inTx, want)
		}
	}
}

func (s *suite) statesPages(t *testing.T) {
	var drafts []draft
	for i := range 7 {
		drafts = append(drafts, change(fmt.Sprintf("run/r%d", i), `{}`))
	}
	// Neighbours in the alphabet, which the prefix must not take in.
	drafts = append(drafts, change("run", `{}`), change("run.x", `{}`), change("run0", `{}`), change("runs/x", `{}`), change("run/r2", `{"again":true}`), change("run/r4", ""))
	s.write(t, drafts...)
	list := func(before int64, limit int) (out []string) {
		for _, c := range get(s.store.States(t.Context(), "run/", before, limit))(t) {
			out = append(out, fmt.Sprintf("%s@%d", c.Resource, c.Seq))
		}
		return out
	}
	for _, tt := range []struct {
		before int64
		limit  int
		want   []string
	}{
		{0, 100, []string{"run/r2@11", "run/r6@6", "run/r5@5", "run/r3@3", "run/r1@1", "run/r0@0"}},
		{0, 2, []string{"run/r2@11", "run/r6@6"}},
		{6, 2, []string{"run/r5@5", "run/r3@3"}},
		{3, 100, []string{"run/r1@1", "run/r0@0"}},
	} {
		if got := list(tt.before, tt.limit); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("before %d, at most %d: %v, want %v", tt.before, tt.limit, got, tt.want)
		}
	}
	var all []string
	for after := ""; ; {
		page := get(s.store.Currents(t.Context(), after, 4))(t)
		for _, c := range page {
			all = append(all, c.Resource)
			after = c.Resource
		}
		if len(page) < 4 {
			break
		}
	}
	want := []string{"run", "run.x", "run/r0", "run/r1", "run/r2", "run/r3", "run/r4", "run/r5", "run/r6", "run0", "runs/x"}
	if !reflect.DeepEqual(all, want) {
		t.Errorf("current states %v, want %v with the deleted one", all, want)
	}
}

func (s *suite) secrets(t *testing.T) {
	keep := func(secrets ...control.Secret) {
		a := s.appendix(t, change("pool/web", `{}`))
		a.Secrets = secrets
		s.finish(t, s.begin(t), a)
	}
	keep(control.Secret{ID: "a", Sealed: []byte("one")}, control.Secret{ID: "b", Sealed: []byte{0, 255}})
	keep(control.Secret{ID: "a", Sealed: []byte("two")})
	keep(control.Secret{ID: "b"})
	for id, want := range map[string]string{"a": "two", "b": "", "c": ""} {
		if got := get(s.store.Secret(t.Context(), id))(t); string(got) != want || (want == "") != (got == nil) {
			t.Errorf("secret %s is %q, want %q", id, got, want)
		}
	}
}

func (s *suite) answered(t *testing.T) {
	keep := func(answered ...control.Answered) {
		a := s.appendix(t, change("pool/web", `{}`))
		a.Answered = answered
		s.finish(t, s.begin(t), a)
	}
	first := control.Answered{Key: "olivia 1", Digest: "d", Seq: 0, At: began.Add(time.Microsecond)}
	keep(first)
	look := func(key string) *control.Answered {
		tx := s.begin(t)
		defer tx.Rollback()
		return get(tx.Answered(t.Context(), key))(t)
	}
	if got := look("olivia 1"); got == nil || got.Digest != "d" || got.Seq != 0 || !got.At.Equal(first.At) {
		t.Errorf("key: %+v, want %+v", got, first)
	}
	if got := look("oscar 1"); got != nil {
		t.Errorf("another's key: %+v", got)
	}
	// A day is remembered at least.
	keep(control.Answered{Key: "olivia 2", Digest: "d", Seq: 1, At: began.Add(24 * time.Hour)})
	if look("olivia 1") == nil || look("olivia 2") == nil {
		t.Error("a key was forgotten within a day")
	}
}

func (s *suite) plans(t *testing.T) {
	plan := func(effect, run string) draft {
		d := draft{audit.Entry{Type: audit.TypePlan, Resource: "pool/web", EffectDigest: effect}, `{}`}
		if run != "" {
			d.entry.Run = &audit.RunRef{ID: run}
		}
		return d
	}
	refused := plan("x", "run-1")
	refused.entry.Type, refused.entry.Outcome = audit.TypeReject, audit.OutcomeRefused
	apply := change("pool/web", `{}`)
	apply.entry.EffectDigest = "x"
	s.write(t, plan("x", "run-1"), plan("x", "run-2"), plan("y", "run-1"), plan("x", "run-1"), plan("x", "run-2"), refused, apply, plan("z", ""))
	for _, tt := range []struct {
		effect, run string
		want        int64
		ok          bool
	}{
		{"x", "run-1", 3, true},
		{"x", "run-2", 4, true},
		{"x", "", 4, true}, // the newest of any run
		{"y", "", 2, true},
		{"y", "run-2", 0, false},
		{"z", "", 7, true},
		{"z", "run-1", 0, false},
		{"nothing", "", 0, false},
	} {
		tx := s.begin(t)
		seq, ok, err := tx.PlanOf(t.Context(), tt.effect, tt.run)
		tx.Rollback()
		if seq != tt.want || ok != tt.ok || err != nil {
			t.Errorf("effect %s in run %q: %d %t %v, want %d %t", tt.effect, tt.run, seq, ok, err, tt.want, tt.ok)
		}
	}
}

func (s *suite) exclusive(t *testing.T) {
	s.write(t, change("pool/web", `{}`))
	if second, err := s.open(t, s.place); err == nil {
		second.Close()
		t.Fatal("a second process could open the store for writing")
	}
	s.holds(t) // the attempt did no harm
	s.write(t, change("pool/web", `{"n":2}`))
	s.reopen(t)
	s.holds(t)
}

func (s *suite) reopening(t *testing.T) {
	if err := s.store.MarkVerified(t.Context(), noteOf(0)); err != nil {
		t.Fatal(err)
	}
	s.write(t, change("pool/web", `{"n":1}`), change("pool/api", `{"n":1}`))
	if err := s.store.MarkVerified(t.Context(), noteOf(2)); err != nil {
		t.Fatal(err)
	}
	s.write(t, change("pool/web", `{"n":2}`))
	s.reopen(t)
	s.holds(t)
	if x := get(s.store.Extent(t.Context()))(t); !bytes.Equal(x.Verified, noteOf(2)) {
		t.Errorf("verified up to %q, want %q", x.Verified, noteOf(2))
	}
	// Names that were met before are met again.
	s.write(t, change("pool/web", `{"n":3}`), change("pool/third", `{"n":1}`))
	s.holds(t)
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.store.Begin(t.Context()); err == nil || errors.Is(err, control.ErrLogFull) {
		t.Errorf("a closed store began a transaction (%v)", err)
	}
	s.store = nil
	s.reopen(t)
	s.holds(t)
}
