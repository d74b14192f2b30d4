// Package archive keeps bodies that the log no longer holds: in segments, which are
// objects of a bucket that never change.
package archive

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/klauspost/compress/zstd"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
)

// Bounds of a segment.
const (
	// MaxSegmentBodies and maxSegmentBytes bound a segment once it is unpacked; the log
	// writes at most 500 bodies and about 12 MiB.
	MaxSegmentBodies = 10_000
	maxSegmentBytes  = 64 << 20
	// maxLine bounds one line: a body in base64, its salt and its number.
	maxLine = audit.MaxBodyBytes*4/3 + 1<<10
)

// ErrSegment means that a segment is not one, or not the one that was archived.
var ErrSegment = errors.New("segment not valid")

// Body is one line of a segment: an entry's salt and body, in base64.
type Body struct {
	Seq  int64  `json:"seq"`
	Salt []byte `json:"salt"`
	Body []byte `json:"body"`
}

// Name is the key of the segment that holds the bodies from a first to a last entry.
func Name(first, last int64) string { return fmt.Sprintf("bodies/%019d-%019d.jsonl.zst", first, last) }

// Encode packs bodies: lines of JSON, compressed with zstd (RFC 8878). The same bodies
// make the same bytes.
func Encode(bodies []Body) ([]byte, error) {
	var out bytes.Buffer
	// One goroutine: the output depends on nothing but the input.
	z, err := zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	for i := range bodies {
		line, err := json.Marshal(&bodies[i])
		if err != nil {
			return nil, err
		}
		if _, err := z.Write(append(line, '\n')); err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Decode unpacks a segment, which may come from anybody: its memory is bounded, its
// lines are strict, and its entries are in order.
func Decode(segment []byte) ([]Body, error) {
	z, err := zstd.NewReader(bytes.NewReader(segment), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxSegmentBytes), zstd.WithDecoderMaxWindow(8<<20))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSegment, err)
	}
	defer z.Close()
	limited := &io.LimitedReader{R: z, N: maxSegmentBytes + 1}
	lines := bufio.NewScanner(limited)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	var out []Body
	for last := int64(-1); lines.Scan(); {
		var b Body
		if err := json.Unmarshal(lines.Bytes(), &b, json.RejectUnknownMembers(true)); err != nil {
			return nil, fmt.Errorf("%w: line %d is not a body", ErrSegment, len(out)+1)
		}
		if b.Seq <= last || len(b.Salt) != audit.SaltBytes || len(out) == MaxSegmentBodies {
			return nil, fmt.Errorf("%w: line %d does not belong there", ErrSegment, len(out)+1)
		}
		last = b.Seq
		out = append(out, b)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSegment, err)
	}
	if limited.N <= 0 {
		return nil, fmt.Errorf("%w: it unpacks to more than %d bytes", ErrSegment, maxSegmentBytes)
	}
	return out, nil
}
