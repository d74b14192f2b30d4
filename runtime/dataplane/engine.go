package dataplane

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/health"
	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/rawconn"
)

// DefaultDrainTimeout is how long the connections of a listener that is gone may
// finish what they do.
const DefaultDrainTimeout = 30 * time.Second

// ErrShutdown says that the engine was shut down.
var ErrShutdown = errors.New("data plane is shut down")

// Options configure an [Engine]. The zero value works.
type Options struct {
	// Logger takes what operators should know. Default: nothing is logged.
	Logger *slog.Logger
	// Registerer takes the metrics, until Shutdown. Default: none.
	Registerer prometheus.Registerer
	// DrainTimeout is how long the connections of a removed or moved listener
	// may finish what they do before they are closed. Default: [DefaultDrainTimeout].
	DrainTimeout time.Duration
	// ConcurrentProbes bounds health probes under way at once, over all pools.
	// Default: [health.DefaultConcurrency].
	ConcurrentProbes int
	// Recorder takes the records of traffic. Default: none are made.
	Recorder Recorder
}

// Engine serves traffic by the snapshot it was last given. Its methods are safe
// for concurrent use.
type Engine struct {
	options Options
	log     *slog.Logger
	checker *health.Checker
	metrics *metrics
	poller  *rawconn.Poller
	mirrors chan struct{} // a place for each copy of a request under way

	// current is the state that new requests run under; never nil.
	current atomic.Pointer[state]

	// mu makes Apply, Reserve and Shutdown take turns, and protects what follows.
	mu        sync.Mutex
	down      bool
	frontends map[string]*frontend // by listener name
	// spare holds sockets that are bound and that no frontend accepts from: reserved
	// ones and, within Apply, those on their way from one listener to another.
	spare map[string]*net.TCPListener // by bind key

	// drains counts frontends that are finishing; ending cuts them short.
	drains sync.WaitGroup
	ending context.Context
	end    context.CancelFunc
	cut    atomic.Bool // whether a connection was closed by end
}

// New returns an engine that serves nothing yet.
func New(options Options) *Engine {
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	if options.DrainTimeout <= 0 {
		options.DrainTimeout = DefaultDrainTimeout
	}
	e := &Engine{
		options:   options,
		log:       options.Logger,
		checker:   health.NewChecker(options.ConcurrentProbes),
		poller:    rawconn.NewPoller(),
		mirrors:   make(chan struct{}, maxMirrors),
		frontends: map[string]*frontend{},
		spare:     map[string]*net.TCPListener{},
	}
	e.current.Store(&state{})
	e.ending, e.end = context.WithCancel(context.Background())
	e.metrics = newMetrics(e)
	if options.Registerer != nil {
		if err := options.Registerer.Register(e.metrics); err != nil {
			e.log.Error("metrics are not registered", "error", err)
		}
	}
	return e
}

// Apply makes the snapshot current for new requests. It never fails and drops no
// request: what is under way finishes on the state it began with. Sockets that can't
// be bound are tried again in the background and shown in [Engine.Status]. Snapshots
// are to be applied in order; a nil one is ignored.
func (e *Engine) Apply(s *Snapshot) {
	if s == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.down {
		return
	}
	began := time.Now()
	prev := e.current.Load()
	next := e.compile(s, prev)

	var leaving []*frontend
	for name, f := range e.frontends {
		if l := next.listeners[name]; l == nil || !f.fits(l.config) {
			// Before next becomes current: see frontend.state.
			f.retired.Store(prev)
			leaving = append(leaving, f)
			delete(e.frontends, name)
		}
	}
	e.current.Store(next)

	// Old sockets go first: a new one may need their port on another address.
	e.release(leaving, next)
	for name, l := range next.listeners {
		f := e.frontends[name]
		if f == nil {
			f = e.newFrontend(name, l)
			e.frontends[name] = f
		}
		f.configure(l.config)
		if f.socket == nil {
			e.bind(f)
		}
	}

	for name, p := range prev.pools {
		if next.pools[name] != p {
			p.retire(next.pools[name])
		}
	}
	took := time.Since(began)
	e.metrics.apply.Observe(took.Seconds())
	e.log.Debug("snapshot applied", "revision", s.Revision, "took", took)
}

// release lets frontends that are no longer wanted go: they stop accepting, then
// drain in the background. The caller holds mu.
func (e *Engine) release(leaving []*frontend, next *state) {
	wanted := map[string]bool{}
	for name, l := range next.listeners {
		wanted[bindKey(name, l.config)] = true
	}
	var wg sync.WaitGroup
	for _, f := range leaving {
		wg.Go(func() { f.stopAccepting(wanted[f.key]) })
	}
	wg.Wait()
	for _, f := range leaving {
		if f.socket != nil && wanted[f.key] {
			e.spare[f.key] = f.socket
		}
		f.socket = nil
		e.drain(f, e.options.DrainTimeout)
	}
}

// drain lets a frontend that has stopped accepting finish in the background, for at
// most timeout if it is not 0, and until the engine ends.
func (e *Engine) drain(f *frontend, timeout time.Duration) {
	ctx, cancel := e.ending, context.CancelFunc(func() {})
	if timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, timeout)
	}
	e.drains.Go(func() {
		defer cancel()
		if left := f.drain(ctx); left > 0 {
			e.cut.Store(true)
			e.log.Warn("connections closed that did not finish in time", "listener", f.name, "connections", left)
		}
	})
}

// Shutdown stops accepting, lets requests and connections finish until ctx ends, then
// closes what is left and returns ctx's error. The engine can't be used again.
func (e *Engine) Shutdown(ctx context.Context) error {
	e.mu.Lock()
	if !e.down {
		e.down = true
		frontends := e.frontends
		e.frontends = map[string]*frontend{}
		var wg sync.WaitGroup
		for _, f := range frontends {
			wg.Go(func() { f.stopAccepting(false) })
		}
		wg.Wait()
		for _, f := range frontends {
			f.socket = nil
			e.drain(f, 0)
		}
		for key, socket := range e.spare {
			socket.Close()
			delete(e.spare, key)
		}
	}
	e.mu.Unlock()

	stop := context.AfterFunc(ctx, e.end)
	defer stop()
	e.drains.Wait()
	e.end()
	for _, p := range e.current.Load().pools {
		p.retire(nil)
	}
	e.poller.Close()
	if e.options.Registerer != nil {
		e.options.Registerer.Unregister(e.metrics)
	}
	if e.cut.Load() {
		return ctx.Err()
	}
	return nil
}
