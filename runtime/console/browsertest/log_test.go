package browsertest

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// smallLog is a log in memory, of which entries are proved.
type smallLog struct {
	t       *testing.T
	signer  *audit.Signer
	tree    audit.Tree
	hashes  []tlog.Hash
	records []audit.Record
	// older is a checkpoint of when it had fewer entries; of the last change of key, one that
	// the new key did not sign.
	older []byte
}

func signer(t *testing.T, origin string) *audit.Signer {
	t.Helper()
	skey, vkey, err := audit.GenerateKey(origin)
	if err != nil {
		t.Fatal(err)
	}
	s, err := audit.NewSigner(skey, vkey)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newLog(t *testing.T) *smallLog {
	t.Helper()
	return &smallLog{t: t, signer: signer(t, "example.com/log")}
}

// filledLog has so many entries.
func filledLog(t *testing.T, entries int) *smallLog {
	t.Helper()
	l := newLog(t)
	for i := range entries {
		if i == entries-2 {
			l.older = l.sign()
		}
		l.add(audit.Entry{Type: audit.TypeApply, Resource: fmt.Sprintf("pool/p%d", i), Op: "create"}, fmt.Sprintf(`{"name":"p%d","weight":%d}`, i, i))
	}
	return l
}

func (l *smallLog) add(e audit.Entry, after string) int64 {
	l.t.Helper()
	e.Seq, e.Outcome = l.tree.Size(), audit.OutcomeOK
	e.Time = time.Unix(1_700_000_000+e.Seq, 0)
	canonical, err := lb.Canonical(jsontext.Value(after))
	if err != nil {
		l.t.Fatal(err)
	}
	record, err := audit.NewRecord(e, audit.Body{After: canonical}, bytes.Repeat([]byte{byte(e.Seq)}, audit.SaltBytes))
	if err != nil {
		l.t.Fatal(err)
	}
	l.records = append(l.records, record)
	for _, h := range l.tree.Append(record.LeafHash()) {
		l.hashes = append(l.hashes, h.Hash)
	}
	return e.Seq
}

func (l *smallLog) sign(also ...*audit.Signer) []byte {
	l.t.Helper()
	cp, err := l.signer.Sign(&l.tree, also...)
	if err != nil {
		l.t.Fatal(err)
	}
	return cp.Note
}

// proof proves an entry in the tree as it is now.
func (l *smallLog) proof(seq int64, also ...*audit.Signer) audit.Proof {
	l.t.Helper()
	path, err := tlog.ProveRecord(l.tree.Size(), seq, tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			out[i] = l.hashes[index]
		}
		return out, nil
	}))
	if err != nil {
		l.t.Fatal(err)
	}
	r := l.records[seq]
	return audit.Proof{Seq: seq, Hashes: path, Checkpoint: l.sign(also...), Leaf: r.Leaf, Salt: r.Salt, Body: r.Body}
}

// rotate changes the log's key and returns the proof of that.
func (l *smallLog) rotate(next *audit.Signer) audit.Proof {
	l.t.Helper()
	after, err := lb.Canonical(audit.LogKey{Origin: next.Origin(), PublicKey: next.PublicKey(), PreviousKey: l.signer.PublicKey()})
	if err != nil {
		l.t.Fatal(err)
	}
	seq := l.add(audit.Entry{Type: audit.TypeSystem, Resource: audit.ResourceLog, Op: audit.OpRotate}, string(after))
	proof := l.proof(seq, next)
	l.older, l.signer = l.sign(), next
	return proof
}
