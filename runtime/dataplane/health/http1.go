package health

import (
	"bufio"
	"errors"
	"io"
	"net"
	"time"
)

var errNotHTTP1 = errors.New("answered with something that is not HTTP/1")

// askHTTP1 asks for the path and looks at the status alone. Parted says that the
// member then ended its side, as it was asked to.
func (w *Watch) askHTTP1(conn net.Conn) (parted bool, err error) {
	if _, err := conn.Write(w.appendRequest(make([]byte, 0, 256))); err != nil {
		return false, err
	}
	r := takeReader(conn)
	status, err := readStatus(r)
	releaseReader(r)
	if err != nil {
		return false, err
	}
	return takeIn(conn), w.judge(status)
}

// appendRequest appends a request (RFC 9112 §3) for the path, byte for byte as it
// was configured.
func (w *Watch) appendRequest(b []byte) []byte {
	b = append(b, "GET "...)
	b = append(b, w.target.Check.Path...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, w.host()...)
	return append(b, "\r\nUser-Agent: "+userAgent+"\r\nAccept: */*\r\nConnection: close\r\n\r\n"...)
}

// readStatus reads as far as the status line of the final response and returns its
// code. Interim responses (RFC 9110 §15.2) come before it; 101 (Switching Protocols)
// is none, as nothing of HTTP comes after.
func readStatus(r *bufio.Reader) (int, error) {
	for {
		line, err := r.ReadSlice('\n')
		status, ok := parseStatusLine(line)
		switch {
		case errors.Is(err, io.EOF) && len(line) == 0:
			return 0, errClosed
		case errors.Is(err, io.EOF), errors.Is(err, bufio.ErrBufferFull), err == nil && !ok:
			return 0, errNotHTTP1
		case err != nil:
			return 0, err
		case status/100 != 1 || status == 101:
			return status, nil
		}
		if err := skipHeader(r); err != nil {
			return 0, err
		}
	}
}

// parseStatusLine reads a status line (RFC 9112 §4) of HTTP/1.0 or any later 1.x. The
// reason phrase may be anything.
func parseStatusLine(line []byte) (status int, ok bool) {
	const form = "HTTP/1.x NNN"
	if len(line) <= len(form) || string(line[:7]) != "HTTP/1." || !digit(line[7]) || line[8] != ' ' {
		return 0, false
	}
	for _, b := range line[9:12] {
		if !digit(b) {
			return 0, false
		}
		status = status*10 + int(b-'0')
	}
	switch line[12] {
	case ' ', '\r', '\n':
		return status, status >= 100
	}
	return 0, false
}

func digit(b byte) bool { return '0' <= b && b <= '9' }

// skipHeader reads past the empty line that ends a header.
func skipHeader(r *bufio.Reader) error {
	for length := 0; ; {
		part, err := r.ReadSlice('\n')
		length += len(part)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF):
			return errClosed
		case err != nil:
			return err
		case length <= len("\r\n"):
			return nil
		}
		length = 0
	}
}

// takeIn reads the rest of an answer, so that a member in the middle of it isn't cut
// off, and reports whether the member has ended its side. Neither an answer
// without end nor a member that ignores "Connection: close" holds it up for long.
func takeIn(conn net.Conn) bool {
	conn.SetReadDeadline(time.Now().Add(partingTime))
	n, err := io.Copy(io.Discard, io.LimitReader(conn, maxAnswerBytes))
	return err == nil && n < maxAnswerBytes
}
