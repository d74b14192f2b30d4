package authority_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlb/terraform-provider-auditlb/runtime/authority"
)

func evidence() authority.Evidence {
	return authority.Evidence{
		Ticket: "CHG0030001", Applied: 2, Refused: 1, Through: 9,
		Entries: []authority.EntryLine{
			{Seq: 7, Time: instant("2026-03-01T09:00:00Z"), Actor: "alice", Run: "github/acme/infra/12/1", Op: "update", Resource: "pool/web"},
			{Seq: 8, Time: instant("2026-03-01T09:00:01Z"), Actor: "alice", Op: "create", Resource: "route/shop"},
			{Seq: 9, Time: instant("2026-03-01T09:00:02Z"), Actor: "bob@example.com", Op: "delete", Resource: "pool/old", Refusal: "ticket_out_of_scope"},
		},
		Checkpoint: "lb.example.com/log\n10\nqK9+x/3=\n\n— lb.example.com/log AbC+d/e=\n", LogOrigin: "lb.example.com/log", Endpoint: "https://lb.example.com:8443",
	}
}

func TestEvidenceReadsWell(t *testing.T) {
	want := strings.Join([]string{
		"auditlb: 2 changes were applied under CHG0030001, 1 was refused.",
		"",
		"    entry 7, 2026-03-01T09:00:00Z: update pool/web by alice in run github/acme/infra/12/1",
		"    entry 8, 2026-03-01T09:00:01Z: create route/shop by alice",
		"    entry 9, 2026-03-01T09:00:02Z: delete pool/old by bob@example.com, refused: ticket_out_of_scope",
		"",
		"The log's signed checkpoint that covers this (lb.example.com/log), each line behind four spaces:",
		"",
		"    lb.example.com/log",
		"    10",
		"    qK9+x/3=",
		"    ",
		"    — lb.example.com/log AbC+d/e=",
		"",
		"The entries can be read at https://lb.example.com:8443",
		"",
	}, "\n")
	if diff := cmp.Diff(want, authority.EvidenceText(evidence())); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
	least := authority.EvidenceText(authority.Evidence{Ticket: "X-1", Applied: 1})
	if least != "auditlb: 1 change was applied under X-1.\n" {
		t.Errorf("the least is %q", least)
	}
}

func TestEvidenceShowsFiftyEntriesAndCountsTheRest(t *testing.T) {
	e := evidence()
	e.Entries = nil
	for i := range 60 {
		e.Entries = append(e.Entries, authority.EntryLine{Seq: int64(i), Actor: strings.Repeat("a", 1000), Run: strings.Repeat("r", 1000), Op: strings.Repeat("o", 1000), Resource: strings.Repeat("x", 1000), Refusal: strings.Repeat("c", 1000)})
	}
	e.Truncated, e.Checkpoint = 100, strings.Repeat("x", 5000)
	text := authority.EvidenceText(e)
	if n := strings.Count(text, "    entry "); n != 50 || !strings.Contains(text, "    and 110 more\n") || strings.Contains(text, "checkpoint") {
		t.Errorf("%d entries in %s", n, text)
	}
	// Jira takes 32,767 characters, GitHub 65,536.
	if len(text) > 40_000 {
		t.Errorf("the text has %d bytes", len(text))
	}
}

func TestNothingInEvidenceIsMarkupOrAMention(t *testing.T) {
	for _, hostile := range []string{"@everyone", "x/@team", "[~admin]", "[a](http://b)", "{code}", "<b>", "`x`", "*x*", "a\nb", "|x|", "!x.png!", "\u202e", "#12", "$x"} {
		e := evidence()
		e.Checkpoint = ""
		e.Entries = []authority.EntryLine{{Actor: hostile, Run: hostile, Op: hostile, Resource: hostile, Refusal: hostile}}
		e.Ticket, e.Endpoint = hostile, hostile
		text := authority.EvidenceText(e)
		if strings.Contains(text, hostile) || strings.ContainsAny(text, "[]{}<>`*|!#$~\u202e") || strings.Count(text, "\n") != 5 {
			t.Errorf("%q gives %q", hostile, text)
		}
	}
	if text := authority.EvidenceText(authority.Evidence{Ticket: "X-1", Checkpoint: "a\x1b[2J"}); strings.Contains(text, "\x1b") {
		t.Errorf("a checkpoint with a control character was shown: %q", text)
	}
}
