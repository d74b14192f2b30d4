package http1

import "bytes"

// Defaults of [Limits].
const (
	DefaultMaxHeadBytes = 64 << 10
	DefaultMaxFields    = 128
)

// maxEmptyLines is how many empty lines may come before a request line: some clients
// send one behind the content of the request before (RFC 9112 §2.2).
const maxEmptyLines = 4

// Limits bounds heads. A field that is zero means its default.
type Limits struct {
	// MaxHeadBytes bounds a head from its first byte to its empty line.
	MaxHeadBytes int
	// MaxFields bounds the number of field lines.
	MaxFields int
}

func (l Limits) maxHeadBytes() int {
	if l.MaxHeadBytes == 0 {
		return DefaultMaxHeadBytes
	}
	return l.MaxHeadBytes
}

func (l Limits) maxFields() int {
	if l.MaxFields == 0 {
		return DefaultMaxFields
	}
	return l.MaxFields
}

// HeadEnd returns the index just behind the head that buf begins with, or -1 if it
// is not complete. The first from bytes of buf, at most all of them, are those for
// which HeadEnd has returned -1 before; they are not searched again.
//
// A head ends with an empty line; empty lines before it belong to it. A line that
// ends with a bare LF ends the head too: nothing behind it could save the message,
// so it is for Parse to refuse at once and not for a timeout.
func HeadEnd(buf []byte, from int) int {
	// Whether a LF ends the head depends only on the bytes before it. A CRLF here is
	// never at index 0: it would have been skipped.
	for i := max(from, skipEmptyLines(buf)); ; i++ {
		n := bytes.IndexByte(buf[i:], '\n')
		if n < 0 {
			return -1
		}
		i += n
		if i == 0 || buf[i-1] != '\r' || buf[i-2] == '\n' {
			return i + 1
		}
	}
}

// skipEmptyLines returns the index behind the empty lines that buf begins with.
func skipEmptyLines(buf []byte) int {
	i := 0
	for range maxEmptyLines {
		if len(buf) < i+2 || buf[i] != '\r' || buf[i+1] != '\n' {
			break
		}
		i += 2
	}
	return i
}

// TooLarge says why buf, which holds no complete head and as many bytes as a head
// may have, is refused: with 414 while the request line goes on, else with 431.
func TooLarge(buf []byte) *ParseError {
	if bytes.IndexByte(buf[skipEmptyLines(buf):], '\n') < 0 {
		return errTargetTooLong
	}
	return errHeadTooLarge
}

// parseVersion parses the version that b begins with (RFC 9112 §2.3). Minor versions
// above 1 do not exist, so what claims one is no HTTP.
func parseVersion(b []byte, syntax *ParseError) (minor uint8, err *ParseError) {
	const length = len("HTTP/1.1")
	if len(b) < length || string(b[:5]) != "HTTP/" || b[6] != '.' || !consists(b[5:6], digitByte) || !consists(b[7:8], digitByte) {
		return 0, syntax
	}
	if b[5] != '1' || b[7] > '1' {
		return 0, errVersion
	}
	return b[7] - '0', nil
}
