package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
)

// LastSeenName is the file in the data directory that holds the newest checkpoint
// that the node knows of.
const LastSeenName = "log.checkpoint"

// lastSeenEvery is how often it is written while the log grows. A rollback of
// less than that goes unseen here.
const lastSeenEvery = time.Second

// RollbackError means that a log is not what this node saw of it. The runtime
// refuses to start on it.
type RollbackError struct {
	// Path is where what was seen is kept.
	Path string
	// Seen is what was seen, and Now the log's head.
	Seen, Now audit.Checkpoint
}

// Error implements error.
func (e *RollbackError) Error() string {
	what := fmt.Sprintf("has other entries than those that this node saw: their first %d were rewritten", e.Seen.Size)
	switch {
	case e.Seen.Origin != e.Now.Origin:
		what = fmt.Sprintf("is %q, and this node saw %q", e.Now.Origin, e.Seen.Origin)
	case e.Now.Size < e.Seen.Size:
		what = fmt.Sprintf("has %d entries, and this node saw %d of them: it was rolled back", e.Now.Size, e.Seen.Size)
	}
	return fmt.Sprintf("the log %s (see %s). If it was restored from a backup on purpose, go on under a new name with: auditlb log restart", what, e.Path)
}

func (c *Config) lastSeenFile() string {
	if c.Log.LastCheckpointFile != "" {
		return c.Log.LastCheckpointFile
	}
	return filepath.Join(c.DataDir, LastSeenName)
}

// checkLastSeen holds a log to what this node saw of it.
func checkLastSeen(ctx context.Context, path string, src audit.Source, head audit.Checkpoint) error {
	note, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the last checkpoint that this node saw: %w", err)
	}
	// Who signed it does not count: it is this node's own.
	seen, err := audit.ReadCheckpoint(note)
	if err != nil {
		return fmt.Errorf("the last checkpoint that this node saw, in %s, can't be read (%w); remove the file to start without it", path, err)
	}
	wrong := &RollbackError{Path: path, Seen: seen, Now: head}
	if seen.Origin != head.Origin || seen.Size > head.Size {
		return wrong
	}
	if seen.Size == 0 {
		return nil
	}
	// The proof leads from one root to the other, whatever hashes are stored.
	proof, err := tlog.ProveTree(head.Size, seen.Size, audit.HashReader(ctx, src))
	if err != nil {
		return fmt.Errorf("hold the log to the last checkpoint that this node saw: %w", err)
	}
	if tlog.CheckTree(proof, head.Size, head.Root, seen.Size, seen.Root) != nil {
		return wrong
	}
	return nil
}

// keepSeeing keeps the newest checkpoint while the log grows, until ctx ends.
func (d *Daemon) keepSeeing(ctx context.Context) {
	tick := time.NewTicker(lastSeenEvery)
	defer tick.Stop()
	defer d.seeNow()
	for {
		d.seeNow()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// seeNow keeps the newest checkpoint, unless it is kept already.
func (d *Daemon) seeNow() {
	note := d.Controller.Checkpoint()
	if bytes.Equal(note, d.seen) {
		return
	}
	if err := replaceFile(d.config.lastSeenFile(), string(note), 0o600); err != nil {
		if !d.unseeing {
			d.logger.Warn("newest checkpoint not kept; it is tried again", "error", err)
		}
		d.unseeing = true
		return
	}
	d.seen, d.unseeing = note, false
}
