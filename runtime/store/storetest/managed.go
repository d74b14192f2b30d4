package storetest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
)

// managed asks which workspaces manage what and compares each answer with a walk over
// the entries.
func (s *suite) managed(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	pick := func(of ...string) string { return of[rng.IntN(len(of))] }
	workspaces := []string{"", "edge", "core", "acme/edge", "quiet"}
	var drafts []draft
	for range 400 {
		d := draft{audit.Entry{
			Type: audit.Types[rng.IntN(len(audit.Types))], Resource: pick("pool/a", "pool/b", "route/a", "pool/c"), Op: pick("create", "update", "delete"),
			Actor: audit.Actor{Name: pick("olivia", "oscar")}, Owner: pick("", "team-web"),
		}, `{}`}
		if workspace := pick(workspaces[:4]...); workspace != "" || rng.IntN(2) == 0 {
			d.entry.Run = &audit.RunRef{ID: pick("run-1", "run-2"), Workspace: workspace}
		}
		if d.entry.Type == audit.TypeDrift {
			d.entry.Op = pick("changed", "imported", "adopted")
		}
		if d.entry.Type == audit.TypeReject || rng.IntN(5) == 0 {
			d.entry.Outcome = audit.OutcomeRefused
		}
		drafts = append(drafts, d)
	}
	quiet := draft{audit.Entry{Type: audit.TypePlan, Resource: "pool/a", Op: "update", Actor: audit.Actor{Name: "olivia"}, Run: &audit.RunRef{ID: "r", Workspace: "quiet"}}, `{}`}
	s.write(t, append(drafts, quiet)...)

	newest := map[[2]string]audit.Record{} // by resource and workspace
	for _, r := range s.records {
		e := &r.Entry
		changes := e.Type == audit.TypeApply || e.Type == audit.TypeDrift && e.Op == "imported"
		if changes && e.Outcome == audit.OutcomeOK && e.WorkspaceName() != "" {
			newest[[2]string{e.Resource, e.WorkspaceName()}] = r
		}
	}
	want := func(resources ...string) (out []string) {
		for at, r := range newest {
			if slices.Contains(resources, at[0]) {
				out = append(out, fmt.Sprintf("%s %s %d", at[0], at[1], r.Entry.Seq))
			}
		}
		slices.Sort(out)
		return out
	}
	compare := func(asked string, got []control.Managed, want []string) {
		t.Helper()
		var lines []string
		for _, m := range got {
			lines = append(lines, fmt.Sprintf("%s %s %d", m.Resource, m.Workspace, m.Seq))
			if !bytes.Equal(m.Leaf, s.records[m.Seq].Leaf) {
				t.Errorf("%s: the leaf is not that of entry %d", asked, m.Seq)
			}
		}
		if !reflect.DeepEqual(lines, want) {
			t.Errorf("%s:\n%v, want\n%v", asked, lines, want)
		}
	}
	for _, workspace := range append(workspaces, "nowhere") {
		var mine []string
		for at := range newest {
			if at[1] == workspace && workspace != "" {
				mine = append(mine, at[0])
			}
		}
		compare("managed by "+workspace, get(s.store.Managed(t.Context(), workspace))(t), want(mine...))
	}
	for _, resource := range []string{"pool/a", "pool/b", "route/a", "pool/nothing"} {
		compare("managers of "+resource, get(s.store.Managers(t.Context(), resource))(t), want(resource))
	}
	if len(newest) < 10 {
		t.Errorf("only %d are managed: the queries ask nothing", len(newest))
	}
	for limit, names := range map[int][]string{10: {"acme/edge", "core", "edge", "quiet"}, 2: {"acme/edge", "core"}} {
		if got := get(s.store.Workspaces(t.Context(), limit))(t); !slices.Equal(got, names) {
			t.Errorf("at most %d workspaces: %v, want %v", limit, got, names)
		}
	}
}
