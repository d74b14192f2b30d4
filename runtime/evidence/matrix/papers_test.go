package matrix

import (
	"archive/zip"
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/evidence"
	"github.com/auditlb/terraform-provider-auditlb/runtime/witness"
)

// paper is a file of evidence that somebody is handed.
type paper struct {
	proof *audit.Proof
	// bundle is the file, where it is not a proof.
	bundle []byte
}

// check is auditlb verify FILE.
func (p *paper) check(t *testing.T, vkey string, policy *witness.Policy) evidence.Result {
	t.Helper()
	if p.proof != nil {
		return evidence.CheckProof(*p.proof, trusting(t, vkey), policy)
	}
	b, derived := unzipped(t, p.bundle)
	return evidence.Check(b, derived, trusting(t, vkey), policy)
}

// against holds the file against the log.
func (p *paper) against(t *testing.T, c *crime) string {
	t.Helper()
	if p.proof != nil {
		return against(t, c, p.proof.Checkpoint, []audit.Proof{*p.proof})
	}
	b, _ := unzipped(t, p.bundle)
	return against(t, c, b.Proofs[0].Checkpoint, b.Proofs)
}

// forgery is a row of the second table.
type forgery struct {
	name    string
	control bool
	make    func(*testing.T, *scene) paper
	unseen  string
	// unclaimed is what the check says that it does not prove, where it finds nothing
	// wrong with what is wrong: so it claims nothing that isn't so.
	unclaimed string
}

const (
	otherHistories = "that the log shows everybody the same history"
	furtherEntries = "that the log has no further entries about "
	missingBodies  = "what 1 entries changed"
)

var forgeries = []forgery{
	{
		name: "a proof as it was handed out", control: true,
		make:   func(t *testing.T, s *scene) paper { return proofOf(t, s, func(*audit.Proof) {}) },
		unseen: "There is nothing to be seen.",
	},
	{
		name: "a bundle as it was handed out", control: true,
		make:   func(_ *testing.T, s *scene) paper { return paper{bundle: s.kept.bundle} },
		unseen: "There is nothing to be seen.",
	},
	{
		name: "a proof's header is edited",
		make: func(t *testing.T, s *scene) paper {
			return proofOf(t, s, func(p *audit.Proof) { p.Leaf = replaced(t, p.Leaf, "olivia", "oliver") })
		},
	},
	{
		name: "a proof's body is edited",
		make: func(t *testing.T, s *scene) paper {
			return proofOf(t, s, func(p *audit.Proof) { p.Body = replaced(t, p.Body, "127.0.0.1", "127.6.6.6") })
		},
	},
	{
		name: "a proof is passed off as another entry's",
		make: func(t *testing.T, s *scene) paper { return proofOf(t, s, func(p *audit.Proof) { p.Seq++ }) },
	},
	{
		name: "a proof's body is taken out",
		make: func(t *testing.T, s *scene) paper {
			return proofOf(t, s, func(p *audit.Proof) { p.Salt, p.Body = nil, nil })
		},
		unseen:    "It is a good proof of the header, and the check says that it does not prove what the entry changed. The log has the body, if it was not erased.",
		unclaimed: missingBodies,
	},
	{
		name: "an entry in a bundle is edited, and what people read with it",
		make: func(t *testing.T, s *scene) paper {
			return bundleOf(t, s.kept.bundle, func(b *evidence.Bundle) {
				last := &b.Proofs[len(b.Proofs)-1]
				last.Body = replaced(t, last.Body, "127.0.0.1", "127.6.6.6")
			})
		},
	},
	{
		name: "a bundle's summary is edited",
		make: func(t *testing.T, s *scene) paper {
			return paper{bundle: rezipped(t, s.kept.bundle, "summary.html", "olivia", "oliver")}
		},
		unseen: "The proofs in it are untouched, and so is all that the log has. `auditlb verify FILE` derives again what people read, and compares.",
	},
	{
		name: "an entry is left out of a bundle of a ticket",
		make: func(t *testing.T, s *scene) paper {
			return bundleOf(t, s.kept.bundle, func(b *evidence.Bundle) { b.Proofs = b.Proofs[:len(b.Proofs)-1] })
		},
		unseen:    "A bundle of a ticket or run can't show that it is whole, and the check says so. One of a time (`auditlb export --since`) can, from its first entry to its last: none between them is missing.",
		unclaimed: furtherEntries + "ticket",
	},
	{
		name: "an entry is left out of the middle of a bundle of a time",
		make: func(t *testing.T, s *scene) paper {
			return bundleOfTime(t, s, func(b *evidence.Bundle) { b.Proofs = slices.Delete(b.Proofs, 1, 2) })
		},
		unseen:    "What is left is right. The check of a whole one says that nothing is missing between the first entry and the last; of this one it says the contrary, that it does not prove so.",
		unclaimed: furtherEntries + "since",
	},
	{
		name: "the last entry is left out of a bundle of a time",
		make: func(t *testing.T, s *scene) paper {
			return bundleOfTime(t, s, func(b *evidence.Bundle) { b.Proofs = b.Proofs[:len(b.Proofs)-1] })
		},
		unseen:    "The check says between which entries nothing is missing, and that it does not prove that there is none of that time before or after them. A bundle of a longer time has those.",
		unclaimed: "that no entry before",
	},
	{
		name: "a proof of an entry that was never in the log that others are shown, signed with the log's key",
		make: func(t *testing.T, s *scene) paper {
			p := parsed(t, s.one.proof)
			return paper{proof: &p}
		},
		unseen:    "The log's key signed it, and that is what it proves; the check says that it does not prove that the log shows everybody the same. Ask for cosignatures, or hold it against the log.",
		unclaimed: otherHistories,
	},
	{
		name:      "a bundle with such an entry",
		make:      func(_ *testing.T, s *scene) paper { return paper{bundle: s.one.bundle} },
		unseen:    "As before.",
		unclaimed: otherHistories,
	},
	{
		name: "a proof of such an entry, signed with a new key of the same name",
		make: func(t *testing.T, s *scene) paper {
			p := parsed(t, s.one.proof)
			skey, vkey, err := audit.GenerateKey(s.signer.Origin())
			must(t, err)
			signer, err := audit.NewSigner(skey, vkey)
			must(t, err)
			var tree audit.Tree
			p.Seq, p.Hashes = 0, nil
			record, err := p.Record()
			must(t, err)
			record.Entry.Seq = 0
			body, err := audit.ParseBody(record.Body)
			must(t, err)
			record, err = audit.NewRecord(record.Entry, body, record.Salt)
			must(t, err)
			p.Leaf = record.Leaf
			tree.Append(record.LeafHash())
			cp, err := signer.Sign(&tree)
			must(t, err)
			p.Checkpoint = cp.Note
			return paper{proof: &p}
		},
	},
}

