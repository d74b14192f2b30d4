//go:build linux

package dataplane_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"sync"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
)

// load starts all clients, and the deaths of members.
func (s *soak) load() {
	plain, secure := soakWay{s.web, "http://" + s.web, nil}, soakWay{s.tls, "https://" + s.tls, s.config}
	seed := uint64(0)
	run := func(n int, work func(r *rand.Rand)) {
		for range n {
			seed++
			r := rand.New(rand.NewPCG(seed, 1))
			s.clients.Go(func() { work(r) })
		}
	}
	for _, way := range []soakWay{plain, secure} {
		run(4, func(r *rand.Rand) { s.keepAlive(r, way, soakSteady, 300) })
		run(2, func(r *rand.Rand) { s.keepAlive(r, way, soakSteady, 1) })
		run(2, func(r *rand.Rand) { s.pipeline(r, way) })
		run(2, func(r *rand.Rand) { s.webSocket(r, way) })
		run(1, func(r *rand.Rand) { s.leave(r, way) })
		run(4, func(r *rand.Rand) { s.keepAlive(r, way, soakMortal, 300) })
	}
	run(2, func(r *rand.Rand) { s.http2(r, soakSteady) })
	run(1, func(r *rand.Rand) { s.http2(r, soakMortal) })
	run(4, s.stream)
	for key, m := range s.mortal {
		if key != "m0" {
			run(1, func(r *rand.Rand) { m.suffers(s, r) })
		}
	}
}

// soakWay is how clients come to the engine; config is nil without TLS.
type soakWay struct {
	address, base string
	config        *tls.Config
}

var (
	soakSteady = []string{"steady", "multiplexed"}
	soakMortal = []string{"mortal"}
)

// keepAlive makes requests one after the other, up to most on each connection.
func (s *soak) keepAlive(r *rand.Rand, way soakWay, pools []string, most int) {
	for !s.stop.Load() {
		c, err := soakDial(way.address, way.config)
		if err != nil {
			s.fault("connect: %v", err)
			return
		}
		for n := r.IntN(most); n >= 0 && !s.stop.Load(); n-- {
			q := newSoakRequest(r, soakPick(r, pools))
			_, err := c.do(way.base, n == 0 && r.IntN(2) == 0, q)
			if !s.judge(q, err) {
				break
			}
		}
		c.Close()
	}
}

// pipeline makes several requests at a time.
func (s *soak) pipeline(r *rand.Rand, way soakWay) {
	for !s.stop.Load() {
		c, err := soakDial(way.address, way.config)
		if err != nil {
			s.fault("connect: %v", err)
			return
		}
		for n := r.IntN(100); n >= 0 && !s.stop.Load(); n-- {
			requests := make([]*soakRequest, 2+r.IntN(6))
			for i := range requests {
				q := newSoakRequest(r, "steady")
				q.up, q.down = min(q.up, 2000), min(q.down, 2000) // or neither side could send on
				requests[i] = q
			}
			done, err := c.do(way.base, n == 0, requests...)
			for _, q := range requests[:done] {
				s.judge(q, nil)
			}
			if err != nil {
				s.judge(requests[done], err)
				break
			}
		}
		c.Close()
	}
}

// http2 makes several requests at once on one connection, which lasts.
func (s *soak) http2(r *rand.Rand, pools []string) {
	c, conn, err := soakDialHTTP2(s.tls, s.config)
	if err != nil {
		s.fault("connect over HTTP/2: %v", err)
		return
	}
	defer conn.Close()
	var streams sync.WaitGroup
	for range 3 {
		r := rand.New(rand.NewPCG(r.Uint64(), 1))
		streams.Go(func() {
			for !s.stop.Load() {
				q := newSoakRequest(r, soakPick(r, pools))
				s.judge(q, q.doHTTP2(c, "https://"+s.tls))
			}
		})
	}
	streams.Wait()
	if !c.CanTakeNewRequest() {
		s.fault("a connection over HTTP/2 did not last")
	}
}

// webSocket upgrades connections and has them echoed.
func (s *soak) webSocket(r *rand.Rand, way soakWay) {
	for !s.stop.Load() {
		c, err := soakDial(way.address, way.config)
		if err == nil {
			err = c.upgrade(way.address, "steady")
		}
		if err == nil {
			err = c.converse(soakContent{r.Uint64() % soakPeriod, r.Int64N(300_000)})
		}
		if err != nil {
			s.fault("WebSocket: %v", err)
			return
		}
		c.Close()
		s.count("WebSockets")
	}
}

