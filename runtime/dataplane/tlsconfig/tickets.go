package tlsconfig

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

const (
	// sealFor is how long tickets are sealed with one key.
	sealFor = 12 * time.Hour
	// openFor is how much longer tickets that were sealed with it are opened. Whoever
	// steals the keys can read no ticket older than both together.
	openFor = 24 * time.Hour
)

// ticketKeys are the keys of a listener's session tickets. They are random, live
// in memory alone and rotate when they are used: there is nothing to start or stop.
type ticketKeys struct {
	mu   sync.Mutex
	keys []ticketKey // newest first; protected by mu
}

type ticketKey struct {
	secret [sha256.Size]byte
	made   time.Time
}

// at returns the secrets that count at a time, first the one to seal with, and when
// they next change.
func (k *ticketKeys) at(now time.Time) (secrets [][sha256.Size]byte, until time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys = slices.DeleteFunc(k.keys, func(key ticketKey) bool { return !now.Before(key.made.Add(sealFor + openFor)) })
	if len(k.keys) == 0 || !now.Before(k.keys[0].made.Add(sealFor)) {
		key := ticketKey{made: now}
		rand.Read(key.secret[:]) // it never fails: it ends the process instead
		k.keys = slices.Insert(k.keys, 0, key)
	}
	for _, key := range k.keys {
		secrets = append(secrets, key.secret)
	}
	until = k.keys[0].made.Add(sealFor)
	if oldest := k.keys[len(k.keys)-1].made.Add(sealFor + openFor); oldest.Before(until) {
		until = oldest
	}
	return secrets, until
}

// sessions seals and opens the tickets of one version of a listener. The keys it
// uses are derived from the listener's and the rules for client certificates, so a
// ticket opens only under the rules that it was sealed under.
type sessions struct {
	keys    *ticketKeys
	rules   lb.ListenerTLS
	current atomic.Pointer[epoch] // nil before the first ticket
}

// epoch is a time in which the same keys count.
type epoch struct {
	until time.Time
	// sealer holds the keys; it does nothing else.
	sealer *tls.Config
}

// sealer returns what seals and opens tickets now. Two handshakes may both make the
// same one at the turn of an epoch; it does not matter whose is kept.
func (s *sessions) sealer() *tls.Config {
	now := time.Now()
	if e := s.current.Load(); e != nil && now.Before(e.until) {
		return e.sealer
	}
	secrets, until := s.keys.at(now)
	for i := range secrets {
		secrets[i] = s.derive(secrets[i])
	}
	e := &epoch{until: until, sealer: &tls.Config{MinVersion: tls.VersionTLS12}}
	e.sealer.SetSessionTicketKeys(secrets)
	s.current.Store(e)
	return e.sealer
}

func (s *sessions) derive(secret [sha256.Size]byte) (key [sha256.Size]byte) {
	mac := hmac.New(sha256.New, secret[:])
	mac.Write([]byte(s.rules.ClientAuth))
	mac.Write([]byte{0})
	mac.Write([]byte(s.rules.ClientCAPEM))
	mac.Sum(key[:0])
	return key
}

// wrap implements WrapSession of [tls.Config].
func (s *sessions) wrap(state tls.ConnectionState, session *tls.SessionState) ([]byte, error) {
	return s.sealer().EncryptTicket(state, session)
}

// unwrap implements UnwrapSession of [tls.Config]. A ticket that does not open leads
// to a full handshake.
func (s *sessions) unwrap(ticket []byte, state tls.ConnectionState) (*tls.SessionState, error) {
	return s.sealer().DecryptTicket(ticket, state)
}
