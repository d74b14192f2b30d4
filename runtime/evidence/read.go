package evidence

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
)

// Derived are the SHA-256 of the files of a bundle that are derived, by name.
type Derived map[string][sha256.Size]byte

// Read reads a bundle, and what the files of it were that are derived. That it reads
// well says nothing of whether it is true: see [Check]. Its errors wrap [ErrBundle].
//
// A file has one form, the one that [Bundle.Write] gives it. So nothing can be hidden
// in one, and every program that unpacks it comes to the same.
func Read(r io.ReaderAt, size int64) (*Bundle, Derived, error) {
	b, derived, err := read(r, size)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrBundle, err)
	}
	return b, derived, nil
}

func read(r io.ReaderAt, size int64) (*Bundle, Derived, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, nil, errors.New("it is not a ZIP file")
	}
	if len(z.File) > MaxEntries+len(derivedNames)+1 {
		return nil, nil, errors.New("it has too many files")
	}
	if err := nothingBeside(z, r, size); err != nil {
		return nil, nil, err
	}
	b, derived, left := &Bundle{}, Derived{}, int64(maxBundleBytes)
	seen := map[string]bool{}
	for _, f := range z.File {
		if seen[f.Name] {
			return nil, nil, fmt.Errorf("it has %q twice", f.Name)
		}
		seen[f.Name] = true
		content, err := unpack(f, min(maxSize(f.Name), left))
		if err != nil {
			return nil, nil, fmt.Errorf("%q: %w", f.Name, err)
		}
		left -= int64(len(content))
		switch {
		case slices.Contains(derivedNames, f.Name):
			derived[f.Name] = sha256.Sum256(content)
		case f.Name == nameManifest:
			err = b.readManifest(content)
		case strings.HasPrefix(f.Name, proofFolder):
			err = b.readProof(f.Name, content)
		default:
			err = errors.New("it belongs in no bundle")
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%q: %w", f.Name, err)
		}
	}
	if b.Manifest.Format != Format {
		return nil, nil, fmt.Errorf("it is of format %d, and this program knows format %d", b.Manifest.Format, Format)
	}
	slices.SortFunc(b.Proofs, func(x, y audit.Proof) int { return int(x.Seq - y.Seq) })
	return b, derived, nil
}

// nothingBeside reports an error when the file is not exactly what its directory says.
// Some programs read what stands before each file in place of the directory: what is
// hidden from one would be shown by the other.
func nothingBeside(z *zip.Reader, r io.ReaderAt, size int64) error {
	same := &comparer{r: io.NewSectionReader(r, 0, size)}
	again := zip.NewWriter(same)
	for _, f := range z.File {
		// Extra holds the time alone: some programs find another name there.
		if len(f.Extra) > 9 || len(f.Extra) > 0 && !bytes.HasPrefix(f.Extra, []byte("UT\x05\x00")) || f.Comment != "" || f.ExternalAttrs != 0 {
			return fmt.Errorf("%q says more of itself than a bundle's file does", f.Name)
		}
		header := f.FileHeader
		w, err := again.CreateRaw(&header)
		if err != nil {
			return errors.New("its directory can't be read")
		}
		packed, err := f.OpenRaw()
		if err != nil {
			return errors.New("its directory can't be read")
		}
		if _, err := io.Copy(w, packed); err != nil {
			return err
		}
	}
	if err := again.Close(); err != nil {
		return err
	}
	if same.n != size {
		return errBeside
	}
	return nil
}

var errBeside = errors.New("it holds something that its directory does not tell of")

// comparer is a writer that fails on what differs from what it reads.
type comparer struct {
	r io.Reader
	n int64
}

// Write implements io.Writer.
func (c *comparer) Write(p []byte) (int, error) {
	var there [4096]byte
	for rest := p; len(rest) > 0; {
		part := there[:min(len(rest), len(there))]
		if _, err := io.ReadFull(c.r, part); err != nil || !bytes.Equal(part, rest[:len(part)]) {
			return 0, errBeside
		}
		c.n += int64(len(part))
		rest = rest[len(part):]
	}
	return len(p), nil
}

func (b *Bundle) readManifest(content []byte) error {
	if err := json.Unmarshal(content, &b.Manifest, json.RejectUnknownMembers(true)); err != nil {
		return errors.New("it can't be read")
	}
	if again, err := indented(b.Manifest); err != nil || !bytes.Equal(again, content) {
		return errors.New("it was altered")
	}
	return nil
}

func (b *Bundle) readProof(name string, content []byte) error {
	p, err := audit.ParseProof(content)
	if err != nil {
		return err
	}
	if name != proofName(p.Seq) {
		return fmt.Errorf("it is the proof of entry %d", p.Seq)
	}
	if again, err := p.Marshal(); err != nil || !bytes.Equal(again, content) {
		return errors.New("it was altered")
	}
	if len(b.Proofs) > 0 { // what all have in common is in memory once
		first := &b.Proofs[0]
		if bytes.Equal(first.Checkpoint, p.Checkpoint) {
			p.Checkpoint = first.Checkpoint
		}
		if slices.EqualFunc(first.Rotations, p.Rotations, sameProof) {
			p.Rotations = first.Rotations
		}
	}
	b.Proofs = append(b.Proofs, p)
	return nil
}

func sameProof(x, y audit.Proof) bool {
	return x.Seq == y.Seq && slices.Equal(x.Hashes, y.Hashes) && bytes.Equal(x.Checkpoint, y.Checkpoint) &&
		bytes.Equal(x.Leaf, y.Leaf) && bytes.Equal(x.Salt, y.Salt) && bytes.Equal(x.Body, y.Body) && len(x.Rotations)+len(y.Rotations) == 0
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
