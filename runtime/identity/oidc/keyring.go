package oidc

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// searchInterval is how often an unknown key may make us fetch fresh keys
	// again.
	searchInterval = 10 * time.Second
	// retryInterval is how long an issuer that failed is left alone.
	retryInterval = 5 * time.Second
	// outageGrace is how long after they were fetched keys are good while the
	// issuer can't be reached.
	outageGrace = time.Hour
)

// errUnknownKey means that an issuer has no such key.
var errUnknownKey = errors.New("unknown key")

// keyring holds an issuer's keys and fetches them when they are asked for.
type keyring struct {
	provider string
	fetch    func(context.Context) ([]jose.JSONWebKey, time.Duration, error)
	now      func() time.Time
	logger   *slog.Logger

	mu         sync.Mutex
	keys       []jose.JSONWebKey
	fetchedAt  time.Time
	freshUntil time.Time
	// searchedAt is when fresh keys were last fetched again because one wasn't
	// among them.
	searchedAt time.Time
	// failure is what went wrong at failedAt; nil after a success.
	failure  error
	failedAt time.Time
	// flight is the fetch under way, if any. Everybody waits for the same.
	flight *flight
}

type flight struct{ landed chan struct{} }

// find returns the issuer's keys of an id, of which there is one unless it uses
// an id twice. The error is errUnknownKey or an [Unavailable].
func (k *keyring) find(ctx context.Context, id string) ([]jose.JSONWebKey, error) {
	k.mu.Lock()
	now := k.now()
	found, fresh := k.named(id), now.Before(k.freshUntil)
	if fresh && len(found) > 0 {
		k.mu.Unlock()
		return found, nil
	}
	if k.flight == nil {
		switch {
		case k.failure != nil && now.Sub(k.failedAt) < retryInterval,
			fresh && now.Sub(k.searchedAt) < searchInterval:
			defer k.mu.Unlock()
			return k.settle(id, now)
		case fresh:
			k.searchedAt = now
		}
		k.flight = &flight{landed: make(chan struct{})}
		// The fetch is everybody's: it outlives the call that began it.
		go k.fly(context.WithoutCancel(ctx), k.flight)
	}
	flight := k.flight
	k.mu.Unlock()

	select {
	case <-flight.landed:
	case <-ctx.Done():
		return nil, &Unavailable{Provider: k.provider, Reason: "the call ended before they came"}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.settle(id, now)
}

// settle answers from the outcome of the last fetch.
func (k *keyring) settle(id string, now time.Time) ([]jose.JSONWebKey, error) {
	found := k.named(id)
	switch {
	case k.failure == nil && len(found) == 0:
		return nil, errUnknownKey
	case k.failure == nil, len(found) > 0 && now.Before(k.fetchedAt.Add(outageGrace)):
		return found, nil
	default:
		return nil, &Unavailable{Provider: k.provider, Reason: shown(k.failure.Error())}
	}
}

// fly fetches the keys.
func (k *keyring) fly(ctx context.Context, f *flight) {
	keys, fresh, err := k.fetch(ctx)

	k.mu.Lock()
	defer k.mu.Unlock()
	defer close(f.landed)
	k.flight = nil
	now := k.now()
	k.failure = err
	if err != nil {
		k.failedAt = now
		k.logger.Warn("an identity provider's keys could not be fetched", "provider", k.provider, "error", err, "held_since", k.fetchedAt)
		return
	}
	k.keys, k.fetchedAt, k.freshUntil = keys, now, now.Add(fresh)
	k.logger.Debug("an identity provider's keys were fetched", "provider", k.provider, "keys", len(keys), "fresh_for", fresh)
}

func (k *keyring) named(id string) []jose.JSONWebKey {
	var found []jose.JSONWebKey
	for _, key := range k.keys {
		if key.KeyID == id {
			found = append(found, key)
		}
	}
	return found
}
