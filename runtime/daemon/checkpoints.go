package daemon

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	formats "github.com/transparency-dev/formats/log"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/bucket"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
)

// CheckpointCopy is a place outside where the log's checkpoints are kept.
type CheckpointCopy struct {
	Name string `hcl:"name,label"`
	// Every is how often a checkpoint is written while the log grows, at most: 1s to
	// 24h. Default: 1m.
	Every string `hcl:"every,optional"`
	// Directory or S3 is where to.
	Directory string `hcl:"directory,optional"`
	S3        *S3    `hcl:"s3,block"`
}

const (
	defaultCopyEvery = time.Minute
	maxCopyEvery     = 24 * time.Hour
	// copyAgain is how long after a failure a copy is tried again, or every, if that is less.
	copyAgain = 30 * time.Second
	// copyTimeout bounds one round: the writing of at most two checkpoints.
	copyTimeout = time.Minute
)

// CheckpointPrefix is what the keys of a log's checkpoints begin with, wherever they
// are kept. What follows is the size, in 19 digits, and ".cosigned" where witnesses
// have signed too.
func CheckpointPrefix(origin string) string {
	sum := sha256.Sum256([]byte(origin))
	return "checkpoints/" + hex.EncodeToString(sum[:16]) + "/"
}

// checkpointSource is the log as checkpoints are taken from it.
type checkpointSource interface {
	Extent(ctx context.Context) (audit.Extent, error)
	Kept(ctx context.Context, key string) ([]byte, error)
}

// checkpointCopy brings the newest checkpoint to one place. It is beside the write
// path: changes never wait for it, whatever becomes of it.
type checkpointCopy struct {
	name   string
	to     bucket.Bucket
	every  time.Duration
	log    checkpointSource
	origin string
	logger *slog.Logger

	// signed and cosigned are the sizes of the newest that are kept, as far as this
	// process knows. Only the copying goroutine uses them and down.
	signed, cosigned int64
	down             bool

	size, current prometheus.Gauge
	results       *prometheus.CounterVec
}

// What becomes of a copy.
const (
	copyWritten  = "written"
	copyFailed   = "failed"
	copyConflict = "conflict"
)

// checkpointCopies makes the configured copies. They begin with the log.
func (c *Config) checkpointCopies(logger *slog.Logger, registry *prometheus.Registry) ([]*checkpointCopy, error) {
	size := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "auditlb_checkpoint_copy_size", Help: "Entries in the newest checkpoint that was kept outside, by copy.",
	}, []string{"copy"})
	current := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "auditlb_checkpoint_copy_current_timestamp_seconds", Help: "When the newest checkpoint was last known to be kept outside, by copy.",
	}, []string{"copy"})
	results := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "auditlb_checkpoint_copies_total", Help: "Checkpoints to be kept outside, by copy and result. A conflict means that another checkpoint of the same size was kept before: the log was rolled back or forked.",
	}, []string{"copy", "result"})
	var copies []*checkpointCopy
	var errs []error
	names := map[string]bool{}
	for i := range c.CheckpointCopies {
		block := &c.CheckpointCopies[i]
		one, err := block.open()
		if err == nil && names[block.Name] {
			err = errors.New("there is another of this name")
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("configuration: checkpoint_copy %q: %w", block.Name, err))
			continue
		}
		names[block.Name] = true
		one.logger = logger
		one.size, one.current = size.WithLabelValues(one.name), current.WithLabelValues(one.name)
		one.results = results.MustCurryWith(prometheus.Labels{"copy": one.name})
		for _, result := range []string{copyWritten, copyFailed, copyConflict} {
			one.results.WithLabelValues(result)
		}
		copies = append(copies, one)
	}
	if len(copies) > 0 {
		registry.MustRegister(size, current, results)
	}
	return copies, errors.Join(errs...)
}

