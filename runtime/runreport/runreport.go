// Package runreport says what became of what a run planned: of each operation on each
// object whether it was applied as planned, in this run or another, or refused, or not
// applied, and what the run applied that nobody planned. It is made of entries, and of
// nothing else.
package runreport

import (
	"context"
	"fmt"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
)

// Entry is an entry with what a report reads of its body.
type Entry struct {
	audit.Entry
	// Body is nil when it has left the log. Of the run's own entries it may lack Before
	// and After, and be nil where it is kept elsewhere.
	Body *audit.Body
}

// Log is what a report reads beyond the run's own entries.
type Log interface {
	// Entry returns an entry with its whole body, wherever that is kept, or nil.
	Entry(ctx context.Context, seq int64) (*Entry, error)
	// Applied returns accepted changes of an object with seq > after, oldest first, with
	// their whole bodies. It may leave some out when there are many.
	Applied(ctx context.Context, resource string, after int64) ([]Entry, error)
}

// Status is what became of an effect.
type Status string

// What may become of an effect.
const (
	// Applied is as planned: an accepted change fulfils the plan.
	Applied Status = "applied"
	// NotApplied is planned and nothing else, so far.
	NotApplied Status = "not_applied"
	// Failed was refused when it was to be planned or applied.
	Failed Status = "failed"
	// Unplanned was applied and fulfils no plan.
	Unplanned Status = "unplanned"
)

// Effect is an operation on an object, and what became of it.
type Effect struct {
	Address, Op string
	Status      Status
	// Plan is the newest plan of the operation in the run, or what another change of the
	// run fulfils, in this run or another; nil when there is none.
	Plan *Entry
	// Apply is the accepted change, in the run or another; nil when there is none.
	Apply *Entry
	// Refusal is the newest refusal in the run since the plan; nil when there is none.
	// What was applied after all may have one too.
	Refusal *Entry
	// seq is the entry that the effect stands for: each stands for one of the run.
	seq int64
}

// Key orders effects: by address, then as the run came to them. No two of a report have
// the same.
func (e *Effect) Key() string { return fmt.Sprintf("%s %019d", e.Address, e.seq) }

// Counts is how many effects there are of each status.
type Counts struct{ Applied, NotApplied, Failed, Unplanned int }

// Overall is one word for all effects of a run.
type Overall string

// Words for a run, the first that is so.
const (
	// OverallFailed: something was refused and is not applied.
	OverallFailed Overall = "failed"
	// OverallUnplanned: something was applied that nobody planned.
	OverallUnplanned Overall = "unplanned"
	// OverallPartial: some of what was planned is applied.
	OverallPartial Overall = "partial"
	// OverallPlanned: nothing is applied so far.
	OverallPlanned Overall = "planned"
	// OverallApplied: everything is applied as planned.
	OverallApplied Overall = "applied"
	// OverallNothing: nothing was planned and nothing applied.
	OverallNothing Overall = "nothing"
)

// Count counts effects and finds the word for all of them.
func Count(effects []Effect) (Counts, Overall) {
	var n Counts
	for i := range effects {
		switch effects[i].Status {
		case Applied:
			n.Applied++
		case NotApplied:
			n.NotApplied++
		case Failed:
			n.Failed++
		case Unplanned:
			n.Unplanned++
		}
	}
	switch {
	case n.Failed > 0:
		return n, OverallFailed
	case n.Unplanned > 0:
		return n, OverallUnplanned
	case n.NotApplied > 0 && n.Applied > 0:
		return n, OverallPartial
	case n.NotApplied > 0:
		return n, OverallPlanned
	case n.Applied > 0:
		return n, OverallApplied
	}
	return n, OverallNothing
}

// planPath is where plans are sent to.
const planPath = "/v1/plans"

// Planning reports whether an entry refuses a plan, and not a change.
func Planning(refusal *audit.Entry) bool {
	return refusal.Request != nil && refusal.Request.Path == planPath
}
