package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/authority"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
	"github.com/auditlb/terraform-provider-auditlb/runtime/decision"
	"github.com/auditlb/terraform-provider-auditlb/runtime/server"
	"github.com/auditlb/terraform-provider-auditlb/runtime/sink"
	"github.com/auditlb/terraform-provider-auditlb/runtime/store/sqlite"
	"github.com/auditlb/terraform-provider-auditlb/runtime/traffic"
)

// Daemon is a running runtime.
type Daemon struct {
	// Controller is the write path.
	Controller *control.Controller
	// Store is where the log lives.
	Store control.Store
	// Engine is the data plane.
	Engine *dataplane.Engine
	// Traffic is what the data plane did.
	Traffic *traffic.Recorder

	config Config
	logger *slog.Logger
	writer *authority.Writer
	sinks  *sink.Runner
	// witnesses is nil without a witness policy.
	witnesses *witnesses
	copies    []*checkpointCopy
	// retainer is nil without a retention.
	retainer *retainer
	// background ends what runs beside the calls, and ended waits for it.
	background context.CancelFunc
	ended      sync.WaitGroup
	records    *decision.Log
	http       *http.Server
	listener   net.Listener
	scheme     string
	failed     chan error
	closing    sync.Once
	// seen is the checkpoint that is kept as the last one seen; unseeing is set while
	// none can be kept. They belong to keepSeeing.
	seen     []byte
	unseeing bool
}

// flushTimeout bounds how long stopping waits for evidence to be written back.
const flushTimeout = 5 * time.Second

// TrafficDir is the folder within the data directory that records of traffic go to.
const TrafficDir = "traffic"

// openLog opens the store and the write path, publishing to what makePublisher
// returns.
func openLog(ctx context.Context, c Config, logger *slog.Logger, registry *prometheus.Registry, extra control.Options, makePublisher func(control.Keys) control.Publisher) (*control.Controller, control.Store, error) {
	c.setDefaults()
	if err := c.check(); err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("data_dir: %w", err)
	}
	store, err := sqlite.Open(ctx, c.DataDir, sqlite.Options{MinFree: c.Log.MinFreeBytes})
	if err != nil {
		return nil, nil, err
	}
	controller, err := openControl(ctx, c, store, logger, registry, extra, makePublisher)
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	return controller, store, nil
}

func openControl(ctx context.Context, c Config, store control.Store, logger *slog.Logger, registry *prometheus.Registry, opts control.Options, makePublisher func(control.Keys) control.Publisher) (*control.Controller, error) {
	extent, err := store.Extent(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the log: %w", err)
	}
	isNew := extent.Entries == 0 && len(extent.Note) == 0
	signer, err := loadSigner(c, isNew, extent.Note)
	if err != nil {
		return nil, err
	}
	box, err := loadBox(c, isNew)
	if err != nil {
		return nil, err
	}
	// A head that does not open is for the controller to refuse.
	if head, err := audit.OpenCheckpoint(extent.Note, signer.Verifier()); err == nil {
		if err := checkLastSeen(ctx, c.lastSeenFile(), store, head); err != nil {
			return nil, err
		}
	}
	opts.Store, opts.Signer, opts.Sealer, opts.Logger = store, signer, box, logger
	opts.Publisher = makePublisher(control.Keys{Reader: store, Sealer: box})
	opts.Committed = commitMetrics(registry)
	return control.Open(ctx, opts)
}

// OpenLog opens the write path of a runtime that is not running, without
// serving traffic. Call done when finished.
func OpenLog(ctx context.Context, c Config) (controller *control.Controller, done func() error, err error) {
	controller, store, err := openLog(ctx, c, slog.New(slog.DiscardHandler), nil, control.Options{}, func(control.Keys) control.Publisher { return nowhere{} })
	if err != nil {
		return nil, nil, err
	}
	return controller, func() error {
		controller.Close()
		return store.Close()
	}, nil
}

