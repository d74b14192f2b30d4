package sink

import (
	"context"
	"errors"
	"time"

	"github.com/go-json-experiment/json"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
)

// position is how far a sink has come, as it is kept beside the log.
type position struct {
	// Next is the seq of the entry that comes next.
	Next int64 `json:"next"`
	// Last is the leaf hash of the entry before that: a log that has another one there is
	// not the log that was streamed.
	Last string `json:"last,omitzero"`
}

// keyOf is the key that a sink's position is kept under.
func keyOf(name string) string { return "sink/" + name }

func leafHash(row *audit.Row) string { return tlog.RecordHash(row.Leaf).String() }

// prepare makes a stream ready for a log of some size.
func (s *stream) prepare(ctx context.Context, source Source, size int64) error {
	s.source = source
	s.formatter = formatter{origin: source.Origin, version: source.Version, format: s.cfg.Format, envelope: s.cfg.Envelope}
	s.target = s.newTarget()
	p, isNew, wrong, err := s.lookUp(ctx, size)
	if err != nil {
		return err
	}
	s.kept = p.Next
	if isNew {
		s.kept = -1
	}
	s.last = p.Last
	var oldest time.Time
	if wrong == nil && p.Next < size {
		rows, err := source.Log.Rows(ctx, p.Next, 1)
		if err != nil {
			return err
		}
		if len(rows) == 1 {
			oldest = time.UnixMicro(rows[0].Columns.TimeMicros)
		}
	}
	s.mu.Lock()
	s.next = p.Next
	if !oldest.IsZero() {
		s.oldest = oldest
	}
	if wrong != nil {
		wrong.stop = true
		s.set(wrong)
	}
	s.mu.Unlock()
	if wrong != nil {
		s.stoppedBy(wrong, p.Next)
	}
	return nil
}

// lookUp returns the position that is kept, or where a new sink begins. It is wrong when
// the log is none that the position can be of.
func (s *stream) lookUp(ctx context.Context, size int64) (p position, isNew bool, wrong *failure, err error) {
	held, err := s.source.Positions.Kept(ctx, keyOf(s.cfg.Name))
	if err != nil {
		return p, false, nil, err
	}
	if held == nil {
		if s.cfg.From == FromNow {
			p.Next = size
			p.Last, err = s.leafBefore(ctx, size)
		}
		return p, true, nil, err
	}
	const wayOut = ". If that is right, give the sink another name: it begins anew"
	if json.Unmarshal(held, &p) != nil || p.Next < 0 {
		return position{}, false, failed(codePosition, "its kept position can't be understood%s", wayOut), nil
	}
	if p.Next > size {
		return p, false, failed(codePosition, "it has taken entries up to %d, and the log has %d: the log was rolled back or replaced%s", p.Next-1, size, wayOut), nil
	}
	last, err := s.leafBefore(ctx, p.Next)
	if err == nil && last != p.Last {
		wrong = failed(codePosition, "entry %d is not the one that it has taken: the log was replaced or edited%s", p.Next-1, wayOut)
	}
	return p, false, wrong, err
}

// leafBefore returns the leaf hash of the entry before a seq; "" when there is none.
func (s *stream) leafBefore(ctx context.Context, seq int64) (string, error) {
	if seq == 0 {
		return "", nil
	}
	rows, err := s.source.Log.Rows(ctx, seq-1, 1)
	if err != nil || len(rows) == 0 || rows[0].Seq != seq-1 {
		return "", err
	}
	return leafHash(&rows[0]), nil
}

// keepFirst keeps where a new sink begins from now on, before anything else: a crash must
// not move that to a later time.
func (s *stream) keepFirst(ctx context.Context) {
	for s.kept < 0 && s.cfg.From == FromNow && !s.closing() && ctx.Err() == nil {
		if s.keep(ctx); s.kept < 0 {
			s.failures++
			s.pause(ctx, backoff(s.failures, s.runner.opts.MinRetry, s.runner.opts.MaxRetry))
		}
	}
}

// keepIfDue keeps the position when that has not been done for a while: it costs a sync,
// for which changes have to wait.
func (s *stream) keepIfDue(ctx context.Context) {
	if s.now().Sub(s.keptAt) >= s.runner.opts.KeepEvery {
		s.keep(ctx)
	}
}

// keep keeps the position if it has changed. That it can't be kept is no reason not to go
// on: after a crash more is repeated.
func (s *stream) keep(ctx context.Context) {
	next := s.position()
	if next == s.kept {
		return
	}
	s.keptAt = s.now()
	value, err := marshal(position{Next: next, Last: s.last})
	if err == nil {
		err = s.source.Positions.Keep(ctx, keyOf(s.cfg.Name), value)
	}
	if err == nil {
		s.kept, s.keepFailing = next, false
		return
	}
	if !s.keepFailing && !errors.Is(err, context.Canceled) {
		s.logger.Warn("position not kept: after a crash, more is sent again", "next", next, "error", err)
	}
	s.keepFailing = true
}
