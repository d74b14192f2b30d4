package browsertest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// put makes a change to a pool, as olivia, and returns its revision.
func (s *stage) put(t *testing.T, name, body string, pre client.Precondition) int64 {
	t.Helper()
	o, err := s.as(t, identity.Operator).Put(t.Context(), lb.Address{Kind: lb.KindPool, Name: name}, jsontext.Value(body), pre)
	if err != nil {
		t.Fatal(err)
	}
	return o.Revision
}

func TestAChangeAppearsInAnOpenTimeline(t *testing.T) {
	s := start(t)
	b := s.tab(t)
	b.signIn(identity.Viewer)
	b.await("the stream", `document.getElementById("live-state").dataset.state === "on"`)
	b.do("window.opened = true")

	revision := s.put(t, "live", `{"owner":"team-web"}`, client.IfAbsent())
	row := fmt.Sprintf("#entry-%d", revision)
	b.await("the change", fmt.Sprintf("document.querySelector(%q)", row))
	if text := b.text(row); !strings.Contains(text, "pool/live") || !strings.Contains(text, "create") || !strings.Contains(text, "olivia") || !strings.Contains(text, s.Ticket) {
		t.Errorf("it says %q", text)
	}
	if !b.is("window.opened") {
		t.Error("the page was loaded again")
	}
	if first := b.texts("#entries > li .seq"); len(first) == 0 || !strings.HasSuffix(first[0], fmt.Sprint(revision)) {
		t.Errorf("it is not on top: %q", first)
	}

	// A filter lets through what it would on the server.
	b.open("/?type=ticket")
	b.await("the stream", `document.getElementById("live-state").dataset.state === "on"`)
	passed := s.put(t, "live", `{"owner":"team-web","labels":{"tier":"gold"}}`, client.IfPresent())
	id := s.pending(t, api.TicketRequest{})
	b.await("the ticket", fmt.Sprintf(`[...document.querySelectorAll("#entries a.address")].some((a) => a.innerText === "ticket/%s")`, id))
	if b.has(fmt.Sprintf("#entry-%d", passed)) {
		t.Error("an apply came through the filter for tickets")
	}

	// What is paused stays as it is, and catches up.
	b.open("/")
	b.await("the stream", `document.getElementById("live-state").dataset.state === "on"`)
	b.click("#live-pause")
	revision = s.put(t, "live", `{"owner":"team-web"}`, client.IfPresent())
	if b.has(fmt.Sprintf("#entry-%d", revision)) {
		t.Error("a timeline that is paused went on")
	}
	b.click("#live-pause")
	b.await("what came meanwhile", fmt.Sprintf(`document.querySelector("#entry-%d")`, revision))
}

func TestTwoRevisionsAreComparedSideBySide(t *testing.T) {
	s := start(t)
	var revisions []int64
	for i, body := range []string{
		`{"owner":"team-web","members":{"a":{"address":"10.0.0.1:80"}}}`,
		`{"owner":"team-web","members":{"a":{"address":"10.0.0.1:80","weight":5},"b":{"address":"10.0.0.2:80"}}}`,
		`{"owner":"team-shop","members":{"b":{"address":"10.0.0.2:80"}}}`,
	} {
		pre := client.IfPresent()
		if i == 0 {
			pre = client.IfAbsent()
		}
		revisions = append(revisions, s.put(t, "compared", body, pre))
	}
	b := s.tab(t)
	b.signIn(identity.Auditor)
	b.open("/objects/pool/compared")
	if rows := b.texts("#blame tbody tr"); !slices.ContainsFunc(rows, func(r string) bool {
		return strings.HasPrefix(r, "members.b.address 10.0.0.2:80 "+fmt.Sprint(revisions[1]))
	}) {
		t.Errorf("nobody is blamed for members.b.address: %q", rows)
	}
	b.click(fmt.Sprintf("#revision-%d input[name=from]", revisions[0]))
	b.click(fmt.Sprintf("#revision-%d input[name=to]", revisions[1]))
	b.follow("#compare-button")
	rows := value[[][]string](b, `[...document.querySelectorAll("table.difference tbody tr.add, table.difference tbody tr.mod, table.difference tbody tr.del")].map((tr) => [...tr.children].map((c) => c.innerText.trim()))`)
	want := [][]string{
		{"±", "members.a.weight", "1", "5"},
		{"+", "members.b.address", "", "10.0.0.2:80"},
	}
	for _, w := range want {
		if !slices.ContainsFunc(rows, func(r []string) bool { return slices.Equal(r, w) }) {
			t.Errorf("no row %q in %q", w, rows)
		}
	}
	if slices.ContainsFunc(rows, func(r []string) bool { return r[1] == "owner" }) {
		t.Errorf("the owner is shown as different: %q", rows)
	}
	if !b.is(`(() => { const [before, after] = [...document.querySelectorAll("tr.mod td.before, tr.mod td.after")].map((c) => c.getBoundingClientRect()); return before.top === after.top && before.right <= after.left + 1 })()`) {
		t.Error("before and after are not side by side")
	}

	// The other way around it is the same: revisions have an order.
	b.open(fmt.Sprintf("/diff?resource=pool/compared&from=%d&to=%d", revisions[2], revisions[0]))
	if text := b.text("table.difference"); !strings.Contains(text, "± owner team-web team-shop") {
		t.Errorf("from the last to the first: %q", text)
	}
}
