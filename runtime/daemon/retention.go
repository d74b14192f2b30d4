package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/auditlb/terraform-provider-auditlb/runtime/archive"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
)

// Retention says how long the bodies of entries stay in the log, and what becomes of
// them then. Entries themselves stay for good.
type Retention struct {
	// BodiesAfter is how long a body is kept after it was of use last: at least 192h,
	// while calls may still be answered from it.
	BodiesAfter string `hcl:"bodies_after"`
	// Action is erase, or archive, which takes a block of that name.
	Action  string        `hcl:"action"`
	Archive *ArchiveBlock `hcl:"archive,block"`
}

// ArchiveBlock is where bodies are archived.
type ArchiveBlock struct {
	Directory string `hcl:"directory,optional"`
	S3        *S3    `hcl:"s3,block"`
}

// What a retention does with bodies.
const (
	actionErase   = "erase"
	actionArchive = "archive"
)

const (
	// retainEvery is how often it is looked whether bodies are due.
	retainEvery = time.Hour
	// retainPause is between one step and the next, so that changes go first.
	retainPause = 250 * time.Millisecond
	// retainAgain is how long after a failure it is tried again.
	retainAgain = 5 * time.Minute
)

// Period is how long bodies are kept.
func (r *Retention) Period() (time.Duration, error) {
	period, err := duration("bodies_after", r.BodiesAfter)
	if err == nil && period < control.MinRetention {
		err = fmt.Errorf("bodies_after: %q must be at least %s: a call can be retried for 7 days, and is answered from the body", r.BodiesAfter, control.MinRetention)
	}
	return period, err
}

func (r *Retention) check() error {
	_, err := r.Period()
	switch {
	case err != nil:
	case r.Action != actionErase && r.Action != actionArchive:
		err = fmt.Errorf("action: %q must be %s or %s", r.Action, actionErase, actionArchive)
	case r.Action == actionArchive && r.Archive == nil:
		err = errors.New(`action "archive" takes a block archive that says where to`)
	}
	if err != nil {
		return fmt.Errorf("retention: %w", err)
	}
	return nil
}

// OpenArchive opens the archive of a configuration; nil without one.
func (c *Config) OpenArchive() (*archive.Archive, error) {
	r := c.Retention
	if r == nil {
		return nil, nil
	}
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	if r.Archive == nil {
		return nil, nil
	}
	// With action erase, it is where what was archived before is read from.
	b, err := openBucket(r.Archive.Directory, r.Archive.S3)
	if err != nil {
		return nil, fmt.Errorf("configuration: retention.archive: %w", err)
	}
	return archive.New(b), nil
}

// retainer erases the bodies that are due, beside the calls.
type retainer struct {
	policy     control.Retention
	action     string
	controller *control.Controller
	logger     *slog.Logger

	bodies   *prometheus.CounterVec
	failures prometheus.Counter
	last     prometheus.Gauge
}

// retainer makes what the configuration asks for; nil without a retention.
func (c *Config) retainer(kept *archive.Archive, logger *slog.Logger, registry *prometheus.Registry) *retainer {
	if c.Retention == nil {
		return nil
	}
	period, _ := c.Retention.Period() // checked when the archive was opened
	r := &retainer{
		policy: control.Retention{Period: period, Setting: "retention.bodies_after = " + c.Retention.BodiesAfter},
		action: c.Retention.Action, logger: logger,
		bodies: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "auditlb_bodies_erased_total", Help: "Bodies of entries erased from the log by policy, by action: those that were archived are read from there.",
		}, []string{"action"}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "auditlb_retention_failures_total", Help: "Runs of the retention that failed. Bodies stay until they can go.",
		}),
		last: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "auditlb_retention_last_run_timestamp_seconds", Help: "When every body that was due had last been erased.",
		}),
	}
	if r.action == actionArchive {
		r.policy.Archive = kept
	}
	r.bodies.WithLabelValues(r.action)
	registry.MustRegister(r.bodies, r.failures, r.last)
	return r
}

// run erases what is due now and every hour, until ctx ends.
func (r *retainer) run(ctx context.Context) {
	for ctx.Err() == nil {
		wait := retainEvery
		if err := r.erase(ctx); err != nil && ctx.Err() == nil {
			r.failures.Inc()
			r.logger.Warn("bodies that are due were not erased; it is tried again", "action", r.action, "error", err)
			wait = retainAgain
		}
		sleep(ctx, wait)
	}
}

// erase takes steps until nothing is due any more.
func (r *retainer) erase(ctx context.Context) error {
	bodies := 0
	for {
		done, err := r.controller.Erase(ctx, r.policy)
		if err != nil {
			return err
		}
		bodies += done.Bodies
		r.bodies.WithLabelValues(r.action).Add(float64(done.Bodies))
		if !done.More {
			break
		}
		if sleep(ctx, retainPause); ctx.Err() != nil {
			return ctx.Err()
		}
	}
	r.last.SetToCurrentTime()
	if bodies > 0 {
		r.logger.Info("bodies erased from the log by policy", "action", r.action, "bodies", bodies, "setting", r.policy.Setting)
	}
	return nil
}

// sleep waits, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
