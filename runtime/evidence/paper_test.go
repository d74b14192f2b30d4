package evidence_test

import (
	"fmt"
	"testing"
	"time"

	f_note "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/evidence"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/witness"
)

// paper is a log that was never run: for entries that no gate would let in, and for
// checkpoints that witnesses sign.
type paper struct {
	t       *testing.T
	signer  *audit.Signer
	tree    audit.Tree
	hashes  []tlog.Hash
	records []audit.Record
}

func newPaper(t *testing.T) *paper {
	t.Helper()
	skey, vkey, err := audit.GenerateKey("example.com/paper")
	must(t, err)
	signer, err := audit.NewSigner(skey, vkey)
	must(t, err)
	return &paper{t: t, signer: signer}
}

// body is an entry's, with objects as they are.
type body struct {
	before, after any
	rest          audit.Body
}

func (p *paper) add(e audit.Entry, b body) {
	p.t.Helper()
	e.Seq, e.Time = p.tree.Size(), time.Unix(1_700_000_000+p.tree.Size(), 0)
	if e.Outcome == "" {
		e.Outcome = audit.OutcomeOK
	}
	var err error
	if b.before != nil {
		b.rest.Before, err = lb.Canonical(b.before)
		must(p.t, err)
	}
	if b.after != nil {
		b.rest.After, err = lb.Canonical(b.after)
		must(p.t, err)
	}
	r, err := audit.NewRecord(e, b.rest, make([]byte, audit.SaltBytes))
	must(p.t, err)
	p.records = append(p.records, r)
	for _, h := range p.tree.Append(r.LeafHash()) {
		p.hashes = append(p.hashes, h.Hash)
	}
}

// bundle is of all entries, in a checkpoint with cosignatures.
func (p *paper) bundle(q evidence.Query, cosigners ...note.Signer) *evidence.Bundle {
	p.t.Helper()
	cp, err := p.signer.Sign(&p.tree)
	must(p.t, err)
	n, err := note.Open(cp.Note, note.VerifierList(p.signer.Verifier()))
	must(p.t, err)
	signed, err := note.Sign(n, cosigners...)
	must(p.t, err)
	b := &evidence.Bundle{Manifest: evidence.Manifest{
		Format: evidence.Format, Tool: "test", MadeAt: time.Unix(1_700_001_000, 0).UTC(), Query: q, Origin: cp.Origin, PublicKey: p.signer.PublicKey(),
	}}
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			out[i] = p.hashes[index]
		}
		return out, nil
	})
	for _, r := range p.records {
		path, err := tlog.ProveRecord(p.tree.Size(), r.Entry.Seq, reader)
		must(p.t, err)
		b.Proofs = append(b.Proofs, audit.Proof{Seq: r.Entry.Seq, Hashes: path, Checkpoint: signed, Leaf: r.Leaf, Salt: r.Salt, Body: r.Body})
	}
	return b
}

// cosigner is a witness, as itself and as a line of a policy.
func cosigner(t *testing.T, name string) (s note.Signer, line string) {
	t.Helper()
	skey, vkey, err := f_note.GenerateMLDSAKey(name)
	must(t, err)
	signer, err := f_note.NewSignerForCosignatureV1(skey)
	must(t, err)
	return signer, fmt.Sprintf("witness %s %s\n", name, vkey)
}

// TestWitnessesAreClaimedWhereTheyAreAndNowhereElse checks one log under policies.
func TestWitnessesAreClaimedWhereTheyAreAndNowhereElse(t *testing.T) {
	a, lineA := cosigner(t, "a.example")
	b, lineB := cosigner(t, "b.example")
	stranger, _ := cosigner(t, "a.example") // by the same name
	const seen, unseen = "witnesses of the policy have seen", "that the log shows everybody the same history"
	for _, c := range []struct {
		name, policy string
		signers      []note.Signer
		ok           bool
		cosigned     int
	}{
		{"no policy", "", []note.Signer{a, b}, true, 0},
		{"none is asked for", lineA + "quorum none", nil, true, 0},
		{"none is asked for, and one is there", lineA + "quorum none", []note.Signer{a}, true, 1},
		{"both are asked for", lineA + lineB + "group g all a.example b.example\nquorum g", []note.Signer{a, b}, true, 2},
		{"one of two", lineA + lineB + "group g any a.example b.example\nquorum g", []note.Signer{b}, true, 1},
		{"one is missing", lineA + lineB + "group g all a.example b.example\nquorum g", []note.Signer{a}, false, 1},
		{"all are missing", lineA + "quorum a.example", nil, false, 0},
		{"a stranger of the same name", lineA + "quorum a.example", []note.Signer{stranger}, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPaper(t)
			for range 5 {
				p.add(audit.Entry{Type: audit.TypeApply, Resource: "pool/web", Op: "update"}, body{after: map[string]int{"n": 1}})
			}
			var policy *witness.Policy
			if c.policy != "" {
				var err error
				policy, err = witness.ParsePolicy([]byte(c.policy))
				must(t, err)
			}
			bundle := p.bundle(evidence.Query{Since: time.Unix(0, 0)}, c.signers...)
			r, err := check(t, zipped(t, bundle), policy, p.signer.PublicKey())
			must(t, err)
			trust, err := audit.NewTrust(p.signer.PublicKey())
			must(t, err)
			one := evidence.CheckProof(bundle.Proofs[2], trust, policy)
			for _, r := range []evidence.Result{r, one} {
				if r.OK() != c.ok || len(r.Cosignatures) != c.cosigned {
					t.Errorf("found %v, cosigned by %v", r.Findings, r.Cosignatures)
				}
				if claimed := c.ok && c.cosigned > 0; says(r.Proved, seen) != claimed || c.ok && says(r.NotProved, unseen) == claimed {
					t.Errorf("proved %q, not proved %q", r.Proved, r.NotProved)
				}
			}
		})
	}
}
