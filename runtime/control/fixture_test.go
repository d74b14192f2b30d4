package control_test

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/store/sqlite"
)

// openStore opens the store of a directory; it closes with the test.
func openStore(t testing.TB, dir string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), dir, sqlite.Options{MinFree: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// newLog opens a new log with an approved ticket CHG-1 that admits everything.
func newLog(t testing.TB) *controltest.Log {
	t.Helper()
	log := controltest.Open(t, control.Options{Store: openStore(t, t.TempDir())})
	log.Ticket(t, "CHG-1")
	return log
}

// underOne is a call by olivia under CHG-1.
var underOne = controltest.By("CHG-1")

// inRun is a call by olivia under CHG-1 in a run, which it registers.
func inRun(t testing.TB, log *controltest.Log, run string) control.Call {
	t.Helper()
	call := underOne
	call.Run = run
	o, err := log.RegisterRun(t.Context(), call, run, map[string]string{"system": "test"})
	controltest.Accepted(t, o, err)
	return call
}

// put is a put that expects the object to be absent, at a revision, or, with
// revision -1, to exist.
func put(t testing.TB, address string, obj lb.Object, revision int64) control.Put {
	t.Helper()
	pre := control.Precondition{Revision: revision}
	switch revision {
	case 0:
		pre = control.Precondition{Absent: true}
	case -1:
		pre = control.Precondition{Exists: true}
	}
	return controltest.PutOf(t, address, obj, pre)
}

// exists expects an object at whatever revision.
var exists = control.Precondition{Exists: true}

// stateIsTheFold fails the test unless the log verifies, which compares the
// stored state with the fold of the entries, and memory is that state.
func stateIsTheFold(t testing.TB, log *controltest.Log) {
	t.Helper()
	controltest.Verified(t, log.Store)
	want := map[string]audit.Current{}
	rows, err := log.Store.Currents(t.Context(), "", 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if address, err := lb.ParseAddress(row.Resource); err == nil && row.State != nil {
			want[address.String()] = row
		}
	}
	n := 0
	for _, kind := range lb.Kinds {
		objects, _ := log.Config().List(kind)
		for _, o := range objects {
			n++
			row := want[o.Address.String()]
			if row.Seq != o.Last.Revision || string(row.State) != string(o.Encoded) {
				t.Errorf("%s in memory is revision %d %s; stored is %d %s", o.Address, o.Last.Revision, o.Encoded, row.Seq, row.State)
			}
		}
	}
	if n != len(want) {
		t.Errorf("memory holds %d objects, the store %d", n, len(want))
	}
	for _, ahead := range log.Publisher.Ahead() {
		t.Errorf("published before it was committed: %s", ahead)
	}
}

// newest returns the newest entry with its body.
func newest(t testing.TB, log *controltest.Log) (audit.Entry, audit.Body) {
	t.Helper()
	rows, err := log.Store.Entries(t.Context(), control.Query{Limit: 1})
	if err != nil || len(rows) != 1 {
		t.Fatalf("newest entry: %d rows, %v", len(rows), err)
	}
	e, err := audit.ParseLeaf(rows[0].Leaf)
	if err != nil {
		t.Fatal(err)
	}
	body, err := audit.ParseBody(rows[0].Body)
	if err != nil {
		t.Fatal(err)
	}
	return e, body
}

// size is the number of entries.
func size(t testing.TB, log *controltest.Log) int64 {
	t.Helper()
	x, err := log.Store.Extent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return x.Size
}

// clock is a clock that tests move.
type clock struct {
	mu  sync.Mutex // guards now
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// databaseFiles are the files in which a log could leak something.
func databaseFiles(t testing.TB, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, sqlite.FileName+"*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no database in %s: %v", dir, err)
	}
	return files
}

// textLogger writes everything, so that tests see what is logged.
func textLogger(out io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// refusalText is all that a refusal says.
func refusalText(o control.Outcome) string {
	if o.Refusal() == nil {
		return ""
	}
	return o.Refusal().Detail + lb.Violations(o.Refusal().Violations).Error()
}

// swapped answers for one secret with another.
type swapped struct {
	control.Reader
	asked, given string
}

// Secret implements control.Reader.
func (s swapped) Secret(ctx context.Context, id string) ([]byte, error) {
	if id == s.asked {
		id = s.given
	}
	return s.Reader.Secret(ctx, id)
}

// tokensOf lists the log's tokens.
func tokensOf(t testing.TB, log *controltest.Log) []control.HeldToken {
	t.Helper()
	tokens, err := log.Tokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}
