package browsertest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
)

// sight is a page to look at, and whom it is shown to; nobody to strangers.
type sight struct {
	name, path string
	role       identity.Role
	// status is that of the answer; 0 is 200.
	status int64
	// opens is something to click on first.
	opens string
}

// sights returns one of each page, from a log that has whatever pages show.
func (s *stage) sights(t *testing.T) []sight {
	t.Helper()
	if s.shown == nil {
		s.shown = s.furnish(t)
	}
	return s.shown
}

func (s *stage) furnish(t *testing.T) []sight {
	t.Helper()
	operator := s.as(t, identity.Operator)
	put := func(kind lb.Kind, name, body string, pre client.Precondition) *api.Object {
		o, err := operator.Put(t.Context(), lb.Address{Kind: kind, Name: name}, jsontext.Value(body), pre)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	first := put(lb.KindPool, "shown", `{"owner":"team-web","labels":{"tier":"gold"},"members":{"a":{"address":"10.0.0.1:80"}},"health_check":{"path":"/healthz"}}`, client.IfAbsent())
	put(lb.KindListener, "shown", `{"owner":"team-web","address":"127.0.0.1","port":`+fmt.Sprint(runtimetest.FreePort(t))+`,"default_pool":"shown"}`, client.IfAbsent())
	put(lb.KindRoute, "shown", `{"owner":"team-web","listener":"shown","match":{"path_prefix":"/a"},"action":{"forward":{"shown":{}}}}`, client.IfAbsent())
	last := put(lb.KindPool, "shown", `{"owner":"team-web","labels":{"tier":"silver"},"members":{"a":{"address":"10.0.0.1:80","weight":9},"b":{"address":"a-rather-long-name-of-a-member.`+strings.Repeat("x", 60)+`.internal.example.com:8080"}}}`, client.IfPresent())

	pending := s.planned(t, "run-shown", "planned", `{"owner":"team-shop","members":{"a":{"address":"10.1.0.1:80"}}}`)
	inRun := s.Client(t, client.Config{Token: api.Secret(s.Operator), Ticket: s.Ticket, Run: "run-shown"})
	drifts := lb.Address{Kind: lb.KindPool, Name: "drifts"}
	if _, err := inRun.Put(t.Context(), drifts, jsontext.Value(`{"owner":"team-web"}`), client.IfAbsent()); err != nil {
		t.Fatal(err)
	}
	put(lb.KindPool, "drifts", `{"owner":"team-web","labels":{"by":"hand"}}`, client.IfPresent())
	closed := s.pending(t, api.TicketRequest{URL: "https://tickets.example.com/1"})
	for _, step := range []struct {
		role identity.Role
		verb client.TicketVerb
	}{{identity.Approver, client.Approve}, {identity.Operator, client.Close}} {
		if _, err := s.as(t, step.role).ActOnTicket(t.Context(), closed, step.verb, api.TicketAction{Comment: "all went well"}); err != nil {
			t.Fatal(err)
		}
	}
	// What is refused has a page too.
	if _, err := s.as(t, identity.Viewer).Delete(t.Context(), drifts, client.IfPresent()); err == nil {
		t.Fatal("a viewer deletes")
	}
	refused := s.Entries(t, api.EntryQuery{Resource: drifts.String(), Type: "reject"})[0].Seq

	entry := func(seq int64) string { return fmt.Sprintf("/entries/%d", seq) }
	return []sight{
		{name: "sign in", path: "/sign-in"},
		{name: "timeline", path: "/", role: identity.Admin},
		{name: "timeline with filters", path: "/?type=apply&actor=olivia&text=gold", role: identity.Viewer, opens: "details.filters summary"},
		{name: "timeline of nothing", path: "/?actor=nobody", role: identity.Viewer},
		{name: "entry", path: entry(last.Revision), role: identity.Viewer},
		{name: "entry that made something", path: entry(first.Revision), role: identity.Viewer},
		{name: "entry of a refusal", path: entry(refused), role: identity.Viewer},
		{name: "objects", path: "/objects", role: identity.Viewer},
		{name: "objects of the past", path: fmt.Sprintf("/objects?at=%d&kind=pool", first.Revision), role: identity.Viewer},
		{name: "object", path: "/objects/pool/shown", role: identity.Viewer},
		{name: "object of the past", path: fmt.Sprintf("/objects/pool/shown?at=%d", first.Revision), role: identity.Viewer},
		{name: "difference", path: fmt.Sprintf("/diff?resource=pool/shown&from=%d&to=%d", first.Revision, last.Revision), role: identity.Viewer},
		{name: "difference of everything", path: fmt.Sprintf("/diff?from=%d&to=now", first.Revision), role: identity.Viewer},
		{name: "tickets", path: "/tickets", role: identity.Approver},
		{name: "tickets of a state", path: "/tickets?state=closed", role: identity.Viewer},
		{name: "ticket to approve", path: "/tickets/" + pending, role: identity.Approver},
		{name: "ticket not to approve", path: "/tickets/" + pending, role: identity.Viewer, opens: "details.denied summary"},
		{name: "ticket that is closed", path: "/tickets/" + closed, role: identity.Viewer},
		{name: "runs", path: "/runs", role: identity.Viewer},
		{name: "run", path: "/runs/run-shown", role: identity.Viewer},
		{name: "drift", path: "/drift", role: identity.Viewer},
		{name: "drift of a workspace", path: "/drift?workspace=shop", role: identity.Viewer},
		{name: "traffic", path: "/traffic", role: identity.Viewer, opens: "figure.traffic details summary"},
		{name: "traffic of one", path: "/traffic?listener=shown&range=15m", role: identity.Viewer},
		{name: "evidence", path: "/evidence", role: identity.Viewer},
		{name: "not found", path: "/objects/pool/nothing", role: identity.Viewer, status: 404},
		{name: "no such page", path: "/nowhere", role: identity.Viewer, status: 404},
	}
}

// tour shows every page, in a tab for each role.
func (s *stage) tour(t *testing.T, sights []sight, prepare func(*tab), look func(*tab, sight)) {
	t.Helper()
	var roles []identity.Role
	for _, at := range sights {
		if !slices.Contains(roles, at.role) {
			roles = append(roles, at.role)
		}
	}
	linked := map[string]bool{}
	for _, role := range roles {
		b := s.tab(t)
		if prepare != nil {
			prepare(b)
		}
		if role != "" {
			b.signIn(role)
			for _, path := range value[[]string](b, `[...document.querySelectorAll("nav.pages a")].map((a) => a.getAttribute("href"))`) {
				linked[strings.TrimPrefix(path, "/console")] = true
			}
		}
		for _, at := range sights {
			if at.role != role {
				continue
			}
			b.open(at.path)
			if want := cmp.Or(at.status, 200); b.status != want {
				t.Errorf("%s: status %d, want %d", at.name, b.status, want)
			}
			look(b, at)
		}
	}
	for path := range linked {
		if !slices.ContainsFunc(sights, func(at sight) bool { return at.path == path }) {
			t.Errorf("the navigation leads to %s, which no test looks at", path)
		}
	}
}
