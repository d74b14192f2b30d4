package witness_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	f_log "github.com/transparency-dev/formats/log"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/witness"
)

// patience bounds every wait for something that must happen.
const patience = 30 * time.Second

const origin = "log.example.com/prod"

// testLog is a log in memory. It implements witness.Log.
type testLog struct {
	signer note.Signer
	vkey   string
	key    note.Verifier

	mu     sync.Mutex // guards what follows
	size   int64
	hashes []tlog.Hash
	kept   [][]byte
	// keepErr is what keeping ends with, once for each.
	keepErr []error
	// keptAt is told of each checkpoint that is kept.
	keptAt chan string
}

func newLog(t *testing.T, size int) *testLog {
	t.Helper()
	skey, vkey, err := note.GenerateKey(rand.Reader, origin)
	must(t, err)
	l := &testLog{vkey: vkey, keptAt: make(chan string, 1000)}
	l.signer, err = note.NewSigner(skey)
	must(t, err)
	l.key, err = note.NewVerifier(vkey)
	must(t, err)
	l.grow(t, size, "entry")
	return l
}

// grow adds entries.
func (l *testLog) grow(t *testing.T, n int, what string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for range n {
		hashes, err := tlog.StoredHashes(l.size, fmt.Appendf(nil, "%s %d", what, l.size), l.reader())
		must(t, err)
		l.hashes = append(l.hashes, hashes...)
		l.size++
	}
}

func (l *testLog) reader() tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, i := range indexes {
			out = append(out, l.hashes[i])
		}
		return out, nil
	})
}

// fork is a log of the same key that goes another way after a size.
func (l *testLog) fork(t *testing.T, after, size int64) *testLog {
	t.Helper()
	other := &testLog{signer: l.signer, vkey: l.vkey, key: l.key, size: after, hashes: l.hashes[:tlog.StoredHashCount(after):tlog.StoredHashCount(after)], keptAt: make(chan string, 1000)}
	other.grow(t, int(size-after), "another entry")
	return other
}

// at is the checkpoint of a size.
func (l *testLog) at(t *testing.T, size int64) []byte {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	root, err := tlog.TreeHash(size, l.reader())
	must(t, err)
	return checkpoint(t, origin, size, root, l.signer)
}

func (l *testLog) proof(t *testing.T, from, to int64) tlog.TreeProof {
	t.Helper()
	p, err := l.Consistency(t.Context(), from, to)
	must(t, err)
	return p
}

// request brings the checkpoint of a size, from another.
func (l *testLog) request(t *testing.T, from, to int64) []byte {
	t.Helper()
	r := witness.Request{Old: from, Checkpoint: l.at(t, to)}
	if from > 0 && from <= to {
		r.Proof = l.proof(t, from, to)
	}
	return r.Marshal()
}

func (l *testLog) Checkpoint(context.Context) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	root, err := tlog.TreeHash(l.size, l.reader())
	if err != nil {
		return nil, err
	}
	text := f_log.Checkpoint{Origin: origin, Size: uint64(l.size), Hash: root[:]}.Marshal()
	return note.Sign(&note.Note{Text: string(text)}, l.signer)
}

func (l *testLog) Consistency(_ context.Context, from, to int64) (tlog.TreeProof, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return tlog.ProveTree(to, from, l.reader())
}

func (l *testLog) Cosigned(context.Context) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.kept) == 0 {
		return nil, nil
	}
	return l.kept[len(l.kept)-1], nil
}

func (l *testLog) KeepCosigned(_ context.Context, text []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.keepErr) > 0 {
		err := l.keepErr[0]
		l.keepErr = l.keepErr[1:]
		return err
	}
	l.kept = append(l.kept, text)
	l.keptAt <- string(text)
	return nil
}

// checkpoint signs any checkpoint.
func checkpoint(t *testing.T, origin string, size int64, root tlog.Hash, signers ...note.Signer) []byte {
	t.Helper()
	text := f_log.Checkpoint{Origin: origin, Size: uint64(size), Hash: root[:]}.Marshal()
	signed, err := note.Sign(&note.Note{Text: string(text)}, signers...)
	must(t, err)
	return signed
}

// testWitness is a witness that listens.
type testWitness struct {
	*witness.Server
	key *witness.Key
	url string
	dir string
	log *bytes.Buffer
}

// newWitness starts a witness for logs in a directory; "" is a new one.
func newWitness(t *testing.T, dir, name string, logs ...*testLog) *testWitness {
	t.Helper()
	if dir == "" {
		dir = t.TempDir()
	}
	w := openWitness(t, dir, name, logs...)
	listener := httptest.NewServer(w.Server)
	t.Cleanup(func() {
		listener.Close()
		must(t, w.Close())
	})
	w.url = listener.URL
	return w
}

func openWitness(t *testing.T, dir, name string, logs ...*testLog) *testWitness {
	t.Helper()
	w := &testWitness{dir: dir, log: &bytes.Buffer{}}
	var err error
	w.key, err = witness.LoadKey(filepath.Join(dir, "witness.key"), name)
	must(t, err)
	w.Server, err = witness.NewServer(options(w, logs...))
	must(t, err)
	return w
}

func options(w *testWitness, logs ...*testLog) witness.Options {
	opts := witness.Options{DataDir: w.dir, Key: w.key, Logger: slog.New(slog.NewTextHandler(w.log, nil)), Rate: 1e6}
	for _, l := range logs {
		opts.Logs = append(opts.Logs, witness.KnownLog{Origin: l.key.Name(), Key: l.key})
	}
	return opts
}

// post calls add-checkpoint.
func (w *testWitness) post(t *testing.T, body []byte) (status int, header http.Header, answer string) {
	t.Helper()
	r, err := http.Post(w.url+"/add-checkpoint", "", bytes.NewReader(body))
	must(t, err)
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	must(t, err)
	return r.StatusCode, r.Header, string(text)
}

// signs fails the test unless a request is answered with a cosignature.
func (w *testWitness) signs(t *testing.T, body []byte) {
	t.Helper()
	status, _, answer := w.post(t, body)
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, answer)
	}
	cosigned(t, body, answer, w.key)
}

// cosigned fails the test unless an answer is a cosignature of the checkpoint in a request.
func cosigned(t *testing.T, request []byte, answer string, key *witness.Key) {
	t.Helper()
	_, checkpoint, _ := bytes.Cut(request, []byte("\n\n"))
	v := cosignatureVerifier(t, key.PublicKey())
	n, err := note.Open(append(checkpoint, answer...), note.VerifierList(v))
	if err != nil || len(n.Sigs) != 1 {
		t.Fatalf("no cosignature (%v) in %q", err, answer)
	}
}

// latest is the checkpoint that a witness serves; "" for none.
func (w *testWitness) latest(t *testing.T) string {
	t.Helper()
	r, err := http.Get(w.url + "/" + witness.OriginHash(origin) + "/checkpoint")
	must(t, err)
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	must(t, err)
	if r.StatusCode == http.StatusNotFound {
		return ""
	}
	if r.StatusCode != http.StatusOK {
		t.Fatalf("status %d: %s", r.StatusCode, text)
	}
	return string(text)
}

// size is that of the checkpoint that a witness serves.
func (w *testWitness) size(t *testing.T) string {
	t.Helper()
	lines := strings.Split(w.latest(t), "\n")
	if len(lines) < 3 {
		return "none"
	}
	return lines[1]
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var errDisk = errors.New("the disk says no")

// newListener lets a handler listen until the end of the test.
func newListener(t *testing.T, h http.Handler) (url string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}
