package evidence

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/witness"
)

// Result is what a check of evidence came to.
type Result struct {
	Origin string `json:"origin"`
	// Size and Root are those of the signed tree that the entries are in.
	Size int64  `json:"size"`
	Root string `json:"root"`
	// Entries is how many were checked, First and Last the seqs of the outermost.
	Entries int   `json:"entries"`
	First   int64 `json:"first"`
	Last    int64 `json:"last"`
	// Erased counts the entries whose bodies are not there. That the log erased them
	// is what their absence says for itself: nothing proves it.
	Erased int `json:"erased,omitzero"`
	// Keys are the public keys that came to be trusted by changes of key.
	Keys []string `json:"keys,omitzero"`
	// Cosignatures are those of the witnesses that the policy names.
	Cosignatures []witness.Cosigned `json:"cosignatures,omitzero"`
	// Proved and NotProved say in words what the check says and what it doesn't.
	Proved    []string `json:"proved"`
	NotProved []string `json:"not_proved"`
	// Findings are what is wrong. With any, nothing is proved.
	Findings []audit.Finding `json:"findings"`
	// Records are the entries that were checked.
	Records []audit.Record `json:"-"`
}

// OK reports that nothing is wrong.
func (r *Result) OK() bool { return len(r.Findings) == 0 }

// CheckProof checks one proof. The policy says which witnesses
// have to have cosigned; nil asks for none.
func CheckProof(p audit.Proof, trust *audit.Trust, policy *witness.Policy) Result {
	r := check([]audit.Proof{p}, trust, policy)
	r.state(nil)
	return r
}

// Check checks a bundle and what is derived from it. The policy says which witnesses
// have to have cosigned; nil asks for none.
func Check(b *Bundle, derived Derived, trust *audit.Trust, policy *witness.Policy) Result {
	r := check(b.Proofs, trust, policy)
	switch {
	case len(b.Proofs) == 0:
		r.find(-1, "the bundle holds no entry")
	case r.OK() && b.Manifest.Origin != r.Origin:
		r.find(-1, fmt.Sprintf("the bundle says that it is of %q, and its entries are of %q", b.Manifest.Origin, r.Origin))
	}
	if r.OK() {
		r.checkQuery(b.Manifest.Query)
		r.checkDerived(b, derived)
	}
	r.state(&b.Manifest)
	return r
}

// check checks proofs that are all to be of one tree.
func check(proofs []audit.Proof, trust *audit.Trust, policy *witness.Policy) Result {
	r := Result{Findings: []audit.Finding{}, NotProved: []string{}, Proved: []string{}}
	for i := range proofs {
		p := &proofs[i]
		checked, err := trust.CheckProof(p)
		if err != nil {
			r.find(p.Seq, explain(err))
			continue
		}
		cp := checked.Checkpoint
		if r.Entries == 0 {
			r.Origin, r.Size, r.Root, r.First = cp.Origin, cp.Size, cp.Root.String(), p.Seq
			if policy != nil {
				r.Cosignatures = policy.Cosigned(cp.Note)
				if !policy.Satisfied(cp.Note) {
					r.find(-1, "the checkpoint has not the cosignatures that the witness policy asks for")
				}
			}
		} else if !bytes.Equal(cp.Note, proofs[0].Checkpoint) {
			r.find(p.Seq, "the entry is proved by another checkpoint than the first")
		}
		r.Entries++
		r.Last = p.Seq
		if p.Body == nil {
			r.Erased++
		}
		r.Records = append(r.Records, checked.Record)
	}
	r.Keys = trust.Added()
	return r
}

// explain says what is wrong with a proof.
func explain(err error) string {
	switch {
	case errors.Is(err, audit.ErrRotation):
		return err.Error()
	case errors.Is(err, audit.ErrBadCheckpoint):
		return "the checkpoint is not signed by a trusted key"
	}
	return err.Error()
}

