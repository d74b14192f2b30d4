package sni

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// deaf is a connection that yields bytes and takes anything.
type deaf struct{ io.Reader }

func (deaf) Write(b []byte) (int, error)      { return len(b), nil }
func (deaf) Close() error                     { return nil }
func (deaf) LocalAddr() net.Addr              { return nil }
func (deaf) RemoteAddr() net.Addr             { return nil }
func (deaf) SetDeadline(time.Time) error      { return nil }
func (deaf) SetReadDeadline(time.Time) error  { return nil }
func (deaf) SetWriteDeadline(time.Time) error { return nil }

// byCryptoTLS returns what crypto/tls makes of a ClientHello; false if it refuses it.
func byCryptoTLS(b []byte) (hello Hello, ok bool) {
	server := tls.Server(deaf{bytes.NewReader(b)}, &tls.Config{
		MinVersion: tls.VersionTLS10,
		GetConfigForClient: func(info *tls.ClientHelloInfo) (*tls.Config, error) {
			hello, ok = Hello{strings.ToLower(info.ServerName), info.SupportedProtos}, true
			return nil, errors.New("that is all")
		},
	})
	server.Handshake()
	return hello, ok
}

// helloOf returns what a client of crypto/tls sends first.
func helloOf(t testing.TB, config *tls.Config) []byte {
	t.Helper()
	client, server := net.Pipe()
	defer server.Close()
	config.InsecureSkipVerify = true
	go func() {
		tls.Client(client, config).Handshake()
		client.Close()
	}()
	b := make([]byte, 64<<10)
	n, err := server.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

// fragmented spreads the handshake message of one record over several.
func fragmented(record []byte, size int) []byte {
	var b []byte
	for rest := record[recordHeader:]; len(rest) > 0; {
		n := min(size, len(rest))
		b = append(b, record[0], record[1], record[2], byte(n>>8), byte(n))
		b = append(b, rest[:n]...)
		rest = rest[n:]
	}
	return b
}
