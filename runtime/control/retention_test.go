package control_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/store/sqlite"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// aging is a log whose clock the test moves.
type aging struct {
	*controltest.Log
	mu  sync.Mutex // guards now
	now time.Time
}

func agingLog(t *testing.T, dir string) *aging {
	t.Helper()
	a := &aging{now: time.Now()}
	a.Log = controltest.Open(t, control.Options{Store: openStore(t, dir), Now: func() time.Time {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.now
	}})
	return a
}

func (a *aging) days(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.now = a.now.Add(time.Duration(n) * 24 * time.Hour)
}

// ticket opens an approved ticket of today.
func (a *aging) ticket(t *testing.T, id string) string {
	t.Helper()
	return a.Ticket(t, id)
}

var tenDays = control.Retention{Period: 10 * 24 * time.Hour, Setting: "retention.bodies_after = 240h"}

// erase takes steps until nothing more is due, and returns the entries whose
// bodies went.
func (a *aging) erase(t *testing.T, r control.Retention) (seqs []int64) {
	t.Helper()
	for {
		done, err := a.Erase(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if done.Bodies > 0 {
			row, err := a.Store.Entry(t.Context(), done.Entry.Seq)
			if err != nil {
				t.Fatal(err)
			}
			x, e, err := audit.ParseErasure(row)
			if err != nil || x.Bodies != done.Bodies || x.Setting != r.Setting || e.Actor.Name != "system/retention" || e.Ticket != "" {
				t.Fatalf("entry %d: %+v %+v %v", done.Entry.Seq, x, e, err)
			}
			for _, s := range x.Erased {
				for seq := s[0]; seq <= s[1]; seq++ {
					seqs = append(seqs, seq)
				}
			}
		}
		if !done.More {
			return seqs
		}
	}
}

// without returns the entries that have no body.
func (a *aging) without(t *testing.T) (seqs []int64) {
	t.Helper()
	rows, err := a.Store.Rows(t.Context(), 0, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		if rows[i].BodyErased() {
			seqs = append(seqs, rows[i].Seq)
		}
	}
	return seqs
}

func TestABodyGoesOnceItIsOfNoUseForThePeriod(t *testing.T) {
	a := agingLog(t, t.TempDir())
	a.ticket(t, "CHG-1") // 1, 2
	first := a.Create(t, "CHG-1", "pool/web", controltest.Numbered(1))
	second := a.Update(t, "CHG-1", "pool/web", controltest.Numbered(2))
	still := a.Create(t, "CHG-1", "pool/api", controltest.Numbered(1))
	refused, err := a.Put(t.Context(), controltest.By("CHG-1"), put(t, "pool/web", controltest.Numbered(3), 0))
	controltest.Refused(t, control.CodePreconditionFailed, refused, err)

	if got := a.erase(t, tenDays); len(got) > 0 {
		t.Errorf("erased %v on the first day", got)
	}
	a.days(11)
	// Opening the ticket (1), which approval replaced (2); the pool's first state; the refusal.
	want := []int64{1, first.Entry.Seq, refused.Entry.Seq}
	if got := a.erase(t, tenDays); !slices.Equal(got, want) || !slices.Equal(a.without(t), want) {
		t.Errorf("erased %v, without a body are %v; want %v", got, a.without(t), want)
	}
	stateIsTheFold(t, a.Log)

	// What is replaced now was needed until now: it goes a period later.
	a.ticket(t, "CHG-2")
	third := a.Update(t, "CHG-2", "pool/web", controltest.Numbered(3))
	a.days(5)
	if got := a.erase(t, tenDays); len(got) > 0 {
		t.Errorf("erased %v five days after they were replaced", got)
	}
	a.days(6)
	if got := a.erase(t, tenDays); !slices.Contains(got, second.Entry.Seq) || slices.Contains(got, third.Entry.Seq) || slices.Contains(got, still.Entry.Seq) {
		t.Errorf("erased %v, want the second state among them and neither the third nor pool/api's", got)
	}
	a.days(1000)
	a.erase(t, tenDays)
	for _, needed := range []int64{0, third.Entry.Seq, still.Entry.Seq} {
		if slices.Contains(a.without(t), needed) {
			t.Errorf("the body of entry %d is gone", needed)
		}
	}
	for _, e := range a.Entries(t) {
		if e.Type == audit.TypeSystem && slices.Contains(a.without(t), e.Seq) {
			t.Errorf("the body of system entry %d (%s) is gone", e.Seq, e.Op)
		}
	}
	stateIsTheFold(t, a.Log)
	report := controltest.Verified(t, a.Store)
	if report.Erased == nil || report.Erased.Erased != int64(len(a.without(t))) || report.Erased.Archived != 0 {
		t.Errorf("the report says %+v; %d bodies are gone", report.Erased, len(a.without(t)))
	}
}

func TestARuntimeStartsOnALogWithoutItsOldBodies(t *testing.T) {
	dir := t.TempDir()
	a := agingLog(t, dir)
	a.ticket(t, "CHG-1")
	for n := range 8 {
		a.Create(t, "CHG-1", fmt.Sprintf("pool/p%d", n), controltest.Numbered(1))
		a.Update(t, "CHG-1", fmt.Sprintf("pool/p%d", n), controltest.Numbered(2))
	}
	a.days(30)
	a.erase(t, tenDays)
	// As after a crash: what was verified last is the log's beginning.
	if err := a.Store.MarkVerified(t.Context(), []byte{}); err != nil {
		t.Fatal(err)
	}
	report, err := audit.VerifyTail(t.Context(), a.Store, controltest.Signer(t).Verifier())
	if err != nil || !report.OK() || report.Erased == nil || report.Erased.Erased == 0 {
		t.Fatalf("the tail: %+v, %v", report, err)
	}
	a.Close()
	again := controltest.Open(t, control.Options{Store: a.Store})
	stateIsTheFold(t, again)
}

func TestAStepIsBoundedAndTheNextGoesOn(t *testing.T) {
	a := agingLog(t, t.TempDir())
	a.ticket(t, "CHG-1")
	const refusals = 1100
	var wg sync.WaitGroup
	for n := range refusals { // at once, so that they share commits
		wg.Go(func() {
			o, err := a.Refuse(context.Background(), controltest.By("CHG-1"), control.Subject{Resource: fmt.Sprintf("pool/p%d", n), Op: "create"}, audit.Refusal{Code: "forbidden", Detail: "no"}, nil)
			if err != nil || o.Refusal() == nil {
				t.Errorf("refusal %d: %v", n, err)
			}
		})
	}
	wg.Wait()
	a.days(30)
	status, err := control.ReadRetention(t.Context(), a.Store, a.now, tenDays.Period)
	if err != nil || status.Next != 0 || status.Due != int64(len(a.Entries(t))) {
		t.Errorf("status %+v, %v; want all %d entries due", status, err, len(a.Entries(t)))
	}
	steps := 0
	for more := true; more; steps++ {
		done, err := a.Erase(t.Context(), tenDays)
		if err != nil || done.Bodies > 500 {
			t.Fatalf("%+v, %v", done, err)
		}
		more = done.More
	}
	if steps != 3 {
		t.Errorf("%d steps, want 3", steps)
	}
	if got := len(a.without(t)); got != refusals+1 { // with the ticket's opening
		t.Errorf("%d bodies are gone, want %d", got, refusals+1)
	}
	if done, err := a.Erase(t.Context(), tenDays); err != nil || done.Bodies != 0 {
		t.Errorf("a step with nothing to do: %+v, %v", done, err)
	}
	controltest.Verified(t, a.Store)
}

func TestErasingHoldsUpNoChangeAndFailsNone(t *testing.T) {
	const pools = 25
	a := agingLog(t, t.TempDir())
	a.ticket(t, "CHG-1")
	for n := range pools {
		a.Create(t, "CHG-1", fmt.Sprintf("pool/p%d", n), controltest.Numbered(1))
		a.Update(t, "CHG-1", fmt.Sprintf("pool/p%d", n), controltest.Numbered(2))
	}
	a.days(30)
	a.ticket(t, "CHG-2")
	var wg sync.WaitGroup
	for n := range pools {
		wg.Go(func() {
			o, err := a.Put(context.Background(), controltest.By("CHG-2"), put(t, fmt.Sprintf("pool/p%d", n), controltest.Numbered(3), -1))
			if err != nil || o.Refusal() != nil {
				t.Errorf("change %d: %v %+v", n, err, o.Refusal())
			}
		})
	}
	a.erase(t, tenDays)
	wg.Wait()
	stateIsTheFold(t, a.Log)
}

// keeping is an archive in memory, or one that fails.
type keeping struct {
	rows []audit.Row
	err  error
}

func (k *keeping) Keep(_ context.Context, rows []audit.Row) (segment, sha256 string, err error) {
	if k.err != nil {
		return "", "", k.err
	}
	k.rows = append(k.rows, rows...)
	return "bodies/1-2", strings.Repeat("0", 64), nil
}

func TestABodyThatCanNotBeArchivedStays(t *testing.T) {
	a := agingLog(t, t.TempDir())
	a.ticket(t, "CHG-1")
	a.days(30)
	r, archive := tenDays, &keeping{err: errors.New("no space")}
	r.Archive = archive
	before := len(a.Entries(t))
	if done, err := a.Erase(t.Context(), r); err == nil {
		t.Errorf("erased %+v without an archive", done)
	}
	if len(a.without(t)) > 0 || len(a.Entries(t)) != before {
		t.Errorf("bodies %v are gone, and there are %d entries, want %d", a.without(t), len(a.Entries(t)), before)
	}
	archive.err = nil
	gone := a.erase(t, r)
	if len(gone) != 1 || len(archive.rows) != 1 || archive.rows[0].Seq != gone[0] || archive.rows[0].BodyErased() {
		t.Errorf("erased %v, archived %v", gone, archive.rows)
	}
	if report := controltest.Verified(t, a.Store); report.Erased == nil || report.Erased.Archived != 1 {
		t.Errorf("the report says %+v", report.Erased)
	}
}

// TestWhatIsEditedInTheDatabaseIsNotErased: what the log signs of an erasure must not
// cover up an edit, and no edit may bring an erasure about.
func TestWhatIsEditedInTheDatabaseIsNotErased(t *testing.T) {
	for _, tt := range []struct{ name, edit, undo string }{
		{"a time", "UPDATE entry SET ts = ts - 2592000000000", "UPDATE entry SET ts = ts + 2592000000000"},
		{"a body", "UPDATE entry SET body = CAST('{\"after\":{}}' AS BLOB) WHERE seq = 1", ""},
		{"a header", "UPDATE entry SET leaf = CAST(replace(CAST(leaf AS TEXT), 'olivia', 'oliver') AS BLOB) WHERE seq = 1", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			a := agingLog(t, dir)
			a.ticket(t, "CHG-1") // opening it, 1, is what becomes due
			if tt.undo == "" {
				a.days(30)
			}
			alter(t, dir, tt.edit)
			done, err := a.Erase(t.Context(), tenDays)
			if done.Bodies > 0 || tt.undo == "" && err == nil {
				t.Errorf("erased %d bodies, %v", done.Bodies, err)
			}
			if tt.undo != "" {
				alter(t, dir, tt.undo)
				controltest.Verified(t, a.Store)
			}
			if gone := a.without(t); len(gone) > 0 {
				t.Errorf("bodies %v are gone", gone)
			}
		})
	}
}