// stream has connections of the TCP listener echoed.
func (s *soak) stream(r *rand.Rand) {
	for !s.stop.Load() {
		c, err := soakDial(s.streams, nil)
		if err == nil {
			err = c.converse(soakContent{r.Uint64() % soakPeriod, r.Int64N(1 << 20)})
		}
		if err != nil {
			s.fault("TCP: %v", err)
			return
		}
		c.Close()
		s.count("TCP connections")
	}
}

// leave begins requests and goes away in the middle of them.
func (s *soak) leave(r *rand.Rand, way soakWay) {
	for !s.stop.Load() {
		c, err := soakDial(way.address, way.config)
		if err != nil {
			s.fault("connect: %v", err)
			return
		}
		q := newSoakRequest(r, soakPick(r, soakSteady))
		if r.IntN(2) == 0 {
			q.method, q.up, q.down = "GET", 0, 8<<20
			q.http(way.base).Write(c)
			io.CopyN(io.Discard, c, r.Int64N(1<<20))
		} else {
			q.method, q.up = "POST", 1<<20
			q.http(way.base).Write(&soakShort{c, r.IntN(1 << 20)})
		}
		if tcp, ok := c.Conn.(*net.TCPConn); ok && r.IntN(2) == 0 {
			tcp.SetLinger(0)
		}
		c.Close()
		s.count("clients that left")
	}
}

// soakShort takes left bytes.
type soakShort struct {
	w    io.Writer
	left int
}

// Write implements io.Writer.
func (s *soakShort) Write(p []byte) (int, error) {
	n, err := s.w.Write(p[:min(len(p), s.left)])
	s.left -= n
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return n, err
}

// judge reports whether the request went well. If not, and the death of a member
// does not excuse it, the test fails.
func (s *soak) judge(q *soakRequest, err error) bool {
	if err == nil {
		s.count("requests to " + q.pool)
		return true
	}
	if why := s.accuse(q, err); why != "" {
		s.fault("%v: %v: %s", q, err, why)
	}
	return false
}

// accuse returns why a failure has no excuse.
func (s *soak) accuse(q *soakRequest, err error) string {
	if q.pool != "mortal" {
		return "its members were alive"
	}
	if errors.Is(err, errSoakCorrupt) {
		return "no death corrupts"
	}
	member, ok := s.records.member(q.id)
	if !ok {
		return "there is no record of it"
	}
	if m := s.mortal[member]; m == nil || !m.wasDead(q.began) {
		return fmt.Sprintf("member %q was alive", member)
	}
	if refused := (soakRefused{}); errors.As(err, &refused) {
		if q.method == "GET" || q.method == "HEAD" {
			return "it could have been sent to a member that was alive"
		}
		if refused.status < 502 || refused.status > 504 {
			return "the status is not that of a failed member"
		}
		s.count("refused for a dead member")
		return ""
	}
	s.count("cut by a member's death")
	return ""
}

// soakRecords remembers which member the last requests to mortal members went to, and
// counts decisions. It implements dataplane.Recorder.
type soakRecords struct {
	mu        sync.Mutex // protects what follows
	members   map[string]string
	ids       []string // of members, a ring
	oldest    int
	decisions map[dataplane.Cause]int
}

func newSoakRecords() *soakRecords {
	s := &soakRecords{decisions: map[dataplane.Cause]int{}}
	s.forget()
	return s
}

// Decision implements dataplane.Recorder.
func (s *soakRecords) Decision(r *dataplane.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.decisions[r.Cause]++
}

// Access implements dataplane.Recorder.
func (s *soakRecords) Access(r *dataplane.Record) {
	if r.Pool != "mortal" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := string(r.RequestID)
	delete(s.members, s.ids[s.oldest])
	s.members[id], s.ids[s.oldest] = r.Member, id
	s.oldest = (s.oldest + 1) % len(s.ids)
}

// member returns the key of the member that a request went to last.
func (s *soakRecords) member(id string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, ok := s.members[id]
	return m, ok
}

// decided is how often each decision was made.
func (s *soakRecords) decided() map[dataplane.Cause]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.decisions)
}

func (s *soakRecords) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.members, s.ids = map[string]string{}, make([]string, 1<<14)
}
