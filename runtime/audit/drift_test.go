package audit_test

import (
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// TestASightingIsKnownByWhatWasSeen and by nothing else: who looked, and how often, make
// no difference.
func TestASightingIsKnownByWhatWasSeen(t *testing.T) {
	one := audit.Sighting{Workspace: "edge", Kind: audit.DriftChanged, Baseline: 5, Revision: 9}
	digest := func(s audit.Sighting, address string) string {
		t.Helper()
		d, err := s.Digest(address)
		if err != nil || len(d) != 64 {
			t.Fatalf("%q, %v", d, err)
		}
		return d
	}
	first := digest(one, "pool/web")
	same := one
	same.Changes, same.Owner, same.Managers, same.Last.Actor = 3, "team-web", []string{"core"}, "rosa"
	if digest(same, "pool/web") != first {
		t.Error("what is known beside it makes another sighting")
	}
	seen := map[string]string{first: "the first"}
	for name, change := range map[string]func(*audit.Sighting){
		"workspace": func(s *audit.Sighting) { s.Workspace = "core" },
		"kind":      func(s *audit.Sighting) { s.Kind = audit.DriftAdopted },
		"baseline":  func(s *audit.Sighting) { s.Baseline = 6 },
		"revision":  func(s *audit.Sighting) { s.Revision = 10 },
		"address":   func(*audit.Sighting) {},
	} {
		other, address := one, "pool/web"
		if change(&other); name == "address" {
			address = "pool/api"
		}
		if d := digest(other, address); seen[d] != "" {
			t.Errorf("another %s is %s", name, seen[d])
		} else {
			seen[d] = name
		}
	}
	effect, err := audit.Effect{Kind: lb.KindPool, Name: "web", Op: lb.OpUpdate}.Digest()
	if err != nil || seen[effect] != "" {
		t.Errorf("an effect has the digest of a sighting: %v", err)
	}
}

// TestAnAcceptanceHasAResourceOfItsOwn, for workspaces of every name, and changes state
// where a sighting does not.
func TestAnAcceptanceHasAResourceOfItsOwn(t *testing.T) {
	long := strings.Repeat("w", 500)
	resources := map[string]bool{}
	for _, workspace := range []string{"edge", "acme/edge", "edge/pool", long, long + "x"} {
		for _, address := range []string{"pool/web", "route/web"} {
			r := audit.DriftResource(workspace, address)
			if resources[r] || len(r) > 200 || !strings.HasSuffix(r, "/"+address) {
				t.Errorf("%.30q of %.30s is %q", address, workspace, r)
			}
			resources[r] = true
			e := audit.Entry{Type: audit.TypeDrift, Outcome: audit.OutcomeOK, Resource: r}
			if !e.ChangesState() {
				t.Errorf("%s changes no state", r)
			}
		}
	}
	for _, e := range []audit.Entry{
		{Type: audit.TypeDrift, Outcome: audit.OutcomeOK, Resource: "pool/web"},
		{Type: audit.TypeDrift, Outcome: audit.OutcomeRefused, Resource: "drift/edge/pool/web"},
		{Type: audit.TypePlan, Outcome: audit.OutcomeOK, Resource: "drift/edge/pool/web"},
	} {
		if e.ChangesState() {
			t.Errorf("%+v changes state", e)
		}
	}
}

// TestAWorkspaceManagesWhatItChangedOrImported in a run of its own.
func TestAWorkspaceManagesWhatItChangedOrImported(t *testing.T) {
	in := &audit.RunRef{ID: "r", Workspace: "edge"}
	for _, tt := range []struct {
		name  string
		entry audit.Entry
		want  bool
	}{
		{"a change", audit.Entry{Type: audit.TypeApply, Run: in, Outcome: audit.OutcomeOK}, true},
		{"an import", audit.Entry{Type: audit.TypeDrift, Op: "imported", Run: in, Outcome: audit.OutcomeOK}, true},
		{"a change in no run", audit.Entry{Type: audit.TypeApply, Outcome: audit.OutcomeOK}, false},
		{"a change in a run of no workspace", audit.Entry{Type: audit.TypeApply, Run: &audit.RunRef{ID: "r"}, Outcome: audit.OutcomeOK}, false},
		{"a refusal", audit.Entry{Type: audit.TypeApply, Run: in, Outcome: audit.OutcomeRefused}, false},
		{"a plan", audit.Entry{Type: audit.TypePlan, Run: in, Outcome: audit.OutcomeOK}, false},
		{"other drift", audit.Entry{Type: audit.TypeDrift, Op: "changed", Run: in, Outcome: audit.OutcomeOK}, false},
	} {
		if tt.entry.Manages() != tt.want {
			t.Errorf("%s: %t", tt.name, !tt.want)
		}
	}
}
