package dataplane

import (
	"errors"
	"io"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/http1"
)

// body is what follows a head, of a request or a response.
type body interface {
	// next returns the next piece, which is valid until the call after. io.EOF comes
	// after the last one.
	next() ([]byte, error)
	// ready reports whether next has a piece, or the end, without waiting.
	ready() bool
	// trailer returns the fields that came after the last piece.
	trailer() []http1.Field
}

var (
	// errBodyTooLarge says that a body is larger than its listener allows.
	errBodyTooLarge = errors.New("body is too large")
	// errCutShort says that a connection ended before its message did.
	errCutShort = errors.New("connection ended within a message")
)

// http1Body reads a body off an HTTP/1.1 connection.
type http1Body struct {
	from io.Reader
	// buf holds what has been read and not been returned: buf[r:w]. Invariant:
	// r <= w <= len(buf).
	buf  []byte
	r, w int
	// greedy lets a read go past the end of the body, to see what should not be there.
	greedy  bool
	framing http1.Framing
	left    int64 // of a body with a length
	chunks  http1.ChunkedReader
	done    bool
	// limit is what may still come; below 0 there is no limit.
	limit int64
}

// reset begins a body.
func (b *http1Body) reset(framing http1.Framing, length int64) {
	b.framing, b.left, b.limit = framing, length, -1
	b.done = framing == http1.NoBody || framing == http1.Length && length == 0
	if framing == http1.Chunked {
		b.chunks.Reset()
	}
}

// next implements body.
func (b *http1Body) next() ([]byte, error) {
	piece, err := b.read()
	if b.limit >= 0 {
		if b.limit -= int64(len(piece)); b.limit < 0 {
			return nil, errBodyTooLarge
		}
	}
	return piece, err
}

func (b *http1Body) read() ([]byte, error) {
	for !b.done {
		if b.r == b.w {
			if err := b.fill(); err != nil {
				if err == io.EOF && b.framing == http1.UntilClose { //nolint:errorlint // as io.Reader has it
					b.done = true
					break
				}
				if err == io.EOF { //nolint:errorlint // as io.Reader has it
					err = errCutShort
				}
				return nil, err
			}
		}
		have := b.buf[b.r:b.w]
		switch b.framing {
		case http1.Length:
			piece := have[:min(int64(len(have)), b.left)]
			b.r += len(piece)
			b.left -= int64(len(piece))
			b.done = b.left == 0
			return piece, nil
		case http1.Chunked:
			piece, n, done, err := b.chunks.Next(have)
			b.r += n
			b.done = done
			if err != nil {
				return nil, err
			}
			if len(piece) > 0 {
				return piece, nil
			}
		default:
			b.r = b.w
			return have, nil
		}
	}
	return nil, io.EOF
}

func (b *http1Body) fill() error {
	p := b.buf
	if b.framing == http1.Length && !b.greedy && b.left < int64(len(p)) {
		p = p[:b.left]
	}
	n, err := b.from.Read(p)
	b.r, b.w = 0, n
	return err
}

// ready implements body.
func (b *http1Body) ready() bool { return b.done || b.r < b.w }

// trailer implements body.
func (b *http1Body) trailer() []http1.Field {
	if b.framing == http1.Chunked {
		return b.chunks.Trailer()
	}
	return nil
}

// rest is what was read past the end of the body.
func (b *http1Body) rest() []byte { return b.buf[b.r:b.w] }
