package control_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// inLog is where bodies are as long as none was erased.
func inLog(_ context.Context, row *audit.Row) *audit.Row { return row }

// inWorkspace is a call by olivia under CHG-1 in a run of a workspace.
func inWorkspace(t testing.TB, log *controltest.Log, workspace string) control.Call {
	t.Helper()
	call := underOne
	call.Run = "run-of-" + workspace
	o, err := log.RegisterRun(t.Context(), call, call.Run, map[string]string{"system": "test", "workspace": workspace})
	controltest.Accepted(t, o, err)
	return call
}

// driftOf is the drift of pool/web for a workspace, and its kind, or "".
func driftOf(t testing.TB, log *controltest.Log, workspace string) (*control.Drift, audit.DriftKind) {
	t.Helper()
	d, err := log.DriftOf(t.Context(), workspace, controltest.Address(t, "pool/web"), inLog)
	if err != nil {
		t.Fatal(err)
	}
	if d == nil {
		return nil, ""
	}
	return d, d.Kind
}

// TestEachDriftHasItsWord takes pool/web through what may happen to it after workspace
// edge made it. Edge and core are workspaces, rosa uses the command line.
func TestEachDriftHasItsWord(t *testing.T) {
	const nobody = ""
	type step struct {
		who string // a workspace, or nobody
		do  string // an object's number, "delete" or "import"
	}
	for _, tt := range []struct {
		name       string
		steps      []step
		edge, core audit.DriftKind
		managers   string // of edge's drift
		changes    int
	}{
		{name: "nothing"},
		{name: "its own change", steps: []step{{"edge", "2"}}},
		{name: "changed", steps: []step{{nobody, "2"}}, edge: audit.DriftChanged, changes: 1},
		{name: "changed twice", steps: []step{{nobody, "2"}, {nobody, "3"}}, edge: audit.DriftChanged, changes: 2},
		{name: "changed and changed back", steps: []step{{nobody, "2"}, {nobody, "1"}}},
		{name: "taken back by an apply", steps: []step{{nobody, "2"}, {"edge", "1"}}},
		{name: "deleted", steps: []step{{nobody, "delete"}}, edge: audit.DriftDeleted, changes: 1},
		{name: "changed, then deleted", steps: []step{{nobody, "2"}, {nobody, "delete"}}, edge: audit.DriftDeleted, changes: 2},
		{name: "deleted by itself", steps: []step{{"edge", "delete"}}},
		{name: "deleted by itself, then made by somebody", steps: []step{{"edge", "delete"}, {nobody, "2"}}},
		{name: "recreated", steps: []step{{nobody, "delete"}, {nobody, "2"}}, edge: audit.DriftRecreated, changes: 2},
		{name: "recreated as it was", steps: []step{{nobody, "delete"}, {nobody, "1"}}},
		{name: "recreated by another workspace", steps: []step{{nobody, "delete"}, {"core", "2"}}, edge: audit.DriftRecreated, core: audit.DriftAdopted, managers: "core", changes: 2},
		{name: "adopted by a change", steps: []step{{"core", "2"}}, edge: audit.DriftAdopted, core: audit.DriftAdopted, managers: "core", changes: 1},
		{name: "adopted by an import", steps: []step{{"core", "import"}}, edge: audit.DriftAdopted, core: audit.DriftAdopted, managers: "core"},
		{name: "adopted, and given up", steps: []step{{"core", "2"}, {"core", "delete"}}, edge: audit.DriftDeleted, changes: 2},
		{name: "adopted, then changed by nobody", steps: []step{{"core", "import"}, {nobody, "2"}}, edge: audit.DriftChanged, core: audit.DriftChanged, managers: "core", changes: 1},
		{name: "two that take turns", steps: []step{{"core", "2"}, {"edge", "1"}}, edge: audit.DriftAdopted, core: audit.DriftAdopted, managers: "core"},
		{name: "imported after a change", steps: []step{{nobody, "2"}, {"edge", "import"}}, edge: audit.DriftImported},
		{name: "changed after an import", steps: []step{{nobody, "2"}, {"edge", "import"}, {nobody, "3"}}, edge: audit.DriftChanged, changes: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log := newLog(t)
			calls := map[string]control.Call{nobody: underOne, "edge": inWorkspace(t, log, "edge"), "core": inWorkspace(t, log, "core")}
			applied(t, log, calls["edge"], put(t, "pool/web", controltest.Numbered(1), 0))
			for _, s := range tt.steps {
				switch s.do {
				case "delete":
					o, err := log.Delete(t.Context(), calls[s.who], controltest.Address(t, "pool/web"), exists)
					controltest.Accepted(t, o, err)
				case "import":
					d, err := log.DriftSince(t.Context(), s.who, controltest.Address(t, "pool/web"), 0, inLog)
					if err != nil || d == nil || d.Kind != audit.DriftImported {
						t.Fatalf("import: %+v, %v", d, err)
					}
					o, err := log.SeeDrift(t.Context(), calls[s.who], d)
					controltest.Accepted(t, o, err)
				default:
					n := 0
					fmt.Sscan(s.do, &n)
					revision := int64(-1)
					if log.Config().Get(controltest.Address(t, "pool/web")) == nil {
						revision = 0
					}
					applied(t, log, calls[s.who], put(t, "pool/web", controltest.Numbered(n), revision))
				}
			}
			d, kind := driftOf(t, log, "edge")
			if _, core := driftOf(t, log, "core"); kind != tt.edge || core != tt.core {
				t.Fatalf("edge sees %q and core %q; want %q and %q", kind, core, tt.edge, tt.core)
			}
			if d == nil {
				return
			}
			var managers []string
			for _, m := range d.Managers {
				managers = append(managers, m.WorkspaceName())
			}
			if strings.Join(managers, " ") != tt.managers || d.Count != tt.changes || len(d.Changes) != tt.changes {
				t.Errorf("managers %v, %d changes; want %q, %d", managers, d.Count, tt.managers, tt.changes)
			}
			if _, none := driftOf(t, log, "nowhere"); none != "" {
				t.Errorf("a workspace that never touched it sees %q", none)
			}
			stateIsTheFold(t, log)
		})
	}
}

