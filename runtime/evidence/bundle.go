package evidence

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
)

// Format is the version of a bundle's form, and of how what is derived is derived.
const Format = 1

// Bounds of a bundle.
const (
	MaxEntries     = 100_000
	maxBundleBytes = 4 << 30 // unpacked
	maxDerived     = 1 << 30 // of one file
)

// Names in a bundle.
const (
	nameManifest = "manifest.json"
	nameReadme   = "README.txt"
	nameEntries  = "entries.json"
	nameTickets  = "tickets.json"
	nameSummary  = "summary.html"
	nameCheck    = "checkpoint"
	proofFolder  = "proofs/"
	proofSuffix  = ".tlog-proof"
)

// ErrBundle means that a file is not a bundle that this program can read.
var ErrBundle = errors.New("not an evidence bundle")

// Bundle is entries with what proves them.
type Bundle struct {
	Manifest Manifest
	// Proofs are those of the entries, by seq, all in one tree.
	Proofs []audit.Proof
}

// Manifest says what a bundle is meant to be. It is the word of whoever made it:
// nothing in it is proved.
type Manifest struct {
	Format int       `json:"format"`
	Tool   string    `json:"tool"`
	MadeAt time.Time `json:"made_at"`
	Query  Query     `json:"query"`
	Origin string    `json:"origin"`
	// PublicKey is the log's own word for its key.
	PublicKey string `json:"public_key"`
}

// Query is what entries a bundle is to have: all that match each field that is
// set, and what those refer to.
type Query struct {
	Ticket string    `json:"ticket,omitzero"`
	Run    string    `json:"run,omitzero"`
	Since  time.Time `json:"since,omitzero"`
	Until  time.Time `json:"until,omitzero"`
}

// String says it in words.
func (q Query) String() string {
	var parts []string
	if q.Ticket != "" {
		parts = append(parts, "ticket "+q.Ticket)
	}
	if q.Run != "" {
		parts = append(parts, "run "+q.Run)
	}
	if !q.Since.IsZero() {
		parts = append(parts, "since "+q.Since.UTC().Format(time.RFC3339))
	}
	if !q.Until.IsZero() {
		parts = append(parts, "until "+q.Until.UTC().Format(time.RFC3339))
	}
	return strings.Join(parts, ", ")
}

// Write writes a bundle. The same bundle makes the same bytes.
func (b *Bundle) Write(out io.Writer) error {
	z := zip.NewWriter(out)
	add := func(name string, content []byte) error {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: b.Manifest.MadeAt})
		if err != nil {
			return err
		}
		_, err = w.Write(content)
		return err
	}
	manifest, err := indented(b.Manifest)
	if err != nil {
		return err
	}
	derived, err := b.derive()
	if err != nil {
		return err
	}
	if err := add(nameManifest, manifest); err != nil {
		return err
	}
	for _, name := range derivedNames {
		if err := add(name, derived[name]); err != nil {
			return err
		}
	}
	for i := range b.Proofs {
		text, err := b.Proofs[i].Marshal()
		if err != nil {
			return err
		}
		if err := add(proofName(b.Proofs[i].Seq), text); err != nil {
			return err
		}
	}
	return z.Close()
}

func proofName(seq int64) string { return fmt.Sprintf("%s%d%s", proofFolder, seq, proofSuffix) }

// Read reads a bundle, and the files of it that are derived. That it reads well
// says nothing of whether it is true: see [Check]. Its errors wrap [ErrBundle].
func Read(r io.ReaderAt, size int64) (*Bundle, map[string][]byte, error) {
	b, derived, err := read(r, size)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrBundle, err)
	}
	return b, derived, nil
}

func read(r io.ReaderAt, size int64) (*Bundle, map[string][]byte, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, nil, errors.New("it is not a ZIP file")
	}
	if len(z.File) > MaxEntries+len(derivedNames)+1 {
		return nil, nil, errors.New("it has too many files")
	}
	b, derived, left := &Bundle{}, map[string][]byte{}, int64(maxBundleBytes)
	seen := map[string]bool{}
	for _, f := range z.File {
		if seen[f.Name] {
			return nil, nil, fmt.Errorf("it has %q twice", f.Name)
		}
		seen[f.Name] = true
		limit := int64(maxDerived)
		if strings.HasPrefix(f.Name, proofFolder) {
			limit = audit.MaxProofBytes
		}
		content, err := unpack(f, min(limit, left))
		if err != nil {
			return nil, nil, fmt.Errorf("%q: %w", f.Name, err)
		}
		left -= int64(len(content))
		switch {
		case f.Name == nameManifest:
			if err := json.Unmarshal(content, &b.Manifest, json.RejectUnknownMembers(true)); err != nil {
				return nil, nil, errors.New("its manifest can't be read")
			}
		case slices.Contains(derivedNames, f.Name):
			derived[f.Name] = content
		case strings.HasPrefix(f.Name, proofFolder):
			p, err := audit.ParseProof(content)
			if err != nil {
				return nil, nil, fmt.Errorf("%q: %w", f.Name, err)
			}
			if f.Name != proofName(p.Seq) {
				return nil, nil, fmt.Errorf("%q is the proof of entry %d", f.Name, p.Seq)
			}
			b.Proofs = append(b.Proofs, p)
		default:
			return nil, nil, fmt.Errorf("it has a file %q, which belongs in no bundle", f.Name)
		}
	}
	if b.Manifest.Format != Format {
		return nil, nil, fmt.Errorf("it is of format %d, and this program knows format %d", b.Manifest.Format, Format)
	}
	slices.SortFunc(b.Proofs, func(x, y audit.Proof) int { return int(x.Seq - y.Seq) })
	return b, derived, nil
}

func unpack(f *zip.File, limit int64) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, errors.New("it can't be unpacked")
	}
	defer r.Close()
	content, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, errors.New("it can't be unpacked")
	}
	if int64(len(content)) > limit {
		return nil, fmt.Errorf("it has more than %d bytes", limit)
	}
	return content, nil
}

func indented(v any) ([]byte, error) {
	b, err := json.Marshal(v, json.Deterministic(true), jsontext.WithIndent("  "))
	return append(b, '\n'), err
}

// IsBundle reports whether a file begins as a bundle does.
func IsBundle(beginning []byte) bool { return bytes.HasPrefix(beginning, []byte("PK\x03\x04")) }
