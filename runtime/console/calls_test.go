package console_test

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
)

// TestACallIsMadeAsWhoeverIsSignedIn: the console adds nothing to what they may do, and
// what the API records is who they are and where they call from.
func TestACallIsMadeAsWhoeverIsSignedIn(t *testing.T) {
	r := filled(t)
	for _, tt := range []struct {
		name   string
		role   identity.Role
		action string
		fields []string
		code   string
		shown  string
	}{
		{"a viewer approves", identity.Viewer, "approve", nil, "role_insufficient", "viewer"},
		{"the requester approves", identity.Operator, "approve", nil, "role_insufficient", "operator"},
		{"a viewer rejects", identity.Viewer, "reject", []string{"comment", "no"}, "role_insufficient", "viewer"},
		{"an approver of other effects approves", identity.Approver, "approve", []string{"effects_digest", strings.Repeat("0", 64)}, "ticket_effects_changed", "effects"},
		{"an approver of what the ticket was approves", identity.Approver, "approve", []string{"revision", "1"}, "precondition_failed", "was changed since"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBrowser(t, r.Endpoint, nil).signIn(r.Tokens[tt.role])
			id := "request-" + tt.action + "-" + string(tt.role) + "-" + strings.ReplaceAll(tt.code, "_", "-")
			form := url.Values{"csrf": {b.csrf("/console/")}, "action": {tt.action}}
			for i := 0; i+1 < len(tt.fields); i += 2 {
				form.Set(tt.fields[i], tt.fields[i+1])
			}
			p := b.send(http.MethodPost, "/console/tickets/CHG-1", form, "User-Agent", "a browser", "X-Request-Id", id)
			if p.StatusCode != http.StatusOK || p.Request.Method != http.MethodGet || !strings.Contains(p.body, tt.code) || !strings.Contains(text(t, p), tt.shown) {
				t.Errorf("the refusal is not shown: %d at %s\n%s", p.StatusCode, p.Request.URL, text(t, p))
			}
			entries := r.Entries(t, api.EntryQuery{Type: "reject", Resource: "ticket/CHG-1"})
			if len(entries) == 0 {
				t.Fatal("no refusal was recorded")
			}
			e := entries[len(entries)-1]
			if e.Code != tt.code || e.Actor.Name != runtimetest.People[tt.role] || e.Op != tt.action || e.Request.SourceIP != "127.0.0.1" || e.Request.UserAgent != "a browser" || e.Request.ID != id {
				t.Errorf("recorded %+v, %+v", e.Entry, e.Request)
			}
			if !strings.Contains(p.body, "/console/entries/"+strconv.FormatInt(e.Seq, 10)) {
				t.Error("the page does not lead to the entry that recorded it")
			}
		})
	}
	t.Run("nobody rejects without a reason", func(t *testing.T) {
		b := newBrowser(t, r.Endpoint, nil).signIn(r.Tokens[identity.Approver])
		if p := b.post("/console/tickets/CHG-1", "action", "reject", "comment", "  "); !strings.Contains(text(t, p), "say why") || !strings.Contains(p.body, `id="approve"`) {
			t.Errorf("%s", text(t, p))
		}
	})
	t.Run("an approver approves what they see", func(t *testing.T) {
		b := newBrowser(t, r.Endpoint, nil).signIn(r.Tokens[identity.Approver])
		p := b.get("/console/tickets/CHG-1")
		fields := []string{}
		walk(t, p, func(n *html.Node) {
			if n.Data != "form" || !slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "id" && a.Val == "form-approve" }) {
				return
			}
			for in := range n.Descendants() {
				if in.Data == "input" {
					value := map[string]string{}
					for _, a := range in.Attr {
						value[a.Key] = a.Val
					}
					fields = append(fields, value["name"], value["value"])
				}
			}
		})
		if p := b.post("/console/tickets/CHG-1", append(fields, "comment", "seen")...); !strings.Contains(text(t, p), "ticket CHG-1 is approved") {
			t.Errorf("with %q: %s", fields, text(t, p))
		}
		ticket, err := r.Client(t, client.Config{}).Ticket(t.Context(), "CHG-1")
		if err != nil || ticket.State != "approved" || ticket.Approvals[0].By != "anton" || ticket.Approvals[0].Comment != "seen" || ticket.Approvals[0].EffectsDigest != ticket.Binding.EffectsDigest {
			t.Errorf("%+v, %v", ticket, err)
		}
	})
	t.Run("a wrong token is recorded", func(t *testing.T) {
		newBrowser(t, r.Endpoint, nil).post("/console/sign-in", "token", "auditlb_nobody_knows")
		entries := r.Entries(t, api.EntryQuery{Type: "reject"})
		if e := entries[len(entries)-1]; e.Code != "unauthenticated" || e.Request.SourceIP != "127.0.0.1" {
			t.Errorf("recorded %+v", e.Entry)
		}
	})
	t.Run("who fails too often has to wait", func(t *testing.T) {
		b := newBrowser(t, r.Endpoint, nil)
		said := ""
		for range 200 { // far more than it takes, where each takes its time
			if said = text(t, b.post("/console/sign-in", "token", "auditlb_nobody_knows")); strings.Contains(said, "too many") {
				break
			}
		}
		if !strings.Contains(said, "too many failed authentications") {
			t.Errorf("%s", said)
		}
	})
}

func TestTheConsoleCanBeTurnedOff(t *testing.T) {
	off := false
	r := runtimetest.Start(t, runtimetest.Configured(func(c *daemonConfig) { c.Management.Console = &off }))
	b := newBrowser(t, r.Endpoint, nil)
	if p := b.get("/console/"); p.StatusCode != http.StatusNotFound || !strings.Contains(p.body, "not_found") {
		t.Errorf("/console/ answers %d %s", p.StatusCode, p.body)
	}
	if p := b.get("/"); p.StatusCode != http.StatusNotFound {
		t.Errorf("/ answers %d", p.StatusCode)
	}
}

func TestTheRootLeadsToTheConsole(t *testing.T) {
	r := runtimetest.Start(t)
	b := newBrowser(t, r.Endpoint, nil)
	for _, path := range []string{"/", "/console"} {
		if p := b.get(path); p.Request.URL.Path != "/console/sign-in" {
			t.Errorf("%s leads to %s", path, p.Request.URL)
		}
	}
	if p := b.get("/v1/whoami"); p.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(p.Header.Get("Content-Type"), api.ContentProblem) {
		t.Errorf("the API answers %d %s", p.StatusCode, p.Header.Get("Content-Type"))
	}
	b.signIn(r.Operator)
	if p := b.get("/v1/whoami"); p.StatusCode != http.StatusUnauthorized {
		t.Error("the API takes the console's cookie")
	}
}