func (b *CheckpointCopy) open() (*checkpointCopy, error) {
	every, err := duration("every", b.Every)
	if err != nil {
		return nil, err
	}
	if every == 0 {
		every = defaultCopyEvery
	}
	if every < time.Second || every > maxCopyEvery {
		return nil, fmt.Errorf("every: %s must be 1s to %s", every, maxCopyEvery)
	}
	to, err := openBucket(b.Directory, b.S3)
	if err != nil {
		return nil, err
	}
	return &checkpointCopy{name: b.Name, to: to, every: every}, nil
}

// begin is told the log, once it is open.
func (c *checkpointCopy) begin(store control.Store, origin string) {
	c.log, c.origin = store, origin
}

// run copies until ctx ends.
func (c *checkpointCopy) run(ctx context.Context) {
	for {
		wait := c.every
		if err := c.copy(ctx); err != nil {
			wait = min(wait, copyAgain)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// copy writes what is newer than what is kept.
func (c *checkpointCopy) copy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, copyTimeout)
	defer cancel()
	err := c.newest(ctx)
	switch {
	case err == nil:
		c.current.SetToCurrentTime()
		if c.down {
			c.logger.Info("checkpoints are kept outside again", "copy", c.name, "size", c.signed)
		}
	case errors.Is(err, bucket.ErrExists):
		c.results.WithLabelValues(copyConflict).Inc()
		c.logger.Error("CHECKPOINT CONFLICT: another checkpoint of this size was kept before; the log was rolled back or forked", "copy", c.name, "error", err)
	case ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled):
		return err // shutting down
	default:
		c.results.WithLabelValues(copyFailed).Inc()
		if !c.down {
			c.logger.Warn("checkpoint not kept outside; it is tried again", "copy", c.name, "to", c.to.String(), "error", err)
		}
	}
	c.down = err != nil
	return err
}

func (c *checkpointCopy) newest(ctx context.Context) error {
	extent, err := c.log.Extent(ctx)
	if err != nil {
		return err
	}
	if extent.Size > c.signed {
		if err := c.put(ctx, extent.Size, "", extent.Note); err != nil {
			return err
		}
		c.signed = extent.Size
		c.size.Set(float64(c.signed))
	}
	cosigned, err := c.log.Kept(ctx, control.KeptCosigned)
	if err != nil || cosigned == nil {
		return err
	}
	var cp formats.Checkpoint
	if _, err := cp.Unmarshal(cosigned); err != nil || cp.Size > 1<<62 {
		return errors.New("the cosigned checkpoint kept beside the log is not one")
	}
	if size := int64(cp.Size); size > c.cosigned {
		if err := c.put(ctx, size, ".cosigned", cosigned); err != nil {
			return err
		}
		c.cosigned = size
	}
	return nil
}

// put writes a checkpoint. One of the same size that says the same, with other
// signatures under it, is as good.
func (c *checkpointCopy) put(ctx context.Context, size int64, kind string, signed []byte) error {
	key := fmt.Sprintf("%s%019d%s", CheckpointPrefix(c.origin), size, kind)
	err := c.to.Put(ctx, key, signed)
	if errors.Is(err, bucket.ErrExists) {
		if held, got := c.to.Get(ctx, key); got == nil && bytes.Equal(textOf(held), textOf(signed)) {
			return nil
		}
	}
	if err == nil {
		c.results.WithLabelValues(copyWritten).Inc()
	}
	return err
}

// textOf is what the signatures of a note are over.
func textOf(signed []byte) []byte {
	text, _, _ := bytes.Cut(signed, []byte("\n\n"))
	return text
}

// copyLast writes the last checkpoint before the log closes. What can't be written
// in time is at the next start.
func (d *Daemon) copyLast(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	var all sync.WaitGroup
	for _, one := range d.copies {
		if one.log != nil {
			all.Go(func() { _ = one.copy(ctx) }) // it has said what failed
		}
	}
	all.Wait()
}
