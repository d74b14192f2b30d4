package dataplane_test

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// wire turns the notation of the tables into what is sent: "|" ends a line.
func wire(text string) string { return strings.ReplaceAll(text, "|", "\r\n") }

// message is a request as a member got it.
type message struct {
	method, target, body string
	header, trailer      http.Header
}

// String is "METHOD target", and the body if there is one.
func (m *message) String() string {
	return strings.TrimSpace(m.method + " " + m.target + " " + m.body)
}

// errNotPlain says that a message has more than one reading.
var errNotPlain = errors.New("not plain HTTP/1.1")

// readMessage reads a request that every parser reads alike: whatever RFC 9112 lets a
// recipient tolerate is an error here. io.EOF means that nothing came.
func readMessage(r *bufio.Reader) (*message, error) {
	line, err := readLine(r)
	if err != nil {
		return nil, err
	}
	parts := strings.Split(line, " ")
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" || parts[2] != "HTTP/1.1" {
		return nil, fmt.Errorf("%w: request line %q", errNotPlain, line)
	}
	m := &message{method: parts[0], target: parts[1]}
	if m.header, err = readFields(r); err != nil {
		return nil, midway(err)
	}
	lengths, codings := m.header["Content-Length"], m.header["Transfer-Encoding"]
	switch {
	case len(m.header["Host"]) != 1 || len(lengths)+len(codings) > 1:
		return nil, fmt.Errorf("%w: Host %q, Content-Length %q, Transfer-Encoding %q", errNotPlain, m.header["Host"], lengths, codings)
	case len(lengths) == 1:
		n, err := strconv.ParseUint(lengths[0], 10, 31)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errNotPlain, err)
		}
		body := make([]byte, n)
		if _, err := io.ReadFull(r, body); err != nil {
			return nil, midway(err)
		}
		m.body = string(body)
	case len(codings) == 1:
		if codings[0] != "chunked" {
			return nil, fmt.Errorf("%w: Transfer-Encoding %q", errNotPlain, codings)
		}
		if err := m.readChunks(r); err != nil {
			return nil, midway(err)
		}
	}
	return m, nil
}

func (m *message) readChunks(r *bufio.Reader) error {
	var body strings.Builder
	for {
		line, err := readLine(r)
		if err != nil {
			return err
		}
		n, err := strconv.ParseUint(line, 16, 31)
		if err != nil {
			return fmt.Errorf("%w: chunk size %q", errNotPlain, line)
		}
		if n == 0 {
			m.body = body.String()
			m.trailer, err = readFields(r)
			return err
		}
		if _, err := io.CopyN(&body, r, int64(n)); err != nil {
			return err
		}
		if line, err := readLine(r); err != nil || line != "" {
			return cmp.Or(err, fmt.Errorf("%w: %q behind a chunk", errNotPlain, line))
		}
	}
}

// readFields reads field lines up to the empty one.
func readFields(r *bufio.Reader) (http.Header, error) {
	h := http.Header{}
	for {
		line, err := readLine(r)
		if err != nil || line == "" {
			return h, err
		}
		name, value, ok := strings.Cut(line, ": ")
		if !ok || name == "" || strings.ContainsAny(name, " \t") || strings.TrimSpace(value) != value {
			return nil, fmt.Errorf("%w: field line %q", errNotPlain, line)
		}
		// Servers that make variables of names take Content_Length for Content-Length.
		h.Add(strings.ReplaceAll(name, "_", "-"), value)
	}
}

// readLine reads a line that ends with CRLF and has no control characters but tabs.
func readLine(r *bufio.Reader) (string, error) {
	raw, err := r.ReadString('\n')
	if err != nil {
		if raw != "" {
			err = midway(err)
		}
		return "", err
	}
	line, ok := strings.CutSuffix(raw, "\r\n")
	if !ok || strings.ContainsFunc(line, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
		return "", fmt.Errorf("%w: line %q", errNotPlain, raw)
	}
	return line, nil
}

// midway makes the end of a connection within a message what it is.
func midway(err error) error {
	if err == io.EOF { //nolint:errorlint // as io.Reader has it
		return io.ErrUnexpectedEOF
	}
	return err
}

// recorder is a member that keeps what it is sent, and stands no message with more
// than one reading.
type recorder struct {
	address string
	answer  answerer
	serving sync.WaitGroup

	mu    sync.Mutex // protects what follows, and the recordings
	conns []*recording
}

// answerer answers a whole request; false ends the connection.
type answerer func(conn net.Conn, m *message) (keep bool)

// recording is what came over one connection.
type recording struct {
	peer     string
	raw      bytes.Buffer
	requests []*message // the whole ones
	err      error      // why it ended
}

// record starts a recorder that ends with the test.
func record(t testing.TB, answer answerer) *recorder {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &recorder{address: ln.Addr().String(), answer: answer}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			c := &recording{peer: conn.RemoteAddr().String()}
			m.mu.Lock()
			m.conns = append(m.conns, c)
			m.serving.Add(1)
			m.mu.Unlock()
			go m.serve(conn, c)
		}
	}()
	return m
}

// repeat answers with what was asked for.
func repeat(conn net.Conn, m *message) bool {
	content := m.String()
	fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(content))
	if m.method != http.MethodHead {
		io.WriteString(conn, content)
	}
	return true
}

func (m *recorder) serve(conn net.Conn, c *recording) {
	defer m.serving.Done()
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	r := bufio.NewReader(io.TeeReader(conn, tee{m, c}))
	for {
		got, err := readMessage(r)
		m.mu.Lock()
		if err != nil {
			c.err = err
			m.mu.Unlock()
			return
		}
		c.requests = append(c.requests, got)
		m.mu.Unlock()
		if !m.answer(conn, got) {
			return
		}
	}
}

// tee writes to a recording.
type tee struct {
	m *recorder
	c *recording
}

func (t tee) Write(p []byte) (int, error) {
	t.m.mu.Lock()
	defer t.m.mu.Unlock()
	return t.c.raw.Write(p)
}

// got lists the whole requests that came.
func (m *recorder) got() []*message {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []*message
	for _, c := range m.conns {
		all = append(all, c.requests...)
	}
	return all
}

// wait waits until all connections have ended and returns what came besides whole
// requests: nil for nothing, io.ErrUnexpectedEOF for a request that was given up, or
// what made a message not plain.
func (m *recorder) wait(t *testing.T) error {
	t.Helper()
	// Connections are accepted in turn: after this one no other is waiting.
	last, err := net.Dial("tcp", m.address)
	if err != nil {
		t.Fatal(err)
	}
	last.Close()
	eventually(t, "accepted all connections", func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return slices.ContainsFunc(m.conns, func(c *recording) bool { return c.peer == last.LocalAddr().String() })
	})
	m.serving.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.conns {
		if c.err != nil && c.err != io.EOF { //nolint:errorlint // io.EOF itself is between two requests
			return fmt.Errorf("%w in %q", c.err, c.raw.String())
		}
	}
	return nil
}

// scripted starts a member that runs a script for each connection; the connection is
// closed when the script returns.
func scripted(t testing.TB, script func(conn io.ReadWriter, r *bufio.Reader)) (address string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(patience))
				script(conn, bufio.NewReader(conn))
			}()
		}
	}()
	return ln.Addr().String()
}
