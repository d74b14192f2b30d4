package witness

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	// DefaultEvery is how often new checkpoints are brought to witnesses, at most.
	DefaultEvery = 10 * time.Second
	// refreshEvery is how often the same checkpoint is brought again: a cosignature's time
	// says until when there was nothing newer, and a witness that has something else
	// gets to say so.
	refreshEvery = time.Hour
	// maxBackoff bounds the wait after failures in a row, which begins with Every.
	maxBackoff = 5 * time.Minute
	// maxCandidates is how many checkpoints may be under way: that of a round, and those
	// before it that slow witnesses still have in hand.
	maxCandidates = 8
)

// Log is the log whose checkpoints are brought to witnesses. It must be safe for
// concurrent use.
type Log interface {
	// Checkpoint returns the newest checkpoint, signed by the log.
	Checkpoint(ctx context.Context) ([]byte, error)
	// Consistency proves that the tree of size to extends that of size from
	// (RFC 6962, section 2.1.2); 0 < from <= to.
	Consistency(ctx context.Context, from, to int64) (tlog.TreeProof, error)
	// Cosigned returns what KeepCosigned kept last, or nil.
	Cosigned(ctx context.Context) ([]byte, error)
	// KeepCosigned keeps a checkpoint whose cosignatures meet the policy. It is
	// called at most twice in a round.
	KeepCosigned(ctx context.Context, checkpoint []byte) error
}

// CollectorConfig says whom a collector goes to, and whom it tells. The functions may
// be nil; they are called one at a time, and must return soon.
type CollectorConfig struct {
	Policy *Policy
	// Every is the time from one round to the next, at least. Default: 10s.
	Every time.Duration
	// Timeout bounds one witness in one round. Default: 10s.
	Timeout time.Duration
	// OnResult is told what became of each try. err is nil or a [*Failure].
	OnResult func(witness string, err error)
	// OnKept is told of a checkpoint that meets the policy, once it is kept.
	OnKept func(size int64, cosignatures int)
	// OnFailed is told that our own log could not be read or written.
	OnFailed func(err error)
}

// Collector brings checkpoints to witnesses and keeps what they sign. Witnesses are
// spoken to side by side; one that is slow or down is left behind, and holds up neither
// the others nor the log.
type Collector struct {
	cfg     CollectorConfig
	log     Log
	peers   []*peer
	grown   chan struct{}
	answers chan answer

	// What follows is Run's alone.
	generation int // counts what Notify told
	last       time.Time
	candidates []*candidate // newest last
	kept       *candidate
	// unkept is what could not be kept, to be tried again.
	unkept *candidate

	mu     sync.Mutex // guards status
	status Status
}

// peer is a witness as a collector sees it.
type peer struct {
	submitter
	index int // of the policy's Witnesses
	busy  bool
	// known is the size of what it signed last, as far as we know.
	known int64
	// generation is that of the round it was in last.
	generation int
	failures   int
	// due is when it is to be brought a checkpoint next.
	due time.Time
}

// answer is what became of one try.
type answer struct {
	peer      *peer
	candidate *candidate
	sig       note.Signature
	err       error
}

// NewCollector returns a collector. It does nothing until Run. The policy must be one to
// submit by.
func NewCollector(log Log, cfg CollectorConfig) (*Collector, error) {
	if err := cfg.Policy.Submittable(); err != nil {
		return nil, err
	}
	if cfg.Every <= 0 {
		cfg.Every = DefaultEvery
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.OnResult == nil {
		cfg.OnResult = func(string, error) {}
	}
	if cfg.OnKept == nil {
		cfg.OnKept = func(int64, int) {}
	}
	if cfg.OnFailed == nil {
		cfg.OnFailed = func(error) {}
	}
	c := &Collector{cfg: cfg, log: log, grown: make(chan struct{}, 1)}
	client := newHTTPClient()
	for i, w := range cfg.Policy.Witnesses {
		if w.URL == "" {
			continue
		}
		c.peers = append(c.peers, &peer{submitter: submitter{w, client}, index: i})
		c.status.Witnesses = append(c.status.Witnesses, WitnessStatus{Name: w.Name, Key: w.Key.Name(), URL: w.URL})
	}
	c.answers = make(chan answer, len(c.peers))
	return c, nil
}

// Notify says that the log has grown. It doesn't wait.
func (c *Collector) Notify() {
	select {
	case c.grown <- struct{}{}:
	default:
	}
}

// Run brings checkpoints to witnesses until ctx ends: at once what there is, then
// whenever the log has grown. It may be called once.
func (c *Collector) Run(ctx context.Context) {
	defer c.peers[0].http.CloseIdleConnections()
	c.restore(ctx)
	for {
		timer := time.NewTimer(time.Until(c.next()))
		select {
		case <-ctx.Done():
			timer.Stop()
			c.drain()
			return
		case <-c.grown:
			c.generation++
		case a := <-c.answers:
			c.settle(ctx, a)
		case <-timer.C:
			c.round(ctx)
		}
		timer.Stop()
	}
}

// drain waits for the tries under way, which the context has ended.
func (c *Collector) drain() {
	for _, p := range c.peers {
		if p.busy {
			<-c.answers
		}
	}
}

// next is when the next round begins.
func (c *Collector) next() time.Time {
	next := time.Now().Add(refreshEvery)
	if c.unkept != nil {
		next = time.Time{}
	}
	for _, p := range c.peers {
		if due := c.due(p); !p.busy && due.Before(next) {
			next = due
		}
	}
	if earliest := c.last.Add(c.cfg.Every); next.Before(earliest) {
		return earliest
	}
	return next
}

// due is when a witness is to be brought a checkpoint: at once if there may be one that
// it was not brought, unless it is in trouble.
func (c *Collector) due(p *peer) time.Time {
	if p.failures == 0 && p.generation < c.generation {
		return time.Time{}
	}
	return p.due
}

// round brings the newest checkpoint to every witness that is due.
func (c *Collector) round(ctx context.Context) {
	c.last = time.Now()
	if again := c.unkept; again != nil {
		c.unkept = nil
		c.keep(ctx, again)
	}
	newest, err := c.newest(ctx)
	if err != nil {
		if ctx.Err() == nil {
			c.cfg.OnFailed(fmt.Errorf("read the checkpoint: %w", err))
		}
		return
	}
	for _, p := range c.peers {
		if p.busy || c.due(p).After(c.last) {
			continue
		}
		p.busy, p.generation = true, c.generation
		newest.open++
		go c.try(ctx, p, newest, newest.note, p.known)
	}
}

// try has one witness cosign a checkpoint. It runs beside Run, which may change what
// is not handed over here.
func (c *Collector) try(ctx context.Context, p *peer, to *candidate, checkpoint *note.Note, known int64) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	sig, err := p.submit(ctx, checkpoint, to.head, known, c.log.Consistency)
	c.answers <- answer{p, to, sig, err}
}

// backoff is the wait after a number of failures in a row.
func backoff(failures int, least time.Duration) time.Duration {
	wait := least
	for ; failures > 1 && wait < maxBackoff; failures-- {
		wait *= 2
	}
	return max(least, min(wait, maxBackoff))
}
