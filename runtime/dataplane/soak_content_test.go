//go:build linux

package dataplane_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
)

const (
	// soakPeriod is a prime: pieces of a content that trade places don't look alike.
	soakPeriod = 1<<20 + 7
	// soakPiece is the largest piece that is written or compared at once.
	soakPiece = 64 << 10
)

// soakBytes are soakPeriod random bytes, followed by the first soakPiece of them.
var soakBytes = func() []byte {
	b := make([]byte, soakPeriod+soakPiece)
	rand.NewChaCha8([32]byte{'s', 'o', 'a', 'k'}).Read(b[:soakPeriod])
	copy(b[soakPeriod:], b)
	return b
}()

// errSoakCorrupt says that a content is not what was sent: changed, too short or too long.
var errSoakCorrupt = errors.New("content is corrupt")

// soakContent is a body that both ends can make out of a few numbers.
type soakContent struct {
	seed uint64
	size int64
}

// at returns at most n bytes from an offset on.
func (c soakContent) at(offset int64, n int) []byte {
	from := (c.seed*7919 + uint64(offset)) % soakPeriod
	return soakBytes[from:][:min(int64(n), c.size-offset)]
}

// send writes the content.
func (c soakContent) send(w io.Writer) error { return c.sendPart(w, 0, c.size) }

// sendPart writes n bytes from an offset on, in pieces whose size goes by the seed.
func (c soakContent) sendPart(w io.Writer, offset, n int64) error {
	size := 1 + int64(c.seed*104729%soakPiece)
	for end := offset + n; offset < end; {
		n, err := w.Write(c.at(offset, int(min(size, end-offset))))
		if err != nil {
			return err
		}
		offset += int64(n)
	}
	return nil
}

// soakReader reads a content; the size of what it returns goes by the seed.
type soakReader struct {
	content soakContent
	offset  int64
}

// Read implements io.Reader.
func (r *soakReader) Read(p []byte) (int, error) {
	if r.offset >= r.content.size {
		return 0, io.EOF
	}
	size := 1 + int(r.content.seed*15485863%soakPiece)
	n := copy(p, r.content.at(r.offset, size))
	r.offset += int64(n)
	return n, nil
}

// check reads to the end and compares. Errors of the reader are returned as they are.
func (c soakContent) check(r io.Reader) error {
	if err := c.checkPart(r, 0, c.size); err != nil {
		return err
	}
	switch n, err := io.ReadFull(r, make([]byte, 1)); {
	case n > 0:
		return fmt.Errorf("%w: more than %d bytes", errSoakCorrupt, c.size)
	case !errors.Is(err, io.EOF):
		return err
	}
	return nil
}

// checkPart reads and compares n bytes from an offset on.
func (c soakContent) checkPart(r io.Reader, offset, n int64) error {
	buf := make([]byte, min(n, soakPiece))
	for end := offset + n; offset < end; {
		got, err := r.Read(buf[:min(end-offset, int64(len(buf)))])
		if !bytes.Equal(buf[:got], c.at(offset, got)) {
			return fmt.Errorf("%w: at about %d of %d bytes", errSoakCorrupt, offset, c.size)
		}
		offset += int64(got)
		if errors.Is(err, io.EOF) && offset < end {
			return fmt.Errorf("%w: ends after %d of %d bytes", errSoakCorrupt, offset, c.size)
		}
		if err != nil && offset < end {
			return err
		}
	}
	return nil
}
