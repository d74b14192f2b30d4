package control

import (
	"context"
	"errors"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/history"
)

// Errors of a store's writes.
var (
	// ErrLogFull means that there is no space for another entry. Nothing was
	// written; writing works again once there is space.
	ErrLogFull = errors.New("the log's storage is full")
	// ErrLogUnavailable means that the write failed or that its result is not
	// known. A retry with the same idempotency key settles it.
	ErrLogUnavailable = errors.New("the log can't be written")
	// ErrLogBroken means that a sync to disk failed: what the disk holds is not
	// known, so nothing more may be written before a restart checks it.
	ErrLogBroken = errors.New("the log's disk failed to sync")
)

// Store is where the log lives. Its obligations:
//
//   - Commit returns nil only once everything in the transaction is on stable
//     storage: it survives kill -9 and power loss.
//   - A transaction is all or nothing, also when the disk is full.
//   - Only one process can have the store open for writing.
//   - Reads see committed transactions only, and each read sees one moment.
type Store interface {
	audit.Source
	Reader
	// Begin starts the write transaction. Only one is open at a time.
	Begin(ctx context.Context) (Tx, error)
	// MarkVerified keeps the checkpoint up to which the log is known to be right.
	MarkVerified(ctx context.Context, note []byte) error
	// KeepLastUses keeps when credentials were last used, over what is kept. It
	// is no part of the log: losing the latest of it loses no change.
	KeepLastUses(ctx context.Context, at map[string]time.Time) error
	// Keep keeps a small value, not empty, beside the log, over what is kept under the key:
	// how far something has read, what somebody else said of the log. It is no part
	// of the log, and takes its turn with the changes, so keep seldom.
	Keep(ctx context.Context, key string, value []byte) error
	Close() error
}

// Reader is what can be read from a store besides the log's raw tables.
type Reader interface {
	history.Log
	// Entry returns an entry, or nil.
	Entry(ctx context.Context, seq int64) (*audit.Row, error)
	// Entries returns the entries that match, newest first.
	Entries(ctx context.Context, q Query) ([]audit.Row, error)
	// Leaves returns the leaves of up to limit entries with seq >= from, in order.
	Leaves(ctx context.Context, from int64, limit int) ([][]byte, error)
	// States returns current states whose resource begins with prefix and which
	// exist, newest change first, made before seq (0: no bound).
	States(ctx context.Context, prefix string, before int64, limit int) ([]audit.Current, error)
	// CountEntries counts the entries of a run by type and refusal.
	CountEntries(ctx context.Context, run string) ([]Count, error)
	// Managed returns, of each object that an accepted change or an import in a run of the
	// workspace is about, the newest such entry of every workspace, by address and workspace.
	Managed(ctx context.Context, workspace string) ([]Managed, error)
	// Managers is Managed for one object, whoever manages it.
	Managers(ctx context.Context, resource string) ([]Managed, error)
	// Workspaces returns the workspaces of all runs that left an entry, sorted.
	Workspaces(ctx context.Context, limit int) ([]string, error)
	// RunSpan returns the seqs of the first and the last accepted change of a run; 0 when
	// there is none.
	RunSpan(ctx context.Context, run string) (first, last int64, err error)
	// TicketUsage returns what was done under a ticket.
	TicketUsage(ctx context.Context, id string) (Usage, error)
	// Orphans returns resources that an accepted apply or identity entry made, with
	// the last such entry, and that have no current state, not even a deleted one:
	// there are none in a log that nobody edited.
	Orphans(ctx context.Context) ([]audit.Current, error)
	// LastUses returns when credentials were last used, to the second.
	LastUses(ctx context.Context) (map[string]time.Time, error)
	// Kept returns what Keep kept under a key, or nil.
	Kept(ctx context.Context, key string) ([]byte, error)
	// Secret returns a sealed secret, or nil.
	Secret(ctx context.Context, id string) ([]byte, error)
}

// Query selects entries. Zero fields select everything.
type Query struct {
	Resource, Run, Ticket, Actor string
	Workspace, Owner             string
	Types                        []audit.Type
	Since, Until                 time.Time
	// Before bounds seq from above, exclusively; 0 is no bound.
	Before int64
	Limit  int
}

// Count is how many entries there are of a type.
type Count struct {
	Type    audit.Type
	Refused bool
	N       int
}

// Managed is the newest entry by which a workspace changed or imported an object.
type Managed struct {
	Resource, Workspace string
	Seq                 int64
	Leaf                []byte
}

// Usage is what was done under a ticket: the apply entries, and how many changes
// under it were refused. What was done to the ticket itself does not count.
type Usage struct {
	Applied, Refused int
	// First and Last are the first and last apply entries; 0 when there are none.
	First, Last int64
	// Appliers are the actors of the apply entries, sorted.
	Appliers []string
}

// Tx is the write transaction. Its reads see its own writes.
type Tx interface {
	// Head returns the size of the log and its signed checkpoint.
	Head(ctx context.Context) (size int64, note []byte, err error)
	// State returns a resource's current state, or nil.
	State(ctx context.Context, resource string) (*audit.Current, error)
	// Answered returns the call that used an idempotency key before, or nil.
	Answered(ctx context.Context, key string) (*Answered, error)
	// Entry returns an entry, or nil.
	Entry(ctx context.Context, seq int64) (*audit.Row, error)
	// PlanOf returns the newest plan entry with an effect digest, of the run
	// if run is not empty; ok is false when there is none.
	PlanOf(ctx context.Context, effect, run string) (seq int64, ok bool, err error)
	// Append writes records with the tree's hashes, folds them into the current
	// state, and keeps their secrets and idempotency keys.
	Append(ctx context.Context, a Appendix) error
	// MarkVerified and Keep do what the store's do, with the transaction.
	MarkVerified(ctx context.Context, note []byte) error
	Keep(ctx context.Context, key string, value []byte) error
	// Commit makes it durable under a new head.
	Commit(ctx context.Context, size int64, note []byte) error
	// Rollback gives up what was not committed. It is safe after Commit.
	Rollback()
}

// Answered is a call that was answered before.
type Answered struct {
	// Key is the idempotency key, already scoped to its actor.
	Key string
	// Digest identifies the call, so that a key can't be reused for another.
	Digest string
	// Seq is the entry that holds the answer.
	Seq int64
	At  time.Time
}

// Secret is a sealed secret to keep, or, when Sealed is nil, to drop.
type Secret struct {
	ID     string
	Sealed []byte
}

// Appendix is what a batch adds to a log.
type Appendix struct {
	Records  []audit.Record
	Hashes   []audit.StoredHash
	States   []audit.Current
	Secrets  []Secret
	Answered []Answered
	// Erase lists entries whose salt and body are erased, never to be read again. A
	// transaction that would erase what a current state is made of fails.
	Erase []int64
}
