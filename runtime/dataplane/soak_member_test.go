//go:build linux

package dataplane_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// soakMember is a member that can die, and come back at the same address.
type soakMember struct {
	address string
	serve   func(net.Listener, *soakMember) // until the listener is closed
	corrupt func(error)                     // told of requests that are not what was sent

	mu     sync.Mutex // protects what follows
	socket net.Listener
	served chan struct{} // closed when serve has returned
	conns  map[*soakMemberConn]struct{}
	life   int
	deaths []soakDeath
}

// soakDeath is when a member did not serve; ended is zero while it does not.
type soakDeath struct{ began, ended time.Time }

// newSoakMember starts a member at a loopback address of its own, so that nobody
// takes its port while it is dead.
func newSoakMember(t *testing.T, ip string, serve func(net.Listener, *soakMember), corrupt func(error)) *soakMember {
	t.Helper()
	m := &soakMember{address: ip + ":0", serve: serve, corrupt: corrupt, conns: map[*soakMemberConn]struct{}{}}
	if err := m.live(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.die(true) })
	return m
}

// live begins a life.
func (m *soakMember) live() error {
	socket, err := net.Listen("tcp", m.address)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.address, m.socket, m.served = socket.Addr().String(), socket, make(chan struct{})
	m.life++
	if n := len(m.deaths); n > 0 {
		m.deaths[n-1].ended = time.Now()
	}
	served := m.served
	go func() {
		defer close(served)
		m.serve(soakSocket{socket, m}, m)
	}()
	return nil
}

// die closes the listener, then every connection, with a reset or with an end. Once it
// has returned nothing of that life is left.
func (m *soakMember) die(reset bool) {
	m.mu.Lock()
	m.deaths = append(m.deaths, soakDeath{began: time.Now()})
	m.socket.Close()
	served := m.served
	m.mu.Unlock()
	<-served
	m.mu.Lock()
	defer m.mu.Unlock()
	for c := range m.conns {
		if reset {
			c.TCPConn.SetLinger(0)
		}
		c.TCPConn.Close()
	}
	clear(m.conns)
}

// suffers dies and comes back until the load stops; then it lives.
func (m *soakMember) suffers(s *soak, r *rand.Rand) {
	for {
		time.Sleep(time.Duration(200+r.IntN(1300)) * time.Millisecond)
		if s.stop.Load() {
			return
		}
		m.die(r.IntN(3) > 0)
		s.count("deaths")
		time.Sleep(time.Duration(100+r.IntN(700)) * time.Millisecond)
		if err := m.live(); err != nil {
			s.fault("a member can't come back: %v", err)
			return
		}
	}
}

// soakSlack is how long after a death the other side may take to learn of it.
const soakSlack = time.Second

// wasDead reports whether there was a moment from began until now at which a failure
// could be blamed on the member's death.
func (m *soakMember) wasDead(began time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, d := range m.deaths {
		if d.ended.IsZero() || d.ended.Add(soakSlack).After(began) {
			return true
		}
	}
	return false
}

// open is how many connections the member has.
func (m *soakMember) open() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.conns)
}

// soakSocket keeps account of what it accepts.
type soakSocket struct {
	net.Listener
	member *soakMember
}

// Accept implements net.Listener.
func (s soakSocket) Accept() (net.Conn, error) {
	conn, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &soakMemberConn{TCPConn: conn.(*net.TCPConn), member: s.member}
	s.member.mu.Lock()
	defer s.member.mu.Unlock()
	s.member.conns[c] = struct{}{}
	return c, nil
}

type soakMemberConn struct {
	*net.TCPConn
	member *soakMember
}

// Close implements net.Conn.
func (c *soakMemberConn) Close() error {
	c.member.mu.Lock()
	delete(c.member.conns, c)
	c.member.mu.Unlock()
	return c.TCPConn.Close()
}

// soakServeHTTP answers what soakRequests ask for.
func soakServeHTTP(l net.Listener, m *soakMember) { soakServe(l, m) }

// soakServe serves HTTP/1.1 and, with prior knowledge, HTTP/2.
func soakServe(l net.Listener, h http.Handler) {
	s := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0), Protocols: new(http.Protocols)}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	_ = s.Serve(l)
}

// ServeHTTP implements http.Handler.
func (m *soakMember) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/health":
		return
	case r.Header.Get("Upgrade") != "":
		m.upgrade(w)
		return
	}
	q := r.URL.Query()
	seed, _ := strconv.ParseUint(q.Get("seed"), 10, 64)
	up, _ := strconv.ParseInt(q.Get("up"), 10, 64)
	down, _ := strconv.ParseInt(q.Get("down"), 10, 64)
	if err := (soakContent{seed, up}).check(r.Body); err != nil {
		if errors.Is(err, errSoakCorrupt) {
			m.corrupt(fmt.Errorf("member got %s %s: %w", r.Method, r.URL, err))
		}
		panic(http.ErrAbortHandler)
	}
	if q.Get("chunked") == "" {
		w.Header().Set("Content-Length", strconv.FormatInt(down, 10))
	}
	w.Header().Set("X-Seed", q.Get("seed"))
	w.WriteHeader(200)
	if r.Method == "HEAD" {
		return
	}
	if q.Get("chunked") != "" && seed%4 == 0 {
		http.NewResponseController(w).Flush() // the head alone comes first
	}
	_ = (soakContent{seed + 1, down}).send(w)
}

// upgrade switches to an echo of bytes, as WebSocket frames would be to a proxy.
func (m *soakMember) upgrade(w http.ResponseWriter) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"); err != nil {
		return
	}
	_, _ = io.Copy(conn, buffered)
}

// soakServeEcho serves streams.
func soakServeEcho(l net.Listener, _ *soakMember) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			_, _ = io.Copy(conn.(*soakMemberConn).TCPConn, conn.(*soakMemberConn).TCPConn)
		}()
	}
}

// soakPool is a pool and its members by key; "m0" is always active.
func soakPool(t *testing.T, ip string, count int, protocol lb.PoolProtocol, serve func(net.Listener, *soakMember), corrupt func(error)) (*lb.Pool, map[string]*soakMember) {
	t.Helper()
	p, all := pool(nil), map[string]*soakMember{}
	p.Protocol = protocol
	for i := range count {
		key := fmt.Sprint("m", i)
		m := newSoakMember(t, fmt.Sprintf("127.0.%s.%d", ip, i+1), serve, corrupt)
		all[key] = m
		member := lb.NewMember()
		member.Address = m.address
		p.Members[key] = member
	}
	check := lb.NewHealthCheck()
	check.Path, check.Interval = "/health", lb.Duration(100*time.Millisecond)
	// A busy machine must not make a member ill that only thinks.
	check.Timeout = lb.Duration(patience)
	if protocol == lb.PoolTCP {
		check.Type = lb.HealthTCP
	}
	p.HealthCheck = &check
	return p, all
}
