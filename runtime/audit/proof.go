package audit

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/mod/sumdb/tlog"
)

// Proof is evidence that an entry is in a log, and what the entry says. It needs
// nothing else but the log's public key to be checked.
type Proof struct {
	Seq int64
	// Hashes lead from the leaf to the checkpoint's root (RFC 6962 §2.1.1).
	Hashes []tlog.Hash
	// Checkpoint is the signed tree that the entry is in, with the cosignatures of
	// witnesses, if there are any.
	Checkpoint []byte
	Leaf       []byte
	// Salt and Body are what the leaf commits to; nil where the body was erased.
	Salt, Body []byte
	// Rotations are the proofs of the entries by which the log changed its key, in
	// order, up to the key that signed Checkpoint. They have none themselves.
	Rotations []Proof
}

// Bounds of a proof.
const (
	// MaxProofBytes is more than any proof can have.
	MaxProofBytes = 16 << 20
	// MaxRotations is how many changes of key a proof may carry.
	MaxRotations = 64
	maxPath      = 63
)

// ErrProof means that a text is not a proof in the form of C2SP tlog-proof with
// the entry in its extra data.
var ErrProof = errors.New("not a proof of an entry")

// proofVersion begins a proof.
const proofVersion = "c2sp.org/tlog-proof@v1"

// extra is what a proof carries beside the path: JSON in the extra line. What it
// holds is checked against the leaf hash, which the path starts from.
type extra struct {
	Leaf      jsontext.Value `json:"leaf"`
	Salt      string         `json:"salt,omitzero"` // hex
	Body      jsontext.Value `json:"body,omitzero"`
	Rotations []string       `json:"rotations,omitzero"`
}

// Marshal writes a proof in the form of C2SP tlog-proof.
func (p *Proof) Marshal() ([]byte, error) {
	x := extra{Leaf: p.Leaf, Salt: hex.EncodeToString(p.Salt), Body: p.Body}
	for i := range p.Rotations {
		text, err := p.Rotations[i].Marshal()
		if err != nil {
			return nil, err
		}
		x.Rotations = append(x.Rotations, string(text))
	}
	// Leaf and body go in byte for byte: they are canonical, and must stay so.
	data, err := json.Marshal(x, jsontext.PreserveRawStrings(true))
	if err != nil {
		return nil, fmt.Errorf("write proof of entry %d: %w", p.Seq, err)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s\nextra %s\nindex %d\n", proofVersion, base64.StdEncoding.EncodeToString(data), p.Seq)
	for _, h := range p.Hashes {
		out.WriteString(h.String() + "\n")
	}
	out.WriteByte('\n')
	out.Write(p.Checkpoint)
	return out.Bytes(), nil
}

// ParseProof reads a proof. That it reads well says nothing of whether it is
// true: see [Trust.CheckProof]. Its errors wrap [ErrProof].
func ParseProof(text []byte) (Proof, error) {
	p, err := parseProof(text, true)
	if err != nil {
		return Proof{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	return p, nil
}

func parseProof(text []byte, rotations bool) (p Proof, err error) {
	if len(text) > MaxProofBytes {
		return p, fmt.Errorf("it has more than %d bytes", MaxProofBytes)
	}
	head, checkpoint, ok := strings.Cut(string(text), "\n\n")
	lines := strings.Split(head, "\n")
	if !ok || lines[0] != proofVersion {
		return p, fmt.Errorf("it does not begin with %s, or has no checkpoint", proofVersion)
	}
	if len(lines) < 3 || !strings.HasPrefix(lines[1], "extra ") {
		return p, errors.New("the extra line, which holds the entry, is missing")
	}
	if err := p.parseExtra(lines[1][len("extra "):], rotations); err != nil {
		return p, err
	}
	index, ok := strings.CutPrefix(lines[2], "index ")
	if p.Seq, err = strconv.ParseInt(index, 10, 64); !ok || err != nil || p.Seq < 0 || strconv.FormatInt(p.Seq, 10) != index {
		return p, errors.New("the index line is missing or not a number")
	}
	if len(lines)-3 > maxPath {
		return p, fmt.Errorf("its path has more than %d hashes", maxPath)
	}
	for _, line := range lines[3:] {
		h, err := tlog.ParseHash(line)
		if err != nil || h.String() != line {
			return p, errors.New("a line of its path is not a hash")
		}
		p.Hashes = append(p.Hashes, h)
	}
	p.Checkpoint = []byte(checkpoint)
	return p, nil
}

func (p *Proof) parseExtra(text string, rotations bool) error {
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return errors.New("the extra line is not base64")
	}
	var x extra
	if err := json.Unmarshal(data, &x, json.RejectUnknownMembers(true)); err != nil || len(x.Leaf) == 0 {
		return errors.New("the extra line does not hold an entry")
	}
	if p.Salt, err = hex.DecodeString(x.Salt); err != nil {
		return errors.New("the salt is not hex")
	}
	p.Leaf, p.Body = x.Leaf, x.Body
	if len(x.Rotations) > MaxRotations || len(x.Rotations) > 0 && !rotations {
		return errors.New("it holds too many changes of key")
	}
	for _, text := range x.Rotations {
		rotation, err := parseProof([]byte(text), false)
		if err != nil {
			return fmt.Errorf("change of key: %w", err)
		}
		p.Rotations = append(p.Rotations, rotation)
	}
	return nil
}

// Record is the entry as it is stored, if its header is in canonical form.
func (p *Proof) Record() (Record, error) {
	e, err := ParseLeaf(p.Leaf)
	return Record{Entry: e, Leaf: p.Leaf, Salt: p.Salt, Body: p.Body}, err
}
