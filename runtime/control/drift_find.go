package control

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Bodies brings back a body that is not in the log any more, where it can; otherwise
// the row comes back as it is.
type Bodies func(ctx context.Context, row *audit.Row) *audit.Row

const (
	maxWorkspaces   = 1000
	changesAtOnce   = 20
	sightingsLooked = 20
)

// ErrNotARevision means that a base is no revision of the object.
var ErrNotARevision = fmt.Errorf("not a revision of the object")

// Workspaces lists the workspaces that left an entry, sorted.
func (c *Controller) Workspaces(ctx context.Context) ([]string, error) {
	return c.opts.Store.Workspaces(ctx, maxWorkspaces)
}

// ManagedObject is an object that a workspace manages.
type ManagedObject struct {
	Address lb.Address
	// last is the workspace's newest entry about it, and others those of the other
	// workspaces that manage it.
	last   audit.Entry
	others []audit.Entry
}

// Managed lists the objects that a workspace manages, by address: those that its runs
// changed or imported, and did not delete since.
func (c *Controller) Managed(ctx context.Context, workspace string) ([]ManagedObject, error) {
	rows, err := c.opts.Store.Managed(ctx, workspace)
	if err != nil {
		return nil, err
	}
	return managedBy(workspace, rows)
}

// managedBy gathers rows by object.
func managedBy(workspace string, rows []Managed) ([]ManagedObject, error) {
	var out []ManagedObject
	for len(rows) > 0 {
		n := slices.IndexFunc(rows, func(m Managed) bool { return m.Resource != rows[0].Resource })
		if n < 0 {
			n = len(rows)
		}
		object, err := managed(workspace, rows[:n])
		if err != nil {
			return nil, err
		}
		if object.last.Seq != 0 {
			out = append(out, object)
		}
		rows = rows[n:]
	}
	return out, nil
}

// managed reads the rows of one object. Without a last entry the workspace does not
// manage it.
func managed(workspace string, rows []Managed) (ManagedObject, error) {
	var object ManagedObject
	for _, row := range rows {
		e, err := audit.ParseLeaf(row.Leaf)
		if err != nil {
			return object, fmt.Errorf("entry %d: %w", row.Seq, err)
		}
		if object.Address, err = lb.ParseAddress(e.Resource); err != nil {
			return object, fmt.Errorf("entry %d: %w", row.Seq, err)
		}
		switch {
		case lb.Op(e.Op) == lb.OpDelete:
		case e.WorkspaceName() == workspace:
			object.last = e
		default:
			object.others = append(object.others, e)
		}
	}
	return object, nil
}

// DriftOf returns how an object is not as a workspace left it, or nil.
func (c *Controller) DriftOf(ctx context.Context, workspace string, address lb.Address, bodies Bodies) (*Drift, error) {
	rows, err := c.opts.Store.Managers(ctx, address.String())
	if err != nil {
		return nil, err
	}
	object, err := managed(workspace, rows)
	if err != nil || object.last.Seq == 0 {
		return nil, err
	}
	return c.Drift(ctx, workspace, object, bodies)
}

// Drift returns how an object that a workspace manages is not as it left it, or nil.
func (c *Controller) Drift(ctx context.Context, workspace string, object ManagedObject, bodies Bodies) (*Drift, error) {
	left := object.last.Seq
	if object.last.Type == audit.TypeDrift {
		left = object.last.Base // what was there when it was imported
	}
	current := c.config.Get(object.Address)
	unchanged := current != nil && current.Last.Revision == left
	if unchanged && len(object.others) == 0 && object.last.Type != audit.TypeDrift {
		return nil, nil
	}
	d := &Drift{Address: object.Address, Workspace: workspace, Baseline: object.last, Left: left, Revision: left, Managers: object.others}
	if unchanged {
		d.Was, d.Is = current.Encoded, current.Encoded
	} else if err := c.compare(ctx, d, bodies); err != nil {
		return nil, err
	}
	if d.Kind = d.kind(); d.Kind == "" && len(d.Managers) > 0 {
		d.Kind = audit.DriftAdopted
	}
	if d.Kind == "" && d.Count == 0 && object.last.Type == audit.TypeDrift {
		d.Kind = audit.DriftImported
	}
	if d.Kind == "" {
		return nil, nil
	}
	if err := c.complete(ctx, d); err != nil {
		return nil, err
	}
	var err error
	d.Seen, err = c.seen(ctx, d)
	return d, err
}

// DriftSince returns how an object is not as it was at a revision that a workspace's
// state knows, or nil. A revision of 0 is an import: the drift is then of that kind,
// with who changed the object last as its baseline. Seen is left for SeeDrift to find.
func (c *Controller) DriftSince(ctx context.Context, workspace string, address lb.Address, base int64, bodies Bodies) (*Drift, error) {
	imported := base == 0
	if imported {
		current := c.config.Get(address)
		if current == nil {
			return nil, ErrNotARevision
		}
		base = current.Last.Revision
	}
	row, err := c.opts.Store.Entry(ctx, base)
	if err != nil {
		return nil, err
	}
	if row == nil {
		return nil, ErrNotARevision
	}
	e, err := audit.ParseLeaf(row.Leaf)
	if err != nil {
		return nil, fmt.Errorf("entry %d: %w", base, err)
	}
	if e.Type != audit.TypeApply || e.Outcome != audit.OutcomeOK || e.Resource != address.String() {
		return nil, ErrNotARevision
	}
	rows, err := c.opts.Store.Managers(ctx, address.String())
	if err != nil {
		return nil, err
	}
	object, err := managed(workspace, rows)
	if err != nil {
		return nil, err
	}
	d := &Drift{Address: address, Workspace: workspace, Baseline: e, Left: base, Revision: base, Managers: object.others}
	if imported {
		d.Kind, d.Is = audit.DriftImported, row.Body
		if body, err := audit.ParseBody(row.Body); err == nil {
			d.Is = body.After
		}
		return d, c.complete(ctx, d)
	}
	if err := c.compare(ctx, d, bodies); err != nil {
		return nil, err
	}
	if d.Kind = d.kind(); d.Kind == "" {
		return nil, nil
	}
	return d, c.complete(ctx, d)
}

