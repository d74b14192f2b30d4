// Package oidctest runs a real OpenID Connect issuer on loopback for tests: with
// discovery, keys, rotation and outages, and with the tokens of attackers.
package oidctest

import (
	"crypto"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
)

// The paths of an issuer.
const (
	DiscoveryPath = "/.well-known/openid-configuration"
	KeysPath      = "/keys"
)

// Issuer is an OpenID Connect issuer. It may be used by many at a time.
type Issuer struct {
	// URL is the issuer's identifier, iss.
	URL string
	// CAPEM is what a client must trust; nil over plain HTTP.
	CAPEM []byte

	t      testing.TB
	server *httptest.Server
	closed chan struct{}

	mu     sync.Mutex
	keys   []signingKey // the last one signs
	made   int
	down   bool
	delay  time.Duration
	maxAge time.Duration
	counts map[string]int
	stands map[string]http.HandlerFunc
}

// signingKey is one key of the issuer.
type signingKey struct {
	id        string
	algorithm jose.SignatureAlgorithm
	private   crypto.Signer
}

// Option changes an issuer at its start.
type Option func(*options)

type options struct {
	plain     bool
	algorithm jose.SignatureAlgorithm
}

// Plain makes the issuer speak HTTP without TLS.
func Plain() Option { return func(o *options) { o.plain = true } }

// Algorithm is what the issuer signs with. Default: ES256.
func Algorithm(a jose.SignatureAlgorithm) Option { return func(o *options) { o.algorithm = a } }

// Start runs an issuer with one key until the test ends.
func Start(t testing.TB, opts ...Option) *Issuer {
	t.Helper()
	o := options{algorithm: jose.ES256}
	for _, opt := range opts {
		opt(&o)
	}
	i := &Issuer{t: t, closed: make(chan struct{}), maxAge: time.Minute, counts: map[string]int{}, stands: map[string]http.HandlerFunc{}}
	i.server = httptest.NewUnstartedServer(http.HandlerFunc(i.serve))
	i.server.Config.ErrorLog = discard
	if o.plain {
		i.server.Start()
	} else {
		i.server.StartTLS()
		i.CAPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.server.Certificate().Raw})
	}
	t.Cleanup(func() {
		close(i.closed) // the server waits for those who answer slowly
		i.server.Close()
	})
	i.URL = i.server.URL
	i.rotate(o.algorithm)
	return i
}

// Rotate makes the issuer sign with a new key. The old ones stay published.
func (i *Issuer) Rotate() {
	i.mu.Lock()
	algorithm := i.keys[len(i.keys)-1].algorithm
	i.mu.Unlock()
	i.rotate(algorithm)
}

func (i *Issuer) rotate(algorithm jose.SignatureAlgorithm) {
	private := newKey(i.t, algorithm)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.made++
	i.keys = append(i.keys, signingKey{fmt.Sprintf("key-%d", i.made), algorithm, private})
}

// Withdraw takes every key but the newest out of what is published.
func (i *Issuer) Withdraw() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = i.keys[len(i.keys)-1:]
}

// Down makes the issuer hang up on everybody.
func (i *Issuer) Down() { i.set(func() { i.down = true }) }

// Up ends [Issuer.Down].
func (i *Issuer) Up() { i.set(func() { i.down = false }) }

// Delay makes every answer take so long.
func (i *Issuer) Delay(d time.Duration) { i.set(func() { i.delay = d }) }

// MaxAge is how long the issuer says that its keys may be cached. Default: 1m.
func (i *Issuer) MaxAge(d time.Duration) { i.set(func() { i.maxAge = d }) }

// Stand lets a handler stand in for what the issuer answers at a path, or
// nothing for nil.
func (i *Issuer) Stand(path string, in http.HandlerFunc) { i.set(func() { i.stands[path] = in }) }

func (i *Issuer) set(change func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	change()
}

// Requests is how often a path was asked for, also while down.
func (i *Issuer) Requests(path string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.counts[path]
}

func (i *Issuer) serve(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	i.counts[r.URL.Path]++
	down, delay, maxAge, stand := i.down, i.delay, i.maxAge, i.stands[r.URL.Path]
	i.mu.Unlock()

	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-r.Context().Done():
		case <-i.closed:
		}
	}
	switch {
	case down:
		panic(http.ErrAbortHandler)
	case stand != nil:
		stand(w, r)
	case r.URL.Path == DiscoveryPath:
		answer(w, map[string]any{
			"issuer":                                i.URL,
			"jwks_uri":                              i.URL + KeysPath,
			"response_types_supported":              []string{"id_token"},
			"subject_types_supported":               []string{"public"},
			"id_token_signing_alg_values_supported": []string{string(i.current().algorithm)},
		})
	case r.URL.Path == KeysPath:
		w.Header().Set("Cache-Control", fmt.Sprintf("public, max-age=%d", int(maxAge.Seconds())))
		answer(w, i.published())
	default:
		http.NotFound(w, r)
	}
}

func (i *Issuer) current() signingKey {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.keys[len(i.keys)-1]
}

func (i *Issuer) published() jose.JSONWebKeySet {
	i.mu.Lock()
	defer i.mu.Unlock()
	var set jose.JSONWebKeySet
	for _, k := range i.keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.private.Public(), KeyID: k.id, Algorithm: string(k.algorithm), Use: "sig"})
	}
	return set
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.MarshalWrite(w, v) // a client that hung up needs no answer
}

// Published is the JWK set that the issuer publishes at the moment.
func (i *Issuer) Published() []byte {
	i.t.Helper()
	set, err := json.Marshal(i.published())
	if err != nil {
		i.t.Fatal(err)
	}
	return set
}
