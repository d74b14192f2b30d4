package witness_test

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/auditlb/terraform-provider-auditlb/runtime/witness"
)

// answering is a witness of one answer to everything.
func answering(t *testing.T, status int, header, body string) (url string, asked *atomic.Int32) {
	t.Helper()
	asked = &atomic.Int32{}
	return newListener(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		if name, value, ok := strings.Cut(header, ": "); ok {
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})), asked
}

// TestEveryAnswerOfAWitnessIsToldApart holds a collector to the codes, and to keeping
// nothing.
func TestEveryAnswerOfAWitnessIsToldApart(t *testing.T) {
	const sizeType = "Content-Type: text/x.tlog.size"
	tests := []struct {
		name         string
		status       int
		header, body string
		code         witness.Code
	}{
		{"bad request", 400, "", "no", witness.CodeRefused},
		{"forbidden", 403, "", "no", witness.CodeForbidden},
		{"not found", 404, "", strings.Repeat("<html>", 100_000), witness.CodeUnknownLog},
		{"method not allowed", 405, "", "", witness.CodeRefused},
		{"too large", 413, "", "", witness.CodeRefused},
		{"inconsistent", 422, "", "", witness.CodeInconsistent},
		{"too many requests", 429, "", "", witness.CodeUnreachable},
		{"internal error", 500, "", "", witness.CodeUnreachable},
		{"bad gateway", 502, "", "", witness.CodeUnreachable},
		{"a redirect", 302, "Location: https://elsewhere.example/", "", witness.CodeRefused},
		{"no content", 204, "", "", witness.CodeRefused},

		{"a conflict with the size that was sent", 409, sizeType, "0\n", witness.CodeBadAnswer},
		{"a conflict of another type", 409, "Content-Type: text/plain", "6\n", witness.CodeBadAnswer},
		{"a conflict without a size", 409, sizeType, "", witness.CodeBadAnswer},
		{"a conflict without a newline", 409, sizeType, "3", witness.CodeBadAnswer},
		{"a conflict with a leading zero", 409, sizeType, "03\n", witness.CodeBadAnswer},
		{"a conflict with a size below zero", 409, sizeType, "-3\n", witness.CodeBadAnswer},
		{"a conflict beyond all trees", 409, sizeType, "99999999999999999999\n", witness.CodeBadAnswer},
		{"a conflict with more than the log has", 409, sizeType, "6\n", witness.CodeRolledBack},
		{"a conflict, and again", 409, sizeType, "3\n", witness.CodeBadAnswer},

		{"nothing", 200, "", "", witness.CodeBadAnswer},
		{"no signature", 200, "", "thank you\n", witness.CodeBadAnswer},
		{"an unknown key alone", 200, "", "— somebody.example AAAAAAAA\n", witness.CodeBadAnswer},
		{"more than is read", 200, "", strings.Repeat("— somebody.example AAAAAAAA\n", witness.MaxAnswer/20), witness.CodeBadAnswer},
		{"too many signatures", 200, "", strings.Repeat("— somebody.example AAAAAAAA\n", 200), witness.CodeBadAnswer},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLog(t, 5)
			url, asked := answering(t, tt.status, tt.header, tt.body)
			c := collect(t, l, policyOf(t, "any", member{newCosigner(t, "a.example").vkey, url}), patience)
			r := c.until(t, "w0", tt.code)
			c.stop()
			if len(l.kept) > 0 {
				t.Errorf("kept %q", l.kept)
			}
			if most := int32(len(c.results)+1)*2 + 2; asked.Load() > most {
				t.Errorf("asked %d times for %d tries", asked.Load(), len(c.results)+1)
			}
			if r.err.Error() == "" || c.Status().Witnesses[0].Detail == "" {
				t.Errorf("no words for %v", r.err)
			}
		})
	}
}

// TestALyingWitnessIsNotBelieved has witnesses that sign, but something else.
func TestALyingWitnessIsNotBelieved(t *testing.T) {
	own, other := newCosigner(t, "a.example"), newCosigner(t, "a.example")
	l := newLog(t, 5)
	// lines are the signatures in a note of a text, by signers.
	lines := func(text string, signers ...note.Signer) string {
		signed, err := note.Sign(&note.Note{Text: text}, signers...)
		must(t, err)
		return string(signed[strings.LastIndex(string(signed), "\n\n")+2:])
	}
	text := func(checkpoint []byte) string {
		text, _, _ := strings.Cut(string(checkpoint), "\n\n")
		return text + "\n"
	}
	now, before := text(l.at(t, 5)), text(l.at(t, 4))
	signature := lines(now, own.signer)
	longer := now + "\nmore\n"
	tests := []struct {
		name, body string
		ok         bool
	}{
		{"its own signature", signature, true},
		{"its own beside others", "— somebody.example AAAAAAAA\n" + signature + lines(now, other.signer), true},
		{"the cosignature of another checkpoint", lines(before, own.signer), false},
		{"the signature of another key of its name", lines(now, other.signer), false},
		{"its signature with a bit changed", signature[:40] + string(signature[40]^1) + signature[41:], false},
		{"its signature without the newline", strings.TrimSpace(signature), false},
		{"its signature of a text that is longer", "more\n\n" + lines(longer, timed{own, time.Now().Unix()}), false},
		{"the log's own signature", string(l.at(t, 5)[strings.LastIndex(string(l.at(t, 5)), "\n\n")+2:]), false},
		{"a signature of a time of its own", lines(now, timed{own, time.Now().Unix() - 5}), true},
		{"a signature of no time", lines(now, timed{own, 0}), false},
		{"a signature of the future", lines(now, timed{own, time.Now().Add(48 * time.Hour).Unix()}), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := &testLog{signer: l.signer, key: l.key, vkey: l.vkey, size: l.size, hashes: l.hashes, keptAt: make(chan string, 100)}
			url, _ := answering(t, http.StatusOK, "", tt.body)
			c := collect(t, l, policyOf(t, "any", member{own.vkey, url}), patience)
			if tt.ok {
				c.until(t, "w0", witness.CodeOK)
				l.untilKept(t, 5, 1)
				return
			}
			c.until(t, "w0", witness.CodeBadAnswer)
			c.stop()
			if len(l.kept) > 0 {
				t.Errorf("kept %q", l.kept)
			}
		})
	}
}

// TestAWitnessIsAskedTwiceAtMost has one that never agrees on a size.
func TestAWitnessIsAskedTwiceAtMost(t *testing.T) {
	l := newLog(t, 50)
	var asked atomic.Int32
	url := newListener(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/x.tlog.size")
		w.WriteHeader(http.StatusConflict)
		fmt.Fprintf(w, "%d\n", asked.Add(1))
	}))
	c := collect(t, l, policyOf(t, "any", member{newCosigner(t, "a.example").vkey, url}), patience)
	c.until(t, "w0", witness.CodeRefused)
	c.stop()
	tries := int32(len(c.results)) + 1
	if got := asked.Load(); got < 2 || got > 2*(tries+1) {
		t.Errorf("asked %d times in %d tries", got, tries)
	}
}

// timed signs at a time of its own choice (C2SP tlog-cosignature).
type timed struct {
	cosigner
	at int64
}

func (s timed) Name() string    { return s.signer.Name() }
func (s timed) KeyHash() uint32 { return s.signer.KeyHash() }

func (s timed) Sign(msg []byte) ([]byte, error) {
	signed := ed25519.Sign(s.private, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", s.at, msg))
	return append(binary.BigEndian.AppendUint64(nil, uint64(s.at)), signed...), nil
}