// TestAForgedTimeBringsNoErasureAbout makes an entry an old one, wherever its time stands
// and with the hash that belongs to that.
func TestAForgedTimeBringsNoErasureAbout(t *testing.T) {
	dir := t.TempDir()
	a := agingLog(t, dir)
	a.ticket(t, "CHG-1")
	rows, err := a.Store.Rows(t.Context(), 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		e, err := audit.ParseLeaf(rows[i].Leaf)
		if err != nil {
			t.Fatal(err)
		}
		e.Time = e.Time.Add(-30 * 24 * time.Hour)
		leaf, err := lb.Canonical(e)
		if err != nil {
			t.Fatal(err)
		}
		hash := tlog.RecordHash(leaf)
		alter(t, dir, "UPDATE entry SET ts = ?, leaf = ? WHERE seq = ?", e.Time.UnixMicro(), leaf, e.Seq)
		alter(t, dir, "UPDATE hash SET hash = ? WHERE idx = ?", hash[:], tlog.StoredHashIndex(0, e.Seq))
	}
	if done, err := a.Erase(t.Context(), tenDays); err == nil || done.Bodies > 0 || len(a.without(t)) > 0 {
		t.Errorf("erased %d bodies, %v", done.Bodies, err)
	}
}

// alter edits the database behind the log's back.
func alter(t *testing.T, dir, statement string, args ...any) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, sqlite.FileName))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}

