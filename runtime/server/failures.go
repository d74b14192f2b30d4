package server

import (
	"maps"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Bounds of failed authentications. A credential that is good is never held up by
// somebody else's failures: only failures are counted, and only further failures
// are slowed down.
const (
	// failuresAtOnce is how often a source or an identity may fail before it has to
	// wait, and failureEvery how often after that.
	failuresAtOnce = 20
	failureEvery   = 3 * time.Second
	// recordedAtOnce and recordedEvery bound the entries that failures leave in the
	// log, recordedPerSource and recordedPerSourceEvery those of one source: nobody
	// can flood it, and one source can't hide another for long.
	recordedAtOnce         = 100
	recordedEvery          = 30 * time.Second
	recordedPerSource      = 20
	recordedPerSourceEvery = 2 * time.Minute
	// refusedAtOnce is how many refusals, and new runs, an actor may leave in the log
	// before they have to wait, and refusedEvery how many after that: enough for
	// whatever a pipeline gets wrong, and too few to fill a disk.
	refusedAtOnce = 2000
	refusedEvery  = 500 * time.Millisecond
	// maxSources bounds the sources and identities that are remembered.
	maxSources = 10_000
)

// failures counts failed authentications by source and by identity.
type failures struct {
	mu       sync.Mutex // guards what follows
	attempts map[string]*rate.Limiter
	recorded map[string]*rate.Limiter
	refused  map[string]*rate.Limiter
	all      *rate.Limiter
	// unrecorded counts failures since the last one that was recorded.
	unrecorded int
}

func newFailures() *failures {
	return &failures{
		attempts: map[string]*rate.Limiter{}, recorded: map[string]*rate.Limiter{}, refused: map[string]*rate.Limiter{},
		all: rate.NewLimiter(rate.Every(recordedEvery), recordedAtOnce),
	}
}

// blocked returns how long a source has to wait before it may fail again; 0 for
// not at all.
func (f *failures) blocked(source string, now time.Time) time.Duration {
	return f.wait(f.attempts, source, now, failureEvery)
}

// exhausted returns how long an actor has to wait before they may leave another
// refusal in the log; 0 for not at all.
func (f *failures) exhausted(actor string, now time.Time) time.Duration {
	return f.wait(f.refused, actor, now, refusedEvery)
}

// leave counts an entry that an actor left and that changed nothing.
func (f *failures) leave(actor string, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	limiter(f.refused, actor, now, rate.Every(refusedEvery), refusedAtOnce).AllowN(now, 1)
}

func (f *failures) wait(in map[string]*rate.Limiter, key string, now time.Time, every time.Duration) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := in[key]
	if l == nil {
		return 0
	}
	missing := 1 - l.TokensAt(now)
	if missing <= 0 {
		return 0
	}
	return max(time.Second, time.Duration(math.Ceil(missing))*every)
}

// fail counts a failure under each key that is not empty.
func (f *failures) fail(now time.Time, keys ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, key := range keys {
		if key != "" {
			limiter(f.attempts, key, now, rate.Every(failureEvery), failuresAtOnce).AllowN(now, 1)
		}
	}
}

// record reports whether a failure is to be recorded, and how many before it were not.
func (f *failures) record(source string, now time.Time) (unrecorded int, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	own := limiter(f.recorded, source, now, rate.Every(recordedPerSourceEvery), recordedPerSource)
	if !own.AllowN(now, 1) || !f.all.AllowN(now, 1) {
		f.unrecorded++
		return 0, false
	}
	unrecorded, f.unrecorded = f.unrecorded, 0
	return unrecorded, true
}

// limiter returns the limiter of a key.
func limiter(held map[string]*rate.Limiter, key string, now time.Time, every rate.Limit, burst int) *rate.Limiter {
	l := held[key]
	if l != nil {
		return l
	}
	if len(held) >= maxSources {
		forget(held, now, burst)
	}
	l = rate.NewLimiter(every, burst)
	held[key] = l
	return l
}

// forget makes room: first go those that have not been needed for a while. When there
// is still too little, any do, so many that looking through all pays.
func forget(held map[string]*rate.Limiter, now time.Time, burst int) {
	maps.DeleteFunc(held, func(_ string, l *rate.Limiter) bool { return l.TokensAt(now) >= float64(burst) })
	for key := range held {
		if len(held) <= maxSources-maxSources/10 {
			return
		}
		delete(held, key)
	}
}
