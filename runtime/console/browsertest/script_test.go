package browsertest

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
)

// anonymous is a client that shows nothing worth having.
var anonymous = client.Config{Token: "none", Attempts: 1}

var marks = regexp.MustCompile(`x[0-9]+'`)

// harm is what a page shows of an attack that came through.
const harm = `(() => {
	const brief = (e) => e.outerHTML.slice(0, 200);
	const all = (sel) => [...document.querySelectorAll(sel)];
	const inline = all("*").filter((e) => e.getAttributeNames().some((n) => n.startsWith("on") || n === "style"));
	const leads = all("[href], [src], [action], [formaction]").filter((e) => ["href", "src", "action", "formaction"].some((n) => {
		if (!e.hasAttribute(n)) return false;
		const u = new URL(e.getAttribute(n), location);
		return u.origin !== location.origin && !(/^https?:$/.test(u.protocol) && e.localName === "a" && e.relList.contains("noopener"));
	}));
	return {
		ran: window.__xss !== undefined,
		blocked: window.__blocked ?? [],
		elements: all(".injected, script:not([src]), iframe, object, embed, base, meta[http-equiv], [autofocus]:not(#token)").concat(inline, leads).map(brief),
		text: document.documentElement.textContent + all("input, textarea").map((e) => e.value).join(" "),
	};
})()`

// unharmed fails the test for anything that an attack did to the page, and returns the
// marks that are shown on it.
func (b *tab) unharmed(what string) []string {
	b.t.Helper()
	var page struct {
		Ran      bool     `json:"ran"`
		Blocked  []string `json:"blocked"`
		Elements []string `json:"elements"`
		Text     string   `json:"text"`
	}
	b.eval(harm, &page)
	if page.Ran {
		b.t.Errorf("%s: a script of the attacker's ran", what)
	}
	for _, by := range page.Blocked {
		b.t.Errorf("%s: only the Content-Security-Policy stopped %s", what, by)
	}
	for _, element := range page.Elements {
		b.t.Errorf("%s: the attacker made %s", what, element)
	}
	return marks.FindAllString(page.Text, -1)
}

// TestNothingThatAnybodyWritesBecomesScript writes script into every text that the API
// has, and looks at every page that shows it.
func TestNothingThatAnybodyWritesBecomesScript(t *testing.T) {
	s := start(t)
	watching := s.tab(t)
	watching.signIn(identity.Viewer)
	watching.await("the stream", `document.getElementById("live-state").dataset.state === "on"`)

	a := newAttacker(t, s)
	texts := s.texts(t)
	a.objects(texts)
	a.tickets(texts)
	workspace := a.runs(texts)
	a.callers(texts)
	if len(texts) > 0 {
		t.Errorf("nobody attacks %v", slices.Sorted(maps.Keys(texts)))
	}

	shown := map[string]bool{}
	look := func(b *tab, path string) {
		b.open(path)
		for _, m := range b.unharmed(path) {
			shown[a.wrote[m]] = true
		}
	}
	last := s.put(t, "after-the-attack", `{"owner":"team-web"}`, client.IfAbsent())
	watching.await("the end of the attack", fmt.Sprintf(`document.querySelector("#entry-%d")`, last))
	watching.unharmed("a timeline that was open all the time")

	b := s.tab(t)
	b.signIn(identity.Approver)
	pages := a.pages(workspace)
	for _, path := range pages {
		look(b, path)
	}
	// What a proof holds a script shows, as it stands in the log. The key is remembered: the
	// page was looked at before.
	i := slices.IndexFunc(pages, regexp.MustCompile(`^/entries/[0-9]+$`).MatchString)
	proof := "/evidence?entry=" + strings.TrimPrefix(pages[i], "/entries/")
	b.open(proof)
	b.await("a verdict", `document.querySelector("#verdict[data-ok=true]")`)
	if len(b.unharmed(proof)) == 0 {
		t.Errorf("%s shows nothing of an attack", proof)
	}
	for where, kept := range a.kept {
		if kept && !shown[where] {
			t.Errorf("kept and shown on no page, so nothing is known of it: %s", where)
		}
	}
	t.Logf("%d pages show payloads from %d places", len(pages), len(shown))
}