func TestAPeriodInWhichCallsAreRetriedIsRefused(t *testing.T) {
	a := agingLog(t, t.TempDir())
	if _, err := a.Erase(t.Context(), control.Retention{Period: 7 * 24 * time.Hour}); err == nil {
		t.Error("bodies may go while calls are answered from them")
	}
}

// TestWhatNeedsAnErasedBodySaysSo: a key, a run to bind to, a bound ticket, and a plan to match.
func TestWhatNeedsAnErasedBodySaysSo(t *testing.T) {
	a := agingLog(t, t.TempDir())
	a.ticket(t, "CHG-1")
	key := controltest.By("CHG-1")
	key.Key, key.Digest = "a-key", "digest"
	o, err := a.Put(t.Context(), key, put(t, "pool/keyed", controltest.Numbered(1), 0))
	controltest.Accepted(t, o, err)
	a.Update(t, "CHG-1", "pool/keyed", controltest.Numbered(2))
	run := inRun(t, a.Log, "run-1")
	planned(t, a.Log, run, lb.OpCreate, "pool/new", controltest.Numbered(3))
	bound := ticket.Request{ID: "CHG-BOUND", Title: "a change", Reason: "a test needs it", NotAfter: a.now.Add(60 * 24 * time.Hour), Scope: ticket.Scope{Addresses: []string{"*"}}}
	o, err = a.OpenTicket(t.Context(), control.Call{Actor: controltest.Olivia}, control.TicketRequest{Request: bound, Run: "run-1"})
	controltest.Accepted(t, o, err)
	o, err = a.ActOnTicket(t.Context(), control.Call{Actor: controltest.Anton}, "CHG-BOUND", control.TicketAct{Action: ticket.Approve, Effects: held(t, a.Log, "CHG-BOUND").Binding.Digest})
	controltest.Accepted(t, o, err)
	a.days(20)
	a.erase(t, tenDays)
	a.ticket(t, "CHG-2")

	// Binding to the run again.
	again := control.TicketRequest{Request: ticket.Request{Title: "a change", Reason: "a test needs it", Scope: ticket.Scope{Addresses: []string{"*"}}}, Run: "run-1"}
	o, err = a.OpenTicket(t.Context(), control.Call{Actor: controltest.Olivia}, again)
	refusal := controltest.Refused(t, control.CodeRunUnknown, o, err)
	if text, _ := json.Marshal(refusal); !strings.Contains(string(text), "erased from the log") {
		t.Errorf("refused with %s", text)
	}
	// Something else than what was approved.
	o, err = a.Put(t.Context(), controltest.By("CHG-BOUND"), put(t, "pool/new", controltest.Numbered(4), 0))
	if r := controltest.Refused(t, ticket.CodeEffectDiffers, o, err); !strings.Contains(r.Detail, "erased") {
		t.Errorf("refused with %s", r.Detail)
	}
	// What was approved: its digest stands in the header.
	o, err = a.Put(t.Context(), controltest.By("CHG-BOUND"), put(t, "pool/new", controltest.Numbered(3), 0))
	controltest.Accepted(t, o, err)
	if o.Entry.Unplanned || o.Entry.Plan == 0 {
		t.Errorf("not matched to its plan: %+v", o.Entry)
	}
	// An object whose plans are gone, changed without one.
	planned(t, a.Log, run, lb.OpCreate, "pool/other", controltest.Numbered(3))
	a.days(20)
	a.erase(t, tenDays)
	a.ticket(t, "CHG-3")
	if o := a.Create(t, "CHG-3", "pool/other", controltest.Numbered(9)); !o.Entry.Unplanned {
		t.Errorf("matched to a plan: %+v", o.Entry)
	}
	// A key of long ago is a new call.
	key.Ticket = "CHG-3"
	o, err = a.Put(t.Context(), key, put(t, "pool/keyed", controltest.Numbered(1), -1))
	controltest.Accepted(t, o, err)
	stateIsTheFold(t, a.Log)
}
