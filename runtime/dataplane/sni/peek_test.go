package sni

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"testing"
	"time"
)

// sending returns a connection whose client sends chunk after chunk and then ends, if
// end is set, or waits.
func sending(t *testing.T, end bool, chunks ...[]byte) net.Conn {
	t.Helper()
	client, conn := net.Pipe()
	t.Cleanup(func() { client.Close(); conn.Close() })
	go func() {
		for _, chunk := range chunks {
			if _, err := client.Write(chunk); err != nil {
				return
			}
		}
		if end {
			client.Close()
		}
	}()
	return conn
}

func later() time.Time { return time.Now().Add(time.Minute) }

func TestPeekReturnsAllThatItRead(t *testing.T) {
	hello := helloOf(t, &tls.Config{ServerName: "app.example.com"})
	large := fragmented(hello, 10)
	tests := []struct {
		name   string
		chunks [][]byte
	}{
		{"at once", [][]byte{hello}},
		{"in two packets", [][]byte{hello[:700], hello[700:]}},
		{"byte by byte", bytes.Split(hello, nil)},
		{"longer than the first buffer", [][]byte{large}},
		{"with something behind", [][]byte{append(bytes.Clone(hello), "early data"...)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, read, err := Peek(sending(t, false, tt.chunks...), later())
			if err != nil || got.ServerName != "app.example.com" {
				t.Fatalf("Peek returned %+v, %v", got, err)
			}
			if want := bytes.Join(tt.chunks, nil); !bytes.Equal(read, want) {
				t.Errorf("%d bytes were returned of %d", len(read), len(want))
			}
		})
	}
}

func TestPeekDoesNotWaitForMoreThanItNeeds(t *testing.T) {
	hello := helloOf(t, &tls.Config{})
	tests := []struct {
		name string
		sent []byte
		end  bool
		want error
	}{
		{"one byte of another protocol", []byte("G"), false, ErrNotTLS},
		{"a ClientHello without end", bytes.Repeat([]byte{22, 3, 1, 0, 1, 1}, MaxBytes), false, ErrTooLarge},
		{"an end in the middle", hello[:100], true, io.ErrUnexpectedEOF},
		{"an end at once", nil, true, io.ErrUnexpectedEOF},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, read, err := Peek(sending(t, tt.end, tt.sent), later())
			if !errors.Is(err, tt.want) {
				t.Errorf("Peek returned %v, want %v", err, tt.want)
			}
			if len(read) > MaxBytes || !bytes.HasPrefix(tt.sent, read) {
				t.Errorf("%d bytes were read", len(read))
			}
		})
	}
}

func TestPeekKeepsItsDeadline(t *testing.T) {
	hello := helloOf(t, &tls.Config{})
	_, read, err := Peek(sending(t, false, hello[:100]), time.Now().Add(10*time.Millisecond))
	if !errors.Is(err, os.ErrDeadlineExceeded) || !bytes.HasPrefix(hello, read) {
		t.Errorf("Peek returned %d bytes, %v", len(read), err)
	}
}

// watched is a connection that remembers the deadlines that it was given.
type watched struct {
	net.Conn
	deadlines []time.Time
}

func (w *watched) SetReadDeadline(t time.Time) error {
	w.deadlines = append(w.deadlines, t)
	return w.Conn.SetReadDeadline(t)
}

func TestPeekRemovesItsDeadline(t *testing.T) {
	deadline := later()
	conn := &watched{Conn: sending(t, false, helloOf(t, &tls.Config{}))}
	if _, _, err := Peek(conn, deadline); err != nil {
		t.Fatal(err)
	}
	if want := []time.Time{deadline, {}}; !slices.Equal(conn.deadlines, want) {
		t.Errorf("the deadlines were %v, want %v", conn.deadlines, want)
	}
}
