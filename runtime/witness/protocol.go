package witness

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// The add-checkpoint call (C2SP tlog-witness).
const (
	addCheckpoint = "/add-checkpoint"
	// sizeType is the media type of a conflict's body: a tree size, in decimal.
	sizeType = "text/x.tlog.size"
	// MaxProof is how many lines a consistency proof may have.
	MaxProof = 63
	// MaxRequest bounds a request, in bytes: a proof takes 2,835, the rest is for the
	// checkpoint.
	MaxRequest = 64 << 10
	// maxSize bounds the size of a tree, as package audit does.
	maxSize = 1 << 62
)

// ErrMalformed means that a request, checkpoint or tree size is not of the form that
// the protocol gives it.
var ErrMalformed = errors.New("not well formed")

// Request is what add-checkpoint is called with: a checkpoint and the proof that it
// extends the one that the witness has.
type Request struct {
	// Old is the size of the checkpoint that the witness has; 0 for none.
	Old   int64
	Proof tlog.TreeProof
	// Checkpoint is the signed note.
	Checkpoint []byte
}

// Marshal writes the request's body.
func (r *Request) Marshal() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "old %d\n", r.Old)
	for _, hash := range r.Proof {
		fmt.Fprintln(&b, hash)
	}
	b.WriteByte('\n')
	b.Write(r.Checkpoint)
	return b.Bytes()
}

// ParseRequest reads a request's body. The checkpoint is left as it is: only who knows
// the log's keys can judge it. Errors are ErrMalformed.
func ParseRequest(body []byte) (Request, error) {
	if len(body) > MaxRequest {
		return Request{}, fmt.Errorf("%w: the request is larger than %d bytes", ErrMalformed, MaxRequest)
	}
	head, checkpoint, ok := bytes.Cut(body, []byte("\n\n"))
	if !ok || len(checkpoint) == 0 {
		return Request{}, fmt.Errorf("%w: there is no empty line with a checkpoint after it", ErrMalformed)
	}
	first, rest, more := strings.Cut(string(head), "\n")
	old, ok := strings.CutPrefix(first, "old ")
	if !ok {
		return Request{}, fmt.Errorf("%w: the first line is not the old size", ErrMalformed)
	}
	r := Request{Checkpoint: checkpoint}
	var err error
	if r.Old, err = parseSize(old); err != nil {
		return Request{}, fmt.Errorf("the old size: %w", err)
	}
	if !more {
		return r, nil
	}
	for line := range strings.SplitSeq(rest, "\n") {
		if len(r.Proof) == MaxProof {
			return Request{}, fmt.Errorf("%w: the proof has more than %d lines", ErrMalformed, MaxProof)
		}
		hash, err := parseHash(line)
		if err != nil {
			return Request{}, fmt.Errorf("proof line %d: %w", len(r.Proof)+1, err)
		}
		r.Proof = append(r.Proof, hash)
	}
	return r, nil
}

// parseSize reads a tree size: ASCII decimal without leading zeros.
func parseSize(text string) (int64, error) {
	size, err := strconv.ParseUint(text, 10, 64)
	if err != nil || size > maxSize || strconv.FormatUint(size, 10) != text {
		return 0, fmt.Errorf("%w: it is no tree size", ErrMalformed)
	}
	return int64(size), nil
}

// parseHash reads a hash in base64, of which each has one form only.
func parseHash(text string) (tlog.Hash, error) {
	hash, err := tlog.ParseHash(text)
	if err != nil || hash.String() != text {
		return tlog.Hash{}, fmt.Errorf("%w: it is no hash in base64", ErrMalformed)
	}
	return hash, nil
}

// head is what the text of a checkpoint says (C2SP tlog-checkpoint).
type head struct {
	origin string
	size   int64
	root   tlog.Hash
}

// parseHead reads a checkpoint's text, as opposed to its signatures, strictly.
func parseHead(text string) (h head, err error) {
	text, ok := strings.CutSuffix(text, "\n")
	lines := strings.Split(text, "\n")
	if !ok || len(lines) < 3 {
		return h, fmt.Errorf("%w: a checkpoint has at least three lines", ErrMalformed)
	}
	for _, line := range lines {
		if line == "" {
			return h, fmt.Errorf("%w: a line of the checkpoint is empty", ErrMalformed)
		}
	}
	h.origin = lines[0]
	if h.size, err = parseSize(lines[1]); err != nil {
		return h, fmt.Errorf("the checkpoint's second line: %w", err)
	}
	if h.root, err = parseHash(lines[2]); err != nil {
		return h, fmt.Errorf("the checkpoint's third line: %w", err)
	}
	return h, nil
}

// originOf is the first line of a checkpoint, signed or not.
func originOf(checkpoint []byte) string {
	line, _, _ := bytes.Cut(checkpoint, []byte("\n"))
	return string(line)
}

// originHash is the name of an origin in paths.
func originHash(origin string) string {
	sum := sha256.Sum256([]byte(origin))
	return hex.EncodeToString(sum[:])
}

// emptyRoot is the root of a tree without leaves (RFC 6962, section 2.1).
var emptyRoot = tlog.Hash(sha256.Sum256(nil))

// openUnverified reads a note whose signatures need no check, because it comes from
// ourselves. They all are in UnverifiedSigs.
func openUnverified(signed []byte) (*note.Note, error) {
	_, err := note.Open(signed, note.VerifierList())
	var unverified *note.UnverifiedNoteError
	if errors.As(err, &unverified) {
		return unverified.Note, nil
	}
	return nil, err
}
