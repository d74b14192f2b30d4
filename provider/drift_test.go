package provider

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func poolResource() *objectResource { return newPoolResource().(*objectResource) }

// TestADriftIsToldInWords: who, under what, from where, and how it was done.
func TestADriftIsToldInWords(t *testing.T) {
	at := time.Date(2026, 1, 31, 14, 5, 0, 0, time.UTC)
	change := func(more func(*api.DriftChange)) *api.Drift {
		c := api.DriftChange{LastChange: api.LastChange{Revision: 42, Op: lb.OpUpdate, Actor: "rosa", Ticket: "CHG-7", At: at}, Via: api.ViaAPI}
		more(&c)
		return &api.Drift{
			Address: "pool/web", Kind: api.DriftChanged, Workspace: "edge", Revision: 42, Count: 1, Changes: []api.DriftChange{c}, Baseline: api.DriftBaseline{Revision: 40},
			Patch: []lb.Change{{Op: "replace", Path: "/members/a.1/weight", Old: jsontext.Value("1"), Value: jsontext.Value("9")}},
		}
	}
	for _, tt := range []struct {
		name  string
		drift *api.Drift
		wants []string
		not   string
	}{
		{"through the API", change(func(*api.DriftChange) {}), []string{
			"It was changed by rosa at 2026-01-31T14:05:00Z under ticket CHG-7, which is none of this workspace's, through the API (revision 42).",
			"since revision 40, which workspace edge left:\n  members[\"a.1\"].weight: 1 → 9\n",
		}, "emergency"},
		{"under a ticket of the workspace's", change(func(c *api.DriftChange) { c.OwnTicket = true }), []string{"under ticket CHG-7 through the API"}, "none of this"},
		{"with the command line", change(func(c *api.DriftChange) { c.Via = api.ViaCommandLine }), []string{"with the command line"}, ""},
		{"by the runtime", change(func(c *api.DriftChange) { c.Via = api.ViaSystem }), []string{"by the runtime itself"}, ""},
		{"in another workspace's run", change(func(c *api.DriftChange) { c.Run, c.Workspace = "r-1", "core" }), []string{"none of this workspace's, in run r-1 of workspace core"}, ""},
		{"in a run that nobody registered", change(func(c *api.DriftChange) { c.Run = "rollback/r-2" }), []string{"none of this workspace's, in run rollback/r-2 (revision 42)."}, "of workspace"},
		{"in another run of its own", change(func(c *api.DriftChange) { c.Run, c.Workspace, c.Own = "r-1", "edge", true }), []string{"under ticket CHG-7 in run r-1 of this workspace"}, "none of this"},
		{"in an emergency", change(func(c *api.DriftChange) { c.Emergency = true }), []string{"It was done under an emergency ticket."}, ""},
		{"by a rollback", change(func(c *api.DriftChange) { c.Rollback = &api.RollbackRef{To: 30} }), []string{"It was a rollback to revision 30."}, ""},
		{"by a rollback of a run", change(func(c *api.DriftChange) { c.Rollback = &api.RollbackRef{Run: "r-9"} }), []string{"It was a rollback of run r-9."}, ""},
		{"from what is not known any more", &api.Drift{PatchState: api.BodyErased, PatchErasedBy: 99, Baseline: api.DriftBaseline{Revision: 40}}, []string{"revision 40 was erased by policy in entry 99"}, "What is different"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			detail := poolResource().driftDetail(tt.drift, "What is next.")
			for _, want := range append(tt.wants, "What is next.") {
				if !strings.Contains(detail, want) {
					t.Errorf("no %q in\n%s", want, detail)
				}
			}
			if tt.not != "" && strings.Contains(detail, tt.not) {
				t.Errorf("%q in\n%s", tt.not, detail)
			}
		})
	}
}

// TestAWarningIsBounded, however much drifted.
func TestAWarningIsBounded(t *testing.T) {
	d := &api.Drift{Count: 100}
	for i := range 100 {
		d.Patch = append(d.Patch, lb.Change{Op: "add", Path: fmt.Sprintf("/labels/l%d", i), Value: jsontext.Value(`"` + strings.Repeat("é", 1000) + `"`)})
		if i < 20 {
			d.Changes = append(d.Changes, api.DriftChange{LastChange: api.LastChange{Actor: "rosa", Op: lb.OpUpdate}})
		}
	}
	detail := poolResource().driftDetail(d, "")
	for want, n := range map[string]int{"\n  labels[": maxDriftLines, "and 80 more": 1, "rosa": maxDriftChanges, "There were 95 more changes": 1} {
		if got := strings.Count(detail, want); got != n {
			t.Errorf("%q is there %d times, want %d", want, got, n)
		}
	}
	if len(detail) > 5000 {
		t.Errorf("%d bytes", len(detail))
	}
}

