package console

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"sync"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

// Bounds of sessions.
const (
	// idleTimeout ends a session that no page was asked for in, and lifetime any.
	idleTimeout = time.Hour
	lifetime    = 12 * time.Hour
	// maxSessions bounds all sessions, and maxOwnSessions those of one actor. The one that
	// was idle for longest makes room.
	maxSessions    = 1000
	maxOwnSessions = 20
	// maxSessionStreams bounds the streams of events that are read in one session.
	maxSessionStreams = 4
)

// session is somebody who is signed in.
type session struct {
	// credential is the bearer token of the calls; empty when the client certificate of
	// the connection speaks.
	credential api.Secret
	// leaf is the SHA-256 of that certificate: no other may go on with the session.
	leaf [sha256.Size]byte
	who  api.Identity
	// ends is when the session ends at the latest.
	ends time.Time
	// done is closed when it has ended.
	done chan struct{}

	// seen is when a page was asked for last, and streams how many are being read. Both
	// are guarded by the mutex of [sessions].
	seen    time.Time
	streams int
}

// sessions holds everyone who is signed in, in memory only: a restart signs everyone
// out. A session is found by the hash of its cookie, so the memory holds no cookie.
type sessions struct {
	now func() time.Time

	mu   sync.Mutex // guards held, and seen and streams of each session
	held map[[sha256.Size]byte]*session
}

func newSessions(now func() time.Time) *sessions {
	return &sessions{now: now, held: map[[sha256.Size]byte]*session{}}
}

// newCookie returns 256 random bits as text.
func newCookie() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// begin starts a session and returns its cookie, which nobody has seen before.
func (s *sessions) begin(held *session) (cookie string) {
	cookie = newCookie()
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	held.seen, held.done = now, make(chan struct{})
	if latest := now.Add(lifetime); held.ends.IsZero() || latest.Before(held.ends) {
		held.ends = latest
	}
	s.makeRoom(held.who.Name, now)
	s.held[sha256.Sum256([]byte(cookie))] = held
	return cookie
}

// makeRoom forgets what has ended, and whatever was idle for longest where there are too
// many. The lock is held.
func (s *sessions) makeRoom(actor string, now time.Time) {
	var oldest, oldestOwn *[sha256.Size]byte
	own := 0
	for key, held := range s.held {
		if held.over(now) {
			s.drop(key)
			continue
		}
		if oldest == nil || held.seen.Before(s.held[*oldest].seen) {
			oldest = &key
		}
		if held.who.Name != actor {
			continue
		}
		own++
		if oldestOwn == nil || held.seen.Before(s.held[*oldestOwn].seen) {
			oldestOwn = &key
		}
	}
	switch {
	case own >= maxOwnSessions:
		s.drop(*oldestOwn)
	case len(s.held) >= maxSessions:
		s.drop(*oldest)
	}
}

// over reports whether a session has ended. The lock is held.
func (h *session) over(now time.Time) bool {
	return !now.Before(h.ends) || now.Sub(h.seen) >= idleTimeout
}

// drop ends a session. The lock is held.
func (s *sessions) drop(key [sha256.Size]byte) {
	if held := s.held[key]; held != nil {
		close(held.done)
		delete(s.held, key)
	}
}

// find returns the session of a cookie, or nil. Where use is set it counts as use.
func (s *sessions) find(cookie string, use bool) *session {
	key := sha256.Sum256([]byte(cookie))
	s.mu.Lock()
	defer s.mu.Unlock()
	held := s.held[key]
	if held == nil {
		return nil
	}
	now := s.now()
	if held.over(now) {
		s.drop(key)
		return nil
	}
	if use {
		held.seen = now
	}
	return held
}

// end ends the session of a cookie, if there is one.
func (s *sessions) end(cookie string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(sha256.Sum256([]byte(cookie)))
}

// beginStream reports whether a session may read one more stream; endStream gives it back.
func (s *sessions) beginStream(held *session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if held.streams >= maxSessionStreams {
		return false
	}
	held.streams++
	return true
}

func (s *sessions) endStream(held *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held.streams--
}

// leafOf is the SHA-256 of the client certificate that the handshake verified; ok is
// false without one.
func leafOf(r *http.Request) (sum [sha256.Size]byte, ok bool) {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return sum, false
	}
	return sha256.Sum256(r.TLS.VerifiedChains[0][0].Raw), true
}