// Start opens a runtime and answers the management API.
func Start(ctx context.Context, c Config, logger *slog.Logger) (*Daemon, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	c.setDefaults()
	logins, err := c.logins(logger)
	if err != nil {
		return nil, err
	}
	certificates, err := c.certificates()
	if err != nil {
		return nil, err
	}
	providers, err := c.consoleProviders()
	if err != nil {
		return nil, err
	}
	keeper, err := c.authorities()
	if err != nil {
		return nil, err
	}
	sinks, err := c.sinks(logger)
	if err != nil {
		return nil, err
	}
	registry.MustRegister(sinks)
	d := &Daemon{config: c, logger: logger, sinks: sinks, failed: make(chan error, 1)}
	if d.witnesses, err = newWitnesses(c, logger, registry); err != nil {
		return nil, err
	}
	if d.copies, err = c.checkpointCopies(logger, registry); err != nil {
		return nil, err
	}
	kept, err := c.OpenArchive()
	if err != nil {
		return nil, err
	}
	d.retainer = c.retainer(kept, logger, registry)
	d.records = decision.Open(filepath.Join(c.DataDir, TrafficDir), logger)
	registry.MustRegister(d.records)
	d.Engine = dataplane.New(dataplane.Options{Logger: logger, Registerer: registry, DrainTimeout: c.shutdownTimeout(), Recorder: d.records})
	d.Traffic = traffic.New(d.Engine, nil)
	watch := newGovernance(logger, registry)
	feed := &server.Feed{}
	extra := control.Options{Recorded: func(e *audit.Entry) {
		watch.record(e)
		feed.Notify()
		if d.witnesses != nil {
			d.witnesses.Notify()
		}
		sinks.Notify(e)
		if keeper != nil && e.Type == audit.TypeApply && keeper.Handles(e.Ticket) {
			d.writer.Note(e.Ticket, e.Seq)
		}
	}}
	if keeper != nil {
		extra.Authorities = elsewhere{keeper}
	}
	source := &evidence{}
	if keeper != nil {
		d.writer = newWriter(source, keeper, c.writeBackAfter(), logger, watch)
	}
	d.Controller, d.Store, err = openLog(ctx, c, logger, registry, extra, func(keys control.Keys) control.Publisher {
		return &publisher{engine: d.Engine, logger: logger, key: keys.PrivateKey}
	})
	if err != nil {
		return nil, errors.Join(err, d.Engine.Shutdown(ctx), d.records.Close())
	}
	*source = evidence{controller: d.Controller, log: d.Store, origin: d.Controller.Origin()}
	if d.witnesses != nil {
		if err := d.witnesses.begin(d.Store, d.Controller.Origin()); err != nil {
			return nil, errors.Join(err, d.Close(ctx))
		}
	}
	for _, one := range d.copies {
		one.begin(d.Store, d.Controller.Origin())
	}
	if d.retainer != nil {
		d.retainer.controller = d.Controller
	}
	d.watch(source, watch)
	if err := sinks.Start(ctx, d.source()); err != nil {
		return nil, errors.Join(err, d.Close(ctx))
	}
	opts := server.Options{
		Controller: d.Controller, Log: d.Store, Logger: logger, Registry: registry, DataPlane: d.dataPlane,
		Certificates: certificates, Traffic: d.Traffic.Query, Feed: feed, Sinks: sinks.Status, PublicEntries: c.Log.PublicEntries,
		Bodies: &bodies{store: d.Store, archive: kept, logger: logger},
	}
	if logins != nil {
		opts.Logins = logins
	}
	if d.witnesses != nil {
		opts.Witnesses = d.witnesses.status
	}
	handler := server.New(opts)
	if on := c.Management.Console; on == nil || *on {
		handler = withConsole(handler, providers, logger)
	}
	if err := d.listen(ctx, handler, feed.Close); err != nil {
		return nil, errors.Join(err, d.Close(ctx))
	}
	logger.Info("management API ready", "endpoint", d.Endpoint(), "revision", d.Controller.Config().Revision())
	return d, nil
}

