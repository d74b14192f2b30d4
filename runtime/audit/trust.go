package audit

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Trust is what whoever checks evidence believes beforehand: keys of logs. It
// grows with the changes of key that those keys vouch for.
type Trust struct {
	keys []note.Verifier
	// added are the keys that came by a change of key, as text.
	added []string
}

// Errors of evidence, for those who tell what is wrong with it apart.
var (
	// ErrNotIncluded means that the path from the entry does not lead to the signed root.
	ErrNotIncluded = errors.New("the entry is not in the tree that the checkpoint signs")
	// ErrHeader means that the header is not one of this entry.
	ErrHeader = errors.New("the header is not the entry's")
	// ErrBody means that the body is not the one the header commits to.
	ErrBody = errors.New("the body is not the one that the header commits to")
	// ErrRotation means that a change of key is not vouched for.
	ErrRotation = errors.New("a change of the log's key is not vouched for by both keys")
)

// NewTrust trusts public keys in the form of sumdb/note.
func NewTrust(vkeys ...string) (*Trust, error) {
	t := &Trust{}
	for _, vkey := range vkeys {
		v, err := note.NewVerifier(vkey)
		if err != nil {
			return nil, fmt.Errorf("public key: %w", err)
		}
		t.keys = append(t.keys, v)
	}
	if len(t.keys) == 0 {
		return nil, errors.New("no public key to check with")
	}
	return t, nil
}

// Added are the public keys that came to be trusted by changes of key, in order.
func (t *Trust) Added() []string { return t.added }

// OpenCheckpoint is [OpenCheckpoint] with any of the keys.
func (t *Trust) OpenCheckpoint(signed []byte) (Checkpoint, error) {
	var first error
	for _, key := range t.keys {
		cp, err := OpenCheckpoint(signed, key)
		if err == nil {
			return cp, nil
		}
		if first == nil {
			first = err
		}
	}
	return Checkpoint{}, first
}

// Follow checks changes of key, in order, and from then on trusts the keys that
// they lead to. Those that no trusted key has signed are passed over: they
// happened before what is known, or lead nowhere, which what they should have led to then
// shows. Its errors wrap ErrRotation.
func (t *Trust) Follow(rotations []Proof) error {
	for i := range rotations {
		if err := t.follow(&rotations[i]); err != nil {
			return err
		}
	}
	return nil
}

func (t *Trust) follow(p *Proof) error {
	record, err := p.Record()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRotation, err)
	}
	change, err := KeyChange(&record)
	if err != nil {
		return err
	}
	next, err := note.NewVerifier(change.PublicKey)
	if err != nil || next.Name() != change.Origin {
		return fmt.Errorf("%w: the new key is not one of %q", ErrRotation, change.Origin)
	}
	for _, key := range t.keys {
		if key.Name() == next.Name() && key.KeyHash() == next.KeyHash() {
			return nil
		}
	}
	checked, err := t.check(p)
	if errors.Is(err, ErrBadCheckpoint) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: entry %d: %w", ErrRotation, p.Seq, err)
	}
	if checked.Checkpoint.Origin != next.Name() {
		return fmt.Errorf("%w: it is of another log", ErrRotation)
	}
	if _, err := OpenCheckpoint(p.Checkpoint, next); err != nil {
		return fmt.Errorf("%w: entry %d: the new key did not sign it", ErrRotation, p.Seq)
	}
	t.keys = append(t.keys, next)
	t.added = append(t.added, change.PublicKey)
	return nil
}

// Checked is an entry that was found to be in a log.
type Checked struct {
	Record     Record
	Checkpoint Checkpoint
}

// CheckProof checks a proof: that a trusted key signed the checkpoint, following
// the changes of key that the proof carries, that the entry is in its tree, and
// that the body, unless it was erased, is the one the entry commits to. Its
// errors wrap ErrBadCheckpoint, ErrRotation, ErrNotIncluded, ErrHeader or ErrBody.
func (t *Trust) CheckProof(p *Proof) (Checked, error) {
	if err := t.Follow(p.Rotations); err != nil {
		return Checked{}, err
	}
	return t.check(p)
}

func (t *Trust) check(p *Proof) (Checked, error) {
	cp, err := t.OpenCheckpoint(p.Checkpoint)
	if err != nil {
		return Checked{}, err
	}
	if p.Seq >= cp.Size || tlog.CheckRecord(p.Hashes, cp.Size, cp.Root, p.Seq, tlog.RecordHash(p.Leaf)) != nil {
		return Checked{}, ErrNotIncluded
	}
	record, err := p.Record()
	if err != nil {
		return Checked{}, fmt.Errorf("%w: the %w", ErrHeader, err)
	}
	if record.Entry.Seq != p.Seq {
		return Checked{}, fmt.Errorf("%w: it belongs to entry %d", ErrHeader, record.Entry.Seq)
	}
	if p.Body != nil && !record.BodyMatches() {
		return Checked{}, ErrBody
	}
	return Checked{record, cp}, nil
}

// ResourceLog is the resource of the entries that are about the log itself.
const ResourceLog = "log"

// Operations on the log itself.
const (
	// OpCreate begins a log.
	OpCreate = "create"
	// OpRotate changes the key, under the same origin.
	OpRotate = "rotate"
	// OpRestart goes on under a new origin and key after entries were lost.
	OpRestart = "restart"
)

// LogKey is what an entry about the log's key says: the first entry of a log,
// every change of key, and every restart.
type LogKey struct {
	Origin    string `json:"origin"`
	PublicKey string `json:"public_key"`
	// PreviousKey is the key that was in use before a change of key.
	PreviousKey string `json:"previous_key,omitzero"`
	// PreviousOrigin is the name before a restart, PreviousCheckpoint what the log
	// goes on from, and LostCheckpoint the newest that is known of what it lost.
	PreviousOrigin     string `json:"previous_origin,omitzero"`
	PreviousCheckpoint string `json:"previous_checkpoint,omitzero"`
	LostCheckpoint     string `json:"lost_checkpoint,omitzero"`
	// Reason is why it was done.
	Reason string `json:"reason,omitzero"`
}

// KeyChange reads an entry as a change of key, whose body must be there and its own.
func KeyChange(r *Record) (LogKey, error) {
	var key LogKey
	e := &r.Entry
	if e.Type != TypeSystem || e.Resource != ResourceLog || e.Op != OpRotate || e.Outcome != OutcomeOK {
		return key, fmt.Errorf("%w: entry %d changes no key", ErrRotation, e.Seq)
	}
	if !r.BodyMatches() {
		return key, fmt.Errorf("%w: entry %d: %w", ErrRotation, e.Seq, ErrBody)
	}
	if key, err := ParseLogKey(r.Body); err == nil {
		return key, nil
	}
	return key, fmt.Errorf("%w: entry %d names no key", ErrRotation, e.Seq)
}

// ParseLogKey reads the body of an entry about the log's key.
func ParseLogKey(b []byte) (key LogKey, err error) {
	body, err := ParseBody(b)
	if err != nil {
		return key, err
	}
	if json.Unmarshal(body.After, &key) != nil || key.PublicKey == "" {
		return key, errors.New("body names no key of the log")
	}
	return key, nil
}
