package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/bucket"
)

const (
	// cached is how many segments are in memory; one has some megabytes at most.
	cached = 4
	// readTimeout bounds how long a reader waits for a segment, and badFor how long one
	// that could not be had is not asked for again: a page of old entries must not wait
	// for each of them.
	readTimeout = 5 * time.Second
	badFor      = 10 * time.Second
	// writeTimeout bounds the writing of a segment and its reading back.
	writeTimeout = 2 * time.Minute
)

// ErrUnavailable means that a body could not be had from the archive just now.
var ErrUnavailable = errors.New("the archive can't be read")

// Archive keeps bodies in a bucket. It is safe for use by several goroutines.
type Archive struct {
	bucket bucket.Bucket
	now    func() time.Time

	mu sync.Mutex // guards what follows
	// recent are the segments that were read last, the newest last.
	recent []held
	// bad is why a bucket that failed is not asked again before until.
	bad   error
	until time.Time
}

// held is a segment or, until a time, why it is not the one that was archived.
type held struct {
	name, sum string
	bodies    []Body
	wrong     error
	until     time.Time
}

// New returns the archive in a bucket.
func New(b bucket.Bucket) *Archive { return &Archive{bucket: b, now: time.Now} }

// String names the bucket.
func (a *Archive) String() string { return a.bucket.String() }

// Keep writes the bodies of rows, in order of seq, as a segment, reads them back and
// compares them, each with its entry's digest. It implements control.Archive.
func (a *Archive) Keep(ctx context.Context, rows []audit.Row) (name, sum string, err error) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	bodies := make([]Body, len(rows))
	for i := range rows {
		bodies[i] = Body{rows[i].Seq, rows[i].Salt, rows[i].Body}
	}
	segment, err := Encode(bodies)
	if err != nil || len(rows) == 0 {
		return "", "", fmt.Errorf("encode segment: %w", err)
	}
	name = Name(rows[0].Seq, rows[len(rows)-1].Seq)
	err = a.bucket.Put(ctx, name, segment)
	if errors.Is(err, bucket.ErrExists) {
		// A step that was broken off looked at other entries: its segment stays beside.
		s := sha256.Sum256(segment)
		name = fmt.Sprintf("bodies/%019d-%019d-%s.jsonl.zst", rows[0].Seq, rows[len(rows)-1].Seq, hex.EncodeToString(s[:8]))
		err = a.bucket.Put(ctx, name, segment)
	}
	if err != nil {
		return "", "", err
	}
	back, sum, err := a.fetch(ctx, name, "")
	if err != nil {
		return "", "", err
	}
	if len(back) != len(rows) {
		return "", "", fmt.Errorf("%w: %s has %d bodies, %d were written", ErrSegment, name, len(back), len(rows))
	}
	for i := range rows {
		if err := check(&rows[i], &back[i]); err != nil {
			return "", "", err
		}
	}
	return name, sum, nil
}

// fetch reads a segment, and its hex SHA-256 if it has the one that is wanted; "" is any.
// It is [ErrSegment] that something else is there, or nothing. Only what was archived is
// unpacked.
func (a *Archive) fetch(ctx context.Context, name, want string) ([]Body, string, error) {
	segment, err := a.bucket.Get(ctx, name)
	if errors.Is(err, bucket.ErrNotFound) || errors.Is(err, bucket.ErrTooLarge) || errors.Is(err, bucket.ErrKey) {
		err = fmt.Errorf("%w: %w", ErrSegment, err)
	}
	if err != nil {
		return nil, "", err
	}
	hash := sha256.Sum256(segment)
	sum := hex.EncodeToString(hash[:])
	if want != "" && sum != want {
		return nil, "", fmt.Errorf("%w: %s was altered since it was archived", ErrSegment, name)
	}
	bodies, err := Decode(segment)
	return bodies, sum, err
}

