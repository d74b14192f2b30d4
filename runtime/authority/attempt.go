package authority

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// writeTimeout bounds one attempt at writing evidence.
	writeTimeout = time.Minute
	// minRetry is the wait after an attempt fails; each further one doubles it, up to
	// maxRetry.
	minRetry = 5 * time.Second
	maxRetry = 10 * time.Minute
)

// write makes one attempt at a ticket and settles what becomes of its note.
func (w *Writer) write(ctx context.Context, id string) error {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	w.mu.Lock()
	n := w.notes[id]
	noted := n.through
	w.mu.Unlock()
	err := w.comment(ctx, id, n, noted)
	told := err == nil && n.commented >= 0
	if told {
		err = w.source.Written(ctx, id, n.commented)
	}
	if err != nil {
		w.postpone(id, n, err)
		return err
	}
	w.mu.Lock()
	if n.through <= n.covered {
		delete(w.notes, id)
	} else { // more has happened meanwhile
		n.first, n.failures = n.last, 0
		n.due = w.dueAt(n)
	}
	n.commented = -1
	w.mu.Unlock()
	if told {
		w.cfg.OnWritten(id, time.Since(began))
	}
	return nil
}

// comment posts what happened under a ticket, unless an attempt before did. Only write
// calls it, so what it sets needs no lock.
func (w *Writer) comment(ctx context.Context, id string, n *note, noted int64) error {
	if n.commented >= 0 {
		return nil
	}
	e, err := w.source.Evidence(ctx, id)
	if err != nil {
		return fmt.Errorf("collecting evidence of %s: %w", id, err)
	}
	n.covered = max(noted, e.Through)
	if e.Applied+e.Refused == 0 {
		return nil
	}
	if err := w.to.Comment(ctx, id, EvidenceText(e)); err != nil && !errors.Is(err, ErrReadOnly) {
		return fmt.Errorf("commenting on %s: %w", id, err)
	}
	n.commented = e.Through
	return nil
}

// postpone sets when a ticket is tried again after a failure.
func (w *Writer) postpone(id string, n *note, err error) {
	w.mu.Lock()
	n.failures++
	wait := backoff(n.failures, minRetry, maxRetry)
	var u *Unavailable
	if errors.As(err, &u) {
		wait = max(wait, u.RetryAfter)
	}
	n.due = time.Now().Add(wait)
	w.mu.Unlock()
	w.cfg.OnFailed(id, err, wait)
}
