package limit

import (
	"net/netip"
	"sync"
	"time"
)

const (
	// ways is how many clients share a set, in which a newcomer takes the place of
	// the one that has least to lose.
	ways = 8
	// setsPerShard makes room for 65,536 clients: 1 MiB.
	setsPerShard = 65_536 / ways / shards
)

// Rate is how often a client may do something. The zero value is as often as it likes.
type Rate struct {
	// interval is the time for one event; tolerance is how much sooner than that it
	// may come.
	interval, tolerance time.Duration
}

// NewRate returns a rate of so many events a second, 0 for no bound, with burst more
// at once by a client that has been quiet.
func NewRate(perSecond, burst int) Rate {
	if perSecond <= 0 {
		return Rate{}
	}
	interval := max(1, time.Second/time.Duration(perSecond))
	return Rate{interval: interval, tolerance: interval * time.Duration(max(0, burst))}
}

// Rates holds clients to a rate, each by a token bucket in the form of the generic
// cell rate algorithm (ITU-T I.371, annex A): one time a client, the one at which its
// next event would be due if events came evenly.
//
// 65,536 clients are remembered, in sets of eight. A client whose bucket is full is
// forgotten first, which loses nothing, else the one of its set whose bucket is
// fullest. So one that has used up its burst, which owes the most, keeps its place
// in a flood of new addresses.
type Rates struct {
	began  time.Time
	seed   seed
	shards [shards]rateShard
}

type rateShard struct {
	mu sync.Mutex // protects what follows
	// sets is nil until the first client comes.
	sets *[setsPerShard]rateSet
	_    [48]byte // no two locks in one cache line
}

// rateSet holds clients. A place that nobody has is that of a client whose bucket
// has been full since the beginning.
type rateSet struct {
	keys [ways]clientKey
	due  [ways]time.Duration // since began
}

// NewRates returns rates of clients that have done nothing.
func NewRates() *Rates { return &Rates{began: time.Now(), seed: newSeed()} }

// Allow counts an event of a client and reports true, unless it comes too soon:
// then nothing is counted, and retryAfter is the time until the client may try
// again. It goes by the monotonic clock. It takes a lock that a 64th of the
// clients share, and allocates only for the first client of those.
func (r *Rates) Allow(addr netip.Addr, rate Rate, now time.Time) (ok bool, retryAfter time.Duration) {
	if rate.interval == 0 {
		return true, 0
	}
	key, at := keyOf(addr), now.Sub(r.began)
	hash := r.seed.hash(key)
	s := &r.shards[hash>>32%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sets == nil {
		s.sets = new([setsPerShard]rateSet)
	}
	due := s.sets[hash>>40%setsPerShard].place(key)
	// What was owed at a slower rate, before a change of configuration, is forgiven.
	next := min(max(*due, at), at+rate.tolerance+rate.interval)
	if early := next - rate.tolerance - at; early > 0 {
		return false, early
	}
	*due = next + rate.interval
	return true, 0
}

// place returns when the client's next event is due. If the client is not in the
// set, it takes the place of the one that owes least.
func (s *rateSet) place(key clientKey) *time.Duration {
	least := 0
	for i, k := range s.keys {
		if k == key {
			return &s.due[i]
		}
		if s.due[i] < s.due[least] {
			least = i
		}
	}
	s.keys[least], s.due[least] = key, 0
	return &s.due[least]
}
