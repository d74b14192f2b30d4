package evidence

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
)

// ErrNothing means that no entry matches a query.
var ErrNothing = errors.New("no entry matches")

// Collect makes a bundle of a running log's entries. Progress, if not nil, is told
// how many entries were proved, of how many.
func Collect(ctx context.Context, c *client.Client, q Query, tool string, progress func(proved, total int64)) (*Bundle, error) {
	if progress == nil {
		progress = func(int64, int64) {}
	}
	history := c.LogHistory("")
	log, err := history.Log(ctx)
	if err != nil {
		return nil, err
	}
	l := collector{ctx: ctx, client: c, size: log.Size, found: map[int64]api.EntryRecord{}, asked: map[api.EntryQuery]bool{}}
	if err := l.collect(q); err != nil {
		return nil, err
	}
	if len(l.found) == 0 {
		return nil, fmt.Errorf("%w: %s", ErrNothing, q)
	}
	seqs := slices.Sorted(maps.Keys(l.found))
	head, err := checkpointFor(log, seqs[len(seqs)-1])
	if err != nil {
		return nil, err
	}
	rotations, err := parseRotations(log)
	if err != nil {
		return nil, err
	}
	b := &Bundle{Manifest: Manifest{
		Format: Format, Tool: tool, MadeAt: time.Now().UTC().Truncate(time.Second),
		Query: q, Origin: log.Origin, PublicKey: log.PublicKey,
	}}
	tree := c.Tree(head)
	for i, seq := range seqs {
		p, err := proofOf(l.found[seq])
		if err != nil {
			return nil, err
		}
		if p.Hashes, err = tree.Prove(ctx, seq); err != nil {
			return nil, err
		}
		p.Checkpoint, p.Rotations = head.Note, rotations
		b.Proofs = append(b.Proofs, p)
		progress(int64(i+1), int64(len(seqs)))
	}
	return b, nil
}

// checkpointFor is the checkpoint that a bundle is proved by: the one that
// witnesses have cosigned if it has all entries, else the newest.
func checkpointFor(log *api.Log, last int64) (audit.Checkpoint, error) {
	if log.Cosigned != "" {
		cp, err := audit.ReadCheckpoint([]byte(log.Cosigned))
		if err != nil {
			return cp, err
		}
		if cp.Size > last {
			return cp, nil
		}
	}
	return audit.ReadCheckpoint([]byte(log.Checkpoint))
}

func parseRotations(log *api.Log) ([]audit.Proof, error) {
	var out []audit.Proof
	for _, text := range log.Rotations {
		p, err := audit.ParseProof([]byte(text))
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// proofOf is an entry without the path that proves it.
func proofOf(r api.EntryRecord) (audit.Proof, error) {
	if r.Evidence == nil {
		return audit.Proof{}, fmt.Errorf("entry %d came without its bytes: the runtime is of an older version", r.Seq)
	}
	p := audit.Proof{Seq: r.Seq, Leaf: []byte(r.Evidence.Leaf)}
	if r.Evidence.Body == "" {
		return p, nil
	}
	salt, err := hex.DecodeString(r.Evidence.Salt)
	if err != nil {
		return p, fmt.Errorf("entry %d came with a salt that is not hex", r.Seq)
	}
	p.Salt, p.Body = salt, []byte(r.Evidence.Body)
	return p, nil
}

// collector reads the entries that match, and those that they refer to.
type collector struct {
	ctx    context.Context
	client *client.Client
	size   int64
	found  map[int64]api.EntryRecord
	asked  map[api.EntryQuery]bool
}

func (l *collector) collect(q Query) error {
	if err := l.read(api.EntryQuery{Ticket: q.Ticket, Run: q.Run, Since: q.Since, Until: q.Until}); err != nil {
		return err
	}
	alone := q == Query{Ticket: q.Ticket} || q == Query{Run: q.Run}
	if len(l.found) == 0 && !alone {
		return nil // a ticket and a run are also what became of themselves
	}
	if q.Ticket != "" {
		if err := l.read(api.EntryQuery{Resource: "ticket/" + q.Ticket}); err != nil {
			return err
		}
	}
	if q.Run != "" {
		if err := l.read(api.EntryQuery{Resource: "run/" + q.Run}); err != nil {
			return err
		}
	}
	if q.Ticket == "" && q.Run == "" {
		return nil // a range says by itself that it is whole
	}
	for _, seq := range slices.Sorted(maps.Keys(l.found)) {
		if err := l.follow(l.found[seq]); err != nil {
			return err
		}
	}
	return nil
}

// follow reads what an entry refers to: its ticket, its run, and the plan that it
// fulfils.
func (l *collector) follow(e api.EntryRecord) error {
	if e.Ticket != "" {
		if err := l.read(api.EntryQuery{Resource: "ticket/" + e.Ticket}); err != nil {
			return err
		}
	}
	if e.Run != nil {
		if err := l.read(api.EntryQuery{Resource: "run/" + e.Run.ID}); err != nil {
			return err
		}
	}
	if _, ok := l.found[e.Plan]; e.Plan > 0 && !ok {
		_, _, err := l.page(api.EntryQuery{Cursor: fmt.Sprint(e.Plan + 1), Limit: 1}, e.Plan+1)
		return err
	}
	return nil
}

// read reads all entries that match, once for each query.
func (l *collector) read(q api.EntryQuery) error {
	if l.asked[q] {
		return nil
	}
	l.asked[q] = true
	q.Limit = api.MaxPageSize
	for before := int64(math.MaxInt64); ; {
		next, oldest, err := l.page(q, before)
		if err != nil || next == "" {
			return err
		}
		if oldest == before {
			return errPages
		}
		q.Cursor, before = next, oldest
	}
}

// errPages keeps a server that makes no headway from being asked for ever.
var errPages = errors.New("the pages of entries do not go from newest to oldest")

// page reads a page of entries that are all older than before. It returns where the next
// begins, "" after the last, and the oldest entry.
func (l *collector) page(q api.EntryQuery, before int64) (next string, oldest int64, err error) {
	q.IncludeEvidence = true
	list, err := l.client.Entries(l.ctx, q)
	if err != nil {
		return "", before, err
	}
	for _, e := range list.Items {
		if e.Seq < 0 || e.Seq >= before {
			return "", before, errPages
		}
		if before = e.Seq; e.Seq < l.size { // the log may have grown since
			l.found[e.Seq] = e
		}
	}
	if len(l.found) > MaxEntries {
		return "", before, fmt.Errorf("more than %d entries match; ask for a shorter time with since and until", MaxEntries)
	}
	return list.Next, before, nil
}
