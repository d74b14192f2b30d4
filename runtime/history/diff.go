package history

import (
	"context"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Difference is what is different about one object between two revisions.
type Difference struct {
	Address lb.Address
	// Before and After are nil where there was no such object.
	Before, After *Object
}

// Op is what leads from one to the other. An object that was deleted and made anew in
// between is updated.
func (d *Difference) Op() lb.Op {
	switch {
	case d.Before == nil:
		return lb.OpCreate
	case d.After == nil:
		return lb.OpDelete
	}
	return lb.OpUpdate
}

// Gone reports whether a body is gone that the difference would take.
func (d *Difference) Gone() bool {
	return d.Before != nil && d.Before.Gone || d.After != nil && d.After.Gone
}

// Patch is the difference, none where it is not known.
func (d *Difference) Patch() ([]lb.Change, error) {
	if d.Gone() {
		return nil, nil
	}
	var before, after []byte
	if d.Before != nil {
		before = d.Before.Encoded
	}
	if d.After != nil {
		after = d.After.Encoded
	}
	return lb.Diff(before, after)
}

// DiffOf compares one object at two revisions; nil when there is no difference.
func DiffOf(ctx context.Context, log Log, address lb.Address, from, to int64) (*Difference, error) {
	before, err := ObjectAt(ctx, log, address, from)
	if err != nil {
		return nil, err
	}
	after, err := ObjectAt(ctx, log, address, to)
	if err != nil {
		return nil, err
	}
	return compare(before, after), nil
}

// Diff compares the configuration at two revisions, in order of address from after
// another one, up to limit objects that differ, or fewer when they are large; next is the
// address to go on after, "" at the end.
func Diff(ctx context.Context, log Log, from, to int64, after string, limit int) (differences []Difference, next string, err error) {
	older, newer := min(from, to), max(from, to)
	var p pace
	for {
		asked := p.nextOf(limit - len(differences))
		// What has no change in between is the same.
		rows, err := log.ChangesAt(ctx, older, newer, after, asked)
		if err != nil {
			return nil, "", err
		}
		p.saw(rows)
		for i := range rows {
			is, err := objectOf(&rows[i])
			if err != nil {
				return nil, "", err
			}
			was, err := ObjectAt(ctx, log, is.Address, older)
			if err != nil {
				return nil, "", err
			}
			if from > to {
				was, is = is, was
			}
			after = rows[i].Columns.Resource
			if d := compare(was, is); d != nil {
				differences = append(differences, *d)
			}
			if len(differences) == limit {
				return differences, after, nil
			}
		}
		if len(rows) < asked {
			return differences, "", nil
		}
		if p.enough() && len(differences) > 0 {
			return differences, after, nil
		}
	}
}

func compare(before, after *Object) *Difference {
	if before != nil && !before.Exists() {
		before = nil
	}
	if after != nil && !after.Exists() {
		after = nil
	}
	switch {
	case before == nil && after == nil:
		return nil
	case before != nil && after != nil:
		same := before.Entry.Seq == after.Entry.Seq
		if same || !before.Gone && !after.Gone && string(before.Encoded) == string(after.Encoded) {
			return nil
		}
	}
	if before != nil {
		return &Difference{before.Address, before, after}
	}
	return &Difference{after.Address, before, after}
}
