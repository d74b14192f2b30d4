package history

import (
	"context"
	"fmt"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Damage is an entry that can't be read: the log is not what was written.
type Damage struct {
	Seq int64
	err error
}

// Error implements error.
func (d *Damage) Error() string { return fmt.Sprintf("entry %d: %v", d.Seq, d.err) }

// Unwrap returns what is wrong with the entry.
func (d *Damage) Unwrap() error { return d.err }

// ObjectAt returns an object as it was at a revision, or nil when there had never been
// one. A deleted one is returned with the entry that deleted it.
func ObjectAt(ctx context.Context, log Log, address lb.Address, revision int64) (*Object, error) {
	rows, err := log.Changes(ctx, address.String(), revision, 1)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return objectOf(&rows[0])
}

// StateAt returns up to limit objects of the configuration at a revision, in order of
// address, those after another address; fewer when they are large. Deleted ones are left
// out; more tells whether there may be others.
func StateAt(ctx context.Context, log Log, revision int64, after string, limit int) (objects []Object, more bool, err error) {
	var p pace
	for len(objects) < limit && (len(objects) == 0 || !p.enough()) {
		asked := p.nextOf(limit - len(objects))
		rows, err := log.ChangesAt(ctx, beginning, revision, after, asked)
		if err != nil {
			return nil, false, err
		}
		p.saw(rows)
		for i := range rows {
			o, err := objectOf(&rows[i])
			if err != nil {
				return nil, false, err
			}
			after = o.Address.String()
			if !o.Exists() {
				continue
			}
			objects = append(objects, *o)
			if len(objects) == limit {
				return objects, true, nil
			}
		}
		if len(rows) < asked {
			return objects, false, nil
		}
	}
	return objects, true, nil
}

func objectOf(row *audit.Row) (*Object, error) {
	c, err := readChange(row)
	if err != nil {
		return nil, err
	}
	address, err := lb.ParseAddress(c.entry.Resource)
	if err != nil {
		return nil, &Damage{row.Seq, err}
	}
	o := &Object{Address: address, Entry: c.entry, Encoded: c.body.After}
	o.Gone = c.gone && o.Exists()
	return o, nil
}
