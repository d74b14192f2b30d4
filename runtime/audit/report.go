package audit

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Finding is one thing that is not as the log says it was.
type Finding struct {
	// Seq is the entry concerned, or -1 where none can be named.
	Seq int64 `json:"seq"`
	// Resource is what the entry or state is about, where known.
	Resource string `json:"resource,omitzero"`
	Problem  string `json:"problem"`
	// ofState is set where the current state is wrong, not the entry.
	ofState bool
}

// Error implements error.
func (f Finding) Error() string {
	switch {
	case f.Seq >= 0 && f.Resource != "":
		return fmt.Sprintf("entry %d (%s): %s", f.Seq, f.Resource, f.Problem)
	case f.Seq >= 0:
		return fmt.Sprintf("entry %d: %s", f.Seq, f.Problem)
	case f.Resource != "":
		return fmt.Sprintf("%s: %s", f.Resource, f.Problem)
	}
	return f.Problem
}

// Report is the result of a verification.
type Report struct {
	Origin string `json:"origin"`
	// Size is the number of entries that the checked checkpoint covers.
	Size int64 `json:"size"`
	// Root is the checkpoint's root hash, base64.
	Root string `json:"root"`
	// Depth is how much was looked at; Checked and NotChecked say what that is.
	Depth      Depth  `json:"depth"`
	Checked    string `json:"checked"`
	NotChecked string `json:"not_checked,omitzero"`
	// Resumed is set when the first entries were not read, because an earlier
	// verification had read them.
	Resumed *Resumed `json:"resumed,omitzero"`
	// Erased says which bodies are not in the log any more by policy; nil when all are.
	Erased *ErasedBodies `json:"erased,omitzero"`
	// Elsewhere counts the checkpoints kept elsewhere that the log was compared with, and
	// ArchivedRight the archived bodies that are what their entries commit to.
	Elsewhere     int   `json:"elsewhere,omitzero"`
	ArchivedRight int64 `json:"archived_right,omitzero"`
	// Findings are what is wrong: entries, lowest seq first, then current state,
	// then what names no entry. At most MaxFindings.
	Findings []Finding `json:"findings"`
}

// Resumed says which entries an earlier verification had read: Size of them, from
// the first on, from Began to At.
type Resumed struct {
	Size  int64     `json:"size"`
	Began time.Time `json:"began"`
	At    time.Time `json:"at"`
}

// OK reports that nothing is wrong.
func (r *Report) OK() bool { return len(r.Findings) == 0 }

// MaxFindings bounds how many findings a verification collects.
const MaxFindings = 100

// rank sorts findings by how much they explain: what is wrong with the current
// state may only follow from what is wrong with an entry.
func (f Finding) rank() int {
	switch {
	case f.Seq < 0:
		return 2
	case f.ofState:
		return 1
	}
	return 0
}

func (w *walk) find(seq int64, resource, problem string) {
	w.add(Finding{Seq: seq, Resource: resource, Problem: problem})
}

// findState is find for the current state.
func (w *walk) findState(seq int64, resource, problem string) {
	w.add(Finding{Seq: seq, Resource: resource, Problem: problem, ofState: true})
}

func (w *walk) add(f Finding) {
	if len(w.findings) < MaxFindings {
		w.findings = append(w.findings, f)
	}
}

func (w *walk) report(cp Checkpoint) Report {
	findings := append([]Finding{}, w.findings...)
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.rank(), b.rank()), cmp.Compare(a.Seq, b.Seq))
	})
	return Report{
		Origin: cp.Origin, Size: cp.Size, Root: cp.Root.String(),
		Depth: w.depth, Checked: w.depth.Checks(), NotChecked: w.depth.LeavesOut(), Resumed: w.resumed,
		Erased: w.erased, Findings: findings,
	}
}
