package audit

import (
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/transparency-dev/formats/log"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint is a signed statement of a log's size and root
// (C2SP tlog-checkpoint).
type Checkpoint struct {
	Origin string
	Size   int64
	Root   tlog.Hash
	// Note is the signed text that the rest was read from.
	Note []byte
}

// maxTreeSize bounds a checkpoint's size: near 1<<62 the numbers of a tree's hashes no
// longer fit in 64 bits, and looking for them would not end.
const maxTreeSize = 1 << 56

// ErrBadCheckpoint means that a checkpoint's form, origin or signature is wrong.
var ErrBadCheckpoint = errors.New("checkpoint not valid")

// Signer signs checkpoints of one log.
type Signer struct {
	signer   note.Signer
	verifier note.Verifier
	vkey     string
}

// NewSigner makes a signer from a private key in the form of sumdb/note. The
// key's name is the log's origin.
func NewSigner(skey, vkey string) (*Signer, error) {
	s, err := note.NewSigner(skey)
	if err != nil {
		return nil, errors.New("log signing key is not valid")
	}
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return nil, errors.New("log public key is not valid")
	}
	if s.Name() != v.Name() || s.KeyHash() != v.KeyHash() {
		return nil, errors.New("log signing key and public key do not belong together")
	}
	return &Signer{s, v, vkey}, nil
}

// GenerateKey makes an Ed25519 key pair for a log.
func GenerateKey(origin string) (skey, vkey string, err error) {
	return note.GenerateKey(rand.Reader, origin)
}

// Origin is the log's name.
func (s *Signer) Origin() string { return s.signer.Name() }

// PublicKey is the verifier key that checks this signer's checkpoints.
func (s *Signer) PublicKey() string { return s.vkey }

// Verifier checks this signer's checkpoints.
func (s *Signer) Verifier() note.Verifier { return s.verifier }

// Sign makes a checkpoint of a tree. Other keys of the same origin may sign it too.
func (s *Signer) Sign(t *Tree, also ...*Signer) (Checkpoint, error) {
	root := t.Root()
	text := log.Checkpoint{Origin: s.Origin(), Size: uint64(t.Size()), Hash: root[:]}.Marshal()
	signers := []note.Signer{s.signer}
	for _, other := range also {
		signers = append(signers, other.signer)
	}
	signed, err := note.Sign(&note.Note{Text: string(text)}, signers...)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("sign checkpoint: %w", err)
	}
	return Checkpoint{s.Origin(), t.Size(), root, signed}, nil
}

// OpenCheckpoint reads a checkpoint and checks its origin and signature.
func OpenCheckpoint(signed []byte, v note.Verifier) (Checkpoint, error) {
	if _, _, _, err := log.ParseCheckpoint(signed, v.Name(), v); err != nil {
		return Checkpoint{}, fmt.Errorf("%w: %w", ErrBadCheckpoint, err)
	}
	return ReadCheckpoint(signed)
}

// ReadCheckpoint reads a checkpoint without checking who signed it: for one whose
// reader trusts where it was kept.
func ReadCheckpoint(signed []byte) (Checkpoint, error) {
	var c log.Checkpoint
	if _, err := c.Unmarshal(signed); err != nil {
		return Checkpoint{}, fmt.Errorf("%w: %w", ErrBadCheckpoint, err)
	}
	var root tlog.Hash
	if len(c.Hash) != len(root) || c.Size > maxTreeSize {
		return Checkpoint{}, fmt.Errorf("%w: hash or size out of range", ErrBadCheckpoint)
	}
	copy(root[:], c.Hash)
	return Checkpoint{c.Origin, int64(c.Size), root, signed}, nil
}
