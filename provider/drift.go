package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// privateDrift is the key in a resource's private state of what is known of its drift.
const privateDrift = "drift"

// driftMarks are what a state knows of an object's drift. They change only together
// with the object's attributes: a refresh that finds nothing new leaves a state as it is.
type driftMarks struct {
	// Wrote is the revision that this state last wrote or imported.
	Wrote int64 `json:"wrote"`
	// Seen is the revision of the drift that was last told of, and Told the run in which
	// it was; 0 for none since.
	Seen int64  `json:"seen,omitzero"`
	Told string `json:"told,omitzero"`
}

// marksOf reads the marks. A state without any, as earlier versions left it, knows the
// revision that it holds.
func marksOf(ctx context.Context, from privateReader, state tftypes.Value, diags *diag.Diagnostics) driftMarks {
	value, found := from.GetKey(ctx, privateDrift)
	diags.Append(found...)
	var marks driftMarks
	if len(value) == 0 || json.Unmarshal(value, &marks) != nil || marks.Wrote <= 0 {
		return driftMarks{Wrote: revisionOf(state)}
	}
	return marks
}

func (m driftMarks) keep(ctx context.Context, to privateWriter, diags *diag.Diagnostics) {
	value, err := json.Marshal(m)
	if err != nil {
		diags.AddError("Can't keep what is known of drift", upperFirst(err.Error())+".")
		return
	}
	diags.Append(to.SetKey(ctx, privateDrift, value)...)
}

// wrote marks the revision that a state wrote.
func wrote(ctx context.Context, revision int64, to privateWriter, diags *diag.Diagnostics) {
	driftMarks{Wrote: revision}.keep(ctx, to, diags)
}

// refreshed tells of what changed an object since the state wrote it, unless it was
// told before. An object that was not touched costs no call.
func (r *objectResource) refreshed(ctx context.Context, at lb.Address, obj *api.Object, state tftypes.Value, from privateReader, to privateWriter, diags *diag.Diagnostics) {
	if revisionOf(state) == 0 { // nothing but a name: it is being imported
		wrote(ctx, obj.Revision, to, diags)
		r.imported(ctx, at, obj, diags)
		return
	}
	r.client.looked.Store(at, true)
	marks := marksOf(ctx, from, state, diags)
	if obj.Revision == marks.Wrote || obj.Revision == marks.Seen {
		return
	}
	d, err := r.see(ctx, at, marks)
	told := true
	switch {
	case err != nil:
		diags.AddWarning(driftSummary(at, api.DriftChanged, nil), lastChange(&obj.LastChange)+unattributed(err))
		told = r.client.blind.Load() == nil // without an answer the next refresh asks again
	case d != nil && d.Accepted != nil:
		told = false // until that ends
	case d != nil: // or else it was changed back, and there is nothing to tell of this revision
		diags.AddWarning(driftSummary(at, d.Kind, d.Managers), r.driftDetail(d, waysOn(d)))
	}
	if told {
		marks.Seen, marks.Told = obj.Revision, r.client.run
	}
	marks.keep(ctx, to, diags)
}

// gone tells of an object that is in the state, but not there any more.
func (r *objectResource) gone(ctx context.Context, at lb.Address, state tftypes.Value, from privateReader, diags *diag.Diagnostics) {
	const next = "A plan proposes to create it again."
	d, err := r.see(ctx, at, marksOf(ctx, from, state, diags))
	switch {
	case err != nil:
		diags.AddWarning(driftSummary(at, api.DriftDeleted, nil), next+" Its history tells who deleted it and why."+unattributed(err))
	case d == nil:
		diags.AddWarning(driftSummary(at, api.DriftDeleted, nil), next)
	case d.Accepted == nil:
		diags.AddWarning(driftSummary(at, d.Kind, d.Managers), r.driftDetail(d, next))
	}
}

// imported says what is taken over: by whom it was changed last, and whether another
// workspace manages it.
func (r *objectResource) imported(ctx context.Context, at lb.Address, obj *api.Object, diags *diag.Diagnostics) {
	detail := lastChange(&obj.LastChange)
	answer, err := r.client.sight(ctx, api.DriftSightingRequest{Address: at.String(), Imported: true})
	switch {
	case err != nil:
		detail += unattributed(err)
	case answer.Drift != nil && len(answer.Drift.Managers) > 0:
		detail += " " + managersSentence(answer.Drift.Managers) + " Two workspaces that manage one object take back each other's changes: remove it from one of them."
	}
	diags.AddWarning(driftSummary(at, api.DriftImported, nil), detail)
}