// check compares an archived body with what its entry's header commits to.
func check(row *audit.Row, body *Body) error {
	e, err := audit.ParseLeaf(row.Leaf)
	if err != nil {
		return fmt.Errorf("entry %d: %w", row.Seq, err)
	}
	record := audit.Record{Entry: e, Salt: body.Salt, Body: body.Body}
	if body.Seq != row.Seq || !record.BodyMatches() {
		return fmt.Errorf("%w: the body of entry %d in it is not the one that the header commits to", ErrSegment, row.Seq)
	}
	return nil
}

// Body returns the body of an entry that an erasure archived, checked against the
// entry's header. Its errors are [ErrUnavailable], if only for now, and [ErrSegment].
func (a *Archive) Body(ctx context.Context, row *audit.Row, x *audit.Erasure) (Body, error) {
	bodies, err := a.segment(ctx, x)
	if err != nil {
		return Body{}, err
	}
	i, ok := slices.BinarySearchFunc(bodies, row.Seq, func(b Body, seq int64) int { return int(b.Seq - seq) })
	if !ok {
		return Body{}, fmt.Errorf("%w: %s does not hold entry %d", ErrSegment, x.Segment, row.Seq)
	}
	return bodies[i], check(row, &bodies[i])
}

// segment returns a segment that is the one that was archived.
func (a *Archive) segment(ctx context.Context, x *audit.Erasure) ([]Body, error) {
	a.mu.Lock()
	for i, h := range a.recent {
		if h.name == x.Segment && h.sum == x.SHA256 {
			a.recent = slices.Delete(a.recent, i, i+1)
			if h.wrong == nil || a.now().Before(h.until) {
				a.recent = append(a.recent, h)
				a.mu.Unlock()
				return h.bodies, h.wrong
			}
			break
		}
	}
	bad := a.bad
	if !a.now().Before(a.until) {
		bad = nil
	}
	a.mu.Unlock()
	if bad != nil {
		return nil, bad
	}
	asked := ctx
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	bodies, _, err := a.fetch(ctx, x.Segment, x.SHA256)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil && !errors.Is(err, ErrSegment) {
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
		if asked.Err() == nil {
			a.bad, a.until = err, a.now().Add(badFor)
		}
		return nil, err
	}
	if a.recent = append(a.recent, held{x.Segment, x.SHA256, bodies, err, a.now().Add(badFor)}); len(a.recent) > cached {
		a.recent = slices.Delete(a.recent, 0, 1)
	}
	return bodies, err
}

// Verify reads every segment that a log's erasures name and compares it with them, and
// each body with its entry's header. It returns what is wrong and the number of bodies
// that are right; an error means that the log or the archive could not be read.
func (a *Archive) Verify(ctx context.Context, src audit.Source, size int64) (findings []audit.Finding, bodies int64, err error) {
	find := func(seq int64, err error) {
		if len(findings) < audit.MaxFindings {
			findings = append(findings, audit.Finding{Seq: seq, Resource: audit.ResourceBodies, Problem: err.Error()})
		}
	}
	err = audit.EachErasure(ctx, src, 0, size, func(x audit.Erasure, e audit.Entry) error {
		if e.Op != audit.OpArchive {
			return nil
		}
		got, _, err := a.fetch(ctx, x.Segment, x.SHA256)
		switch {
		case errors.Is(err, ErrSegment):
			find(e.Seq, err)
			return nil
		case err != nil:
			return err
		case len(got) != x.Bodies:
			find(e.Seq, fmt.Errorf("%w: %s has %d bodies, the entry says %d", ErrSegment, x.Segment, len(got), x.Bodies))
		}
		for i := range got {
			rows, err := src.Rows(ctx, got[i].Seq, 1)
			if err != nil {
				return err
			}
			if len(rows) != 1 || rows[0].Seq != got[i].Seq || !x.Covers(got[i].Seq) {
				find(e.Seq, fmt.Errorf("%w: %s holds a body of entry %d, which the entry does not name", ErrSegment, x.Segment, got[i].Seq))
			} else if err := check(&rows[0], &got[i]); err != nil {
				find(got[i].Seq, err)
			} else {
				bodies++
			}
		}
		return nil
	})
	return findings, bodies, err
}
