package browsertest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/go-json-experiment/json"

	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
)

// tab is a tab of a browser that has never been here before. Whatever a page complains of
// fails the test: errors, exceptions, and what the Content-Security-Policy stopped.
type tab struct {
	*stage
	t   *testing.T
	ctx context.Context
	// status is that of the page that was loaded last.
	status int64

	mu   sync.Mutex // guards said
	said []string
}

// watcher is run in every page before anything else.
const watcher = `window.__blocked = [];
document.addEventListener("securitypolicyviolation", (e) => window.__blocked.push(e.violatedDirective + " " + e.blockedURI + " " + e.sample));`

func (s *stage) tab(t *testing.T) *tab {
	t.Helper()
	ctx, close := chromedp.NewContext(s.browser, chromedp.WithNewBrowserContext())
	b := &tab{stage: s, t: t, ctx: ctx}
	t.Cleanup(func() {
		if t.Failed() {
			b.picture()
		}
		close()
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, what := range b.said {
			t.Errorf("the page says: %s", what)
		}
	})
	if err := chromedp.Listen(ctx, b.hear); err != nil {
		t.Fatal(err)
	}
	_, err := chromedp.Call(ctx, log.Enable, cdp.Empty{})
	b.did("listen to the log", err)
	b.begin(watcher)
	b.width(1280)
	b.dark(false)
	return b
}

// expected are complaints about answers that tests ask for: pages that aren't there, and
// streams that end with the page.
var expected = regexp.MustCompile(`^Failed to load resource: the server responded with a status of 4..`)

// begin runs a script in every page that is loaded from now on, before the page's own.
func (b *tab) begin(script string) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
	b.did("begin pages with a script", err)
}

// hear keeps what a page complains of.
func (b *tab) hear(event any) {
	what := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		what = fmt.Sprintf("exception: %s %+v", e.ExceptionDetails.Text, e.ExceptionDetails.Exception)
	case *runtime.EventConsoleAPICalled:
		if e.Type == "error" || e.Type == "warning" || e.Type == "assert" {
			for _, arg := range e.Args {
				what += string(arg.Value) + arg.Description + " "
			}
			what = "console: " + what
		}
	case *log.EventEntryAdded:
		if (e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning) && !expected.MatchString(e.Entry.Text) {
			what = fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL)
		}
	case *page.EventJavascriptDialogOpening:
		what = "a dialog: " + e.Message
	}
	if what != "" {
		b.mu.Lock()
		b.said = append(b.said, what)
		b.mu.Unlock()
	}
}

// did fails the test when something that has to succeed did not.
func (b *tab) did(what string, err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatalf("%s: %v, at %s", what, err, b.where())
	}
}

// within bounds something that must happen.
func (b *tab) within() (context.Context, context.CancelFunc) {
	return context.WithTimeout(b.ctx, patience)
}

func (b *tab) run(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := b.within()
	defer cancel()
	b.did(what, chromedp.Do(ctx, steps...))
}

// leave does what leads to another page, and waits until that is there.
func (b *tab) leave(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := b.within()
	defer cancel()
	resp, err := chromedp.RunResponse(ctx, steps...)
	b.did(what, err)
	if resp != nil {
		b.status = resp.Status
	}
}

// open loads a page of the console, such as "/objects", or one with its whole path.
func (b *tab) open(path string) {
	b.t.Helper()
	if !strings.HasPrefix(path, "/console") {
		path = "/console" + path
	}
	b.leave("open "+path, chromedp.Navigate(b.Endpoint+path))
}

// click clicks on something that stays on the page, and follow on what leads elsewhere.
func (b *tab) click(sel string) {
	b.t.Helper()
	b.run("click "+sel, chromedp.Click(chromedp.CSS(sel)))
}

func (b *tab) follow(sel string) {
	b.t.Helper()
	b.leave("follow "+sel, chromedp.Click(chromedp.CSS(sel)))
}

// fill puts a text into a field, all at once as pasting does.
func (b *tab) fill(sel, text string) {
	b.t.Helper()
	b.run("fill "+sel, chromedp.Focus(chromedp.CSS(sel), chromedp.NodeVisible), chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, input.InsertText, input.InsertTextParams{Text: text})
		return err
	}))
}

