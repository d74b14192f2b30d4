package client

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
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

	mu   sync.Mutex // guards what follows; held while the log is read
	log  *api.Log
	head audit.Checkpoint
	tree *Tree
	// read is log and head, when they were read.
	read   Seen
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
	seen := h.read
	if cp := h.client.checkpoint.newest(); cp.Size > h.head.Size && cp.Origin == h.head.Origin {
		seen.Checkpoint, seen.At = string(cp.Note), h.seen(h.log).At
	}
	return seen, nil
}

func (h *LogHistory) seen(log *api.Log) Seen {
	return Seen{PublicKey: log.PublicKey, Checkpoint: log.Checkpoint, At: h.now().UTC().Truncate(time.Second)}
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
	return h.about(h.tree.has(ctx, kept), seen, kept)
}

// Check returns nil when the log has what was seen of it, a [*HistoryError] when
// it has not, and any other error when that could not be found out: one that wraps
// [ErrUnreadable] when what was seen is not what a log signed. What was seen under
// another name is let go when the pin is the key of the new name.
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
	if before.Origin != h.head.Origin && h.pin != "" {
		return nil // load has held the log to the pin: let go
	}
	if err := vouched(seen.PublicKey, before.Origin, h.log, h.head); err != nil {
		return h.about(err, seen, before)
	}
	return h.about(h.tree.has(ctx, before), seen, before)
}

// about completes an error with what was seen and what is, unless it is of what was
// read before.
func (h *LogHistory) about(err error, seen Seen, before audit.Checkpoint) error {
	var wrong *HistoryError
	if errors.As(err, &wrong) && wrong.Seen == (Seen{}) {
		wrong.Seen, wrong.SeenSize = seen, before.Size
		if wrong.Now == (Seen{}) && h.log != nil {
			wrong.Now, wrong.NowSize = h.read, h.head.Size
		}
	}
	return err
}

// vouched returns nil when the key that was seen leads to the log's, and otherwise a
// [*HistoryError]: Restarted when the log says of itself that it was, from the name
// that was seen to the one it has.
func vouched(key, origin string, log *api.Log, head audit.Checkpoint) error {
	if origin == head.Origin {
		if key == log.PublicKey || leads(key, log) {
			return nil
		}
		return &HistoryError{Kind: Unsigned}
	}
	from := func(r api.LogRestart) bool { return r.PreviousOrigin == origin }
	if last := len(log.Restarts) - 1; last >= 0 && log.Restarts[last].Origin == head.Origin && slices.ContainsFunc(log.Restarts, from) {
		return &HistoryError{Kind: Restarted, Restart: &log.Restarts[last]}
	}
	return &HistoryError{Kind: Unsigned}
}

// leads reports whether a key, or one that it vouches for, signed the log's
// checkpoint.
func leads(key string, log *api.Log) bool {
	trust, err := audit.NewTrust(key)
	if err != nil || len(log.Rotations) > audit.MaxRotations {
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
// entries. What was read before must be part of it, or it stays what the log is held to.
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
	// What the checkpoint says is signed; what stands beside it is not.
	log.Origin, log.Size, log.Root = head.Origin, head.Size, head.Root.String()
	if _, err := audit.OpenCheckpoint([]byte(log.Cosigned), key); err != nil {
		log.Cosigned = ""
	}
	if h.pin != "" && !leads(h.pin, log) {
		return &HistoryError{Kind: Unsigned, Now: h.seen(log), NowSize: head.Size}
	}
	tree := h.client.Tree(head)
	if h.log != nil {
		if err := h.goesOn(ctx, log, tree); err != nil {
			return err
		}
	}
	h.log, h.head, h.tree, h.read = log, head, tree, h.seen(log)
	h.client.checkpoint.believe(key)
	return nil
}

// goesOn returns nil when what was read now is a continuation of what was before.
func (h *LogHistory) goesOn(ctx context.Context, log *api.Log, tree *Tree) error {
	err := vouched(h.log.PublicKey, h.head.Origin, log, tree.head)
	if err == nil {
		err = tree.has(ctx, h.head)
	}
	var wrong *HistoryError
	if errors.As(err, &wrong) {
		wrong.Seen, wrong.SeenSize = h.read, h.head.Size
		wrong.Now, wrong.NowSize = h.seen(log), tree.head.Size
	}
	return err
}
