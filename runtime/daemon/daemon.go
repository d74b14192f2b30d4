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
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
	"github.com/auditlb/terraform-provider-auditlb/runtime/decision"
	"github.com/auditlb/terraform-provider-auditlb/runtime/server"
	"github.com/auditlb/terraform-provider-auditlb/runtime/store/sqlite"
)

// Daemon is a running runtime.
type Daemon struct {
	// Controller is the write path.
	Controller *control.Controller
	// Store is where the log lives.
	Store control.Store
	// Engine is the data plane.
	Engine *dataplane.Engine

	config   Config
	logger   *slog.Logger
	records  *decision.Log
	http     *http.Server
	listener net.Listener
	scheme   string
	failed   chan error
}

// TrafficDir is the folder within the data directory that records of traffic go to.
const TrafficDir = "traffic"

// openLog opens the store and the write path, publishing to what makePublisher
// returns.
func openLog(ctx context.Context, c Config, logger *slog.Logger, registry *prometheus.Registry, makePublisher func(control.Keys) control.Publisher) (*control.Controller, control.Store, error) {
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
	controller, err := openControl(ctx, c, store, logger, registry, makePublisher)
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	return controller, store, nil
}

func openControl(ctx context.Context, c Config, store control.Store, logger *slog.Logger, registry *prometheus.Registry, makePublisher func(control.Keys) control.Publisher) (*control.Controller, error) {
	extent, err := store.Extent(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the log: %w", err)
	}
	isNew := extent.Entries == 0 && len(extent.Note) == 0
	signer, err := loadSigner(c, isNew)
	if err != nil {
		return nil, err
	}
	box, err := loadBox(c, isNew)
	if err != nil {
		return nil, err
	}
	return control.Open(ctx, control.Options{
		Store: store, Signer: signer, Sealer: box, Logger: logger,
		Publisher: makePublisher(control.Keys{Reader: store, Sealer: box}),
		Committed: commitMetrics(registry),
	})
}

// OpenLog opens the write path of a runtime that is not running, without
// serving traffic. Call done when finished.
func OpenLog(ctx context.Context, c Config) (controller *control.Controller, done func() error, err error) {
	controller, store, err := openLog(ctx, c, slog.New(slog.DiscardHandler), nil, func(control.Keys) control.Publisher { return nowhere{} })
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
	d := &Daemon{config: c, logger: logger, failed: make(chan error, 1)}
	d.records = decision.Open(filepath.Join(c.DataDir, TrafficDir), logger)
	registry.MustRegister(d.records)
	d.Engine = dataplane.New(dataplane.Options{Logger: logger, Registerer: registry, DrainTimeout: c.shutdownTimeout(), Recorder: d.records})
	var err error
	d.Controller, d.Store, err = openLog(ctx, c, logger, registry, func(keys control.Keys) control.Publisher {
		return &publisher{engine: d.Engine, logger: logger, key: keys.PrivateKey}
	})
	if err != nil {
		return nil, errors.Join(err, d.Engine.Shutdown(ctx), d.records.Close())
	}
	handler := server.New(server.Options{
		Controller: d.Controller, Log: d.Store, Logger: logger, Registry: registry, DataPlane: d.dataPlane,
	})
	if err := d.listen(ctx, handler); err != nil {
		return nil, errors.Join(err, d.Close(ctx))
	}
	logger.Info("management API ready", "endpoint", d.Endpoint(), "revision", d.Controller.Config().Revision())
	return d, nil
}

func (d *Daemon) listen(ctx context.Context, handler http.Handler) error {
	m := d.config.Management
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", m.Address)
	if err != nil {
		return fmt.Errorf("management.address: %w", err)
	}
	d.scheme = "http"
	if m.TLS != nil {
		pair, err := tls.LoadX509KeyPair(m.TLS.CertFile, m.TLS.KeyFile)
		if err != nil {
			return errors.Join(fmt.Errorf("management.tls: %w", err), l.Close())
		}
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}})
		d.scheme = "https"
	}
	d.listener = l
	d.http = server.HTTPServer(handler, d.logger)
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
func (d *Daemon) Close(ctx context.Context) error {
	var errs []error
	if d.http != nil {
		if err := d.http.Shutdown(ctx); err != nil {
			// Whoever is still connected has had their time.
			errs = append(errs, err, d.http.Close())
		}
	}
	d.Controller.Close()
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

// commitMetrics measures the write path.
func commitMetrics(registry *prometheus.Registry) func(entries int, took time.Duration, err error) {
	entries := prometheus.NewCounter(prometheus.CounterOpts{Name: "auditlb_log_entries_total", Help: "Entries written to the log."})
	failures := prometheus.NewCounter(prometheus.CounterOpts{Name: "auditlb_log_commit_failures_total", Help: "Commits of the log that failed; changes were refused."})
	batch := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "auditlb_log_commit_entries", Help: "Entries committed together.", Buckets: []float64{1, 2, 4, 8, 16, 32, 64, 128, 256},
	})
	duration := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "auditlb_log_commit_duration_seconds", Help: "Time to make a commit durable.",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1},
	})
	if registry != nil {
		registry.MustRegister(entries, failures, batch, duration)
	}
	return func(n int, took time.Duration, err error) {
		if err != nil {
			failures.Inc()
			return
		}
		entries.Add(float64(n))
		batch.Observe(float64(n))
		duration.Observe(took.Seconds())
	}
}