// watch looks through the tickets there are, and writes evidence back, beside the
// calls.
func (d *Daemon) watch(source *evidence, g *governance) {
	var ctx context.Context
	ctx, d.background = context.WithCancel(context.Background())
	d.ended.Go(func() {
		err := source.eachTicket(ctx, func(t *control.HeldTicket) error {
			g.found(t)
			return nil
		})
		if err == nil && d.writer != nil {
			err = source.unwritten(ctx, d.writer)
		}
		if err != nil && ctx.Err() == nil {
			d.logger.Warn("tickets not looked through", "error", err)
		}
	})
	d.ended.Go(func() { d.keepSeeing(ctx) })
	d.ended.Go(func() { d.Traffic.Run(ctx) })
	if d.writer != nil {
		d.ended.Go(func() { d.writer.Run(ctx) })
	}
	if d.witnesses != nil {
		d.ended.Go(func() { d.witnesses.Run(ctx) })
	}
	for _, one := range d.copies {
		d.ended.Go(func() { one.run(ctx) })
	}
	if d.retainer != nil {
		d.ended.Go(func() { d.retainer.run(ctx) })
	}
}

func (d *Daemon) listen(ctx context.Context, handler http.Handler, ending func()) error {
	m := d.config.Management
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", m.Address)
	if err != nil {
		return fmt.Errorf("management.address: %w", err)
	}
	d.scheme = "http"
	if m.TLS != nil {
		config, err := m.TLS.tlsConfig()
		if err != nil {
			return errors.Join(err, l.Close())
		}
		l = tls.NewListener(l, config)
		d.scheme = "https"
	}
	d.listener = l
	d.http = server.HTTPServer(handler, d.logger)
	d.http.RegisterOnShutdown(ending)
	go func() {
		if err := d.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			d.failed <- fmt.Errorf("management API: %w", err)
		}
	}()
	return nil
}

// Endpoint is the URL of the management API.
func (d *Daemon) Endpoint() string { return d.scheme + "://" + d.listener.Addr().String() }

// PublicKeyFile is where the log's public key can be read.
func (d *Daemon) PublicKeyFile() string { return filepath.Join(d.config.DataDir, PublicKeyName) }

// Failed tells of an error after which the daemon can't go on.
func (d *Daemon) Failed() <-chan error { return d.failed }

// Close stops in the order in which nothing is lost: calls in hand are
// answered, the log is closed, and requests in flight finish until ctx ends.
// Closing again does nothing.
func (d *Daemon) Close(ctx context.Context) error {
	var err error
	d.closing.Do(func() { err = d.close(ctx) })
	return err
}

func (d *Daemon) close(ctx context.Context) error {
	var errs []error
	if d.http != nil {
		if err := d.http.Shutdown(ctx); err != nil {
			// Whoever is still connected has had their time.
			errs = append(errs, err, d.http.Close())
		}
	}
	if d.writer != nil {
		// What can't be written now is found again at the next start.
		flush, cancel := context.WithTimeout(ctx, flushTimeout)
		if err := d.writer.Close(flush); err != nil {
			d.logger.Warn("evidence left for the next start", "error", err)
		}
		cancel()
	}
	if d.background != nil {
		d.background()
	}
	d.ended.Wait()
	// Entries that are not taken by now are after the next start.
	flush, cancel := context.WithTimeout(ctx, flushTimeout)
	if err := d.sinks.Close(flush); err != nil {
		d.logger.Warn("sinks broken off", "error", err)
	}
	cancel()
	d.Controller.Close()
	d.copyLast(ctx)
	errs = append(errs, d.Store.Close(), d.Engine.Shutdown(ctx), d.records.Close())
	return errors.Join(errs...)
}

// dataPlane says what traffic runs on and which listeners are not bound.
func (d *Daemon) dataPlane() (revision int64, problems []string) {
	status := d.Engine.Status()
	for name, l := range status.Listeners {
		if l.Error != "" {
			problems = append(problems, "listener/"+name+" is not bound: "+l.Error)
		}
	}
	slices.Sort(problems)
	return status.Revision, problems
}