// checkDerived derives what people read from what was proved, and compares.
func (r *Result) checkDerived(b *Bundle, derived Derived) {
	want, err := b.derive()
	if err != nil {
		r.find(-1, err.Error())
		return
	}
	for _, name := range derivedNames {
		if got, ok := derived[name]; !ok || got != sha256.Sum256(want[name]) {
			r.find(-1, fmt.Sprintf("%s does not say what the proofs say: it was altered, or is missing", name))
		}
	}
}

// checkQuery holds the entries to what the bundle says that they are about.
func (r *Result) checkQuery(q Query) {
	some := false
	for i := range r.Records {
		matches := q.matches(&r.Records[i].Entry)
		if some = some || matches; q.isRange() && !matches {
			r.find(r.Records[i].Entry.Seq, "the entry is not of what the bundle says that it is about: "+q.String())
		}
	}
	if !some {
		r.find(-1, "none of the entries is of what the bundle says that it is about: "+q.String())
	}
}

func (r *Result) find(seq int64, problem string) {
	if len(r.Findings) < audit.MaxFindings {
		r.Findings = append(r.Findings, audit.Finding{Seq: seq, Problem: problem})
	}
}

// state says in words what was proved and what was not.
func (r *Result) state(m *Manifest) {
	if !r.OK() {
		return
	}
	what := fmt.Sprintf("entry %d is", r.First)
	if r.Entries > 1 {
		what = fmt.Sprintf("each of the %d entries is", r.Entries)
	}
	r.Proved = append(r.Proved, fmt.Sprintf("%s in the log %s, in the tree of %d entries that the log's key signs", what, r.Origin, r.Size))
	if n := r.Entries - r.Erased; n > 0 {
		r.Proved = append(r.Proved, fmt.Sprintf("%d bodies, with before and after, are the ones that the entries commit to", n))
	}
	if m != nil {
		r.Proved = append(r.Proved, "summary, entries and tickets say what the entries say")
	}
	if len(r.Keys) > 0 {
		r.Proved = append(r.Proved, fmt.Sprintf("the key in use is vouched for by the one that is trusted, over %d changes", len(r.Keys)))
	}
	if len(r.Cosignatures) > 0 {
		r.Proved = append(r.Proved, fmt.Sprintf("%d witnesses of the policy have seen this log with this tree and no other, which is enough for it", len(r.Cosignatures)))
	} else {
		r.NotProved = append(r.NotProved, "that the log shows everybody the same history: who has its key can sign another one; cosignatures of witnesses say so (--witness-policy)")
	}
	if r.Erased > 0 {
		r.NotProved = append(r.NotProved, fmt.Sprintf("what %d entries changed: their bodies are not here, erased from the log or left out", r.Erased))
	}
	switch {
	case m == nil:
	case r.contiguous() && m.Query.isRange():
		r.Proved = append(r.Proved, fmt.Sprintf("nothing is missing between the entries %d and %d", r.First, r.Last))
		if r.First > 0 || r.Last < r.Size-1 {
			r.NotProved = append(r.NotProved, fmt.Sprintf("that no entry before %d or after %d is of the time %s", r.First, r.Last, m.Query))
		}
	default:
		r.NotProved = append(r.NotProved, "that the log has no further entries about "+m.Query.String())
	}
	r.NotProved = append(r.NotProved,
		"who stands behind a name: an entry says which credential was used",
		"the time beyond the log's own clock"+clockBound(r.Cosignatures),
		"what happened after entry "+fmt.Sprint(r.Size-1))
}

// clockBound is what cosignatures say of the time.
func clockBound(cosignatures []witness.Cosigned) string {
	var first time.Time
	for _, c := range cosignatures {
		if first.IsZero() || c.At.Before(first) {
			first = c.At
		}
	}
	if first.IsZero() {
		return ""
	}
	return ", but for this: all of it had happened by " + first.UTC().Format(time.RFC3339) + ", says a witness"
}

// contiguous reports whether no seq is missing between the first and the last.
func (r *Result) contiguous() bool { return r.Last-r.First+1 == int64(r.Entries) }
