package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/store/sqlite"
)

// A new signing key waits beside the one in use until the log has an entry that
// names it: from then on it is the key. So a change of key that is cut short
// anywhere has either happened or not, and the next start finds out.

func nextKeyFile(c Config) string { return c.Log.KeyFile + ".next" }

// settleNextKey finishes, or gives up, a change of key that was cut short.
func settleNextKey(c Config, head []byte) error {
	next, err := readSigner(nextKeyFile(c))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	cp, err := audit.OpenCheckpoint(head, next.Verifier())
	if err != nil {
		return os.Remove(nextKeyFile(c))
	}
	return installNextKey(c, cp)
}

// installNextKey puts the new key in place of the old, which is gone then. Head is a
// checkpoint that the new one signed. Under another name it is all that this node has seen.
func installNextKey(c Config, head audit.Checkpoint) error {
	if old, err := readSigner(c.Log.KeyFile); err != nil || old.Origin() != head.Origin {
		if err := replaceFile(c.lastSeenFile(), string(head.Note), 0o600); err != nil {
			return fmt.Errorf("keep what this node sees of the log: %w", err)
		}
	}
	if err := os.Rename(nextKeyFile(c), c.Log.KeyFile); err != nil {
		return fmt.Errorf("put the log's new key in place: %w", err)
	}
	return syncDir(filepath.Dir(c.Log.KeyFile))
}

// makeNextKey makes a new key for an origin and keeps it beside the one in use.
func makeNextKey(c Config, origin string) (*audit.Signer, error) {
	text, err := signingKey(origin)
	if err != nil {
		return nil, err
	}
	if err := replaceFile(nextKeyFile(c), text, 0o600); err != nil {
		return nil, fmt.Errorf("keep the log's new key: %w", err)
	}
	return readSigner(nextKeyFile(c))
}

// KeyChange is what became of a log's key.
type KeyChange struct {
	Seq       int64  `json:"seq"`
	Origin    string `json:"origin"`
	PublicKey string `json:"public_key"`
	// PreviousKey is the one that was in use before.
	PreviousKey string `json:"previous_key"`
}

// operator is in whose name the log is worked on while the runtime is stopped.
var operator = control.Call{Actor: control.System("operator")}

// RotateLogKey changes the signing key of a runtime that is not running. The old
// key signs the change and is gone then.
func RotateLogKey(ctx context.Context, c Config, why string) (KeyChange, error) {
	c.setDefaults()
	controller, done, err := OpenLog(ctx, c)
	if err != nil {
		return KeyChange{}, err
	}
	change, err := rotate(ctx, c, controller, why)
	return change, errors.Join(err, done())
}

func rotate(ctx context.Context, c Config, controller *control.Controller, why string) (KeyChange, error) {
	before := controller.PublicKey()
	next, err := makeNextKey(c, controller.Origin())
	if err != nil {
		return KeyChange{}, err
	}
	outcome, err := controller.RotateKey(ctx, operator, next, why)
	if err != nil {
		return KeyChange{}, err
	}
	head, err := controller.Head(ctx)
	if err != nil {
		return KeyChange{}, err
	}
	if err := errors.Join(installNextKey(c, head), publishKey(c, next)); err != nil {
		return KeyChange{}, err
	}
	return KeyChange{Seq: outcome.Entry.Seq, Origin: next.Origin(), PublicKey: next.PublicKey(), PreviousKey: before}, nil
}

// Restart is how a log goes on after it was put back to an earlier state.
type Restart struct {
	// Origin is its new name; "" is the old one with the time.
	Origin string
	// Reason is why it was put back.
	Reason string
	// PreviousKey is the public key that signed the log as it is now; "" is that of the
	// key file. It is another one when the key was changed since.
	PreviousKey string
}

// RestartLog lets a log that was put back to an earlier state, of a runtime that
// is not running, go on under a new origin and key. The newest checkpoint that this
// node saw of what was lost is cited.
func RestartLog(ctx context.Context, c Config, r Restart) (KeyChange, error) {
	c.setDefaults()
	if err := c.check(); err != nil {
		return KeyChange{}, err
	}
	store, err := sqlite.Open(ctx, c.DataDir, sqlite.Options{MinFree: c.Log.MinFreeBytes})
	if err != nil {
		return KeyChange{}, err
	}
	change, err := restart(ctx, c, store, r)
	return change, errors.Join(err, store.Close())
}

func restart(ctx context.Context, c Config, store control.Store, r Restart) (KeyChange, error) {
	extent, err := store.Extent(ctx)
	if err != nil {
		return KeyChange{}, fmt.Errorf("read the log: %w", err)
	}
	if extent.Entries == 0 {
		return KeyChange{}, errors.New("there is no log here to go on with")
	}
	log := *c.Log
	log.Origin = "" // which the configuration may name anew already
	c.Log = &log
	signer, err := loadSigner(c, false, extent.Note)
	if err != nil {
		return KeyChange{}, err
	}
	if r.PreviousKey == "" {
		r.PreviousKey = signer.PublicKey()
	}
	old, err := note.NewVerifier(r.PreviousKey)
	if err != nil {
		return KeyChange{}, fmt.Errorf("previous public key: %w", err)
	}
	if r.Origin == "" {
		r.Origin = fmt.Sprintf("%s/since-%s", old.Name(), time.Now().UTC().Format("20060102t150405z"))
	}
	next, err := makeNextKey(c, r.Origin)
	if err != nil {
		return KeyChange{}, err
	}
	opts := control.Options{Store: store, Signer: next, Logger: slog.New(slog.DiscardHandler)}
	entry, err := control.Restart(ctx, opts, old, operator, lostCheckpoint(c, old), r.Reason)
	if err != nil {
		// A commit that fails may have taken effect: the next start finds out whether
		// the new key is needed.
		return KeyChange{}, err
	}
	if extent, err = store.Extent(ctx); err != nil {
		return KeyChange{}, err
	}
	head, err := audit.OpenCheckpoint(extent.Note, next.Verifier())
	if err != nil {
		return KeyChange{}, err
	}
	err = errors.Join(installNextKey(c, head), publishKey(c, next))
	return KeyChange{Seq: entry.Seq, Origin: next.Origin(), PublicKey: next.PublicKey(), PreviousKey: r.PreviousKey}, err
}

// lostCheckpoint is what this node saw last, if the key signed it that the log goes
// on from: one of a later key can't be checked with it.
func lostCheckpoint(c Config, old note.Verifier) []byte {
	text, err := os.ReadFile(c.lastSeenFile())
	if err != nil {
		return nil
	}
	if _, err := audit.OpenCheckpoint(text, old); err != nil {
		return nil
	}
	return text
}
