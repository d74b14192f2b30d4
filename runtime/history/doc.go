// Package history answers what was, and who made it so, from the entries of a log: the
// configuration at a revision, the difference between two, and for each attribute of an
// object the entry that set it.
//
// It reads accepted changes of objects only: the configuration at revision n is the fold
// of those with seq <= n. A body that left the log by policy takes its answer with it,
// never the answer as a whole: what it would have said is marked with the entry it is of.
package history

import (
	"context"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Log is what answers are made of. A row's body may be missing ([audit.Row.BodyErased]);
// who has an archive fills it in before.
type Log interface {
	// Changes returns up to limit accepted changes of an object with seq <= through,
	// newest first.
	Changes(ctx context.Context, resource string, through int64, limit int) ([]audit.Row, error)
	// ChangesAt returns for each object whose address is after another one the newest
	// accepted change with since < seq <= through, in order of address, up to limit.
	ChangesAt(ctx context.Context, since, through int64, after string, limit int) ([]audit.Row, error)
}

// beginning is the revision before the first.
const beginning = -1

// pace is how many entries are read with one query: few at first, since an object may have
// a megabyte, and more while they turn out small.
type pace struct{ limit, bytes int }

const (
	fewAtOnce  = 16
	mostAtOnce = 512
	smallBytes = 1 << 20
	// enoughBytes of entries end a page early.
	enoughBytes = 8 << 20
)

// next is the limit of the next query.
func (p *pace) next() int { return max(p.limit, fewAtOnce) }

// nextOf is the limit of the next query when no more than some are wanted.
func (p *pace) nextOf(wanted int) int { return min(p.next(), max(wanted, fewAtOnce)) }

// enough reports whether a page has to end.
func (p *pace) enough() bool { return p.bytes >= enoughBytes }

// saw takes what a query gave.
func (p *pace) saw(rows []audit.Row) {
	bytes := 0
	for i := range rows {
		bytes += len(rows[i].Leaf) + len(rows[i].Body)
	}
	p.bytes += bytes
	if bytes < smallBytes {
		p.limit = min(2*p.next(), mostAtOnce)
	} else {
		p.limit = fewAtOnce
	}
}

// Object is an object as it was.
type Object struct {
	Address lb.Address
	// Entry is the change that made it so.
	Entry audit.Entry
	// Encoded is the object's canonical JSON; nil when it was deleted, or when the body
	// that has it is gone.
	Encoded jsontext.Value
	// Gone is set when the body is gone: Entry.Seq says of which entry.
	Gone bool
}

// Exists reports whether there was such an object.
func (o *Object) Exists() bool { return o.Entry.Op != string(lb.OpDelete) }

// change is a row with its header and body read.
type change struct {
	entry audit.Entry
	body  audit.Body
	gone  bool
}

func readChange(row *audit.Row) (change, error) {
	e, err := audit.ParseLeaf(row.Leaf)
	if err != nil {
		return change{}, &Damage{row.Seq, err}
	}
	if row.BodyErased() {
		return change{entry: e, gone: true}, nil
	}
	body, err := audit.ParseBody(row.Body)
	if err != nil {
		return change{}, &Damage{row.Seq, err}
	}
	return change{entry: e, body: body}, nil
}