// TestAPlanUndoesADriftOnlyWhereItsPathsDiffer: a plan that changes something else does not.
func TestAPlanUndoesADriftOnlyWhereItsPathsDiffer(t *testing.T) {
	state := map[string]any{"priority": 9.0, "match": map[string]any{"hosts": []any{"a", "b"}}, "owner": "edge"}
	drift := func(paths ...string) *api.Drift {
		d := &api.Drift{}
		for _, p := range paths {
			d.Patch = append(d.Patch, lb.Change{Op: "replace", Path: p})
		}
		return d
	}
	for _, tt := range []struct {
		name  string
		plan  map[string]any
		drift *api.Drift
		want  bool
	}{
		{"the attribute is set back", map[string]any{"priority": 1.0}, drift("/priority"), true},
		{"another is changed", map[string]any{"priority": 9.0, "owner": "x"}, drift("/priority"), false},
		{"an element of a set", map[string]any{"match": map[string]any{"hosts": []any{"a"}}}, drift("/match/hosts/1"), true},
		{"a set that stays", map[string]any{"match": map[string]any{"hosts": []any{"a", "b"}}}, drift("/match/hosts/1"), false},
		{"all of it", map[string]any{"owner": "x"}, drift(""), true},
		{"what is not known any more", state, drift(), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := undoes(tt.plan, state)(tt.drift); got != tt.want {
				t.Errorf("undoes = %t", got)
			}
		})
	}
}

// keys is a private state.
type keys map[string][]byte

func (k keys) GetKey(_ context.Context, key string) ([]byte, diag.Diagnostics) { return k[key], nil }

func (k keys) SetKey(_ context.Context, key string, value []byte) diag.Diagnostics {
	k[key] = value
	return nil
}

