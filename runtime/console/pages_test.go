package console_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
)

// hostile is a text that is markup, an attribute, a script and a template.
const hostile = `"'><img src=x onerror=alert(1)><script>alert(2)</script>{{.}}</title></textarea>`

// filled is a runtime where something of every kind happened, with hostile texts
// wherever there can be any.
func filled(t *testing.T) *runtimetest.Runtime {
	t.Helper()
	r := runtimetest.Start(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	claims := api.RunClaims{System: "github", Tool: hostile, ToolVersion: hostile, Phase: hostile, Workspace: hostile, Repository: hostile, Commit: hostile, Attempt: hostile, Actor: hostile, Host: hostile, URL: "javascript:alert(1)//" + hostile}
	runID := strings.ReplaceAll("github/"+hostile+"/1?a=b&c#d%2F", " ", "_")
	c := r.Client(t, client.Config{Ticket: r.Ticket, Run: runID})
	_, err := c.RegisterRun(t.Context(), runID, claims)
	must(err)
	pool := lb.NewPool()
	member := lb.NewMember()
	member.Address = "127.0.0.1:9"
	pool.Owner, pool.Labels = hostile, map[string]string{"note": hostile}
	pool.Members = map[string]lb.Member{"a": member}
	address := lb.Address{Kind: lb.KindPool, Name: "web"}
	_, err = c.Plan(t.Context(), api.PlanRequest{Kind: lb.KindPool, Name: "web", Op: lb.OpCreate, Object: encoded(t, pool)})
	must(err)
	held, err := c.Put(t.Context(), address, pool, client.IfAbsent())
	must(err)
	member.Weight = 7
	pool.Members["a"], pool.Labels = member, map[string]string{"note": "<b>" + hostile}
	_, err = r.Client(t, client.Config{Ticket: r.Ticket, UserAgent: hostile}).Put(t.Context(), address, pool, client.IfRevision(held.Revision))
	must(err)
	if _, err = c.Put(t.Context(), address, pool, client.IfRevision(held.Revision)); !client.HasCode(err, api.CodePreconditionFailed) {
		t.Fatalf("not refused: %v", err)
	}
	gone := lb.Address{Kind: lb.KindPool, Name: "gone"}
	_, err = c.Put(t.Context(), gone, pool, client.IfAbsent())
	must(err)
	_, err = c.Delete(t.Context(), gone, client.IfPresent())
	must(err)
	_, err = c.Plan(t.Context(), api.PlanRequest{Kind: lb.KindPool, Name: "web", Op: lb.OpDelete})
	must(err)
	open := api.TicketRequest{ID: "CHG-1", Title: hostile, Reason: hostile, URL: "https://tracker.example/?q=" + url.QueryEscape(hostile), Run: runID}
	_, err = c.OpenTicket(t.Context(), open)
	must(err)
	_, err = c.OpenTicket(t.Context(), api.TicketRequest{ID: "CHG-2", Title: "rejected", Reason: "it will be", Scope: api.TicketScope{Addresses: []string{"*"}}})
	must(err)
	_, err = r.Client(t, client.Config{Token: api.Secret(r.Tokens[identity.Approver])}).ActOnTicket(t.Context(), "CHG-2", client.Reject, api.TicketAction{Comment: hostile})
	must(err)
	_, err = c.OpenTicket(t.Context(), api.TicketRequest{ID: "EMG-1", Type: "emergency", Title: hostile, Reason: hostile, Scope: api.TicketScope{Addresses: []string{"*"}}})
	must(err)
	return r
}

// visited is every page that links lead to from the timeline, as one person sees it.
func visited(t *testing.T, b *browser) map[string]page {
	t.Helper()
	pages := map[string]page{}
	todo := []string{"/console/", "/console/objects?at=14", "/console/objects/pool/gone", "/console/diff?from=10&to=20", "/console/drift?workspace=" + url.QueryEscape(hostile), "/console/?text=" + url.QueryEscape(hostile), "/console/sign-in"}
	for len(todo) > 0 {
		path := todo[0]
		todo = todo[1:]
		path, _, _ = strings.Cut(path, "#")
		if _, seen := pages[path]; seen || strings.HasSuffix(path, "/proof") {
			continue
		}
		if len(pages) > 400 {
			t.Fatal("links go on for ever")
		}
		p := b.get(path)
		pages[path] = p
		for _, link := range elements(t, p, "a", "href") {
			if strings.HasPrefix(link, "/console/") && !slices.ContainsFunc([]string{"actor=", "owner=", "cursor=", "?at=", "&"}, func(s string) bool { return strings.Contains(link, s) }) {
				todo = append(todo, link)
			}
		}
	}
	return pages
}

// elements are the values of an attribute of the elements of a name.
func elements(t *testing.T, p page, name, attribute string) []string {
	t.Helper()
	var out []string
	walk(t, p, func(n *html.Node) {
		if n.Data == name {
			for _, a := range n.Attr {
				if a.Key == attribute {
					out = append(out, a.Val)
				}
			}
		}
	})
	return out
}

func walk(t *testing.T, p page, visit func(*html.Node)) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(p.body))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		if n.Type == html.ElementNode {
			visit(n)
		}
	}
}

// TestEveryPage goes wherever links lead, and holds each page to what all pages promise.
func TestEveryPage(t *testing.T) {
	r := filled(t)
	b := newBrowser(t, r.Endpoint, nil).signIn(r.Tokens[identity.Admin])
	pages := visited(t, b)
	t.Run("keeps its promises", func(t *testing.T) { checkPages(t, pages) })
	t.Run("shows hostile texts as they are", func(t *testing.T) { checkHostile(t, b) })
	t.Run("holds no token", func(t *testing.T) { checkSecrets(t, r, b, pages) })
}

