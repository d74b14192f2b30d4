package browsertest

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
)

// axe is the source of axe-core, which AUDITLB_AXE names, or which was fetched before.
var axe = sync.OnceValues(func() (string, error) {
	path := os.Getenv("AUDITLB_AXE")
	if path == "" {
		found, _ := filepath.Glob("../../../bin/axe-*.min.js")
		if len(found) == 0 {
			return "", os.ErrNotExist
		}
		path = found[0]
	}
	source, err := os.ReadFile(path)
	return string(source), err
})

func withAxe(t *testing.T) string {
	t.Helper()
	source, err := axe()
	if err != nil {
		t.Skipf("axe-core is not there (%v): make test fetches it, and so does go -C tools run ./axe", err)
	}
	return source
}

// everything are the rules of WCAG 2.1, levels A and AA; colors those that depend on them.
const (
	everything = `{type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}`
	colors     = `{type: "rule", values: ["color-contrast", "link-in-text-block"]}`
)

// barriers are what axe-core finds on the page.
func (b *tab) barriers(rules string) []string {
	b.t.Helper()
	return value[[]string](b, fmt.Sprintf(`axe.run(document, {runOnly: %s, resultTypes: ["violations"], preload: false}).then((r) => r.violations.flatMap((v) =>
		v.nodes.map((n) => v.id + ": " + v.help + ": " + n.target.join(" ") + ": " + n.html.slice(0, 200) + ": " + n.any.map((a) => a.message).join("; "))))`, rules))
}

// wide is the part of the page that sticks out of the window.
const wide = `(() => {
	const room = document.documentElement.clientWidth;
	if (document.documentElement.scrollWidth <= room) return [];
	return [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > room + 1 && !e.parentElement.closest(".scroll, svg")).slice(0, 5).map((e) => e.outerHTML.slice(0, 120)).concat("the page is " + document.documentElement.scrollWidth + " wide");
})()`

// TestEveryPageIsForEveryone looks at each page with axe-core in a wide and a narrow
// window, in light and dark: all rules once in each width, and those about colors in all.
func TestEveryPageIsForEveryone(t *testing.T) {
	source := withAxe(t)
	s := start(t)
	s.tour(t, s.sights(t), func(b *tab) { b.begin(source) }, func(b *tab, at sight) {
		if at.opens != "" {
			b.click(at.opens)
		}
		for _, way := range []struct {
			pixels int64
			dark   bool
			rules  string
		}{{1280, false, everything}, {1280, true, colors}, {400, true, everything}, {400, false, colors}} {
			b.width(way.pixels)
			b.dark(way.dark)
			for _, barrier := range b.barriers(way.rules) {
				t.Errorf("%s, %d wide, dark %t: %s", at.name, way.pixels, way.dark, barrier)
			}
			for _, part := range value[[]string](b, wide) {
				t.Errorf("%s, %d wide, scrolls sideways: %s", at.name, way.pixels, part)
			}
		}
		b.width(2000)
		for _, part := range value[[]string](b, wide) {
			t.Errorf("%s, 2000 wide, scrolls sideways: %s", at.name, part)
		}
		b.width(1280)
		b.dark(false)
	})
}

func TestEveryPageIsThereWithoutScripts(t *testing.T) {
	s := start(t)
	id := s.pending(t, sample)
	s.tour(t, s.sights(t), (*tab).withoutScripts, func(b *tab, at sight) {
		if b.has("time + .ago") {
			t.Fatal("scripts run")
		}
		if title := b.text("h1"); title == "" || b.text("main") == title {
			t.Errorf("%s: there is only %q", at.name, b.text("main"))
		}
		if at.opens != "" {
			b.click(at.opens)
		}
	})

	b := s.tab(t)
	b.withoutScripts()
	b.signIn(identity.Approver)
	b.open("/tickets")
	b.follow(`#pending a[href="/console/tickets/` + id + `"]`)
	b.fill("#comment-approve", "without scripts")
	b.follow("#approve")
	if ticket := s.ticket(t, id); b.text("#state") != "approved" || ticket.State != "approved" || ticket.Approvals[0].Comment != "without scripts" {
		t.Errorf("approved without scripts: shown %q, and %+v", b.text("#state"), ticket)
	}
}