// kind is how the object changed, or "" when nothing is different.
func (d *Drift) kind() audit.DriftKind {
	is := func(op lb.Op) func(DriftChange) bool {
		return func(c DriftChange) bool { return lb.Op(c.Op) == op }
	}
	byOther := func(c DriftChange) bool {
		return slices.ContainsFunc(d.Managers, func(m audit.Entry) bool { return m.WorkspaceName() == c.WorkspaceName() })
	}
	switch {
	case d.Count == 0:
		return ""
	case d.Is == nil:
		return audit.DriftDeleted
	case d.Erased == nil && bytes.Equal(d.Was, d.Is):
		return ""
	case slices.ContainsFunc(d.Changes, is(lb.OpCreate)):
		return audit.DriftRecreated
	case slices.ContainsFunc(d.Changes, byOther):
		return audit.DriftAdopted
	}
	return audit.DriftChanged
}

// compare reads the changes of an object since it was left, and what it was and is.
func (c *Controller) compare(ctx context.Context, d *Drift, bodies Bodies) error {
	q := Query{Resource: d.Address.String(), Types: []audit.Type{audit.TypeApply}, Limit: changesAtOnce}
	var oldest *audit.Row
	for d.Count < maxDriftCounted {
		rows, err := c.opts.Store.Entries(ctx, q)
		if err != nil {
			return err
		}
		for i := range rows {
			if rows[i].Seq <= d.Left {
				rows = rows[:i]
				break
			}
			e, err := audit.ParseLeaf(rows[i].Leaf)
			if err != nil {
				return fmt.Errorf("entry %d: %w", rows[i].Seq, err)
			}
			if d.Count == 0 {
				d.Revision = e.Seq
				if d.Is, _, err = after(ctx, &rows[i], bodies); err != nil {
					return err
				}
			}
			if d.Count++; len(d.Changes) < MaxDriftChanges {
				d.Changes = append(d.Changes, DriftChange{Entry: e})
			}
			oldest, q.Before = &rows[i], e.Seq
		}
		if len(rows) < changesAtOnce {
			break
		}
	}
	d.More = d.Count >= maxDriftCounted
	if d.Count == 0 {
		return nil
	}
	return c.was(ctx, d, oldest, bodies)
}

// was reads what the object was when it was left. The oldest change since holds that
// too, where the body of the entry that made it was erased.
func (c *Controller) was(ctx context.Context, d *Drift, oldest *audit.Row, bodies Bodies) error {
	row, err := c.opts.Store.Entry(ctx, d.Left)
	if err != nil {
		return err
	}
	if row == nil {
		return fmt.Errorf("entry %d is missing", d.Left)
	}
	was, held, err := after(ctx, row, bodies)
	if err != nil || held {
		d.Was = was
		return err
	}
	if oldest = bodies(ctx, oldest); !d.More && !oldest.BodyErased() {
		body, err := audit.ParseBody(oldest.Body)
		d.Was = body.Before
		return err
	}
	d.Erased = row
	return nil
}

// after is what an entry made of its object; held is false where its body is gone.
func after(ctx context.Context, row *audit.Row, bodies Bodies) (value jsontext.Value, held bool, err error) {
	if row = bodies(ctx, row); row.BodyErased() {
		return nil, false, nil
	}
	body, err := audit.ParseBody(row.Body)
	if err != nil {
		return nil, false, fmt.Errorf("entry %d: %w", row.Seq, err)
	}
	return body.After, true, nil
}

// complete adds what else is known of a drift.
func (c *Controller) complete(ctx context.Context, d *Drift) (err error) {
	known := map[string]bool{"": false}
	for i := range d.Changes {
		id := d.Changes[i].Ticket
		if _, ok := known[id]; !ok {
			rows, err := c.opts.Store.Entries(ctx, Query{Ticket: id, Workspace: d.Workspace, Types: []audit.Type{audit.TypeApply, audit.TypePlan}, Limit: 1})
			if err != nil {
				return err
			}
			known[id] = len(rows) > 0
		}
		d.Changes[i].OwnTicket = known[id]
	}
	d.Accepted, err = c.accepted(ctx, d)
	return err
}

// seen finds the entry that says that a drift was seen, among the newest of the object.
func (c *Controller) seen(ctx context.Context, d *Drift) (int64, error) {
	digest, err := d.sighting().Digest(d.Address.String())
	if err != nil {
		return 0, err
	}
	rows, err := c.opts.Store.Entries(ctx, Query{Resource: d.Address.String(), Types: []audit.Type{audit.TypeDrift}, Limit: sightingsLooked})
	if err != nil {
		return 0, err
	}
	for i := range rows {
		if rows[i].Columns.Effect == digest {
			return rows[i].Seq, nil
		}
	}
	return 0, nil
}