func proofOf(t *testing.T, s *scene, change func(*audit.Proof)) paper {
	t.Helper()
	p := parsed(t, s.kept.proof)
	change(&p)
	return paper{proof: &p}
}

// bundleOf is a bundle that was changed, and derives what people read of it anew.
func bundleOf(t *testing.T, text []byte, change func(*evidence.Bundle)) paper {
	t.Helper()
	b, _ := unzipped(t, text)
	change(b)
	return paper{bundle: zipped(t, b)}
}

// bundleOfTime is a bundle of a time that was changed.
func bundleOfTime(t *testing.T, s *scene, change func(*evidence.Bundle)) paper {
	t.Helper()
	if whole := (&paper{bundle: s.kept.timed}).check(t, s.kept.key, nil); !saysWhole(&whole) {
		t.Errorf("of a whole bundle of a time it is not said that nothing is missing: %q", whole.Proved)
	}
	return bundleOf(t, s.kept.timed, change)
}

// saysWhole reports whether a check claims that no entry is missing.
func saysWhole(r *evidence.Result) bool {
	return slices.ContainsFunc(r.Proved, func(line string) bool { return strings.HasPrefix(line, "nothing is missing") })
}

// rezipped is a bundle with one file edited, in every other way as it was.
func rezipped(t *testing.T, text []byte, name, old, by string) []byte {
	t.Helper()
	in, err := zip.NewReader(bytes.NewReader(text), int64(len(text)))
	must(t, err)
	var buf bytes.Buffer
	out := zip.NewWriter(&buf)
	for _, f := range in.File {
		r, err := f.Open()
		must(t, err)
		content, err := io.ReadAll(r)
		must(t, err)
		if f.Name == name {
			content = replaced(t, content, old, by)
		}
		w, err := out.CreateHeader(&zip.FileHeader{Name: f.Name, Method: f.Method, Modified: f.Modified})
		must(t, err)
		_, err = w.Write(content)
		must(t, err)
	}
	must(t, out.Close())
	return buf.Bytes()
}

func replaced(t *testing.T, text []byte, old, by string) []byte {
	t.Helper()
	out := bytes.ReplaceAll(text, []byte(old), []byte(by))
	if bytes.Equal(out, text) {
		t.Fatalf("nothing to edit: there is no %q in %s", old, text)
	}
	return out
}

// judge fills a row of the second table.
func (f *forgery) judge(t *testing.T, s *scene, c *crime) []string {
	t.Helper()
	p := f.make(t, s)
	plain := p.check(t, s.kept.key, nil)
	witnessed := p.check(t, s.kept.key, policyOf(t, s.kept.witness, ""))
	if (len(plain.Proved) > 0) != plain.OK() {
		t.Errorf("with the findings %v it claims %q", plain.Findings, plain.Proved)
	}
	if p.bundle != nil && plain.Last-plain.First+1 != int64(plain.Entries) && saysWhole(&plain) {
		t.Errorf("entries are missing, and it claims %q", plain.Proved)
	}
	if plain.OK() && !f.control {
		said := func(line string) bool { return strings.HasPrefix(line, f.unclaimed) }
		if f.unclaimed == "" || !slices.ContainsFunc(plain.NotProved, said) {
			t.Errorf("it passes, and does not say %q among what it does not prove: %q", f.unclaimed, plain.NotProved)
		}
	}
	return []string{found(!plain.OK()), found(!witnessed.OK()), p.against(t, c)}
}
