package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"math"

	"golang.org/x/mod/sumdb/tlog"
)

// checker is what a worker needs to check chunks.
type checker struct {
	src   Source
	depth Depth
	// sum and buffer are used over and over.
	sum    hash.Hash
	buffer []byte
}

func newChecker(src Source, depth Depth) *checker {
	return &checker{src: src, depth: depth, sum: sha256.New()}
}

// errUnsound ends the reading of a chunk in which something is wrong.
var errUnsound = errors.New("not sound")

func (c *checker) check(ctx context.Context, p *part) (err error) {
	p.leaves = make([]tlog.Hash, 0, p.to-p.from)
	p.last = math.MinInt64
	if c.depth == DepthShape {
		// That there is one header for each seq, and that each is its own, leaves no
		// other seq that its row can have.
		err = c.src.ScanLeaves(ctx, p.from, p.to, func(leaf []byte) error {
			seq, micros, ok := orderOf(leaf)
			return c.add(p, leaf, seq, micros, ok)
		})
	} else {
		err = c.src.Scan(ctx, p.from, p.to, func(row *Row) error {
			micros, ok := c.row(row, p)
			return c.add(p, row.Leaf, row.Seq, micros, ok)
		})
	}
	if errors.Is(err, errUnsound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read entries from %d: %w", p.from, err)
	}
	if p.sound = int64(len(p.leaves)) == p.to-p.from; !p.sound {
		return nil
	}
	if p.stored, err = c.src.HashBlock(ctx, tlog.StoredHashIndex(0, p.from), tlog.StoredHashIndex(0, p.to)); err != nil {
		return fmt.Errorf("read tree from entry %d: %w", p.from, err)
	}
	if p.begin, err = LoadTree(p.from, HashReader(ctx, c.src)); err != nil {
		return err
	}
	p.end = p.begin
	p.grown = p.stored != nil && grow(&p.end, p.leaves, p.stored)
	return nil
}

// add adds an entry to a part, if it is sound and the next.
func (c *checker) add(p *part, leaf []byte, seq, micros int64, ok bool) error {
	if !ok || seq != p.from+int64(len(p.leaves)) || micros <= p.last {
		return errUnsound
	}
	if p.last = micros; len(p.leaves) == 0 {
		p.first = micros
	}
	p.leaves = append(p.leaves, c.leafHash(leaf))
	return nil
}

// row checks one row by itself: all that walk.entry does.
func (c *checker) row(row *Row, p *part) (micros int64, ok bool) {
	var h header
	if !scanHeader(row.Leaf, &h) {
		e, err := ParseLeaf(row.Leaf)
		if err != nil {
			return 0, false
		}
		h = headerOf(&e)
	}
	if h.seq != row.Seq || !h.columnsMatch(&row.Columns) {
		return 0, false
	}
	if row.BodyErased() && row.Seq > 0 && row.Columns.Type != TypeSystem { // columns match the header
		p.absent = append(p.absent, row.Seq)
		if h.changesState() {
			p.states = append(p.states, madeState{row.Columns.Resource, foldState{seq: row.Seq, absent: true}})
		}
		return h.micros, true
	}
	if !c.bodyMatches(row, h.bodyDigest) {
		return 0, false
	}
	if h.changesState() {
		body, err := ParseBody(row.Body)
		if err != nil {
			return 0, false
		}
		p.states = append(p.states, madeState{row.Columns.Resource, foldOf(row.Seq, body.After)})
	}
	return h.micros, true
}

// bodyMatches is [Record.BodyMatches].
func (c *checker) bodyMatches(row *Row, digest []byte) bool {
	if len(row.Salt) != SaltBytes {
		return false
	}
	c.sum.Reset()
	c.sum.Write(row.Salt)
	c.sum.Write(row.Body)
	c.buffer = c.sum.Sum(c.buffer[:0])
	c.buffer = hex.AppendEncode(c.buffer, c.buffer)
	return bytes.Equal(c.buffer[sha256.Size:], digest)
}

// leafHash is [tlog.RecordHash].
func (c *checker) leafHash(leaf []byte) tlog.Hash {
	c.buffer = append(append(c.buffer[:0], 0), leaf...)
	return sha256.Sum256(c.buffer)
}
