package browsertest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
)

// prove asks for the proof of an entry, and returns the verdict.
func (b *tab) prove(seq int64) string {
	b.t.Helper()
	b.do(fmt.Sprintf(`document.querySelector("#proof-result").replaceChildren(); document.querySelector("#prove-entry").value = %d`, seq))
	b.click("#prove-run")
	b.await("a verdict", `document.querySelector("#verdict")`)
	return b.text("#verdict")
}

func TestAnEntryIsProvedOnThePageWithAKeyFromElsewhere(t *testing.T) {
	s := start(t)
	b := s.tab(t)
	log, err := s.as(t, identity.Operator).Log(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.signIn(identity.Viewer)
	b.open("/evidence")
	if got := b.text("#log-key"); got != log.PublicKey {
		t.Errorf("the page has the key %s, want %s", got, log.PublicKey)
	}
	b.await("the choice of keys", `!document.querySelector("#choose-key").hidden`)
	if got := b.prove(2); !strings.Contains(got, "Paste the log's public key first") {
		t.Errorf("without a key: %s", got)
	}
	b.fill("#prove-key", log.PublicKey)
	if got := b.prove(2); !strings.HasPrefix(got, "Proved: entry 2 (") || b.is(`document.querySelector(".step.bad")`) {
		t.Errorf("with the key: %s", got)
	}
	if steps := b.texts(".step h3"); len(steps) != 7 {
		t.Errorf("steps: %q", steps)
	}
	if got := b.prove(1 << 40); !strings.Contains(got, "there is no entry") {
		t.Errorf("an entry that is not there: %s", got)
	}
	// It is remembered from then on, and another key is not taken for it.
	b.open("/evidence?entry=1")
	b.await("a verdict", `document.querySelector("#verdict")`)
	if got := b.text("#verdict"); !strings.HasPrefix(got, "Proved: entry 1 (") || !b.is(`document.querySelector("input[value=remembered]").checked`) || !strings.Contains(b.text("#remembered-text"), "that you pasted on") {
		t.Errorf("with the key remembered: %s", got)
	}
	b.click("input[value=page]")
	if got := b.prove(1); !strings.Contains(got, "this proves little") || !b.has("#verdict.warn") {
		t.Errorf("with the page's own key: %s", got)
	}
	other := signer(t, log.Origin).PublicKey()
	b.do(fmt.Sprintf(`localStorage.setItem("auditlb-log-key:" + document.querySelector("#prove").dataset.origin, JSON.stringify({ key: %q, pasted: true, since: "2026-01-01T00:00:00Z" }))`, other))
	b.open("/evidence?entry=1")
	b.await("a verdict", `document.querySelector("#verdict")`)
	if got := b.text("#verdict"); !strings.HasPrefix(got, "Not proved.") || !b.is(`!document.querySelector("#key-changed").hidden`) {
		t.Errorf("with another key remembered: %s", got)
	}
}

func TestAProofThatTheServerChangedIsNotTaken(t *testing.T) {
	s := start(t)
	b := s.tab(t)
	log, err := s.as(t, identity.Operator).Log(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.signIn(identity.Viewer)
	b.open("/evidence")
	b.await("the choice of keys", `!document.querySelector("#choose-key").hidden`)
	b.fill("#prove-key", log.PublicKey)
	// What a server may do that lies: a proof of another entry, of a changed one, markup.
	b.do(`{
		const real = window.fetch;
		window.fetch = async (url) => {
			if (window.lie === "other") return real(String(url).replace("/2/", "/1/"));
			const text = await (await real(url)).text();
			const lines = text.split("\n");
			const extra = decodeURIComponent(escape(atob(lines[1].slice(6))));
			lines[1] = "extra " + btoa(unescape(encodeURIComponent(extra.replace(/"name":"[^"]*"/, '"name":"<img src=x onerror=alert(1)>"'))));
			return new Response(lines.join("\n"));
		};
	}`)
	if got := b.prove(2); !strings.HasPrefix(got, "Not proved.") || strings.Join(b.texts(".step.bad h3"), ",") != "✗ The path to the root : wrong" {
		t.Errorf("a changed entry: %s, %q", got, b.texts(".step.bad h3"))
	}
	b.do(`window.lie = "other"`)
	if got := b.prove(2); !strings.Contains(got, "a proof of entry 1 where entry 2 was asked for") {
		t.Errorf("another entry's proof: %s", got)
	}
}

func TestWithoutScriptsThePageOfEvidenceSaysHowToProve(t *testing.T) {
	b := start(t).tab(t)
	b.signIn(identity.Viewer)
	b.withoutScripts()
	b.open("/evidence?entry=3")
	if got := b.text("#without-script"); !strings.Contains(got, "auditlb verify --public-key log.pub entry-3.tlog-proof") {
		t.Errorf("it says %s", got)
	}
	if !b.is(`document.querySelector("#proof-download").getAttribute("href") === "/console/entries/3/proof"`) {
		t.Error("the proof can't be had")
	}
}

// TestChartsAreUsedWithTheKeyboard: marks are links that say what they are and lead to
// the difference.
func TestChartsAreUsedWithTheKeyboard(t *testing.T) {
	s := start(t)
	c := s.as(t, identity.Operator)
	l := lb.NewListener()
	l.Owner, l.Address, l.Port = "team-edge", "127.0.0.1", runtimetest.FreePort(t)
	held, err := c.Put(t.Context(), lb.Address{Kind: lb.KindListener, Name: "charted"}, l, client.IfAbsent())
	if err != nil {
		t.Fatal(err)
	}
	s.Daemon.Traffic.Sample()
	b := s.tab(t)
	b.signIn(identity.Viewer)
	b.open("/traffic?range=15m&listener=charted")
	marks := `[...document.querySelectorAll("#listener-charted .wide a")]`
	label := value[string](b, marks+`.at(-1).getAttribute("aria-label")`)
	if !strings.Contains(label, fmt.Sprintf("revision %d", held.Revision)) && !strings.Contains(label, fmt.Sprintf("to %d", held.Revision)) {
		t.Errorf("the last mark says %q", label)
	}
	for range 80 {
		b.press(kb.Tab)
		if b.is(`document.activeElement === ` + marks + `.at(-1)`) {
			break
		}
	}
	if !b.is(`document.activeElement === ` + marks + `.at(-1) && document.activeElement.matches(":focus-visible")`) {
		t.Fatal("the mark can't be reached by keyboard")
	}
	b.leave("follow the mark", pressed(kb.Enter))
	if where := b.where(); !strings.HasPrefix(where, "/console/entries/") && !strings.HasPrefix(where, "/console/?") {
		t.Errorf("the mark leads to %s", where)
	}
	// A page that is looked at is drawn anew, and what was open stays so.
	b.open("/traffic?range=15m&listener=charted")
	b.click("#listener-charted-figures summary")
	b.do(`document.querySelector("#figures figure").dataset.old = "yes"; document.querySelector("#live-pause").click(); document.querySelector("#live-pause").click()`)
	b.await("the figures to be drawn anew", `document.querySelector("#figures figure") && !document.querySelector("#figures figure").dataset.old`)
	if !b.is(`document.querySelector("#listener-charted-figures").open`) {
		t.Error("the table is closed again")
	}
}
