package storetest

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
)

func (s *suite) usage(t *testing.T) {
	var drafts []draft
	for i := range 12 {
		d := change(fmt.Sprintf("pool/p%d", i), `{}`)
		d.entry.Actor.Name = []string{"oscar", "olivia"}[i%2]
		d.entry.Run = &audit.RunRef{ID: fmt.Sprintf("run-%d", i%3)} // several changesets of one actor
		d.entry.Ticket = "CHG-1"
		switch i {
		case 0:
			d.entry.Type, d.entry.Resource = audit.TypeTicket, "ticket/CHG-1"
		case 3: // what was refused to the ticket itself
			d.entry.Type, d.entry.Outcome, d.entry.Resource = audit.TypeReject, audit.OutcomeRefused, "ticket/CHG-1"
		case 4:
			d.entry.Type = audit.TypePlan
		case 5, 11:
			d.entry.Type, d.entry.Outcome = audit.TypeReject, audit.OutcomeRefused
		case 7:
			d.entry.Ticket = "CHG-2"
		case 8:
			d.entry.Ticket = ""
		}
		drafts = append(drafts, d)
	}
	s.write(t, drafts...)
	for ticket, want := range map[string]control.Usage{
		"CHG-1":   {Applied: 5, Refused: 2, First: 1, Last: 10, Appliers: []string{"olivia", "oscar"}},
		"CHG-2":   {Applied: 1, First: 7, Last: 7, Appliers: []string{"olivia"}},
		"CHG-404": {},
		"":        {},
	} {
		if got := get(s.store.TicketUsage(t.Context(), ticket))(t); !reflect.DeepEqual(got, want) {
			t.Errorf("usage of %q: %+v, want %+v", ticket, got, want)
		}
	}
}

func (s *suite) lastUses(t *testing.T) {
	first := map[string]time.Time{"token/a": began, "token/b": began.Add(time.Hour)}
	if err := s.store.KeepLastUses(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if err := s.store.KeepLastUses(t.Context(), map[string]time.Time{"token/b": began.Add(2 * time.Hour)}); err != nil {
		t.Fatal(err)
	}
	s.reopen(t)
	want := map[string]time.Time{"token/a": began, "token/b": began.Add(2 * time.Hour)}
	if got := get(s.store.LastUses(t.Context()))(t); !reflect.DeepEqual(got, want) {
		t.Errorf("last uses %v, want %v", got, want)
	}
}

func (s *suite) kept(t *testing.T) {
	for _, v := range []struct{ key, value string }{{"sink/siem", "7"}, {"sink/siem", "12"}, {"used/token/a", "no use"}} {
		if err := s.store.Keep(t.Context(), v.key, []byte(v.value)); err != nil {
			t.Fatal(err)
		}
	}
	s.reopen(t)
	for key, want := range map[string][]byte{"sink/siem": []byte("12"), "used/token/a": []byte("no use"), "sink/other": nil} {
		if got := get(s.store.Kept(t.Context(), key))(t); !reflect.DeepEqual(got, want) {
			t.Errorf("kept under %q: %q, want %q", key, got, want)
		}
	}
	if uses := get(s.store.LastUses(t.Context()))(t); len(uses) != 0 {
		t.Errorf("last uses of credentials that nobody used: %v", uses)
	}
}

func (s *suite) orphans(t *testing.T) {
	refused := change("pool/refused", "")
	refused.entry.Type, refused.entry.Outcome = audit.TypeReject, audit.OutcomeRefused
	plan := change("pool/planned", `{}`)
	plan.entry.Type = audit.TypePlan
	s.write(t, change("pool/a", `{}`), change("pool/gone", `{}`), change("pool/gone", ""), refused, plan)
	if got := get(s.store.Orphans(t.Context()))(t); len(got) != 0 {
		t.Errorf("orphans %+v in a log that nobody edited", got)
	}
}
