package daemon_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/agebox"
	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/archive"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/bucket"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/store/sqlite"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// pastLog makes the log of a runtime that ran thirty days ago: pool/web was created, and
// changed three times, after so many plans of that.
func pastLog(t *testing.T, dataDir string, plans int) (seqs []int64) {
	t.Helper()
	skey, vkey, err := audit.GenerateKey("auditlb/past")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := audit.NewSigner(skey, vkey)
	if err != nil {
		t.Fatal(err)
	}
	sealing, err := agebox.Generate()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"log.key": skey + "\n" + vkey + "\n", "secrets.key": sealing + "\n"} {
		if err := os.WriteFile(filepath.Join(dataDir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	store, err := sqlite.Open(t.Context(), dataDir, sqlite.Options{MinFree: -1})
	if err != nil {
		t.Fatal(err)
	}
	l, err := controltest.TryOpenAs(t, signer, control.Options{Store: store, Now: func() time.Time { return time.Now().Add(-30 * 24 * time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	id := l.Ticket(t, "CHG-0")
	seqs = append(seqs, l.Create(t, id, "pool/web", controltest.Numbered(1)).Entry.Seq)
	// However often a change was planned before it was made.
	var planning sync.WaitGroup
	for n := range plans { // at once, so that they share commits
		planning.Go(func() {
			o, err := l.Plan(context.Background(), controltest.By(id), control.Plan{Address: controltest.Address(t, "pool/web"), Op: lb.OpUpdate, Object: controltest.Numbered(n % 90)})
			if err != nil {
				t.Errorf("plan %d: %v %+v", n, err, o.Refusal())
			}
		})
	}
	planning.Wait()
	for n := range 3 {
		seqs = append(seqs, l.Update(t, id, "pool/web", controltest.Numbered(n+2)).Entry.Seq)
	}
	// A ticket that is bound to what a run planned, and waits for approval since.
	o, err := l.RegisterRun(t.Context(), controltest.By(id), "run-1", map[string]string{"system": "test"})
	accepted(t, o, err)
	call := controltest.By(id)
	call.Run = "run-1"
	o, err = l.Plan(t.Context(), call, control.Plan{Address: controltest.Address(t, "pool/web"), Op: lb.OpDelete})
	accepted(t, o, err)
	o, err = l.OpenTicket(t.Context(), controltest.By(""), control.TicketRequest{Run: "run-1", Request: ticket.Request{
		ID: "CHG-BOUND", Title: "a change", Reason: "a test needs it", NotAfter: time.Now().Add(24 * time.Hour), Scope: ticket.Scope{Addresses: []string{"*"}},
	}})
	accepted(t, o, err)
	l.Close()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return seqs
}

func retaining(dataDir, action, archiveDir string) daemon.Config {
	c := config(dataDir, -1)
	c.Retention = &daemon.Retention{BodiesAfter: "240h", Action: action}
	if archiveDir != "" {
		c.Retention.Archive = &daemon.ArchiveBlock{Directory: archiveDir}
	}
	return c
}

// untilRetained waits for the first run of the retention.
func untilRetained(t *testing.T, d *daemon.Daemon) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for strings.Contains(metrics(t, d), "auditlb_retention_last_run_timestamp_seconds 0\n") {
		select {
		case <-ctx.Done():
			t.Fatal("the retention did not run")
		case <-tick.C:
		}
	}
}

// shown asks for an entry, and for the history of pool/web, in which it must be alike.
func shown(t *testing.T, cl *client.Client, seq int64) *api.EntryRecord {
	t.Helper()
	entry, err := cl.Entry(t.Context(), seq)
	if err != nil {
		t.Fatal(err)
	}
	list, err := cl.Entries(t.Context(), api.EntryQuery{Resource: "pool/web", IncludePatch: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list.Items {
		if e.Seq == seq && (e.BodyState != entry.BodyState || e.BodyErasedBy != entry.BodyErasedBy || len(e.Patch) != len(entry.Patch)) {
			t.Errorf("entry %d in the history: %s by %d, patch of %d; by itself: %s by %d, patch of %d",
				seq, e.BodyState, e.BodyErasedBy, len(e.Patch), entry.BodyState, entry.BodyErasedBy, len(entry.Patch))
		}
	}
	return entry
}

func TestAnArchivedBodyIsShownAsBefore(t *testing.T) {
	dataDir, outside := t.TempDir(), t.TempDir()
	seqs := pastLog(t, dataDir, 0)
	d := start(t, config(dataDir, -1))
	before := shown(t, operator(t, d), seqs[1])
	stop(t, d)

	d = start(t, retaining(dataDir, "archive", outside))
	untilRetained(t, d)
	cl := reader(t, d)
	after := shown(t, cl, seqs[1])
	if after.BodyState != api.BodyArchived || after.BodyErasedBy == 0 || !bytes.Equal(after.Body.After, before.Body.After) || len(after.Patch) != len(before.Patch) || len(after.Patch) == 0 {
		t.Errorf("shown %+v, before %+v", after, before)
	}
	if e := shown(t, cl, after.BodyErasedBy); e.Resource != audit.ResourceBodies || e.Op != audit.OpArchive || e.Body == nil {
		t.Errorf("the entry that erased it: %+v", e)
	}
	if e := shown(t, cl, seqs[3]); e.BodyState != "" || e.Body == nil {
		t.Errorf("the body of the current state is %s", e.BodyState)
	}
	verified(t, d, dataDir)
	hasMetrics(t, d, "auditlb_retention_failures_total 0")
	archived := archivedRight(t, dataDir, outside)
	if archived < 3 {
		t.Errorf("%d archived bodies are right, want those of three states at least", archived)
	}
	stop(t, d)

	// The archive is away, and then it is altered: the entry is shown without its body.
	away := outside + ".away"
	if err := os.Rename(outside, away); err != nil {
		t.Fatal(err)
	}
	d = start(t, retaining(dataDir, "archive", outside))
	if e := shown(t, reader(t, d), seqs[1]); e.BodyState != api.BodyUnavailable || e.Body != nil || e.BodyErasedBy != after.BodyErasedBy {
		t.Errorf("with the archive away: %+v", e)
	}
	stop(t, d)
	segments, err := filepath.Glob(filepath.Join(away, "bodies", "*"))
	if err != nil || len(segments) != 1 {
		t.Fatalf("segments %q, %v; want one", segments, err)
	}
	segment, err := os.ReadFile(segments[0])
	if err != nil {
		t.Fatal(err)
	}
	lines, err := archive.Decode(segment)
	if err != nil {
		t.Fatal(err)
	}
	lines[0].Body = bytes.Replace(lines[0].Body, []byte("a"), []byte("b"), 1)
	if segment, err = archive.Encode(lines); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(segments[0], segment, 0o600); err != nil {
		t.Fatal(err)
	}
	d = start(t, retaining(dataDir, "archive", away))
	if e := shown(t, reader(t, d), seqs[1]); e.BodyState != api.BodyUnavailable {
		t.Errorf("from a segment that was altered: %+v", e)
	}
	stop(t, d)
	if findings := archiveFindings(t, dataDir, away); len(findings) == 0 || !strings.Contains(findings[0].Problem, "altered") {
		t.Errorf("of a segment that was altered, verification says %v", findings)
	}
}

func TestAnErasedBodyIsSaidToBeErased(t *testing.T) {
	dataDir := t.TempDir()
	seqs := pastLog(t, dataDir, 60)
	d := start(t, retaining(dataDir, "erase", ""))
	untilRetained(t, d)
	e := shown(t, reader(t, d), seqs[0])
	if e.BodyState != api.BodyErased || e.Body != nil || e.BodyErasedBy == 0 {
		t.Errorf("shown %+v", e)
	}
	// Whoever is asked to approve what was planned must not take it for no change.
	effects, err := reader(t, d).TicketEffects(t.Context(), "CHG-BOUND", client.Page{})
	if err != nil || len(effects.Items) != 1 || effects.Items[0].BodyState != api.BodyErased || effects.Items[0].BodyErasedBy == 0 {
		t.Errorf("the effects to approve: %+v, %v", effects, err)
	}
	report, err := reader(t, d).WholeRunReport(t.Context(), "run-1")
	if err != nil || len(report.Effects) != 1 || report.Effects[0].Status != api.EffectNotApplied || report.Effects[0].BodyState != api.BodyErased || report.Effects[0].BodyErasedBy == 0 || len(report.Effects[0].Patch) != 0 {
		t.Errorf("the report of the run: %+v, %v", report, err)
	}
	verified(t, d, dataDir)
	// A change goes on as ever.
	if _, err := operator(t, d).Put(t.Context(), web, pool("10.0.0.1:80"), client.IfPresent()); err != nil {
		t.Error(err)
	}
	stop(t, d)
	stop(t, start(t, config(dataDir, -1))) // also without a retention
}

func TestARetentionThatIsConfiguredWronglyIsNamed(t *testing.T) {
	for name, tt := range map[string]struct {
		block daemon.Retention
		want  string
	}{
		"too short":          {daemon.Retention{BodiesAfter: "168h", Action: "erase"}, "bodies_after"},
		"no duration":        {daemon.Retention{BodiesAfter: "90 days", Action: "erase"}, "bodies_after"},
		"unknown action":     {daemon.Retention{BodiesAfter: "240h", Action: "shred"}, "action"},
		"archive to nowhere": {daemon.Retention{BodiesAfter: "240h", Action: "archive"}, "archive"},
		"archive to two":     {daemon.Retention{BodiesAfter: "240h", Action: "archive", Archive: &daemon.ArchiveBlock{}}, "say where to"},
	} {
		t.Run(name, func(t *testing.T) {
			c := config(t.TempDir(), -1)
			c.Retention = &tt.block
			_, err := daemon.Start(t.Context(), c, quiet())
			if err == nil || !strings.Contains(err.Error(), "retention") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want one about %s", err, tt.want)
			}
		})
	}
}

func archivedRight(t *testing.T, dataDir, dir string) int64 {
	t.Helper()
	findings, bodies := verifyArchive(t, dataDir, dir)
	if len(findings) > 0 {
		t.Errorf("the archive does not verify: %v", findings)
	}
	return bodies
}

func archiveFindings(t *testing.T, dataDir, dir string) []audit.Finding {
	t.Helper()
	findings, _ := verifyArchive(t, dataDir, dir)
	return findings
}

func verifyArchive(t *testing.T, dataDir, dir string) ([]audit.Finding, int64) {
	t.Helper()
	log, err := sqlite.OpenReader(dataDir)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	b, err := bucket.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	extent, err := log.Extent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	findings, bodies, err := archive.New(b).Verify(t.Context(), log, extent.Size)
	if err != nil {
		t.Fatal(err)
	}
	return findings, bodies
}

// reader returns a client that may only look.
func reader(t *testing.T, d *daemon.Daemon) *client.Client {
	t.Helper()
	o, secret, err := d.Controller.CreateToken(t.Context(), control.Call{Actor: control.System("test")}, control.TokenRequest{Actor: "vera", Role: identity.Viewer})
	accepted(t, o, err)
	cl, err := client.New(client.Config{Endpoint: d.Endpoint(), Token: api.Secret(secret), Attempts: 1})
	if err != nil {
		t.Fatal(err)
	}
	return cl
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