// planned tells of drift that a planned change meets and that no refresh of this run told
// of: because there was none, or because it was told in an earlier run and this plan
// takes it back. The plan's answer knows the revision, so this costs a call only where
// there is drift.
//
// An apply plans again, in a process of its own, what was told when it was planned. It
// is known by the plan being repeated, or by there having been no refresh.
func (r *objectResource) planned(ctx context.Context, at lb.Address, answer *api.Plan, state tftypes.Value, from privateReader, undoes func(*api.Drift) bool, diags *diag.Diagnostics) {
	if answer == nil || answer.Repeated {
		return
	}
	marks, revision := marksOf(ctx, from, state, diags), revisionOf(state)
	unseen := answer.Base != revision
	_, looked := r.client.looked.Load(at)
	earlier := looked && marks.Seen == revision && marks.Seen != marks.Wrote && marks.Told != r.client.run
	if !unseen && !earlier {
		return
	}
	d, err := r.see(ctx, at, marks)
	if err != nil || d == nil || d.Accepted != nil || !unseen && !undoes(d) {
		return // without a refresh nobody asked; the apply is refused by name
	}
	next := "This plan takes it back."
	if unseen {
		next = fmt.Sprintf("This plan was made for revision %d, without looking: applying it will be refused. Plan again with a refresh.", revision)
	}
	diags.AddWarning(driftSummary(at, d.Kind, d.Managers), r.driftDetail(d, next))
}

// unrefreshed tells of drift of an object that is to stay as it is, in a plan without a
// refresh. One call answers for all objects.
func (r *objectResource) unrefreshed(ctx context.Context, at lb.Address, state tftypes.Value, from privateReader, diags *diag.Diagnostics) {
	if _, looked := r.client.looked.Load(at); looked {
		return
	}
	live, drifted := r.client.drifted(ctx)[at.String()]
	if !drifted || live == revisionOf(state) {
		return
	}
	d, err := r.see(ctx, at, marksOf(ctx, from, state, diags))
	if err == nil && d != nil && d.Accepted == nil {
		diags.AddWarning(driftSummary(at, d.Kind, d.Managers), r.driftDetail(d, "This plan does not look, so it does not propose to take it back. Plan again with a refresh."))
	}
}

// drifted lists the objects that drifted from the run's workspace, by address, with their
// revisions. It asks once; what can't be had is not told, as nobody asked for it.
func (c *connection) drifted(ctx context.Context) map[string]int64 {
	c.listing.Lock()
	defer c.listing.Unlock()
	if c.listed != nil {
		return c.listed
	}
	c.listed = map[string]int64{}
	ctx, cancel := context.WithTimeout(ctx, maxSighting)
	defer cancel()
	for q := (api.DriftQuery{Limit: api.MaxPageSize}); ; {
		list, err := c.Drift(ctx, q)
		if err != nil {
			return c.listed
		}
		for i := range list.Items {
			c.listed[list.Items[i].Address] = list.Items[i].Revision
		}
		if q.Cursor = list.Next; q.Cursor == "" {
			return c.listed
		}
	}
}

// see asks how an object is not as the state wrote it; nil when it is.
func (r *objectResource) see(ctx context.Context, at lb.Address, marks driftMarks) (*api.Drift, error) {
	answer, err := r.client.sight(ctx, api.DriftSightingRequest{Address: at.String(), Base: marks.Wrote})
	if err != nil {
		return nil, err
	}
	return answer.Drift, nil
}

// maxSighting bounds a question for drift with all its attempts: who did it is worth less
// than the plan. Tests lower it.
var maxSighting = 10 * time.Second

// sight asks for the drift of one object. Once there was no answer, nothing more is asked
// in this process, so that a plan of many objects doesn't wait for each.
func (c *connection) sight(ctx context.Context, req api.DriftSightingRequest) (*api.DriftSighting, error) {
	if err := c.blind.Load(); err != nil {
		return nil, *err
	}
	ctx, cancel := context.WithTimeout(ctx, maxSighting)
	defer cancel()
	answer, err := c.SeeDrift(ctx, req)
	var problem *api.Problem
	if answered := errors.As(err, &problem) && problem.Status < http.StatusInternalServerError && problem.Status != http.StatusTooManyRequests; err != nil && !answered {
		c.blind.CompareAndSwap(nil, &err)
	}
	return answer, err
}

// undoes reports whether a plan gives what drifted another value than it has now.
func undoes(plan, state map[string]any) func(*api.Drift) bool {
	return func(d *api.Drift) bool {
		for _, c := range d.Patch {
			if !same(valueAt(plan, c.Path), valueAt(state, c.Path)) {
				return true
			}
		}
		return len(d.Patch) == 0
	}
}

// valueAt is the value that a pointer leads to. One into a set stands for the set.
func valueAt(v any, pointer string) any {
	for _, token := range pointerTokens(pointer) {
		members, ok := v.(map[string]any)
		if !ok {
			return v
		}
		v = members[token]
	}
	return v
}
