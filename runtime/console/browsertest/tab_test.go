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

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

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
	ctx, cancel := chromedp.NewContext(s.browser, chromedp.WithNewBrowserContext())
	ctx, late := context.WithTimeout(ctx, testPatience)
	b := &tab{stage: s, t: t, ctx: ctx}
	chromedp.ListenTarget(ctx, b.hear)
	b.run("open a tab",
		log.Enable(), network.Enable(), page.Enable(),
		chromedp.ActionFunc(func(ctx context.Context) error {
			_, err := page.AddScriptToEvaluateOnNewDocument(watcher).Do(ctx)
			return err
		}),
	)
	b.width(1280)
	t.Cleanup(func() {
		if t.Failed() {
			b.picture()
		}
		late()
		cancel()
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, what := range b.said {
			t.Errorf("the page says: %s", what)
		}
	})
	return b
}

// expected are complaints about answers that tests ask for: pages that aren't there, and
// streams that end with the page.
var expected = regexp.MustCompile(`^Failed to load resource: the server responded with a status of (401|403|404|405|422)`)

// hear keeps what a page complains of.
func (b *tab) hear(event any) {
	what := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		what = "exception: " + e.ExceptionDetails.Error()
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning || e.Type == runtime.APITypeAssert {
			for _, arg := range e.Args {
				what += string(arg.Value) + arg.Description + " "
			}
			what = "console: " + what
		}
	case *log.EventEntryAdded:
		if (e.Entry.Level == log.LevelError || e.Entry.Level == log.LevelWarning) && !expected.MatchString(e.Entry.Text) {
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

// run does something that has to succeed.
func (b *tab) run(what string, actions ...chromedp.Action) {
	b.t.Helper()
	if err := b.try(actions...); err != nil {
		b.t.Fatalf("%s: %v, at %s", what, err, b.where())
	}
}

func (b *tab) try(actions ...chromedp.Action) error {
	return chromedp.Run(b.ctx, chromedp.ActionFunc(func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		return chromedp.Tasks(actions).Do(ctx)
	}))
}

// leave does what leads to another page, and waits until that is there.
func (b *tab) leave(what string, actions ...chromedp.Action) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	resp, err := chromedp.RunResponse(ctx, actions...)
	if err != nil {
		b.t.Fatalf("%s: %v, at %s", what, err, b.where())
	}
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
func (b *tab) click(sel string)  { b.t.Helper(); b.run("click "+sel, chromedp.Click(sel, chromedp.ByQuery)) }
func (b *tab) follow(sel string) { b.t.Helper(); b.leave("follow "+sel, chromedp.Click(sel, chromedp.ByQuery)) }

func (b *tab) fill(sel, text string) {
	b.t.Helper()
	b.run("fill "+sel, chromedp.SendKeys(sel, text, chromedp.ByQuery))
}

// eval evaluates an expression in the page.
func (b *tab) eval(script string, out any) {
	b.t.Helper()
	b.run("evaluate "+script, chromedp.Evaluate(script, out, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
}

// has reports whether an expression is true in the page.
func (b *tab) is(script string) bool {
	b.t.Helper()
	var ok bool
	b.eval("!!("+script+")", &ok)
	return ok
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
	var text string
	b.eval(fmt.Sprintf("document.querySelector(%q)?.innerText ?? ''", sel), &text)
	return strings.Join(strings.Fields(text), " ")
}

// texts are those of all matches.
func (b *tab) texts(sel string) []string {
	b.t.Helper()
	var texts []string
	b.eval(fmt.Sprintf(`[...document.querySelectorAll(%q)].map((e) => e.innerText.replace(/\s+/g, " ").trim())`, sel), &texts)
	return texts
}

// where is the page that is shown, for messages.
func (b *tab) where() string {
	var url string
	_ = b.try(chromedp.Location(&url))
	return strings.TrimPrefix(url, b.Endpoint)
}

// width makes the window so wide.
func (b *tab) width(pixels int64) {
	b.t.Helper()
	b.run("resize", emulation.SetDeviceMetricsOverride(pixels, 900, 1, false))
}

// dark chooses what the system prefers.
func (b *tab) dark(on bool) {
	b.t.Helper()
	value := "light"
	if on {
		value = "dark"
	}
	b.run("colors", emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: value}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}))
}

// withoutScripts turns scripts off in the pages that are loaded from now on.
func (b *tab) withoutScripts() {
	b.t.Helper()
	b.run("turn scripts off", emulation.SetScriptExecutionDisabled(true))
}

// press types keys, wherever the focus is.
func (b *tab) press(keys string) { b.t.Helper(); b.run("press", chromedp.KeyEvent(keys)) }

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
	var png []byte
	if err := b.try(chromedp.FullScreenshot(&png, 100)); err != nil {
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

const (
	tabKey   = kb.Tab
	enterKey = kb.Enter
)
