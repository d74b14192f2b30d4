package tcp

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"
)

// patience is more than anything here takes, so that no test hangs.
const patience = 60 * time.Second

// halves is a connection whose halves end one by one.
type halves interface {
	net.Conn
	CloseWrite() error
}

// pair returns the two ends of a TCP connection.
func pair(t testing.TB) (far, near *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	dialed, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialed.Close(); accepted.Close() })
	dialed.SetDeadline(time.Now().Add(patience))
	return dialed.(*net.TCPConn), accepted.(*net.TCPConn)
}

// opaque hides what is below a connection, so that it is relayed by Read and Write.
type opaque struct{ conn *net.TCPConn }

func (o opaque) Read(b []byte) (int, error)         { return o.conn.Read(b) }
func (o opaque) Write(b []byte) (int, error)        { return o.conn.Write(b) }
func (o opaque) Close() error                       { return o.conn.Close() }
func (o opaque) CloseWrite() error                  { return o.conn.CloseWrite() }
func (o opaque) LocalAddr() net.Addr                { return o.conn.LocalAddr() }
func (o opaque) RemoteAddr() net.Addr               { return o.conn.RemoteAddr() }
func (o opaque) SetDeadline(t time.Time) error      { return o.conn.SetDeadline(t) }
func (o opaque) SetReadDeadline(t time.Time) error  { return o.conn.SetReadDeadline(t) }
func (o opaque) SetWriteDeadline(t time.Time) error { return o.conn.SetWriteDeadline(t) }
func (o opaque) SetLinger(sec int) error            { return o.conn.SetLinger(sec) }

// above is a connection that only tells what is below it.
type above struct {
	opaque
	closed func()
}

func (a above) TCP() *net.TCPConn { return a.conn }

func (a above) Close() error {
	a.closed()
	return a.conn.Close()
}

// kinds are the connections that a client's side of a relay can have.
var kinds = map[string]func(t testing.TB) (far halves, near net.Conn){
	"tcp": func(t testing.TB) (halves, net.Conn) { return pair(t) },
	"opaque": func(t testing.TB) (halves, net.Conn) {
		far, near := pair(t)
		return far, opaque{near}
	},
	"tls": func(t testing.TB) (halves, net.Conn) {
		far, near := pair(t)
		client := tls.Client(far, &tls.Config{InsecureSkipVerify: true})
		server := tls.Server(near, &tls.Config{Certificates: []tls.Certificate{certificate(t)}})
		var both sync.WaitGroup
		both.Go(func() {
			if err := server.Handshake(); err != nil {
				t.Error(err)
			}
		})
		if err := client.Handshake(); err != nil {
			t.Error(err)
		}
		both.Wait()
		return client, server
	},
}

var made = sync.OnceValues(func() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
})

func certificate(t testing.TB) tls.Certificate {
	t.Helper()
	c, err := made()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// relayed is a relay that runs; client and member are its far ends.
type relayed struct {
	client, member halves
	// What the relay has been given.
	clientConn, memberConn net.Conn
	done                   <-chan outcome
}

type outcome struct {
	traffic Traffic
	err     error
}

// start relays between a client of a kind and a member.
func start(t testing.TB, kind string, idle time.Duration) relayed {
	t.Helper()
	client, clientConn := kinds[kind](t)
	member, memberConn := pair(t)
	done := make(chan outcome, 1)
	go func() {
		traffic, err := Relay(Peer{Conn: clientConn}, Peer{Conn: memberConn}, idle)
		done <- outcome{traffic, err}
	}()
	return relayed{client, member, clientConn, memberConn, done}
}

func (r relayed) wait(t testing.TB) outcome {
	t.Helper()
	select {
	case o := <-r.done:
		return o
	case <-time.After(patience):
		t.Fatal("the relay did not end")
		return outcome{}
	}
}
