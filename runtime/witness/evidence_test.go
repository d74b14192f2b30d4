package witness_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/witness"
)

// TestNoAttackOnALogIsSigned plays whoever has the log's key, its network, or nothing.
func TestNoAttackOnALogIsSigned(t *testing.T) {
	l := newLog(t, 20)
	tests := []struct {
		name   string
		body   []byte
		status int
		// evidence is the kind of file that it is kept in.
		evidence string
	}{
		{"a history that was rewritten and signed again", l.fork(t, 0, 15).request(t, 10, 15), 422, "proof"},
		{"a fork after what was signed last but one", l.fork(t, 9, 15).request(t, 10, 15), 422, "proof"},
		{"a last entry that was changed", l.fork(t, 9, 10).request(t, 10, 10), 422, "root"},
		{"a rolled back log that says so", l.request(t, 8, 9), 409, ""},
		{"a rolled back log that pretends", l.request(t, 10, 9), 400, ""},
		{"a rolled back log that went on", l.fork(t, 5, 12).request(t, 5, 12), 409, ""},
		{"a log that begins again", l.fork(t, 0, 3).request(t, 0, 3), 409, ""},
		{"a checkpoint of before", l.request(t, 0, 10), 409, ""},
		{"a checkpoint of another log's key", newLog(t, 15).request(t, 10, 15), 403, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWitness(t, "", "witness.example/w1", l)
			w.signs(t, l.request(t, 0, 10))
			before := w.latest(t)
			status, _, answer := w.post(t, tt.body)
			if status != tt.status || strings.Contains(answer, "—") {
				t.Errorf("answered %d, want %d: %q", status, tt.status, answer)
			}
			if w.latest(t) != before {
				t.Error("it replaced what was signed")
			}
			files, err := filepath.Glob(filepath.Join(w.dir, witness.EvidenceDir, "*"))
			must(t, err)
			loud := strings.Contains(w.log.String(), "level=ERROR")
			if tt.evidence == "" {
				if len(files) > 0 || loud {
					t.Errorf("evidence of nothing: %v\n%s", files, w.log)
				}
				return
			}
			if len(files) != 1 || filepath.Base(files[0]) != witness.OriginHash(origin)+"-"+tt.evidence || !loud {
				t.Fatalf("evidence %v; log:\n%s", files, w.log)
			}
			text, err := os.ReadFile(files[0])
			must(t, err)
			_, brought, _ := bytes.Cut(tt.body, []byte("\n\n"))
			if !bytes.Contains(text, brought) || !strings.Contains(string(text), before) {
				t.Errorf("the evidence lacks one of the checkpoints:\n%s", text)
			}
		})
	}
}

func TestEvidenceIsKeptOnceAndBounded(t *testing.T) {
	l := newLog(t, 20)
	w := newWitness(t, "", "witness.example/w1", l)
	w.signs(t, l.request(t, 0, 10))
	path := filepath.Join(w.dir, witness.EvidenceDir, witness.OriginHash(origin)+"-proof")
	size := func() int64 {
		info, err := os.Stat(path)
		must(t, err)
		return info.Size()
	}
	refused := func(body []byte) {
		t.Helper()
		if status, _, answer := w.post(t, body); status != http.StatusUnprocessableEntity {
			t.Fatalf("status %d: %s", status, answer)
		}
	}
	fork := l.fork(t, 3, 12).request(t, 10, 12)
	refused(fork)
	once := size()
	refused(fork)
	refused(append(fork[:len(fork):len(fork)], "— anybody.example AAAAAAAA\n"...))
	if size() != once || strings.Count(w.log.String(), "level=ERROR") != 1 {
		t.Errorf("the same evidence again: %d bytes, then %d; log:\n%s", once, size(), w.log)
	}
	must(t, os.Truncate(path, witness.MaxEvidence-10))
	refused(l.fork(t, 3, 13).request(t, 10, 13))
	if got := size(); got != witness.MaxEvidence-10 {
		t.Errorf("the file grew to %d bytes", got)
	}
}

func TestWhatAWitnessIsAskedNeverShowsInItsLogUnquoted(t *testing.T) {
	l := newLog(t, 8)
	w := newWitness(t, "", "witness.example/w1", l)
	w.FailDisk(func() error { return fmt.Errorf("full") }, nil, nil)
	if status, _, _ := w.post(t, l.request(t, 0, 8)); status != http.StatusInternalServerError {
		t.Fatalf("status %d", status)
	}
	if lines := strings.Split(strings.TrimSpace(w.log.String()), "\n"); len(lines) != 1 || !strings.Contains(lines[0], "checkpoint not kept") {
		t.Errorf("log: %q", lines)
	}
}
