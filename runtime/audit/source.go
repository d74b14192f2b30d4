package audit

import (
	"context"

	"golang.org/x/mod/sumdb/tlog"
)

// Source is a stored log as verification reads it. Every method returns what
// is stored, right or wrong; an error means that it could not be read, which is
// not the same as a mismatch.
type Source interface {
	// Extent is the head and the outer bounds of the tables, read in one
	// consistent snapshot.
	Extent(ctx context.Context) (Extent, error)
	// Rows returns up to limit entries with seq >= from, in order.
	Rows(ctx context.Context, from int64, limit int) ([]Row, error)
	// RowsOf returns up to limit entries of a resource with seq >= from, in order.
	RowsOf(ctx context.Context, resource string, from int64, limit int) ([]Row, error)
	// Scan calls visit with every entry with seq in [from, to), in order, until
	// it returns an error, which Scan returns. The row is valid during the call
	// only. The store is not held to one moment for longer than it takes to read
	// and visit some megabytes.
	Scan(ctx context.Context, from, to int64, visit func(*Row) error) error
	// ScanLeaves is Scan of leaves alone, without their seqs.
	ScanLeaves(ctx context.Context, from, to int64, visit func(leaf []byte) error) error
	// Hashes returns the stored hashes with index in [from, to), in order.
	Hashes(ctx context.Context, from, to int64) ([]StoredHash, error)
	// HashBlock is Hashes as one block of bytes, hash after hash; nil where one
	// is missing or has not the length of a hash.
	HashBlock(ctx context.Context, from, to int64) ([]byte, error)
	// HashesAt returns the stored hashes with these indexes, in any order.
	HashesAt(ctx context.Context, indexes []int64) ([]StoredHash, error)
	// Currents returns up to limit rows of the current state with a resource
	// greater than after, in order of resource.
	Currents(ctx context.Context, after string, limit int) ([]Current, error)
	// Current returns the current state of a resource, or nil.
	Current(ctx context.Context, resource string) (*Current, error)
}

// Extent is how far a stored log reaches.
type Extent struct {
	// Size and Note are the head: the number of entries and the signed checkpoint.
	Size int64
	Note []byte
	// Verified is the checkpoint up to which the log was last verified.
	Verified []byte
	// Entries counts the entries; First and Last are their extreme seqs.
	Entries, First, Last int64
	// Hashes counts the stored hashes.
	Hashes int64
}

// Row is an entry as stored, with the index columns that the tree does not
// cover and that verification therefore compares with the header.
type Row struct {
	Seq              int64
	Leaf, Salt, Body []byte
	Columns          Columns
}

// Columns are the values by which entries are found.
type Columns struct {
	TimeMicros                   int64
	Type                         Type
	Refused                      bool
	Actor, Ticket, Run, Resource string
	Workspace, Owner             string
	// Effect is the effect digest under which a plan or a drift is found.
	Effect string
}

// ColumnsOf are the columns an entry must have.
func ColumnsOf(e *Entry) Columns {
	c := Columns{
		TimeMicros: e.Time.UnixMicro(),
		Type:       e.Type,
		Refused:    e.Outcome == OutcomeRefused,
		Actor:      e.Actor.Name,
		Ticket:     e.Ticket,
		Run:        e.RunID(),
		Resource:   e.Resource,
		Workspace:  e.WorkspaceName(),
		Owner:      e.Owner,
	}
	if (e.Type == TypePlan || e.Type == TypeDrift) && e.Outcome == OutcomeOK {
		c.Effect = e.EffectDigest
	}
	return c
}

// Current is the state of one resource: the fold of the log up to Seq.
type Current struct {
	Resource string
	// Seq is the entry that made the state.
	Seq int64
	// State is that entry's After; nil when it was deleted.
	State []byte
}

// HashReader reads hashes from a source, for LoadTree and proofs. What is not
// stored reads as zero.
func HashReader(ctx context.Context, src Source) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		if len(indexes) == 0 {
			return out, nil
		}
		stored, err := src.HashesAt(ctx, indexes)
		if err != nil {
			return nil, err
		}
		at := make(map[int64]tlog.Hash, len(stored))
		for _, h := range stored {
			at[h.Index] = h.Hash
		}
		for i, index := range indexes {
			out[i] = at[index]
		}
		return out, nil
	})
}
