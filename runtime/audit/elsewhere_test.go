package audit_test

import (
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
)

// grown is a tree of entries that say what they are, with the checkpoint of every size.
type grown struct {
	tree   audit.Tree
	hashes []tlog.Hash
	notes  []audit.Elsewhere
}

func (g *grown) grow(t *testing.T, s *audit.Signer, entries ...string) {
	t.Helper()
	for _, e := range entries {
		for _, h := range g.tree.Append(tlog.RecordHash([]byte(e))) {
			g.hashes = append(g.hashes, h.Hash)
		}
		cp, err := s.Sign(&g.tree)
		if err != nil {
			t.Fatal(err)
		}
		g.notes = append(g.notes, audit.Elsewhere{From: fmt.Sprint("note ", cp.Size), Note: cp.Note})
	}
}

// ReadHashes implements tlog.HashReader.
func (g *grown) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		if index >= int64(len(g.hashes)) {
			return nil, errors.New("hash not stored")
		}
		out[i] = g.hashes[index]
	}
	return out, nil
}

func all(notes []audit.Elsewhere) iter.Seq2[audit.Elsewhere, error] {
	return func(yield func(audit.Elsewhere, error) bool) {
		for _, n := range notes {
			if !yield(n, nil) {
				return
			}
		}
	}
}

func TestALogIsHeldToCheckpointsKeptElsewhere(t *testing.T) {
	s, other := newSigner(t, "test.example/log"), newSigner(t, "test.example/log")
	open := func(b []byte) (audit.Checkpoint, error) { return audit.OpenCheckpoint(b, s.Verifier()) }
	var log grown
	log.grow(t, s, "a", "b", "c", "d", "e", "f", "g")
	var forked grown
	forked.grow(t, s, "a", "b", "c", "X", "e", "f", "g", "h")
	var strange grown
	strange.grow(t, other, "a", "b", "c")
	back := grown{}
	back.grow(t, s, "a", "b", "c")

	tests := []struct {
		name  string
		log   *grown
		notes []audit.Elsewhere
		// want are the notes that a finding names, and what it says.
		want map[string]string
	}{
		{"its own", &log, log.notes, nil},
		{"its own of before it grew", &log, back.notes, nil},
		{"of a log that was forked after three entries", &log, forked.notes[:7], map[string]string{
			"note 4": "forked", "note 5": "forked", "note 6": "forked", "note 7": "forked",
		}},
		{"of a log that was rolled back", &back, log.notes, map[string]string{"note 4": "rolled back", "note 5": "rolled back", "note 6": "rolled back", "note 7": "rolled back"}},
		{"signed by somebody else", &log, strange.notes[2:], map[string]string{"note 3": "not one that this log's key signed"}},
		{"noise", &log, []audit.Elsewhere{{From: "noise", Note: []byte("noise\n")}}, map[string]string{"noise": "not one"}},
		{"two of one size that differ", &log, []audit.Elsewhere{log.notes[4], {From: "other", Note: forked.notes[4].Note}}, map[string]string{"other": "forked"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			findings, checked, err := audit.CheckElsewhere(all(tt.notes), tt.log.tree.Size(), tt.log, open)
			if err != nil || checked != len(tt.notes) {
				t.Fatalf("checked %d, %v; want %d", checked, err, len(tt.notes))
			}
			if len(findings) != len(tt.want) {
				t.Errorf("%d findings, want %d: %v", len(findings), len(tt.want), findings)
			}
			for _, f := range findings {
				named := false
				for from, says := range tt.want {
					named = named || strings.Contains(f.Problem, from) && strings.Contains(f.Problem, says)
				}
				if !named {
					t.Errorf("unexpected finding: %v", f)
				}
			}
		})
	}
}

func TestAKeptCheckpointThatCanNotBeReadIsNoFinding(t *testing.T) {
	s := newSigner(t, "test.example/log")
	var log grown
	log.grow(t, s, "a")
	open := func(b []byte) (audit.Checkpoint, error) { return audit.OpenCheckpoint(b, s.Verifier()) }
	broken := func(yield func(audit.Elsewhere, error) bool) { yield(audit.Elsewhere{}, errors.New("disk")) }
	if _, _, err := audit.CheckElsewhere(broken, 1, &log, open); err == nil {
		t.Error("no error where a checkpoint could not be read")
	}
	if _, _, err := audit.CheckElsewhere(all(log.notes), 1, &grown{}, open); err == nil {
		t.Error("no error where the tree could not be read")
	}
}