// pages are those that show what was written: of the entries, tickets and runs as few as
// show all of it.
func (a *attacker) pages(workspace string) []string {
	a.t.Helper()
	viewer := a.as(a.t, identity.Viewer)
	fail := func(err error) {
		if err != nil {
			a.t.Fatal(err)
		}
	}
	p := url.QueryEscape(a.payload("a URL of the console"))
	inPath := url.PathEscape(a.word("a path of the console"))
	pages := []string{
		"/", "/?type=reject", "/?type=ticket", "/objects", "/tickets", "/runs", "/traffic", "/evidence",
		"/drift", "/drift?all=true&workspace=" + url.QueryEscape(workspace),
		"/?text=" + p + "&resource=" + p + "&actor=" + p + "&ticket=" + p + "&run=" + p + "&workspace=" + p + "&owner=" + p, "/?type=" + p, "/?since=" + p, "/?cursor=" + p,
		"/objects?kind=" + p, "/objects?at=" + p, "/objects/" + inPath + "/x", "/objects/pool/" + inPath, "/objects/pool/hostile?at=" + p,
		"/diff?from=" + p + "&to=" + p + "&resource=" + p, "/entries/" + inPath, "/tickets/" + inPath, "/tickets?state=" + p, "/runs/" + inPath, "/drift?workspace=" + p,
		"/traffic?range=" + p + "&listener=" + p, "/traffic?until=" + p, "/evidence?entry=" + p, "/" + inPath, "/sign-in?next=" + p, "/sign-in?next=javascript:__xss=1",
	}
	objects := map[string]int64{}
	seen := map[string]bool{}
	// add keeps a page when it shows a place that none before it does.
	add := func(path string, what any) {
		text, err := json.Marshal(what)
		fail(err)
		fresh := false
		for _, m := range marks.FindAllString(string(text), -1) {
			fresh = fresh || !seen[a.wrote[m]]
			seen[a.wrote[m]] = true
		}
		if fresh {
			pages = append(pages, path)
		}
	}
	for q := (api.EntryQuery{Limit: api.MaxPageSize}); ; {
		list, err := viewer.Entries(a.t.Context(), q)
		fail(err)
		for _, e := range list.Items {
			if e.Type == "apply" && marks.MatchString(e.Resource+e.Owner) || strings.Contains(e.Resource, "/hostile") && e.Type == "apply" || e.Resource == "pool/adrift" && e.Type == "apply" {
				objects[e.Resource] = e.Seq // in the end the first
			}
			whole, err := viewer.Entry(a.t.Context(), e.Seq)
			fail(err)
			add(fmt.Sprintf("/entries/%d", e.Seq), whole)
		}
		if q.Cursor = list.Next; q.Cursor == "" {
			break
		}
	}
	for address, first := range objects {
		pages = append(pages, "/objects/"+address, fmt.Sprintf("/diff?resource=%s&from=%d&to=now", address, first))
	}
	clear(seen)
	tickets, err := viewer.Tickets(a.t.Context(), "", client.Page{Limit: api.MaxPageSize})
	fail(err)
	for _, ticket := range tickets.Items {
		add("/tickets/"+ticket.ID, ticket)
		if strings.HasPrefix(ticket.ID, "CHG-URL") || ticket.ID == "CHG-BOUND" {
			pages = append(pages, "/tickets/"+ticket.ID)
		}
	}
	clear(seen)
	runs, err := viewer.Runs(a.t.Context(), client.Page{Limit: api.MaxPageSize})
	fail(err)
	for _, run := range runs.Items {
		add("/runs/"+url.PathEscape(run.ID), run)
	}
	return append(pages, "/runs/hostile-url")
}
