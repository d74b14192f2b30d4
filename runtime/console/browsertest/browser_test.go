package browsertest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
)

// patience bounds every wait for something that must happen.
const patience = time.Minute

// programs are the names that Chromium goes by.
var programs = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

func TestMain(m *testing.M) {
	code := m.Run()
	house.close()
	os.Exit(code)
}

// house is what all tests share: to start a browser and a runtime for each takes too long.
var house = &keeper{}

// stage is a runtime and a browser that looks at it.
type stage struct {
	*runtimetest.Runtime
	// browser is the context of the browser itself; each test has a profile of its own.
	browser context.Context
	tracker *tracker
	// shown are the pages to look at, once there are any.
	shown []sight
}

// start returns the stage, or skips the test on a machine without a Chromium.
func start(t *testing.T) *stage {
	t.Helper()
	path := ""
	for _, name := range programs {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skipf("no Chromium is installed (%v), with which the console is tried", programs)
	}
	return opened(path)
}

var opened = func() func(string) *stage {
	var once sync.Once
	var s *stage
	return func(chromium string) *stage {
		once.Do(func() { s = open(chromium) })
		return s
	}
}()

func open(chromium string) *stage {
	s := &stage{tracker: newTracker(house)}
	s.Runtime = runtimetest.Start(house, s.tracker.trusted()...)
	options := slices.Concat(chromedp.DefaultExecAllocatorOptions[:], []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WSURLReadTimeout(patience), chromedp.Flag("lang", "en"),
	})
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	house.Cleanup(stop)
	browser, cancel := chromedp.NewContext(allocator)
	house.Cleanup(cancel)
	if err := chromedp.Do(browser); err != nil {
		house.Fatalf("start %s: %v", chromium, err)
	}
	s.browser = browser
	return s
}

// as is a client of the API with the token of a role.
func (s *stage) as(t testing.TB, role identity.Role) *client.Client {
	t.Helper()
	return s.Client(t, client.Config{Token: api.Secret(s.Tokens[role]), Ticket: s.Ticket})
}

// keeper is a [testing.TB] that lasts as long as the package's tests. What goes wrong in
// it ends them all.
type keeper struct {
	testing.TB
	mu       sync.Mutex // guards cleanups
	cleanups []func()
}

func (*keeper) Helper() {}

func (*keeper) Context() context.Context { return context.Background() }

func (*keeper) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func (*keeper) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

func (*keeper) Errorf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func (k *keeper) Cleanup(f func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cleanups = append(k.cleanups, f)
}

func (k *keeper) TempDir() string {
	dir, err := os.MkdirTemp("", "auditlb-browsertest-")
	if err != nil {
		k.Fatal(err)
	}
	k.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func (k *keeper) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := len(k.cleanups) - 1; i >= 0; i-- {
		k.cleanups[i]()
	}
}

// pictures is where screenshots of pages go that a test failed on.
func pictures() string { return filepath.Join(os.TempDir(), "auditlb-browsertest") }
