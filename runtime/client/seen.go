package client

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
)

// Seen is what somebody saw of a log, to be kept and held against it later.
type Seen struct {
	// PublicKey is the key that Checkpoint is checked with.
	PublicKey string `json:"public_key"`
	// Checkpoint is a C2SP tlog-checkpoint.
	Checkpoint string `json:"checkpoint"`
	// At is when it was seen.
	At time.Time `json:"at"`
}

// ErrUnreadable means that what was kept as seen is not a checkpoint signed by the key
// beside it: it was damaged where it was kept, and says nothing of the log.
var ErrUnreadable = errors.New("what was seen of the log is not readable")

// Open checks the signature and reads what was seen. Its errors wrap [ErrUnreadable].
func (s Seen) Open() (audit.Checkpoint, error) {
	key, err := note.NewVerifier(s.PublicKey)
	if err != nil {
		return audit.Checkpoint{}, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	cp, err := audit.OpenCheckpoint([]byte(s.Checkpoint), key)
	if err != nil {
		return audit.Checkpoint{}, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	return cp, nil
}

// ErrNotCheckpoint means that a text is not a checkpoint of the log.
var ErrNotCheckpoint = audit.ErrBadCheckpoint

// HistoryError means that a log is not a continuation of what was seen of it.
type HistoryError struct {
	// Kind is what is wrong.
	Kind HistoryKind
	// Seen is what was seen before, and Now what the log says now.
	Seen, Now Seen
	// SeenSize and NowSize are the numbers of entries.
	SeenSize, NowSize int64
	// Restart is set when the log says that it was restarted since.
	Restart *api.LogRestart
}

// HistoryKind is how a log is not what it was.
type HistoryKind string

// The kinds of [HistoryError].
const (
	// RolledBack: it has fewer entries than were seen.
	RolledBack HistoryKind = "rolled back"
	// Rewritten: it has other entries than were seen.
	Rewritten HistoryKind = "rewritten"
	// Unsigned: its checkpoint is not signed by a key that is trusted.
	Unsigned HistoryKind = "not signed by a trusted key"
	// Restarted: it goes on under another name, and says so.
	Restarted HistoryKind = "restarted"
	// Contradictory: its tree is not the one that its own checkpoint signs.
	Contradictory HistoryKind = "contradictory"
)

// Error implements error.
func (e *HistoryError) Error() string {
	when := "before"
	if !e.Seen.At.IsZero() {
		when = "at " + e.Seen.At.UTC().Format(time.RFC3339)
	}
	seen := fmt.Sprintf("%d entries were seen %s", e.SeenSize, when)
	switch e.Kind {
	case RolledBack:
		return fmt.Sprintf("the change log was rolled back: %s, and now it has %d", seen, e.NowSize)
	case Rewritten:
		return fmt.Sprintf("the change log was rewritten: the first %d of its %d entries are not those that were seen %s", e.SeenSize, e.NowSize, when)
	case Restarted:
		return fmt.Sprintf("the change log was restarted under the name %s by %s at %s (%s): %s under the name before",
			e.Restart.Origin, e.Restart.Actor, e.Restart.Time.UTC().Format(time.RFC3339), e.Restart.Reason, seen)
	case Unsigned:
		const text = "the change log is not signed by the key that is trusted, nor by one that it vouches for"
		if e.SeenSize == 0 {
			return text
		}
		return text + ": " + seen
	}
	return "the change log's tree is not the one that its own checkpoint signs"
}
