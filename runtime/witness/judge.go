package witness

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Kinds of evidence. A second root for one size convicts the log by itself. A proof
// that fails does not: anyone can bring a checkpoint with a wrong one.
const (
	evidenceRoot  = "root"
	evidenceProof = "proof"
)

// refusal is why a checkpoint is not signed, as an answer of the protocol.
type refusal struct {
	status int
	// reason is for people: it has nothing of the witness's own.
	reason string
	// size is what a conflict is answered with.
	size int64
	// evidence is what kind of evidence the checkpoint is against its log; "" for none.
	evidence string
}

// Error implements error.
func (r *refusal) Error() string { return r.reason }

func refuse(status int, format string, args ...any) *refusal {
	return &refusal{status: status, reason: fmt.Sprintf(format, args...)}
}

// record is what is kept of a refusal: what was signed before, and what does not fit.
func (r *refusal) record(before *signed, checkpoint []byte) []byte {
	text := fmt.Sprintf("time %s\nwhy %s\n", time.Now().UTC().Format(time.RFC3339), r.reason)
	if before != nil {
		text += "\nsigned before:\n\n" + string(before.note)
	}
	return []byte(text + "\nbrought now:\n\n" + string(checkpoint) + "\n----\n\n")
}

// size is that of what was signed last; 0 when nothing was.
func (w *watched) size() int64 {
	if last := w.latest.Load(); last != nil {
		return last.size
	}
	return 0
}

// open reads a checkpoint that one of the log's keys signed. The note has no other
// verified signatures. Errors are refusals.
func (w *watched) open(checkpoint []byte) (*note.Note, head, error) {
	n, err := note.Open(checkpoint, w.keys)
	var unverified *note.UnverifiedNoteError
	var wrong *note.InvalidSignatureError
	switch {
	case errors.As(err, &unverified):
		return nil, head{}, refuse(http.StatusForbidden, "no signature is of a key of this log that the witness knows")
	case errors.As(err, &wrong):
		return nil, head{}, refuse(http.StatusForbidden, "a signature by the log's key does not verify")
	case err != nil:
		return nil, head{}, refuse(http.StatusBadRequest, "the checkpoint is no signed note")
	}
	h, err := parseHead(n.Text)
	if err != nil {
		return nil, head{}, refuse(http.StatusBadRequest, "%v", err)
	}
	return n, h, nil
}

// judge decides whether a checkpoint whose signature is good may be signed: nil when
// it may. The caller holds deciding. The order is the specification's.
func (w *watched) judge(r *Request, next head) *refusal {
	last := w.latest.Load()
	switch {
	case r.Old > next.size:
		return refuse(http.StatusBadRequest, "the old size is beyond the checkpoint's")
	case r.Old != w.size():
		return &refusal{status: http.StatusConflict, reason: "the witness has another checkpoint", size: w.size()}
	case next.size == 0 && next.root != emptyRoot:
		return &refusal{status: http.StatusUnprocessableEntity, reason: "the root is not that of an empty tree", evidence: evidenceRoot}
	case r.Old == 0 && len(r.Proof) > 0:
		return refuse(http.StatusUnprocessableEntity, "from size 0 there is nothing to prove")
	case r.Old == 0:
		return nil
	case r.Old == next.size && next.root != last.root:
		return &refusal{status: http.StatusUnprocessableEntity, reason: "there is another root for a tree of this size", evidence: evidenceRoot}
	case tlog.CheckTree(r.Proof, next.size, next.root, r.Old, last.root) != nil:
		return &refusal{status: http.StatusUnprocessableEntity, reason: "the proof does not lead from the checkpoint before to this one", evidence: evidenceProof}
	}
	return nil
}
