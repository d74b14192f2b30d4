package browsertest

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
)

var sample = api.TicketRequest{Title: "more members for the shop"}

// maxSteps is how often Tab may have to be pressed.
const maxSteps = 150

// reach presses Tab until something has the focus, and holds every stop on the way to
// being seen: in the window, and with a ring or another look than without the focus.
func (b *tab) reach(sel string) {
	b.t.Helper()
	for range maxSteps {
		b.press(kb.Tab)
		var stop struct {
			There bool   `json:"there"`
			Seen  bool   `json:"seen"`
			What  string `json:"what"`
		}
		b.eval(fmt.Sprintf(`(() => {
			const e = document.activeElement, box = e.getBoundingClientRect(), s = getComputedStyle(e);
			const ring = (s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2) || s.boxShadow !== "none";
			const inside = box.width > 0 && box.height > 0 && box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth;
			return { there: e.matches(%q), seen: e === document.body || (ring && inside), what: e.outerHTML.slice(0, 150) + " " + s.outline + " " + JSON.stringify(box) };
		})()`, sel), &stop)
		if !stop.Seen {
			b.t.Errorf("at %s the focus is not seen on %s", b.where(), stop.What)
		}
		if stop.There {
			return
		}
	}
	b.t.Fatalf("Tab does not lead to %s, at %s", sel, b.where())
}

// enter presses Enter on what leads to another page.
func (b *tab) enter() {
	b.t.Helper()
	b.leave("press Enter", pressed(kb.Enter))
}

func TestATicketIsApprovedByKeysAlone(t *testing.T) {
	s := start(t)
	id := s.pending(t, sample)
	b := s.tab(t)
	b.open("/sign-in")
	if !b.is(`document.activeElement.id === "token"`) {
		t.Fatal("the focus is not where the token goes")
	}
	b.press(s.Tokens[identity.Approver])
	b.enter()

	// The first stop leads past the navigation.
	b.reach("a.skip")
	b.press(kb.Enter)
	b.await("the content to have the focus", `location.hash === "#main" && document.activeElement.id === "main"`)

	b.open("/")
	b.reach(`nav.pages a[href="/console/tickets"]`)
	b.enter()
	b.reach(fmt.Sprintf(`a[href="/console/tickets/%s"]`, id))
	b.enter()
	b.reach("#comment-approve")
	b.press("by keys alone")
	b.reach("#approve")
	b.enter()
	if ticket := s.ticket(t, id); ticket.State != "approved" || ticket.Approvals[0].Comment != "by keys alone" || b.text("#state") != "approved" {
		t.Errorf("approved by keys: shown %q, and %+v", b.text("#state"), ticket)
	}
	b.reach("#sign-out")
	b.enter()
	if b.has("#whoami") {
		t.Error("still signed in")
	}
}

func TestKeysMoveThroughAList(t *testing.T) {
	s := start(t)
	s.pending(t, sample)
	b := s.tab(t)
	b.signIn(identity.Viewer)
	for i, keys := range []string{"j", "j", "k"} {
		b.press(keys)
		row := []int{1, 2, 1}[i]
		if !b.is(fmt.Sprintf(`document.querySelector("#entries > li:nth-child(%d)").contains(document.activeElement)`, row)) {
			t.Fatalf("after %q number %d is not the focus", keys, row)
		}
	}
	b.enter()
	if !b.has("#difference-h") {
		t.Errorf("Enter leads to %s", b.where())
	}
	b.open("/")
	b.press("/")
	if !b.is(`document.activeElement.matches("#filters input")`) {
		t.Error("/ does not lead to the filters")
	}
	b.press("x/j")
	if typed := value[string](b, "document.activeElement.value"); typed != "x/j" {
		t.Errorf("keys do something else within a field: it holds %q", typed)
	}
}
