package authority

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// MaxAnswers bounds the answers that a keeper remembers. Beyond it the oldest goes.
const MaxAnswers = 1024

// Answer is what a keeper knows of a ticket. It is shared: its slices must not be
// changed.
type Answer struct {
	// Authority is the name of where the ticket lives.
	Authority string
	Facts     ticket.Facts
	// At is when the facts were asked for: they are at least as new.
	At time.Time
	// Stale is why the facts couldn't be asked for again, an [*Unavailable]; nil when
	// they are as fresh as was wanted.
	Stale error
}

// Member is an authority of a keeper.
type Member struct {
	Authority Authority
	// Cache is how long its answers may be used again, such as [DefaultCache]. 0:
	// each lookup asks.
	Cache time.Duration
}

type member struct {
	Member
	// A comment that is refused doesn't keep tickets from being read.
	reads, comments circuit
}

// Keeper stands in front of several authorities. It is safe for concurrent use.
type Keeper struct {
	members []*member
	flights singleflight.Group
	now     func() time.Time

	mu      sync.Mutex // protects what follows
	answers map[string]Answer
}

// NewKeeper returns a keeper of authorities. Of several that handle an id the first
// is asked, and only that. Names must differ. A nil now is time.Now.
func NewKeeper(now func() time.Time, members ...Member) (*Keeper, error) {
	if now == nil {
		now = time.Now
	}
	k := &Keeper{now: now, answers: map[string]Answer{}}
	names := map[string]bool{}
	for _, m := range members {
		name := m.Authority.Name()
		if names[name] {
			return nil, &ConfigError{Authority: name, Field: "name", Problem: "is taken by another authority"}
		}
		names[name] = true
		k.members = append(k.members, &member{Member: m})
	}
	return k, nil
}

// Handles reports whether a ticket with this id lives elsewhere.
func (k *Keeper) Handles(id string) bool { return k.memberOf(id) != nil }

// NameFor is the name of the authority that handles an id, or "".
func (k *Keeper) NameFor(id string) string {
	if m := k.memberOf(id); m != nil {
		return m.Authority.Name()
	}
	return ""
}

func (k *Keeper) memberOf(id string) *member {
	for _, m := range k.members {
		if m.Authority.Handles(id) {
			return m
		}
	}
	return nil
}

// Lookup returns what is known of a ticket, asking its authority unless an answer is
// fresh enough. It returns false when no authority handles the id. Errors are
// [ErrNotFound], an [*Unavailable] when there is no earlier answer either, or the
// context's own.
func (k *Keeper) Lookup(ctx context.Context, id string) (Answer, bool, error) {
	m := k.memberOf(id)
	if m == nil {
		return Answer{}, false, nil
	}
	if held, ok := k.held(id, m.Cache); ok {
		return held, true, nil
	}
	a, err := k.share(ctx, "lookup "+id, func(ctx context.Context) (Answer, error) {
		// Another flight may have landed since.
		if held, ok := k.held(id, m.Cache); ok {
			return held, nil
		}
		return k.read(ctx, m, id)
	})
	return a, true, err
}

// Refresh is Lookup without the use of an earlier answer, as long as the authority
// gives one. It shares a refresh that is under way.
func (k *Keeper) Refresh(ctx context.Context, id string) (Answer, bool, error) {
	m := k.memberOf(id)
	if m == nil {
		return Answer{}, false, nil
	}
	a, err := k.share(ctx, "refresh "+id, func(ctx context.Context) (Answer, error) { return k.read(ctx, m, id) })
	return a, true, err
}

// Comment adds a text to a ticket, see [Authority]. It returns ErrNotFound when no
// authority handles the id.
func (k *Keeper) Comment(ctx context.Context, id, text string) error {
	m := k.memberOf(id)
	if m == nil {
		return ErrNotFound
	}
	if err := m.comments.admit(k.now()); err != nil {
		return err
	}
	err := m.Authority.Comment(ctx, id, text)
	m.comments.report(k.now(), err)
	return err
}

// share runs a function once for all who call with the same key meanwhile. It goes on
// when one of them leaves.
func (k *Keeper) share(ctx context.Context, key string, read func(context.Context) (Answer, error)) (Answer, error) {
	landed := k.flights.DoChan(key, func() (any, error) { return read(context.WithoutCancel(ctx)) })
	select {
	case <-ctx.Done():
		return Answer{}, fmt.Errorf("looking up a ticket: %w", context.Cause(ctx))
	case r := <-landed:
		a, _ := r.Val.(Answer)
		return a, r.Err
	}
}

// read asks the authority, and falls back on an earlier answer when it gives none.
func (k *Keeper) read(ctx context.Context, m *member, id string) (Answer, error) {
	asked := k.now()
	err := m.reads.admit(asked)
	if err == nil {
		var facts ticket.Facts
		facts, err = m.Authority.Read(ctx, id)
		m.reads.report(k.now(), err)
		if err == nil {
			a := Answer{Authority: m.Authority.Name(), Facts: facts, At: asked}
			k.remember(id, a)
			return a, nil
		}
	}
	if errors.Is(err, ErrNotFound) {
		k.forget(id)
		return Answer{}, err
	}
	k.mu.Lock()
	earlier, ok := k.answers[id]
	k.mu.Unlock()
	if !ok {
		return Answer{}, err
	}
	earlier.Stale = err
	return earlier, nil
}

// held returns an answer that is no older than maxAge.
func (k *Keeper) held(id string, maxAge time.Duration) (Answer, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	a, ok := k.answers[id]
	return a, ok && k.now().Sub(a.At) < maxAge
}

func (k *Keeper) remember(id string, a Answer) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if earlier, ok := k.answers[id]; ok && earlier.At.After(a.At) {
		return
	}
	if _, ok := k.answers[id]; !ok && len(k.answers) >= MaxAnswers {
		oldest, first := "", true
		for other, held := range k.answers {
			if first || held.At.Before(k.answers[oldest].At) {
				oldest, first = other, false
			}
		}
		delete(k.answers, oldest)
	}
	k.answers[id] = a
}

func (k *Keeper) forget(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.answers, id)
}
