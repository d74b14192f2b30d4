package health

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"sync"
)

const (
	// maxAnswerBytes bounds what a probe reads from a member before it has made up
	// its mind, and again what it takes in afterwards.
	maxAnswerBytes = 64 << 10
	// readerBytes bounds the lines of an answer that are looked at.
	readerBytes = 4 << 10
)

var errTooLong = fmt.Errorf("answered more than %d bytes", maxAnswerBytes)

var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, readerBytes) }}

// takeReader returns a reader of the first maxAnswerBytes of a connection, to be
// given back with releaseReader.
func takeReader(conn net.Conn) *bufio.Reader {
	r := readers.Get().(*bufio.Reader)
	r.Reset(&bounded{conn, maxAnswerBytes})
	return r
}

func releaseReader(r *bufio.Reader) {
	r.Reset(nil)
	readers.Put(r)
}

// bounded fails where [io.LimitedReader] would pretend an end.
type bounded struct {
	from io.Reader
	left int
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, errTooLong
	}
	n, err := b.from.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
