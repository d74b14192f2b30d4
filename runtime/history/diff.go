package history

import (
	"context"
	"strings"

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
	return compare(address, before, after), nil
}

// Diff compares the configuration at two revisions, in order of address from after
// another one, up to limit objects that differ; next is the address to go on after, ""
// at the end.
func Diff(ctx context.Context, log Log, from, to int64, after string, limit int) (differences []Difference, next string, err error) {
	older, newer := &cursor{log: log, revision: from, after: after}, &cursor{log: log, revision: to, after: after}
	for {
		a, err := older.peek(ctx)
		if err != nil {
			return nil, "", err
		}
		b, err := newer.peek(ctx)
		if err != nil {
			return nil, "", err
		}
		if a == nil && b == nil {
			return differences, "", nil
		}
		var before, after *Object
		switch order := compareObjects(a, b); {
		case order < 0:
			before = older.take()
		case order > 0:
			after = newer.take()
		default:
			before, after = older.take(), newer.take()
		}
		address := before
		if address == nil {
			address = after
		}
		if d := compare(address.Address, before, after); d != nil {
			differences = append(differences, *d)
		}
		if len(differences) == limit {
			return differences, address.Address.String(), nil
		}
	}
}

// compareObjects orders by address; what is at its end comes last.
func compareObjects(a, b *Object) int {
	switch {
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	return strings.Compare(a.Address.String(), b.Address.String())
}

func compare(address lb.Address, before, after *Object) *Difference {
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
	return &Difference{address, before, after}
}

// cursor walks over a configuration in order of address.
type cursor struct {
	log      Log
	revision int64
	after    string
	held     []Object
	ended    bool
}

func (c *cursor) peek(ctx context.Context) (*Object, error) {
	if len(c.held) == 0 && !c.ended {
		objects, more, err := StateAt(ctx, c.log, c.revision, c.after, fewAtOnce)
		if err != nil {
			return nil, err
		}
		c.held, c.ended = objects, !more
		if len(objects) > 0 {
			c.after = objects[len(objects)-1].Address.String()
		}
	}
	if len(c.held) == 0 {
		return nil, nil
	}
	return &c.held[0], nil
}

func (c *cursor) take() *Object {
	o := &c.held[0]
	c.held = c.held[1:]
	return o
}
