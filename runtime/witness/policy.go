package witness

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	f_note "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

// Bounds of a policy.
const (
	maxPolicyFile = 1 << 20
	// MaxWitnesses is how many witnesses a policy may have: a note holds no more than a
	// hundred signatures.
	MaxWitnesses = 64
	// MaxGroups is how many groups a policy may have.
	MaxGroups = 64
)

// none is the quorum that needs no cosignature.
const none = "none"

// Witness is one witness of a policy.
type Witness struct {
	// Name is what the policy calls it.
	Name string
	// Key verifies its cosignatures.
	Key note.Verifier
	// URL is where checkpoints are brought to, without /add-checkpoint; "" where the policy
	// has none.
	URL string
}

// Policy says whose cosignatures make a checkpoint one to rely on (C2SP tlog-policy).
// It does not change.
type Policy struct {
	// Witnesses are all that the policy names, in its order.
	Witnesses []Witness
	// Logs are the public keys of the logs that it names.
	Logs   []string
	quorum component
}

// component is a witness or a group of components. A component of no members whose
// threshold is 0 is the quorum none.
type component struct {
	// witness is an index of Witnesses, for a component without members.
	witness   int
	threshold int
	members   []component
}

// met reports whether enough have signed.
func (c *component) met(signed func(witness int) bool) bool {
	if len(c.members) == 0 {
		return c.threshold == 0 || signed(c.witness)
	}
	n := 0
	for i := range c.members {
		if c.members[i].met(signed) {
			n++
		}
	}
	return n >= c.threshold
}

// LoadPolicy reads a policy's file. Errors name the file and the line.
func LoadPolicy(path string) (*Policy, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxPolicyFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxPolicyFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxPolicyFile)
	}
	p, err := ParsePolicy(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// ParsePolicy reads a policy. Errors name the line.
func ParsePolicy(text []byte) (*Policy, error) {
	b := policyParser{names: map[string]*component{}, keys: map[string]bool{}, members: map[string]bool{}}
	n := 0
	for line := range bytes.SplitSeq(text, []byte("\n")) {
		n++
		if err := b.line(string(line)); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	if b.quorum == nil {
		return nil, errors.New("there is no quorum line: add one, such as quorum NAME, or quorum none for no cosignature at all")
	}
	b.policy.quorum = *b.quorum
	return &b.policy, nil
}

// Submittable returns an error unless the policy is one to bring checkpoints to
// witnesses by: some have URLs, and those are enough for the quorum.
func (p *Policy) Submittable() error {
	reachable := func(i int) bool { return p.Witnesses[i].URL != "" }
	for i := range p.Witnesses {
		if reachable(i) {
			if !p.quorum.met(reachable) {
				return errors.New("the witnesses that have a URL are too few for the quorum: add the URLs of others to their witness lines")
			}
			return nil
		}
	}
	return errors.New("no witness has a URL to bring checkpoints to: add it at the end of its line, witness NAME KEY URL")
}

// Satisfied reports whether a signed checkpoint has the cosignatures that the policy
// asks for. It says nothing of the log's own signature.
func (p *Policy) Satisfied(checkpoint []byte) bool {
	_, found, err := p.open(checkpoint)
	return err == nil && p.met(found)
}

// met is Satisfied for cosignatures that were verified already, by index of Witnesses.
func (p *Policy) met(found map[int]note.Signature) bool {
	return p.quorum.met(func(i int) bool {
		_, ok := found[i]
		return ok
	})
}

// open reads a note and returns the cosignatures that verify, by index of Witnesses.
func (p *Policy) open(checkpoint []byte) (*note.Note, map[int]note.Signature, error) {
	n, err := note.Open(checkpoint, p)
	var unverified *note.UnverifiedNoteError
	if errors.As(err, &unverified) {
		n, err = unverified.Note, nil
	}
	if err != nil {
		return nil, nil, err
	}
	found := map[int]note.Signature{}
	for _, sig := range n.Sigs {
		for i := range p.Witnesses {
			if w := &p.Witnesses[i]; w.Key.Name() == sig.Name && w.Key.KeyHash() == sig.Hash {
				found[i] = sig
			}
		}
	}
	return n, found, nil
}

// Verifier implements [note.Verifiers] with the keys of all witnesses.
func (p *Policy) Verifier(name string, hash uint32) (note.Verifier, error) {
	for i := range p.Witnesses {
		if w := &p.Witnesses[i]; w.Key.Name() == name && w.Key.KeyHash() == hash {
			return w.Key, nil
		}
	}
	return nil, &note.UnknownVerifierError{Name: name, KeyHash: hash}
}

// Cosigned is a witness's cosignature under a checkpoint.
type Cosigned struct {
	// Witness is what the policy calls it.
	Witness string    `json:"witness"`
	At      time.Time `json:"at"`
}

// Cosigned lists the cosignatures under a signed checkpoint that verify, in the
// policy's order.
func (p *Policy) Cosigned(checkpoint []byte) []Cosigned {
	_, found, err := p.open(checkpoint)
	if err != nil {
		return nil
	}
	var out []Cosigned
	for i := range p.Witnesses {
		if sig, ok := found[i]; ok {
			if at, err := f_note.CoSigV1Timestamp(sig); err == nil {
				out = append(out, Cosigned{p.Witnesses[i].Name, at.UTC()})
			}
		}
	}
	return out
}
