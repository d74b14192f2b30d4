package audit_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"filippo.io/torchwood"
	"github.com/go-json-experiment/json/jsontext"
	formats "github.com/transparency-dev/formats/proof"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// proved is a small log with a signer, of which entries can be proved.
type proved struct {
	t       testing.TB
	signer  *audit.Signer
	tree    audit.Tree
	hashes  []tlog.Hash
	records []audit.Record
}

func signer(t testing.TB, origin string) *audit.Signer {
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

func prove(t testing.TB, entries int) *proved {
	t.Helper()
	p := &proved{t: t, signer: signer(t, "example.com/log")}
	for i := range entries {
		p.add(audit.Entry{Type: audit.TypeApply, Resource: fmt.Sprintf("pool/p%d", i), Op: "create"}, fmt.Sprintf(`{"name":"<p%d> é \u2028","weight":%d}`, i, i))
	}
	return p
}

func (p *proved) add(e audit.Entry, after string) int64 {
	p.t.Helper()
	e.Seq, e.Outcome = p.tree.Size(), audit.OutcomeOK
	e.Time = time.Unix(1_700_000_000+e.Seq, 0)
	canonical, err := lb.Canonical(jsontext.Value(after))
	if err != nil {
		p.t.Fatal(err)
	}
	record, err := audit.NewRecord(e, audit.Body{After: canonical}, bytes.Repeat([]byte{byte(e.Seq)}, audit.SaltBytes))
	if err != nil {
		p.t.Fatal(err)
	}
	p.records = append(p.records, record)
	for _, h := range p.tree.Append(record.LeafHash()) {
		p.hashes = append(p.hashes, h.Hash)
	}
	return e.Seq
}

func (p *proved) reader() tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			out[i] = p.hashes[index]
		}
		return out, nil
	})
}

// proof proves an entry in the tree as it is now.
func (p *proved) proof(seq int64, also ...*audit.Signer) audit.Proof {
	p.t.Helper()
	cp, err := p.signer.Sign(&p.tree, also...)
	if err != nil {
		p.t.Fatal(err)
	}
	path, err := tlog.ProveRecord(p.tree.Size(), seq, p.reader())
	if err != nil {
		p.t.Fatal(err)
	}
	r := p.records[seq]
	return audit.Proof{Seq: seq, Hashes: path, Checkpoint: cp.Note, Leaf: r.Leaf, Salt: r.Salt, Body: r.Body}
}

// rotate changes the log's key and returns the proof of that.
func (p *proved) rotate(next *audit.Signer) audit.Proof {
	p.t.Helper()
	after, err := lb.Canonical(audit.LogKey{Origin: next.Origin(), PublicKey: next.PublicKey(), PreviousKey: p.signer.PublicKey()})
	if err != nil {
		p.t.Fatal(err)
	}
	seq := p.add(audit.Entry{Type: audit.TypeSystem, Resource: audit.ResourceLog, Op: audit.OpRotate}, string(after))
	proof := p.proof(seq, next)
	p.signer = next
	return proof
}