// TestAStateWithoutMarksKnowsItsRevision, and one whose marks are damaged.
func TestAStateWithoutMarksKnowsItsRevision(t *testing.T) {
	state := stateAt(7)
	var diags diag.Diagnostics
	for name, private := range map[string]keys{"none": {}, "damaged": {privateDrift: []byte(`{"wrote":`)}, "nonsense": {privateDrift: []byte(`{"wrote":-1}`)}} {
		if got := marksOf(t.Context(), private, state, &diags); got != (driftMarks{Wrote: 7}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	private := keys{}
	want := driftMarks{Wrote: 5, Seen: 7, Told: "r"}
	if want.keep(t.Context(), private, &diags); marksOf(t.Context(), private, state, &diags) != want || diags.HasError() {
		t.Errorf("kept %s", private[privateDrift])
	}
}

// asking is a pool's resource whose runtime answers a question for drift with a status and
// a body. It counts the requests.
func asking(t *testing.T, status int, body string) (r *objectResource, requests *atomic.Int32) {
	t.Helper()
	requests = &atomic.Int32{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		requests.Add(1)
		_, _ = io.Copy(io.Discard, req.Body)
		if status == 0 {
			<-req.Context().Done() // it hangs
			return
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	c, err := client.New(client.Config{Endpoint: server.URL, Token: "t", Attempts: 2, MinWait: time.Millisecond, MaxWait: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	r = poolResource()
	r.client = &connection{Client: c, run: "r-1"}
	return r, requests
}

// stateAt is as much of a state as tells its revision.
func stateAt(revision int64) tftypes.Value {
	return tftypes.NewValue(tftypes.Object{AttributeTypes: map[string]tftypes.Type{attrRevision: tftypes.Number}}, map[string]tftypes.Value{attrRevision: tftypes.NewValue(tftypes.Number, revision)})
}

// TestARuntimeThatCannotSayWhoHoldsNoPlanUp: what drifted is told without, and where there
// is no answer only the first object waits for one.
func TestARuntimeThatCannotSayWhoHoldsNoPlanUp(t *testing.T) {
	defer func(was time.Duration) { maxSighting = was }(maxSighting)
	maxSighting = 200 * time.Millisecond
	for _, tt := range []struct {
		name     string
		status   int
		body     string
		requests int32 // for three objects
		seen     int64 // by the state, afterwards
	}{
		{"it is broken", http.StatusServiceUnavailable, "", 2, 0},
		{"it has no time", http.StatusTooManyRequests, `{"status":429,"code":"too_many_requests"}`, 2, 0},
		{"it hangs", 0, "", 1, 0},
		{"it is an older one", http.StatusNotFound, `{"status":404,"code":"not_found","detail":"there is no such path"}`, 3, 9},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, requests := asking(t, tt.status, tt.body)
			obj := &api.Object{Revision: 9, LastChange: api.LastChange{Revision: 9, Actor: "rosa", Ticket: "CHG-7", Op: lb.OpUpdate}}
			for i := range 3 {
				var diags diag.Diagnostics
				private := keys{}
				r.refreshed(t.Context(), lb.Address{Kind: lb.KindPool, Name: fmt.Sprintf("p%d", i)}, obj, stateAt(7), private, private, &diags)
				if diags.HasError() || len(diags) != 1 || !strings.Contains(diags[0].Detail(), "by rosa") || !strings.Contains(diags[0].Detail(), "could not be asked for") {
					t.Errorf("it says %v", diags)
				}
				if got := marksOf(t.Context(), private, stateAt(7), &diags); got.Seen != tt.seen {
					t.Errorf("the state has %+v, want revision %d seen", got, tt.seen)
				}
			}
			if n := requests.Load(); n != tt.requests {
				t.Errorf("%d requests, want %d", n, tt.requests)
			}
		})
	}
}

// TestWhatWasChangedBackIsAskedForOnce, and drift that is accepted each time: its
// acceptance ends.
func TestWhatWasChangedBackIsAskedForOnce(t *testing.T) {
	obj := &api.Object{Revision: 9, LastChange: api.LastChange{Revision: 9, Actor: "rosa", Op: lb.OpUpdate}}
	at := lb.Address{Kind: lb.KindPool, Name: "web"}
	for body, want := range map[string]int32{`{}`: 1, `{"drift":{"kind":"changed","accepted":{"by":"rosa"}}}`: 2} {
		r, requests := asking(t, http.StatusOK, body)
		private := keys{}
		var diags diag.Diagnostics
		r.refreshed(t.Context(), at, obj, stateAt(7), private, private, &diags)
		r.refreshed(t.Context(), at, obj, stateAt(9), private, private, &diags)
		if n := requests.Load(); n != want || len(diags) > 0 {
			t.Errorf("%s: %d requests, want %d; it says %v", body, n, want, diags)
		}
	}
}

// TestAValueMovesNoCursor: what can't be seen is written out.
func TestAValueMovesNoCursor(t *testing.T) {
	if got := shortValue(jsontext.Value("\"a\u009b2J\u202eb é\"")); got != `"a\u009b2J\u202eb é"` {
		t.Errorf("%q", got)
	}
}

// TestTheSelectedWorkspaceIsClaimed, from where Terraform keeps it.
func TestTheSelectedWorkspaceIsClaimed(t *testing.T) {
	dir := t.TempDir()
	for content, want := range map[string]string{"stage": "stage", "stage\n": "stage", "default": "", "": "", strings.Repeat("x", 2000): strings.Repeat("x", api.MaxRunClaimLength)} {
		if err := os.WriteFile(filepath.Join(dir, "environment"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := selectedWorkspace(dir); got != want {
			t.Errorf("of %.20q: %.20q, want %.20q", content, got, want)
		}
	}
	if got := selectedWorkspace(filepath.Join(dir, "nowhere")); got != "" {
		t.Errorf("of no file: %q", got)
	}
	none := environment(func(string) string { return "" })
	byName := environment(func(name string) string { return map[string]string{"TF_WORKSPACE": "prod"}[name] })
	process := processIdentity{Host: "h", Workspace: "stage"}
	for want, env := range map[string]environment{"stage": none, "prod": byName} {
		if run, err := detectRun(runIdentity{}, env, process); err != nil || run.Claims.Workspace != want {
			t.Errorf("claimed %q, want %q (%v)", run.Claims.Workspace, want, err)
		}
	}
}
