package client_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

const logOrigin = "example.com/log"

// grown is a log that grows in memory. A copy goes on by itself.
type grown struct {
	signer    *audit.Signer
	tree      audit.Tree
	hashes    []tlog.Hash
	rotations []string
	restarts  []api.LogRestart
}

func logKey(t testing.TB, origin string) *audit.Signer {
	t.Helper()
	skey, vkey, err := audit.GenerateKey(origin)
	if err != nil {
		t.Fatal(err)
	}
	return keyOf(t, skey, vkey)
}

func keyOf(t testing.TB, skey, vkey string) *audit.Signer {
	t.Helper()
	s, err := audit.NewSigner(skey, vkey)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// grow returns the log with n more entries.
func (g grown) grow(n int, what string) grown {
	g.hashes = g.hashes[:len(g.hashes):len(g.hashes)]
	for range n {
		g = g.add(tlog.RecordHash(fmt.Appendf(nil, "%s %d", what, g.tree.Size())))
	}
	return g
}

func (g grown) add(leaf tlog.Hash) grown {
	for _, h := range g.tree.Append(leaf) {
		g.hashes = append(g.hashes, h.Hash)
	}
	return g
}

// by returns the log with another key that nobody vouches for.
func (g grown) by(s *audit.Signer) grown {
	g.signer, g.rotations = s, nil
	return g
}

// rotated returns the log with another key that both vouch for.
func (g grown) rotated(t testing.TB) grown {
	t.Helper()
	next := logKey(t, logOrigin)
	after, err := lb.Canonical(audit.LogKey{Origin: logOrigin, PublicKey: next.PublicKey(), PreviousKey: g.signer.PublicKey()})
	if err != nil {
		t.Fatal(err)
	}
	e := audit.Entry{Seq: g.tree.Size(), Time: time.Unix(1_700_000_000, 0), Type: audit.TypeSystem, Resource: audit.ResourceLog, Op: audit.OpRotate, Outcome: audit.OutcomeOK}
	r, err := audit.NewRecord(e, audit.Body{After: after}, make([]byte, audit.SaltBytes))
	if err != nil {
		t.Fatal(err)
	}
	g = g.grow(0, "").add(r.LeafHash())
	cp, err := g.signer.Sign(&g.tree, next)
	if err != nil {
		t.Fatal(err)
	}
	path, err := tlog.ProveRecord(g.tree.Size(), e.Seq, g.reader())
	if err != nil {
		t.Fatal(err)
	}
	p := audit.Proof{Seq: e.Seq, Hashes: path, Checkpoint: cp.Note, Leaf: r.Leaf, Salt: r.Salt, Body: r.Body}
	text, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	g.signer, g.rotations = next, append(g.rotations[:len(g.rotations):len(g.rotations)], string(text))
	return g
}

// restarted returns the log under another name.
func (g grown) restarted(t testing.TB, origin string) grown {
	t.Helper()
	before := g.signer
	g = g.grow(1, "restart").by(logKey(t, origin))
	g.restarts = append(g.restarts[:len(g.restarts):len(g.restarts)], api.LogRestart{
		Seq: g.tree.Size() - 1, Time: time.Unix(1_700_000_000, 0), Actor: "system/operator", Origin: origin, PublicKey: g.signer.PublicKey(),
		PreviousOrigin: before.Origin(), Reason: "restored",
	})
	return g
}

func (g grown) reader() tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			if index >= int64(len(g.hashes)) {
				return nil, fmt.Errorf("no hash %d", index)
			}
			out[i] = g.hashes[index]
		}
		return out, nil
	})
}

func (g grown) checkpoint(t testing.TB) string {
	t.Helper()
	cp, err := g.signer.Sign(&g.tree)
	if err != nil {
		t.Fatal(err)
	}
	return string(cp.Note)
}

func (g grown) seen(t testing.TB) client.Seen {
	t.Helper()
	return client.Seen{PublicKey: g.signer.PublicKey(), Checkpoint: g.checkpoint(t), At: time.Unix(1_700_000_000, 0).UTC()}
}

// liar shows a log, or what a test would have it show in its place.
type liar struct {
	*httptest.Server
	calls atomic.Int64

	mu sync.Mutex // guards what follows
	g  grown
	// log changes the answer about the log, tile answers in place of the tiles, and
	// header is what stands in an answer of any object.
	log    func(*api.Log)
	tile   func(w http.ResponseWriter, content []byte)
	header string
}

func newLiar(t testing.TB, g grown) *liar {
	t.Helper()
	l := &liar{g: g}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.calls.Add(1)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.answer(t, w, r)
	}))
	t.Cleanup(l.Close)
	return l
}

func (l *liar) answer(t testing.TB, w http.ResponseWriter, r *http.Request) {
	path, isTile := strings.CutPrefix(r.URL.Path, "/tlog/tile/")
	switch {
	case r.URL.Path == "/v1/log":
		log := api.Log{
			Origin: l.g.signer.Origin(), PublicKey: l.g.signer.PublicKey(), Size: l.g.tree.Size(), Root: l.g.tree.Root().String(),
			Checkpoint: l.g.checkpoint(t), Rotations: l.g.rotations, Restarts: l.g.restarts,
		}
		if l.log != nil {
			l.log(&log)
		}
		if err := json.MarshalWrite(w, log); err != nil {
			t.Error(err)
		}
	case isTile:
		tile, err := audit.ParseTile(path)
		var content []byte
		if err == nil {
			content, err = tlog.ReadTileData(tile, l.g.reader())
		}
		switch {
		case l.tile != nil:
			l.tile(w, content)
		case err != nil:
			w.WriteHeader(http.StatusNotFound)
		default:
			_, _ = w.Write(content)
		}
	default:
		w.Header().Set(api.HeaderCheckpoint, l.header)
		fmt.Fprint(w, `{"kind":"pool","name":"web","revision":7}`)
	}
}

// shows changes what is shown from now on.
func (l *liar) shows(change func(*liar)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(l)
}

// history holds what the liar shows against what is seen.
func (l *liar) history(t testing.TB, pin string, change func(*client.Config)) (*client.LogHistory, *client.Client) {
	t.Helper()
	cfg := client.Config{Endpoint: l.URL, Token: token, Attempts: 1, Timeout: 20 * time.Second}
	if change != nil {
		change(&cfg)
	}
	c, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	h := c.LogHistory(pin)
	return h, c
}

func inHeader(checkpoint string) string {
	return base64.StdEncoding.EncodeToString([]byte(checkpoint))
}

func notThere(w http.ResponseWriter, _ []byte) { w.WriteHeader(http.StatusNotFound) }

// absurd makes a log say, by its key, that it has a size.
func absurd(t testing.TB, skey string, g grown, size int64) func(*api.Log) {
	return func(l *api.Log) {
		signer, err := note.NewSigner(skey)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := note.Sign(&note.Note{Text: fmt.Sprintf("%s\n%d\n%s\n", logOrigin, size, g.tree.Root())}, signer)
		if err != nil {
			t.Fatal(err)
		}
		l.Checkpoint = string(signed)
	}
}