// TestDriftSaysWhoDidItUnderWhat: the last change first, and whether its ticket is the
// workspace's.
func TestDriftSaysWhoDidItUnderWhat(t *testing.T) {
	log := newLog(t)
	log.Ticket(t, "CHG-2")
	edge := inWorkspace(t, log, "edge")
	made := applied(t, log, edge, put(t, "pool/web", controltest.Numbered(1), 0))
	rosa := control.Call{Actor: controltest.Oscar, Ticket: "CHG-2", Request: audit.Request{ID: "r", Method: "PUT", Path: "/", UserAgent: "auditlb/dev"}}
	ours := applied(t, log, underOne, put(t, "pool/web", controltest.Numbered(2), -1))
	theirs := applied(t, log, rosa, put(t, "pool/web", controltest.Numbered(3), -1))
	d, kind := driftOf(t, log, "edge")
	if kind != audit.DriftChanged || d.Revision != theirs.Entry.Seq || d.Left != made.Entry.Seq || d.Baseline.Seq != made.Entry.Seq {
		t.Fatalf("drift %+v", d)
	}
	if string(d.Was) != string(made.Body.After) || string(d.Is) != string(theirs.Body.After) {
		t.Errorf("was %s, is %s", d.Was, d.Is)
	}
	if c := d.Changes[0]; c.Seq != theirs.Entry.Seq || c.Actor.Name != "oscar" || c.Ticket != "CHG-2" || c.OwnTicket || c.Via() != control.ViaCommandLine {
		t.Errorf("the last change is %+v", c)
	}
	if c := d.Changes[1]; c.Seq != ours.Entry.Seq || !c.OwnTicket || c.Via() != control.ViaAPI {
		t.Errorf("the one before is %+v", c)
	}
}

// TestDriftThatIsSeenIsOneEntry, by whomever and in which run it is seen, until it is
// another one. It changes nothing.
func TestDriftThatIsSeenIsOneEntry(t *testing.T) {
	log := newLog(t)
	edge, core := inWorkspace(t, log, "edge"), inWorkspace(t, log, "core")
	base := applied(t, log, edge, put(t, "pool/web", controltest.Numbered(1), 0)).Entry.Seq
	address := controltest.Address(t, "pool/web")
	see := func(call control.Call, workspace string) control.Outcome {
		t.Helper()
		d, err := log.DriftSince(t.Context(), workspace, address, base, inLog)
		if err != nil || d == nil {
			t.Fatalf("%+v, %v", d, err)
		}
		o, err := log.SeeDrift(t.Context(), call, d)
		return controltest.Accepted(t, o, err)
	}
	if d, err := log.DriftSince(t.Context(), "edge", address, base, inLog); d != nil || err != nil {
		t.Fatalf("drift of what nobody touched: %+v, %v", d, err)
	}
	change := applied(t, log, underOne, put(t, "pool/web", controltest.Numbered(2), -1))
	published := len(log.Publisher.Published())
	first := see(edge, "edge")
	e := first.Entry
	if first.Unchanged || e.Type != audit.TypeDrift || e.Op != "changed" || e.Resource != "pool/web" || e.Base != change.Entry.Seq ||
		e.Owner != "team-web" || e.WorkspaceName() != "edge" || e.EffectDigest == "" || e.ChangesState() {
		t.Errorf("entry %+v", e)
	}
	again := edge
	again.Run, again.Actor = core.Run, controltest.Anton // another run looks for the same workspace
	for _, call := range []control.Call{edge, again} {
		if o := see(call, "edge"); !o.Unchanged || o.Entry.Seq != e.Seq {
			t.Errorf("seen again it is entry %d, not %d", o.Entry.Seq, e.Seq)
		}
	}
	if d, _ := driftOf(t, log, "edge"); d == nil || d.Seen != e.Seq {
		t.Errorf("drift %+v was seen in entry %d", d, e.Seq)
	}
	if o := see(core, "core"); o.Entry.Seq == e.Seq {
		t.Error("another workspace's is the same entry")
	}
	applied(t, log, underOne, put(t, "pool/web", controltest.Numbered(3), -1))
	if o := see(edge, "edge"); o.Entry.Seq == e.Seq {
		t.Error("another revision is the same entry")
	}
	if got := len(log.Publisher.Published()); got != published+1 {
		t.Errorf("published %d times, want once for the change", got-published)
	}
	stateIsTheFold(t, log)
	for _, foreign := range []int64{1, change.Entry.Seq + 1, 99_999} {
		if _, err := log.DriftSince(t.Context(), "edge", address, foreign, inLog); !errors.Is(err, control.ErrNotARevision) {
			t.Errorf("since entry %d: %v", foreign, err)
		}
	}
}

