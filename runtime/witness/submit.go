package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	f_note "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	// DefaultTimeout bounds bringing a checkpoint to a witness, with a second try after a
	// conflict.
	DefaultTimeout = 10 * time.Second
	// maxAnswer bounds a witness's answer, in bytes.
	maxAnswer = 64 << 10
	// maxAhead is how far a cosignature's time may lie in the future.
	maxAhead = time.Hour
)

// prover proves that the log of to entries extends that of from.
type prover func(ctx context.Context, from, to int64) (tlog.TreeProof, error)

// submitter brings checkpoints to one witness.
type submitter struct {
	Witness
	http *http.Client
}

// newHTTPClient is what witnesses are spoken to with. What it is told is hostile: it
// follows no redirect, and nothing is unpacked.
func newHTTPClient() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DisableCompression = true
	t.MaxResponseHeaderBytes = 16 << 10
	return &http.Client{Transport: t, CheckRedirect: noRedirect}
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// submit has a witness cosign a checkpoint; old is the size of what it signed last, as far
// as we know. When that is wrong it says so, and is asked once more. Errors are
// *Failure.
func (s *submitter) submit(ctx context.Context, checkpoint *note.Note, h head, old int64, prove prover) (note.Signature, error) {
	sig, theirs, err := s.try(ctx, checkpoint, h, old, prove)
	if err == nil && theirs >= 0 {
		// It has something else than we thought.
		sig, theirs, err = s.try(ctx, checkpoint, h, theirs, prove)
		if err == nil && theirs >= 0 {
			err = &Failure{Code: CodeRefused, Status: http.StatusConflict, Theirs: theirs}
		}
	}
	var f *Failure
	if errors.As(err, &f) {
		f.Witness, f.Size = s.Name, h.size
	}
	return sig, err
}

// try asks once. theirs is not -1 when there is no error, but the witness has a
// checkpoint of another size than old.
func (s *submitter) try(ctx context.Context, checkpoint *note.Note, h head, old int64, prove prover) (sig note.Signature, theirs int64, err error) {
	if old > h.size {
		// It has said so, or we hold its signature.
		return sig, -1, &Failure{Code: CodeRolledBack, Theirs: old}
	}
	request := Request{Old: old}
	if request.Checkpoint, err = note.Sign(checkpoint); err != nil {
		return sig, -1, &Failure{Code: CodeLogUnreadable, Theirs: old, err: err}
	}
	if old > 0 {
		if request.Proof, err = prove(ctx, old, h.size); err != nil {
			return sig, -1, &Failure{Code: CodeLogUnreadable, Theirs: old, err: err}
		}
	}
	status, mediaType, answer, err := s.post(ctx, request.Marshal())
	if err != nil {
		return sig, -1, &Failure{Code: CodeUnreachable, Theirs: old, err: err}
	}
	failed := func(code Code, err error) *Failure {
		return &Failure{Code: code, Status: status, Theirs: old, err: err}
	}
	switch {
	case status == http.StatusOK:
		if sig, err = s.cosignature(checkpoint.Text, answer); err != nil {
			return sig, -1, failed(CodeBadAnswer, err)
		}
		return sig, -1, nil
	case status == http.StatusConflict:
		text, ok := strings.CutSuffix(string(answer), "\n")
		theirs, err := parseSize(text)
		if !ok || err != nil || mediaType != sizeType || theirs == old {
			return sig, -1, failed(CodeBadAnswer, errors.New("the conflict names no other size"))
		}
		return sig, theirs, nil
	case status == http.StatusUnprocessableEntity:
		return sig, -1, failed(CodeInconsistent, nil)
	case status == http.StatusNotFound:
		return sig, -1, failed(CodeUnknownLog, nil)
	case status == http.StatusForbidden:
		return sig, -1, failed(CodeForbidden, nil)
	case status == http.StatusTooManyRequests, status >= 500:
		return sig, -1, failed(CodeUnreachable, nil)
	}
	return sig, -1, failed(CodeRefused, nil)
}

func (s *submitter) post(ctx context.Context, body []byte) (status int, mediaType string, answer []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+addCheckpoint, bytes.NewReader(body))
	if err != nil {
		return 0, "", nil, err
	}
	r.Header.Set("Content-Type", "text/plain; charset=utf-8")
	r.Header.Set("User-Agent", "auditlb")
	response, err := s.http.Do(r)
	if err != nil {
		return 0, "", nil, err
	}
	defer response.Body.Close()
	// What is cut off verifies no more.
	answer, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	mediaType, _, _ = mime.ParseMediaType(response.Header.Get("Content-Type"))
	return response.StatusCode, mediaType, answer, err
}

// cosignature finds the witness's own signature in an answer. It ignores those of keys
// that are not in the policy.
func (s *submitter) cosignature(text string, answer []byte) (note.Signature, error) {
	n, err := note.Open(append([]byte(text+"\n"), answer...), note.VerifierList(s.Key))
	if err != nil {
		return note.Signature{}, err
	}
	// An answer with an empty line in it would move what is text and what is signatures.
	if n.Text != text {
		return note.Signature{}, errors.New("it is of another text")
	}
	at, err := f_note.CoSigV1Timestamp(n.Sigs[0])
	if err != nil {
		return note.Signature{}, err
	}
	if at.Unix() <= 0 || at.After(time.Now().Add(maxAhead)) {
		return note.Signature{}, fmt.Errorf("its time is %d", at.Unix())
	}
	return n.Sigs[0], nil
}
