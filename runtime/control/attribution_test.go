package control_test

import (
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
)

// TestAnEntryNamesTheWorkspaceOfItsRunAtThatTime, and not the one that the run claims
// later.
func TestAnEntryNamesTheWorkspaceOfItsRunAtThatTime(t *testing.T) {
	proving := job("github", "proved", identity.Operator)
	proving.Ticket = "CHG-1"
	proving.Actor.Verified.Run.Workspace = "edge"
	for _, tt := range []struct {
		name, run string
		claims    map[string]string
		want      string
	}{
		{"claimed", "a", map[string]string{"system": "test", "workspace": "core", "repository": "acme/infra"}, "core"},
		{"a repository alone", "b", map[string]string{"system": "test", "repository": "acme/infra"}, "acme/infra"},
		{"neither", "c", map[string]string{"system": "test"}, "default"},
		{"the command line's", "d", map[string]string{"system": "auditlb"}, ""},
		{"proved", "proved", map[string]string{"system": "test", "workspace": "edge"}, "edge"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log := newLog(t)
			call := underOne
			if tt.run == "proved" {
				call = proving
			}
			call.Run = tt.run
			o, err := log.RegisterRun(t.Context(), call, tt.run, tt.claims)
			if e := controltest.Accepted(t, o, err).Entry; e.Run == nil || e.Run.Workspace != tt.want {
				t.Errorf("the registration's run is %+v, want workspace %q", e.Run, tt.want)
			}
			o, err = log.Put(t.Context(), call, put(t, "pool/web", controltest.Numbered(1), 0))
			before := controltest.Accepted(t, o, err).Entry
			if before.Run.Workspace != tt.want {
				t.Errorf("workspace %q, want %q", before.Run.Workspace, tt.want)
			}
			if tt.run != "proved" {
				o, err = log.RegisterRun(t.Context(), call, tt.run, map[string]string{"system": "test", "workspace": "moved"})
				controltest.Accepted(t, o, err)
				o, err = log.Put(t.Context(), call, put(t, "pool/web", controltest.Numbered(2), -1))
				if e := controltest.Accepted(t, o, err).Entry; e.Run.Workspace != "moved" {
					t.Errorf("after the run claims another one: %q", e.Run.Workspace)
				}
			}
			if e := log.Entries(t)[before.Seq]; e.Run.Workspace != tt.want {
				t.Errorf("entry %d says %q now", e.Seq, e.Run.Workspace)
			}
			controltest.Verified(t, log.Store)
		})
	}
}

// TestAnEntryNamesTheOwnerOfItsObject: who owns it after the change or, of a deletion and
// what was refused of it, before.
func TestAnEntryNamesTheOwnerOfItsObject(t *testing.T) {
	log := newLog(t)
	pool := controltest.Numbered(1)
	pool.Owner = "team-a"
	log.Create(t, "CHG-1", "pool/web", pool)
	moved := controltest.Numbered(1)
	moved.Owner = "team-b"
	log.Update(t, "CHG-1", "pool/web", moved)
	refused := underOne
	refused.Ticket = ""
	o, err := log.Delete(t.Context(), refused, controltest.Address(t, "pool/web"), exists)
	controltest.Refused(t, "ticket_required", o, err)
	o, err = log.Delete(t.Context(), underOne, controltest.Address(t, "pool/web"), exists)
	controltest.Accepted(t, o, err)
	var got []string
	for _, e := range log.Entries(t) {
		if e.Resource == "pool/web" {
			got = append(got, e.Op+" "+e.Owner)
		} else if e.Owner != "" {
			t.Errorf("%s %s has owner %q", e.Type, e.Resource, e.Owner)
		}
	}
	want := []string{"create team-a", "update team-b", "delete team-b", "delete team-b"}
	if len(got) != len(want) {
		t.Fatalf("%v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%v, want %v", got, want)
		}
	}
}