func trust(t testing.TB, signers ...*audit.Signer) *audit.Trust {
	t.Helper()
	var keys []string
	for _, s := range signers {
		keys = append(keys, s.PublicKey())
	}
	tr, err := audit.NewTrust(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func parsed(t testing.TB, p audit.Proof) audit.Proof {
	t.Helper()
	text, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	out, err := audit.ParseProof(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return out
}

func TestEveryEntryCanBeProvedWithTheKeyAlone(t *testing.T) {
	p := prove(t, 37)
	for seq := range p.tree.Size() {
		proof := p.proof(seq)
		again := parsed(t, proof)
		if len(proof.Hashes) == 0 {
			proof.Hashes = nil
		}
		if !reflect.DeepEqual(again, proof) {
			t.Errorf("entry %d is read back as\n%+v, was\n%+v", seq, again, proof)
		}
		checked, err := trust(t, p.signer).CheckProof(&again)
		if err != nil || checked.Record.Entry.Seq != seq || checked.Checkpoint.Size != 37 {
			t.Errorf("entry %d: %v", seq, err)
		}
	}
}

// TestOthersReadOurProofs: the form is C2SP's, and their readers agree.
func TestOthersReadOurProofs(t *testing.T) {
	p := prove(t, 37)
	proof := p.proof(20)
	text, err := proof.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	var theirs formats.TLogProof
	if err := theirs.Unmarshal(text); err != nil || theirs.Index != 20 || len(theirs.Hashes) != len(proof.Hashes) || !bytes.Equal(theirs.Checkpoint, proof.Checkpoint) {
		t.Errorf("transparency-dev/formats reads %+v: %v", theirs, err)
	}
	policy := torchwood.ThresholdPolicy(2, torchwood.OriginPolicy(p.signer.Origin()), torchwood.SingleVerifierPolicy(p.signer.Verifier()))
	if err := torchwood.VerifyProof(policy, tlog.RecordHash(proof.Leaf), text); err != nil {
		t.Errorf("torchwood: %v", err)
	}
	if err := torchwood.VerifyProof(policy, tlog.RecordHash(p.records[21].Leaf), text); err == nil {
		t.Error("torchwood takes it for another entry's")
	}
}

func TestNoProofOfWhatIsNotSo(t *testing.T) {
	p := prove(t, 37)
	other := prove(t, 37)
	stranger := signer(t, p.signer.Origin())
	elsewhere := signer(t, "example.com/elsewhere")
	for name, c := range map[string]struct {
		change func(*audit.Proof)
		want   error
	}{
		"another entry's leaf": {func(x *audit.Proof) { x.Leaf = p.records[4].Leaf }, audit.ErrNotIncluded},
		"an edited leaf": {func(x *audit.Proof) {
			x.Leaf = bytes.Replace(x.Leaf, []byte("pool/p20"), []byte("pool/p99"), 1)
		}, audit.ErrNotIncluded},
		"another seq":     {func(x *audit.Proof) { x.Seq = 21 }, audit.ErrNotIncluded},
		"beyond the tree": {func(x *audit.Proof) { x.Seq = 37 }, audit.ErrNotIncluded},
		"a shorter path":  {func(x *audit.Proof) { x.Hashes = x.Hashes[1:] }, audit.ErrNotIncluded},
		"an edited path":  {func(x *audit.Proof) { x.Hashes[0][0]++ }, audit.ErrNotIncluded},
		"an edited body":  {func(x *audit.Proof) { x.Body = bytes.Replace(x.Body, []byte("20"), []byte("21"), 1) }, audit.ErrBody},
		"another salt":    {func(x *audit.Proof) { x.Salt = p.records[4].Salt }, audit.ErrBody},
		"no salt":         {func(x *audit.Proof) { x.Salt = nil }, audit.ErrBody},
		"an edited root": {func(x *audit.Proof) {
			x.Checkpoint = bytes.Replace(x.Checkpoint, []byte("\n37\n"), []byte("\n36\n"), 1)
		}, audit.ErrBadCheckpoint},
		"a stranger's key": {func(x *audit.Proof) { x.Checkpoint = other.proof(20).Checkpoint }, audit.ErrBadCheckpoint},
		"a stranger's key of the same name": {func(x *audit.Proof) {
			cp, _ := stranger.Sign(&p.tree)
			x.Checkpoint = cp.Note
		}, audit.ErrBadCheckpoint},
		"a key of another log": {func(x *audit.Proof) {
			cp, _ := elsewhere.Sign(&p.tree)
			x.Checkpoint = cp.Note
		}, audit.ErrBadCheckpoint},
		"no checkpoint": {func(x *audit.Proof) { x.Checkpoint = nil }, audit.ErrBadCheckpoint},
	} {
		t.Run(name, func(t *testing.T) {
			x := p.proof(20)
			c.change(&x)
			if _, err := trust(t, p.signer).CheckProof(&x); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
	t.Run("an erased body is not said to be checked", func(t *testing.T) {
		x := p.proof(20)
		x.Body, x.Salt = nil, nil
		checked, err := trust(t, p.signer).CheckProof(&x)
		if err != nil || checked.Record.Body != nil {
			t.Errorf("%v, body %s", err, checked.Record.Body)
		}
	})
}

func TestWhoTrustsTheFirstKeyCanFollowItsChanges(t *testing.T) {
	p := prove(t, 5)
	first := p.signer
	var rotations []audit.Proof
	for range 3 {
		rotations = append(rotations, p.rotate(signer(t, first.Origin())))
		p.add(audit.Entry{Type: audit.TypeApply, Resource: "pool/x", Op: "update"}, `{}`)
	}
	proof := p.proof(6)
	proof.Rotations = rotations
	proof = parsed(t, proof)
	believer := trust(t, first)
	if _, err := believer.CheckProof(&proof); err != nil {
		t.Errorf("by the first key: %v", err)
	}
	if got := believer.Added(); len(got) != 3 || got[2] != p.signer.PublicKey() {
		t.Errorf("keys that were come to: %q", got)
	}
	if _, err := trust(t, p.signer).CheckProof(&proof); err != nil {
		t.Errorf("by the last key: %v", err)
	}
	if _, err := trust(t, signer(t, first.Origin())).CheckProof(&proof); !errors.Is(err, audit.ErrBadCheckpoint) {
		t.Errorf("by a stranger's key: %v", err)
	}
	old := p.proof(2)
	old.Checkpoint = rotations[0].Checkpoint // what the first key signed last
	old.Hashes, _ = tlog.ProveRecord(6, 2, p.reader())
	if _, err := trust(t, first).CheckProof(&old); err != nil {
		t.Errorf("what the first key signed: %v", err)
	}
}

func TestNoKeyIsFollowedThatIsNotVouchedFor(t *testing.T) {
	p := prove(t, 5)
	first, next := p.signer, signer(t, "example.com/log")
	good := p.rotate(next)
	onlyOld, onlyNew := first, next
	sign := func(s *audit.Signer) []byte {
		cp, err := s.Sign(&p.tree)
		if err != nil {
			t.Fatal(err)
		}
		return cp.Note
	}
	const passedOver = "the old key did not sign"
	for name, change := range map[string]func(*audit.Proof){
		"the new key did not sign": func(x *audit.Proof) { x.Checkpoint = sign(onlyOld) },
		passedOver:                 func(x *audit.Proof) { x.Checkpoint = sign(onlyNew) },
		"it is another entry": func(x *audit.Proof) {
			x.Seq, x.Leaf, x.Salt, x.Body = 2, p.records[2].Leaf, p.records[2].Salt, p.records[2].Body
			x.Hashes, _ = tlog.ProveRecord(6, 2, p.reader())
		},
		"another key stands in its body": func(x *audit.Proof) {
			x.Body = bytes.Replace(x.Body, []byte(next.PublicKey()), []byte(signer(t, first.Origin()).PublicKey()), 1)
		},
		"its body is missing": func(x *audit.Proof) { x.Body = nil },
		"it is not in the tree": func(x *audit.Proof) {
			x.Hashes = nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			x := good
			change(&x)
			believer := trust(t, first)
			if err := believer.Follow([]audit.Proof{x}); err == nil && name != passedOver || err != nil && !errors.Is(err, audit.ErrRotation) || len(believer.Added()) > 0 {
				t.Errorf("%v; keys come to: %q", err, believer.Added())
			}
		})
	}
	t.Run("it is of another log", func(t *testing.T) {
		elsewhere := signer(t, "example.com/elsewhere")
		x := p.rotate(elsewhere)
		if err := trust(t, next).Follow([]audit.Proof{x}); !errors.Is(err, audit.ErrRotation) {
			t.Errorf("%v", err)
		}
	})
}

// FuzzProof: what is read is written again as it was, and what does not read is
// not a proof; nothing panics.
func FuzzProof(f *testing.F) {
	p := prove(f, 9)
	proof := p.proof(4)
	proof.Rotations = []audit.Proof{p.rotate(signer(f, p.signer.Origin()))}
	text, err := proof.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(strings.Replace(string(text), "index 4", "index 04", 1)))
	f.Add([]byte("c2sp.org/tlog-proof@v1\nextra " + base64.StdEncoding.EncodeToString([]byte(`{"leaf":{}}`)) + "\nindex 0\n\nx"))
	believer, err := audit.NewTrust(p.signer.PublicKey())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := audit.ParseProof(text)
		if err != nil {
			if !errors.Is(err, audit.ErrProof) {
				t.Errorf("%v is not ErrProof", err)
			}
			return
		}
		if checked, err := believer.CheckProof(&got); err == nil && !bytes.Equal(checked.Record.Leaf, p.records[checked.Record.Entry.Seq].Leaf) {
			t.Errorf("entry %d is proved to be %s", checked.Record.Entry.Seq, checked.Record.Leaf)
		}
		again, err := got.Marshal()
		if err != nil {
			t.Fatalf("can't be written again: %v", err)
		}
		back, err := audit.ParseProof(again)
		if err != nil || !reflect.DeepEqual(back, got) {
			t.Errorf("%v: read back as\n%+v, was\n%+v", err, back, got)
		}
	})
}