// TestASightingInNoRegisteredRunIsRefused, since it would speak for no workspace.
func TestASightingInNoRegisteredRunIsRefused(t *testing.T) {
	log := newLog(t)
	call := underOne
	call.Run = "run-nobody-knows"
	o, err := log.SeeDrift(t.Context(), call, &control.Drift{Address: controltest.Address(t, "pool/web"), Kind: audit.DriftChanged, Workspace: "edge"})
	controltest.Refused(t, control.CodeRunUnknown, o, err)
}

// TestAcceptedDriftEnds: by time, by another change, by withdrawal.
func TestAcceptedDriftEnds(t *testing.T) {
	clock := newClock()
	log := controltest.Open(t, control.Options{Store: openStore(t, t.TempDir()), Now: clock.Now})
	log.Ticket(t, "CHG-1")
	edge := inWorkspace(t, log, "edge")
	applied(t, log, edge, put(t, "pool/web", controltest.Numbered(1), 0))
	applied(t, log, underOne, put(t, "pool/web", controltest.Numbered(2), -1))
	accept := func(a control.DriftAcceptance) (control.Outcome, error) {
		a.Workspace, a.Address = "edge", controltest.Address(t, "pool/web")
		if a.Reason == "" {
			a.Reason = "the canary stays"
		}
		return log.AcceptDrift(t.Context(), underOne, a, inLog)
	}
	accepted := func() bool {
		d, _ := driftOf(t, log, "edge")
		return d != nil && d.Accepted != nil
	}
	hour := clock.Now().Add(time.Hour)
	for _, step := range []struct {
		name string
		do   func()
		want bool
	}{
		{"nobody accepted it", func() {}, false},
		{"accepted", func() {
			o, err := accept(control.DriftAcceptance{Until: hour})
			controltest.Accepted(t, o, err)
			if e := o.Entry; e.Type != audit.TypeDrift || e.Op != audit.OpAcceptDrift || e.Resource != "drift/edge/pool/web" || e.Ticket != "CHG-1" || !e.ChangesState() {
				t.Errorf("entry %+v", e)
			}
		}, true},
		{"after a restart of the reader", func() { stateIsTheFold(t, log) }, true},
		{"its time is over", func() { clock.Advance(time.Hour) }, false},
		{"accepted again", func() {
			o, err := accept(control.DriftAcceptance{Until: hour.Add(time.Hour)})
			controltest.Accepted(t, o, err)
		}, true},
		{"changed again", func() { applied(t, log, underOne, put(t, "pool/web", controltest.Numbered(3), -1)) }, false},
		{"accepted once more", func() {
			o, err := accept(control.DriftAcceptance{Until: hour.Add(time.Hour)})
			controltest.Accepted(t, o, err)
		}, true},
		{"withdrawn", func() {
			o, err := accept(control.DriftAcceptance{Withdraw: true})
			controltest.Accepted(t, o, err)
		}, false},
	} {
		if step.do(); accepted() != step.want {
			t.Fatalf("%s: accepted = %t", step.name, !step.want)
		}
	}
	o, err := accept(control.DriftAcceptance{Withdraw: true})
	controltest.Refused(t, control.CodeNotFound, o, err)
	stateIsTheFold(t, log)
}

