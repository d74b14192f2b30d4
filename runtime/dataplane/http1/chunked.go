package http1

import "bytes"

// Bounds of what a chunked body may hold besides data.
const (
	// maxSizeDigits keeps a chunk's size below 2^60.
	maxSizeDigits    = 15
	maxTrailerBytes  = 16 << 10
	maxTrailerFields = 64
)

// ChunkedReader decodes a body in chunked coding (RFC 9112 §7.1) piece by piece. It
// checks chunk extensions and drops them. The zero value is ready.
type ChunkedReader struct {
	state  chunkState
	digits uint8 // of the size so far
	left   int64 // the size so far, then the bytes that are left of the chunk
	// excess counts the bytes of extensions beyond those of data.
	excess int
	// lines is the trailer section as received: its fields point into it.
	lines   []byte
	trailer []Field
	err     *ParseError
}

// chunkState is what the next byte belongs to.
type chunkState uint8

const (
	chunkSize chunkState = iota
	// The parts of a chunk extension.
	extensionPad       // before ";"
	extensionName      // before a name
	extensionNameRest  // in it
	extensionNamePad   // behind it, before "=" or ";"
	extensionValue     // before a value
	extensionValueRest // in a token
	extensionQuoted    // in a quoted string
	extensionEscaped   // behind a backslash
	extensionEnd       // behind a quoted string

	chunkSizeLF
	chunkData
	chunkDataCR
	chunkDataLF
	trailerStart // of a line
	trailerLine
	trailerLF // of the empty line
	chunkedDone
)

// Reset makes the reader ready for another body. It keeps its memory, so what
// Trailer has returned before is no longer valid.
func (c *ChunkedReader) Reset() {
	*c = ChunkedReader{lines: c.lines[:0], trailer: c.trailer[:0]}
}

// Trailer returns the fields of the trailer section once the body is done. They
// point into memory of the reader. Fields that a trailer section can't supply are
// left out (RFC 9110 §6.5.1): framing, routing, identity, credentials, conditions,
// caching, and those of one hop.
func (c *ChunkedReader) Trailer() []Field { return c.trailer }

// Next decodes from src, which continues where n of the call before ended. It
// returns after one piece of data, which is part of src, or at the end of src; done
// is true once the body has ended, at n. An error, of type [*ParseError], is final.
// Memory is only allocated for a trailer section that is larger than any before.
func (c *ChunkedReader) Next(src []byte) (data []byte, n int, done bool, err error) {
	for n < len(src) && c.err == nil && c.state != chunkedDone {
		switch c.state {
		case chunkData:
			size := int(min(c.left, int64(len(src)-n)))
			data = src[n : n+size]
			c.left -= int64(size)
			c.excess = max(0, c.excess-size)
			if c.left == 0 {
				c.state = chunkDataCR
			}
			return data, n + size, false, nil
		case trailerStart:
			if src[n] == '\r' {
				c.state = trailerLF
				n++
			} else {
				c.state = trailerLine
			}
		case trailerLine:
			n += c.takeLine(src[n:])
		default:
			c.step(src[n])
			n++
		}
	}
	if c.err != nil {
		return nil, n, false, c.err
	}
	return nil, n, c.state == chunkedDone, nil
}

func (c *ChunkedReader) fail(err *ParseError) { c.err = err }

// step takes a byte that is neither data nor part of a trailer field.
func (c *ChunkedReader) step(b byte) {
	switch c.state {
	case chunkSize:
		c.stepSize(b)
	case chunkSizeLF:
		switch {
		case b != '\n':
			c.fail(errChunkSize)
		case c.left == 0:
			c.state = trailerStart
		default:
			c.state = chunkData
		}
	case chunkDataCR:
		if c.state = chunkDataLF; b != '\r' {
			c.fail(errChunkEnd)
		}
	case chunkDataLF:
		if c.state, c.digits = chunkSize, 0; b != '\n' {
			c.fail(errChunkEnd)
		}
	case trailerLF:
		if c.state = chunkedDone; b != '\n' {
			c.fail(errHeadEnd)
		} else if len(c.lines) > 0 {
			c.parseTrailer()
		}
	default:
		c.stepExtension(b)
	}
}

// stepSize takes a byte of chunk-size, or the one behind it.
func (c *ChunkedReader) stepSize(b byte) {
	if class[b]&hexByte != 0 && c.digits < maxSizeDigits {
		c.digits++
		digit := b - '0'
		if b > '9' {
			digit = lower[b] - 'a' + 10
		}
		c.left = c.left<<4 | int64(digit)
		return
	}
	switch {
	case c.digits == 0:
		c.fail(errChunkSize)
	case b == '\r':
		c.state = chunkSizeLF
	case b == ';' || isSpace(b):
		c.state = extensionPad
		c.stepExtension(b)
	default:
		c.fail(errChunkSize)
	}
}

// takeLine takes what src has of a line of the trailer section and returns its size.
func (c *ChunkedReader) takeLine(src []byte) int {
	n := len(src)
	if end := bytes.IndexByte(src, '\n'); end >= 0 {
		n = end + 1
		c.state = trailerStart
	}
	if len(c.lines)+n > maxTrailerBytes {
		c.fail(errTrailerBytes)
		return n
	}
	c.lines = append(c.lines, src[:n]...)
	if c.state == trailerStart && !bytes.HasSuffix(c.lines, []byte("\r\n")) {
		c.fail(errFieldValue)
	}
	return n
}

func (c *ChunkedReader) parseTrailer() {
	c.lines = append(c.lines, "\r\n"...)
	fields, err := parseFields(c.trailer[:0], c.lines, maxTrailerFields)
	if err != nil {
		c.fail(err)
		return
	}
	c.trailer = fields[:0]
	for _, f := range fields {
		if !vital(f.Name) {
			c.trailer = append(c.trailer, f)
		}
	}
}
