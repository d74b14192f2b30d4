package sink

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
)

const (
	// rowsAtOnce and batchBytes bound what a stream holds in memory: an entry's body may
	// have megabytes.
	rowsAtOnce = MaxBatch
	batchBytes = 1 << 20
)

// step reads once and delivers what was read. It returns how many entries it got past.
func (s *stream) step(ctx context.Context) (int, error) {
	from := s.position()
	rows, err := s.read(ctx, from)
	if err != nil {
		s.logger.Debug("log of a sink", "error", err)
		return 0, failed(codeLog, "the log can't be read")
	}
	if len(rows) > 0 {
		s.runner.grown(rows[len(rows)-1].Seq + 1)
	}
	for at := 0; at < len(rows); {
		batch, n, err := s.gather(rows[at:], from+int64(at))
		taken := 0
		if err == nil && len(batch) > 0 {
			taken, err = s.deliver(ctx, batch)
		}
		if errors.Is(err, errSingly) {
			continue
		}
		if err != nil {
			return at, err
		}
		at += n
		s.advance(rows, at, taken)
		s.keepIfDue(ctx)
	}
	return len(rows), nil
}

// errEnough ends the reading of entries.
var errEnough = errors.New("enough")

// read returns the next entries: rowsAtOnce, or as many as have batchBytes together.
func (s *stream) read(ctx context.Context, from int64) (rows []audit.Row, err error) {
	size := 0
	err = s.source.Log.Scan(ctx, from, from+rowsAtOnce, func(r *audit.Row) error {
		row := *r
		for _, b := range []*[]byte{&row.Leaf, &row.Salt, &row.Body} {
			*b = append([]byte(nil), *b...) // it is valid during the call only
		}
		rows = append(rows, row)
		if size += len(row.Leaf) + len(row.Body); size >= batchBytes {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return rows, err
}

// gather renders the next messages that can go together, and says how many rows they are
// from: those that are not wanted are passed over.
func (s *stream) gather(rows []audit.Row, seq int64) (batch []message, n int, err error) {
	bytes := 0
	for i := range rows {
		if rows[i].Seq != seq+int64(i) {
			return nil, 0, failed(codeLog, "entry %d is missing from the log", seq+int64(i))
		}
		wanted, err := s.wants(&rows[i])
		if err != nil {
			return nil, 0, err
		}
		if !wanted {
			n = i + 1
			continue
		}
		most := s.target.batch()
		if rows[i].Seq <= s.singlyUntil {
			most = 1
		}
		if len(batch) >= most || bytes > batchBytes {
			break
		}
		record, err := s.source.Record(&rows[i])
		if err != nil {
			s.logger.Debug("entry of a sink", "error", err)
			return nil, 0, damaged(rows[i].Seq)
		}
		m, err := s.formatter.message(&record)
		if err != nil {
			s.logger.Debug("entry of a sink", "error", err)
			return nil, 0, failed(codeLog, "entry %d can't be rendered", rows[i].Seq)
		}
		batch, n = append(batch, m), i+1
		bytes += len(m.payload)
	}
	return batch, n, nil
}

// wants reports whether an entry is of a type that is wanted. The header says so: the
// store's columns are not under the log's hashes.
func (s *stream) wants(row *audit.Row) (bool, error) {
	if len(s.cfg.Types) == 0 {
		return true, nil
	}
	var header struct {
		Type audit.Type `json:"type"`
	}
	if err := json.Unmarshal(row.Leaf, &header); err != nil {
		return false, damaged(row.Seq)
	}
	return slices.Contains(s.cfg.Types, header.Type), nil
}

func damaged(seq int64) *failure {
	return failed(codeLog, "entry %d is damaged: see auditlb verify", seq)
}

// errSingly means that the messages of a batch are to be sent one by one: some of them
// may be fine.
var errSingly = errors.New("one by one")

// deliver hands a batch over, and returns how many were taken: none of a batch that went
// to the dead letters.
func (s *stream) deliver(ctx context.Context, batch []message) (taken int, err error) {
	err = s.target.deliver(ctx, batch)
	var refused *rejected
	if !errors.As(err, &refused) {
		return len(batch), err
	}
	if len(batch) > 1 && !refused.final {
		s.singlyUntil = batch[len(batch)-1].seq()
		return 0, errSingly
	}
	if s.refusals+1 < s.attempts() && !refused.final {
		s.refusals++
		return 0, &failure{code: codeRejected, detail: refused.detail}
	}
	if err := s.bury(batch, refused, s.refusals+1); err != nil {
		return 0, err
	}
	s.logger.Error("refused for good: it is among the dead letters", "seq", batch[0].seq(), "entries", len(batch),
		"status", refused.status, "reason", refused.detail, "file", s.dead.path)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen.deadLetters += int64(len(batch))
	s.seen.failure = &api.SinkFailure{Code: codeRejected, Detail: refused.detail, At: s.now().UTC()}
	return 0, nil
}

// attempts is how often a message is sent that is refused. OTLP forbids to repeat it.
func (s *stream) attempts() int {
	if s.cfg.OTLP != nil {
		return 1
	}
	return s.cfg.Attempts
}

// advance moves on behind rows[:at], of which the receiver has just taken some.
func (s *stream) advance(rows []audit.Row, at, taken int) {
	done := &rows[at-1]
	s.last = leafHash(done)
	s.refusals, s.failures = 0, 0
	s.mu.Lock()
	was := s.state
	s.next = done.Seq + 1
	switch {
	case at < len(rows):
		s.oldest = time.UnixMicro(rows[at].Columns.TimeMicros)
	case s.next < s.runner.size.Load():
		s.oldest = time.UnixMicro(done.Columns.TimeMicros) // a little too old, until that is read
	default:
		s.oldest = time.Time{}
	}
	if taken > 0 {
		s.seen.delivered += int64(taken)
		s.seen.success = s.now().UTC()
		s.state = api.SinkRunning
	}
	s.mu.Unlock()
	if taken > 0 && was == api.SinkFailing {
		s.logger.Info("sink works again", "next", done.Seq+1)
	}
}

// note keeps a failure for whoever asks, and returns how long to wait.
func (s *stream) note(ctx context.Context, err error) time.Duration {
	var f *failure
	if !errors.As(err, &f) {
		f = failed(codeUnreachable, "%v", err)
	}
	if f.code == codeClosed && ctx.Err() != nil {
		return 0
	}
	s.failures++
	wait := max(backoff(s.failures, s.runner.opts.MinRetry, s.runner.opts.MaxRetry), f.retryAfter)
	s.mu.Lock()
	level := slog.LevelDebug
	if s.state != api.SinkFailing || s.seen.failure.Code != f.code {
		level = slog.LevelWarn
	}
	next := s.next
	s.set(f)
	s.mu.Unlock()
	if f.stop {
		s.stoppedBy(f, next)
		return 0
	}
	s.logger.Log(ctx, level, "sink failing: its entries wait in the log", "next", next, "code", f.code, "reason", f.detail, "retry_in", wait)
	return wait
}

// set counts a failure. The caller holds mu.
func (s *stream) set(f *failure) {
	s.seen.failures++
	s.seen.failure = &api.SinkFailure{Code: f.code, Detail: f.detail, At: s.now().UTC()}
	if s.state = api.SinkFailing; f.stop {
		s.state = api.SinkStopped
	}
}

func (s *stream) stoppedBy(f *failure, next int64) {
	s.logger.Error("sink stopped: nothing is streamed to it until the next start", "next", next, "code", f.code, "reason", f.detail)
}

// backoff is the wait after n failures in a row: it doubles from least to most, and is
// shortened by up to half at random, so that many don't come back together.
func backoff(n int, least, most time.Duration) time.Duration {
	wait := most
	if shift := n - 1; shift < 30 {
		wait = min(least<<shift, most)
	}
	return wait - time.Duration(rand.Int64N(int64(wait)/2+1))
}
