package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/store/sqlite"
)

// Shape of a log that is made: what a few teams leave behind that plan and apply
// all day.
const (
	pools = 10_000
	// perRun is how many entries a run has: plans, then as many applies, and one
	// more of the run itself.
	perRun = 21
	// runsPerTicket is how many runs share a ticket.
	runsPerTicket = 5
	// batch is how many entries a transaction of making has.
	batch = 10_000
)

const keyName = "log.pub"

// makeLog makes a log of n entries in a directory, if it holds none yet, and returns
// what checks its signature.
func makeLog(ctx context.Context, dir string, n int64) (note.Verifier, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if text, err := os.ReadFile(filepath.Join(dir, keyName)); err == nil {
		return note.NewVerifier(string(text))
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	skey, vkey, err := audit.GenerateKey("bench.example/log")
	if err != nil {
		return nil, err
	}
	signer, err := audit.NewSigner(skey, vkey)
	if err != nil {
		return nil, err
	}
	store, err := sqlite.Open(ctx, dir, sqlite.Options{MinFree: -1})
	if err != nil {
		return nil, err
	}
	defer store.Close()
	if x, err := store.Extent(ctx); err != nil || x.Size > 0 {
		return nil, errors.Join(err, fmt.Errorf("%s holds a log that was not finished: remove it", dir))
	}
	// One goroutine makes entries, the other stores them.
	batches := make(chan control.Appendix, 2)
	heads := make(chan audit.Checkpoint, 2)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, 1)
	go func() {
		defer close(batches)
		failed <- newMaker(signer).run(ctx, n, batches, heads)
	}()
	began := time.Now()
	for a := range batches {
		cp := <-heads
		if err := commit(ctx, store, a, cp); err != nil {
			return nil, err
		}
		if cp.Size%(100*batch) == 0 || cp.Size == n {
			fmt.Printf("made %d of %d entries, %.0f/s\n", cp.Size, n, float64(cp.Size)/time.Since(began).Seconds())
		}
	}
	if err := <-failed; err != nil {
		return nil, err
	}
	// The key last: it says that the log is whole.
	return signer.Verifier(), os.WriteFile(filepath.Join(dir, keyName), []byte(vkey), 0o600)
}

func commit(ctx context.Context, store *sqlite.Store, a control.Appendix, cp audit.Checkpoint) error {
	tx, err := store.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := tx.Append(ctx, a); err != nil {
		return err
	}
	return tx.Commit(ctx, cp.Size, cp.Note)
}

// maker makes entries that are like real ones in form and size.
type maker struct {
	signer *audit.Signer
	random *rand.Rand
	bytes  *rand.ChaCha8
	tree   audit.Tree
	at     time.Time
	// states holds each pool's state and the entry that made it.
	states [pools]struct {
		seq   int64
		state []byte
	}
}

func newMaker(s *audit.Signer) *maker {
	source := rand.NewChaCha8([32]byte{1})
	return &maker{signer: s, random: rand.New(source), bytes: source, at: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)}
}

func (m *maker) run(ctx context.Context, n int64, batches chan<- control.Appendix, heads chan<- audit.Checkpoint) error {
	var a control.Appendix
	for seq := range n {
		r, err := m.record(seq)
		if err != nil {
			return err
		}
		a.Records = append(a.Records, r)
		a.Hashes = append(a.Hashes, m.tree.Append(r.LeafHash())...)
		if r.Entry.ChangesState() {
			body, err := audit.ParseBody(r.Body)
			if err != nil {
				return err
			}
			a.States = append(a.States, audit.Current{Resource: r.Entry.Resource, Seq: seq, State: body.After})
		}
		if len(a.Records) < batch && seq < n-1 {
			continue
		}
		cp, err := m.signer.Sign(&m.tree)
		if err != nil {
			return err
		}
		select {
		case heads <- cp:
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case batches <- a:
		case <-ctx.Done():
			return ctx.Err()
		}
		a = control.Appendix{}
	}
	return nil
}

// record makes the entry of a seq: a run is registered, plans changes to ten pools
// and then applies them.
func (m *maker) record(seq int64) (audit.Record, error) {
	run, step := seq/perRun, seq%perRun
	m.at = m.at.Add(time.Duration(1+m.random.IntN(200_000)) * time.Microsecond)
	e := audit.Entry{
		Seq: seq, Time: m.at, Outcome: audit.OutcomeOK,
		Actor:  audit.Actor{Name: fmt.Sprintf("team-%d/ci", run%40), Credential: fmt.Sprintf("token/%012x", run%40), Role: "operator"},
		Ticket: fmt.Sprintf("CHG-%d", run/runsPerTicket),
		Run:    &audit.RunRef{ID: fmt.Sprintf("github/acme/infrastructure/%d/1", 9_000_000_000+run)},
		Request: &audit.Request{
			ID: digest("request", seq)[:32], Method: "PUT", SourceIP: "192.0.2.17",
			UserAgent: "terraform-provider-auditlb/1.4.0 terraform/1.11.4", BodyDigest: digest("body", seq),
		},
	}
	var body audit.Body
	if step == 0 {
		e.Type, e.Op, e.Resource = audit.TypeRun, "create", "run/"+e.Run.ID
		body.After = fmt.Appendf(nil, `{"commit":%q,"repository":"acme/infrastructure","system":"github","tool":"terraform","version":"1.11.4"}`, digest("commit", run)[:40])
	} else {
		change := (step - 1) % (perRun / 2)
		k := int((run*(perRun/2) + change) * 7919 % pools)
		e.Type, e.Op, e.Resource = audit.TypePlan, "update", fmt.Sprintf("pool/pool-%05d", k)
		body.Before, e.Base = m.states[k].state, m.states[k].seq
		if e.Base == 0 {
			e.Op = "create"
		}
		body.After = pool(k, run)
		e.EffectDigest = digest("effect", run*perRun+change)
		if step > perRun/2 {
			e.Type, e.Plan = audit.TypeApply, seq-perRun/2
			m.states[k].seq, m.states[k].state = seq, body.After
		}
	}
	e.Request.Path = "/v1/" + e.Resource
	salt := make([]byte, audit.SaltBytes)
	_, _ = m.bytes.Read(salt)
	return audit.NewRecord(e, body, salt)
}

// pool is a pool's canonical state.
func pool(k int, version int64) []byte {
	return fmt.Appendf(nil, `{"labels":{"version":"%d"},"members":{"a":{"address":"10.0.%d.%d:8080","weight":%d},"b":{"address":"10.1.%d.%d:8080"}},"owner":"team-%d"}`,
		version, k>>8, k&255, version%100+1, k>>8, k&255, k%40)
}

func digest(what string, n int64) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", what, n))
	return hex.EncodeToString(sum[:])
}