func checkPages(t *testing.T, pages map[string]page) {
	t.Helper()
	kinds := map[string]bool{}
	for path, p := range pages {
		kinds[strings.Split(strings.TrimPrefix(strings.Split(path, "?")[0], "/console/"), "/")[0]] = true
		if p.StatusCode != http.StatusOK && p.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d\n%s", path, p.StatusCode, p.body)
		}
		checkHeaders(t, path, p)
		checkMarkup(t, path, p)
	}
	for _, kind := range []string{"", "entries", "objects", "diff", "runs", "tickets", "drift", "sign-in"} {
		if !kinds[kind] {
			t.Errorf("no link leads to %q", kind)
		}
	}
	// What is linked to and is not there is what was only claimed to be.
	for path, p := range pages {
		if p.StatusCode == http.StatusNotFound && !strings.HasPrefix(path, "/console/entries/") {
			t.Errorf("%s leads nowhere", path)
		}
	}
}

func checkHeaders(t *testing.T, path string, p page) {
	t.Helper()
	for name, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
		"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "X-Frame-Options": "DENY", "Cache-Control": "no-store",
	} {
		if got := p.Header.Get(name); got != want {
			t.Errorf("%s: %s is %q, want %q", path, name, got, want)
		}
	}
	if got := p.Header.Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Errorf("%s: %s", path, got)
	}
}

// checkMarkup finds what a hostile text became if it was not escaped, whatever the
// policy would stop, and what people who can't see or click would miss.
func checkMarkup(t *testing.T, path string, p page) {
	t.Helper()
	ids, labels, headings := map[string]int{}, map[string]bool{}, 0
	var inputs []*html.Node
	walk(t, p, func(n *html.Node) {
		value := map[string]string{}
		for _, a := range n.Attr {
			value[a.Key] = a.Val
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" {
				t.Errorf("%s: <%s %s=%q>", path, n.Data, a.Key, a.Val)
			}
			if slices.Contains([]string{"href", "src", "action"}, a.Key) && !strings.HasPrefix(a.Val, "/console/") && !strings.HasPrefix(a.Val, "/tlog/") && !strings.HasPrefix(a.Val, "#") && !strings.HasPrefix(a.Val, "https://") {
				t.Errorf("%s: <%s %s=%q>", path, n.Data, a.Key, a.Val)
			}
		}
		if id, ok := value["id"]; ok {
			ids[id]++
		}
		switch n.Data {
		case "script":
			if !strings.HasPrefix(value["src"], "/console/static/") || n.FirstChild != nil {
				t.Errorf("%s: a script in the page", path)
			}
		case "style", "iframe", "object", "embed", "base":
			t.Errorf("%s: <%s>", path, n.Data)
		case "img":
			if !strings.HasPrefix(value["src"], "/console/static/") {
				t.Errorf("%s: <img src=%q>", path, value["src"])
			}
		case "h1":
			headings++
		case "label":
			labels[value["for"]] = true
		case "input", "textarea", "select":
			if value["type"] != "hidden" {
				inputs = append(inputs, n)
			}
		}
	})
	if headings != 1 {
		t.Errorf("%s has %d h1", path, headings)
	}
	for id, n := range ids {
		if n > 1 {
			t.Errorf("%s has %d elements with the id %s", path, n, id)
		}
	}
	for _, n := range inputs {
		labelled := n.Parent.Data == "label"
		for _, a := range n.Attr {
			labelled = labelled || a.Key == "id" && labels[a.Val] || a.Key == "aria-label"
		}
		if !labelled {
			t.Errorf("%s: an input without a label: %v", path, n.Attr)
		}
	}
}

// checkHostile makes sure that the pages that are checked do show hostile texts.
func checkHostile(t *testing.T, b *browser) {
	t.Helper()
	runs := b.get("/console/runs")
	run := ""
	for _, link := range elements(t, runs, "a", "href") {
		if strings.HasPrefix(link, "/console/runs/") {
			run = link
		}
	}
	for path, want := range map[string]int{run: 8, "/console/runs": 1, "/console/tickets/CHG-1": 2, "/console/tickets": 2, "/console/tickets/CHG-2": 1, "/console/objects/pool/web": 2, "/console/drift?workspace=" + url.QueryEscape(hostile): 2} {
		if n := strings.Count(text(t, b.get(path)), hostile); n < want {
			t.Errorf("%s shows %d hostile texts, want %d or more", path, n, want)
		}
	}
}

// text is what a page says.
func text(t *testing.T, p page) string {
	t.Helper()
	root, err := html.Parse(strings.NewReader(p.body))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for n := range root.Descendants() {
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
		}
	}
	return b.String()
}

// checkSecrets looks for credentials wherever the console writes.
func checkSecrets(t *testing.T, r *runtimetest.Runtime, b *browser, pages map[string]page) {
	t.Helper()
	token, cookie := r.Tokens[identity.Admin], b.cookie()
	for path, p := range pages {
		whole := path + p.body + p.Request.URL.String()
		for name, values := range p.Header {
			whole += name + strings.Join(values, "")
		}
		if strings.Contains(whole, token) || strings.Contains(whole, cookie) {
			t.Errorf("%s holds the token, or the cookie", path)
		}
	}
	wrong := token[:len(token)-1] + "x"
	if p := b.post("/console/sign-in", "token", wrong); strings.Contains(p.body, wrong) || strings.Contains(p.Request.URL.String(), wrong) {
		t.Error("a wrong token is shown")
	}
	for name, secret := range map[string]string{"the token": token, "the cookie": cookie, "a wrong token": wrong} {
		if strings.Contains(r.Logs.String(), secret) {
			t.Errorf("the log of the runtime holds %s", name)
		}
	}
}
