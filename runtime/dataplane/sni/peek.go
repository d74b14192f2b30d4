package sni

import (
	"errors"
	"io"
	"net"
	"time"
)

// firstBytes hold all but unusual ClientHellos.
const firstBytes = 2 << 10

// Peek reads a ClientHello from a connection and returns it with everything that was
// read, which is for the member: at most [MaxBytes], and maybe more than the
// ClientHello. The bytes are returned with an error too.
//
// Besides those of [Parse] the error is io.ErrUnexpectedEOF when the client ends
// before its ClientHello does, os.ErrDeadlineExceeded after the deadline, or the
// connection's. The connection has no read deadline afterwards.
func Peek(conn net.Conn, deadline time.Time) (hello Hello, read []byte, err error) {
	if err := conn.SetReadDeadline(deadline); err != nil {
		return Hello{}, nil, err
	}
	read = make([]byte, 0, firstBytes)
	for {
		if len(read) == cap(read) {
			read = append(make([]byte, 0, min(2*cap(read), MaxBytes)), read...)
		}
		n, err := conn.Read(read[len(read):cap(read)])
		read = read[:len(read)+n]
		// Without more bytes Parse would say the same again. It never asks for more
		// than MaxBytes, so there is always space to read into.
		if n > 0 {
			hello, _, parseErr := Parse(read)
			if !errors.Is(parseErr, ErrIncomplete) {
				if parseErr == nil {
					parseErr = conn.SetReadDeadline(time.Time{})
				}
				return hello, read, parseErr
			}
		}
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return Hello{}, read, err
		}
	}
}