// value evaluates an expression in the page.
func value[T any](b *tab, script string) T {
	b.t.Helper()
	ctx, cancel := b.within()
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	b.did("evaluate "+script[:min(200, len(script))], err)
	return v
}

// eval evaluates an expression in the page into what out points to.
func (b *tab) eval(script string, out any) {
	b.t.Helper()
	b.did("evaluate", json.Unmarshal(value[[]byte](b, script), out))
}

// do evaluates statements in the page.
func (b *tab) do(script string) {
	b.t.Helper()
	value[chromedp.Void](b, script)
}

// is reports whether an expression is true in the page.
func (b *tab) is(script string) bool {
	b.t.Helper()
	return value[bool](b, "!!("+script+")")
}

func (b *tab) has(sel string) bool {
	b.t.Helper()
	return b.is(fmt.Sprintf("document.querySelector(%q)", sel))
}

// await waits until an expression is true in the page.
func (b *tab) await(what, script string) {
	b.t.Helper()
	for deadline := time.Now().Add(patience); !b.is(script); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatalf("waited for %s, at %s", what, b.where())
		}
	}
}

// text is what can be read of the first match, with its space made plain, or "".
func (b *tab) text(sel string) string {
	b.t.Helper()
	return strings.Join(strings.Fields(value[string](b, fmt.Sprintf("document.querySelector(%q)?.innerText ?? ''", sel))), " ")
}

// texts are those of all matches.
func (b *tab) texts(sel string) []string {
	b.t.Helper()
	return value[[]string](b, fmt.Sprintf(`[...document.querySelectorAll(%q)].map((e) => e.innerText.replace(/\s+/g, " ").trim())`, sel))
}

// where is the page that is shown.
func (b *tab) where() string {
	ctx, cancel := b.within()
	defer cancel()
	url, _ := chromedp.Run(ctx, chromedp.Location())
	return strings.TrimPrefix(url, b.Endpoint)
}

// width makes the window so wide.
func (b *tab) width(pixels int64) {
	b.t.Helper()
	b.run("resize", chromedp.EmulateViewport(pixels, 900))
}

// dark chooses the colors that the system prefers.
func (b *tab) dark(on bool) {
	b.t.Helper()
	scheme := "light"
	if on {
		scheme = "dark"
	}
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
	b.did("choose colors", err)
}

// withoutScripts turns scripts off in the pages that are loaded from now on.
func (b *tab) withoutScripts() {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.did("turn scripts off", err)
}

// press types keys, wherever the focus is.
func (b *tab) press(keys string) {
	b.t.Helper()
	b.run("press keys", pressed(keys))
}

// pressed types keys as keyboards do: what a page makes of a key keeps it from being text,
// which [chromedp.KeyEvent] sends apart.
func pressed(keys string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		for _, r := range keys {
			events := kb.Encode(r)
			down, up := events[0], events[len(events)-1]
			if len(events) == 3 {
				down.Text, down.UnmodifiedText = events[1].Text, events[1].UnmodifiedText
			}
			for _, event := range []*input.DispatchKeyEventParams{down, up} {
				if _, err := cdp.Call(ctx, t, input.DispatchKeyEvent, *event); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// signIn signs in as one of the people, by the form.
func (b *tab) signIn(role identity.Role) {
	b.t.Helper()
	b.open("/sign-in")
	b.fill("#token", b.Tokens[role])
	b.follow("#sign-in")
	if got := b.text("#role"); got != string(role) {
		b.t.Fatalf("signed in as %q, want %s, at %s", got, role, b.where())
	}
}

// picture keeps what the page looks like.
func (b *tab) picture() {
	ctx, cancel := b.within()
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Logf("no picture: %v", err)
		return
	}
	if err := os.MkdirAll(pictures(), 0o700); err != nil {
		b.t.Log(err)
		return
	}
	path := filepath.Join(pictures(), strings.ReplaceAll(b.t.Name(), "/", "-")+".png")
	if err := os.WriteFile(path, png, 0o600); err != nil {
		b.t.Log(err)
		return
	}
	b.t.Logf("%s looks like %s", b.where(), path)
}
