package client

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
)

// LogHistory holds a log against what was seen of it. It reads the log's newest
// checkpoint once and again only when that is older than what was seen, and the
// tiles that lead to it. It is safe for concurrent use.
type LogHistory struct {
	client *Client
	pin    string
	now    func() time.Time

	mu     sync.Mutex // guards what follows; held while the log is read
	log    *api.Log
	head   audit.Checkpoint
	tree   *Tree
	judged map[Seen]error
}

// LogHistory returns what checks the log's history. A pin is a public key that the
// log must be signed by, or by one that it vouches for; without one that is the
// key that was seen.
func (c *Client) LogHistory(pin string) *LogHistory {
	return &LogHistory{client: c, pin: pin, now: time.Now, judged: map[Seen]error{}}
}

// Latest returns the log's newest checkpoint that is known, for keeping: read by
// this history, and checked against the pin if there is one, or come with the
// answer to a change that the client made, and signed by the same key.
func (h *LogHistory) Latest(ctx context.Context) (Seen, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.load(ctx, 0); err != nil {
		return Seen{}, err
	}
	seen := h.seen()
	key, err := note.NewVerifier(h.log.PublicKey)
	if err != nil {
		return Seen{}, err
	}
	if cp, err := audit.OpenCheckpoint(h.client.checkpoint.newest(), key); err == nil && cp.Size > h.head.Size {
		seen.Checkpoint = string(cp.Note)
	}
	return seen, nil
}

func (h *LogHistory) seen() Seen {
	return Seen{PublicKey: h.log.PublicKey, Checkpoint: h.log.Checkpoint, At: h.now().UTC().Truncate(time.Second)}
}

// Log reads the log's name, key and newest checkpoint. It is a continuation of
// what was read before, and held to the pin.
func (h *LogHistory) Log(ctx context.Context) (*api.Log, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.load(ctx, math.MaxInt64); err != nil {
		return nil, err
	}
	log := *h.log
	return &log, nil
}

// Contains is Check for a checkpoint that was kept without the key it was signed
// with: the log must have its tree.
func (h *LogHistory) Contains(ctx context.Context, checkpoint string) error {
	kept, err := audit.ReadCheckpoint([]byte(checkpoint))
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	seen := Seen{Checkpoint: checkpoint}
	if err := h.load(ctx, kept.Size); err != nil {
		return h.about(err, seen, kept)
	}
	if kept.Origin != h.head.Origin {
		return fmt.Errorf("%w: it is of the log %q, and this is %q", audit.ErrBadCheckpoint, kept.Origin, h.head.Origin)
	}
	return h.about(h.has(ctx, kept), seen, kept)
}

// Check returns nil when the log has what was seen of it, a [*HistoryError] when
// it has not, and any other error when that could not be found out. What was seen
// under another name is let go when the pin is the key of the new name.
func (h *LogHistory) Check(ctx context.Context, seen Seen) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err, ok := h.judged[seen]; ok {
		return err
	}
	err := h.check(ctx, seen)
	var wrong *HistoryError
	if err == nil || errors.As(err, &wrong) {
		h.judged[seen] = err
	}
	return err
}

func (h *LogHistory) check(ctx context.Context, seen Seen) error {
	before, err := seen.Open()
	if err != nil {
		return err
	}
	if err := h.load(ctx, before.Size); err != nil {
		return h.about(err, seen, before)
	}
	if kind, restart := h.vouched(seen, before); kind != "" {
		return h.about(&HistoryError{Kind: kind, Restart: restart}, seen, before)
	}
	if before.Origin != h.head.Origin {
		return nil // let go
	}
	return h.about(h.has(ctx, before), seen, before)
}

// has returns nil when the log has the tree that a checkpoint of it signs.
func (h *LogHistory) has(ctx context.Context, before audit.Checkpoint) error {
	if before.Size > h.head.Size {
		return &HistoryError{Kind: RolledBack}
	}
	root, err := h.tree.RootAt(ctx, before.Size)
	if err == nil && root != before.Root {
		err = &HistoryError{Kind: Rewritten}
	}
	return err
}

// about completes an error with what was seen and what is.
func (h *LogHistory) about(err error, seen Seen, before audit.Checkpoint) error {
	var wrong *HistoryError
	if errors.As(err, &wrong) {
		wrong.Seen, wrong.SeenSize = seen, before.Size
		if h.log != nil {
			wrong.Now, wrong.NowSize = h.seen(), h.head.Size
		}
	}
	return err
}

// vouched says whether the key that was seen leads to the log's, or "".
func (h *LogHistory) vouched(seen Seen, before audit.Checkpoint) (HistoryKind, *api.LogRestart) {
	if seen.PublicKey == h.log.PublicKey {
		return "", nil
	}
	if before.Origin != h.head.Origin {
		if h.pin != "" {
			return "", nil // load has held the log to the pin
		}
		for i := len(h.log.Restarts) - 1; i >= 0; i-- {
			return Restarted, &h.log.Restarts[i]
		}
		return Unsigned, nil
	}
	if !leads(seen.PublicKey, h.log) {
		return Unsigned, nil
	}
	return "", nil
}

// leads reports whether a key, or one that it vouches for, signed the log's
// checkpoint.
func leads(key string, log *api.Log) bool {
	trust, err := audit.NewTrust(key)
	if err != nil {
		return false
	}
	for _, text := range log.Rotations {
		rotation, err := audit.ParseProof([]byte(text))
		if err != nil || trust.Follow([]audit.Proof{rotation}) != nil {
			return false
		}
	}
	_, err = trust.OpenCheckpoint([]byte(log.Checkpoint))
	return err == nil
}

// load reads the log's newest checkpoint, unless one is at hand that has so many
// entries. What was read before must be part of it.
func (h *LogHistory) load(ctx context.Context, size int64) error {
	if h.log != nil && h.head.Size >= size {
		return nil
	}
	log, err := h.client.Log(ctx)
	if err != nil {
		return err
	}
	key, err := note.NewVerifier(log.PublicKey)
	if err != nil {
		return &HistoryError{Kind: Unsigned}
	}
	head, err := audit.OpenCheckpoint([]byte(log.Checkpoint), key)
	if err != nil {
		return &HistoryError{Kind: Unsigned}
	}
	if h.pin != "" && !leads(h.pin, log) {
		return &HistoryError{Kind: Unsigned}
	}
	before, known := h.head, h.log != nil
	h.log, h.head, h.tree = log, head, h.client.Tree(head)
	if known {
		return h.has(ctx, before)
	}
	return nil
}