// TestDriftIsAcceptedUnderATicketForAWhileWithAReason: everything else is refused.
func TestDriftIsAcceptedUnderATicketForAWhileWithAReason(t *testing.T) {
	log := newLog(t)
	log.Ticket(t, "CHG-OTHER", "pool/other")
	edge := inWorkspace(t, log, "edge")
	base := applied(t, log, edge, put(t, "pool/web", controltest.Numbered(1), 0))
	applied(t, log, underOne, put(t, "pool/web", controltest.Numbered(2), -1))
	soon, never := time.Now().Add(time.Hour), time.Time{}
	for _, tt := range []struct {
		name, ticket, workspace, reason string
		until                           time.Time
		revision                        int64
		want                            string
	}{
		{"no ticket", "", "edge", "it stays", soon, 0, ticket.CodeRequired},
		{"a ticket for something else", "CHG-OTHER", "edge", "it stays", soon, 0, ticket.CodeOutOfScope},
		{"no ticket of that id", "CHG-404", "edge", "it stays", soon, 0, ticket.CodeUnknown},
		{"for good", "CHG-1", "edge", "it stays", never, 0, control.CodeInvalid},
		{"for too long", "CHG-1", "edge", "it stays", time.Now().Add(control.MaxDriftAccepted + time.Hour), 0, control.CodeInvalid},
		{"in the past", "CHG-1", "edge", "it stays", time.Now().Add(-time.Hour), 0, control.CodeInvalid},
		{"no reason", "CHG-1", "edge", "", soon, 0, control.CodeInvalid},
		{"a reason that says nothing", "CHG-1", "edge", "...", soon, 0, control.CodeInvalid},
		{"no drift", "CHG-1", "core", "it stays", soon, 0, control.CodeNotFound},
		{"not what was looked at", "CHG-1", "edge", "it stays", soon, base.Entry.Seq, control.CodePreconditionFailed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o, err := log.AcceptDrift(t.Context(), controltest.By(tt.ticket), control.DriftAcceptance{
				Workspace: tt.workspace, Address: controltest.Address(t, "pool/web"), Until: tt.until, Reason: tt.reason, Revision: tt.revision,
			}, inLog)
			controltest.Refused(t, tt.want, o, err)
			if d, _ := driftOf(t, log, "edge"); d.Accepted != nil {
				t.Error("it is accepted all the same")
			}
		})
	}
}

// TestDriftFromAnErasedBodyIsNotGuessed: what the oldest change holds of it stands in.
func TestDriftFromAnErasedBodyIsNotGuessed(t *testing.T) {
	log := newLog(t)
	edge := inWorkspace(t, log, "edge")
	made := applied(t, log, edge, put(t, "pool/web", controltest.Numbered(1), 0))
	change := applied(t, log, underOne, put(t, "pool/web", controltest.Numbered(2), -1))
	applied(t, log, underOne, put(t, "pool/web", controltest.Numbered(3), -1))
	lost := []int64{made.Entry.Seq}
	bodies := func(_ context.Context, row *audit.Row) *audit.Row {
		if !slices.Contains(lost, row.Seq) {
			return row
		}
		gone := *row
		gone.Salt, gone.Body = nil, nil
		return &gone
	}
	d, err := log.DriftOf(t.Context(), "edge", controltest.Address(t, "pool/web"), bodies)
	if err != nil || d == nil || d.Erased != nil || string(d.Was) != string(made.Body.After) {
		t.Fatalf("%+v, %v", d, err)
	}
	lost = append(lost, change.Entry.Seq)
	d, err = log.DriftOf(t.Context(), "edge", controltest.Address(t, "pool/web"), bodies)
	if err != nil || d == nil || d.Kind != audit.DriftChanged || d.Erased == nil || d.Erased.Seq != made.Entry.Seq || d.Was != nil {
		t.Fatalf("%+v, %v", d, err)
	}
}

// TestManyChangesAreCountedAndTheNewestShown: lists are bounded.
func TestManyChangesAreCountedAndTheNewestShown(t *testing.T) {
	log := newLog(t)
	edge := inWorkspace(t, log, "edge")
	applied(t, log, edge, put(t, "pool/web", controltest.Numbered(0), 0))
	n := control.MaxDriftChanges + 5
	for i := range n {
		applied(t, log, underOne, put(t, "pool/web", controltest.Numbered(i+1), -1))
	}
	d, kind := driftOf(t, log, "edge")
	if kind != audit.DriftChanged || d.Count != n || len(d.Changes) != control.MaxDriftChanges || d.Changes[0].Seq != d.Revision || d.More {
		t.Errorf("%s, %d changes of %d", kind, len(d.Changes), d.Count)
	}
	objects, err := log.Managed(t.Context(), "edge")
	if err != nil || len(objects) != 1 || objects[0].Address != (lb.Address{Kind: lb.KindPool, Name: "web"}) {
		t.Errorf("managed: %+v, %v", objects, err)
	}
}
