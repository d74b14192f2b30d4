package evidence

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
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
	maxManifest    = 64 << 10
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

// isRange reports whether it is for all entries of a time.
func (q Query) isRange() bool { return q.Ticket == "" && q.Run == "" }

// matches reports whether an entry is one of those that were asked for, and not only
// one that those refer to.
func (q Query) matches(e *audit.Entry) bool {
	if q.isRange() {
		return !e.Time.Before(q.Since.Truncate(time.Microsecond)) && (q.Until.IsZero() || e.Time.Before(q.Until.Truncate(time.Microsecond)))
	}
	return (q.Ticket == "" || e.Ticket == q.Ticket || e.Resource == "ticket/"+q.Ticket) &&
		(q.Run == "" || e.RunID() == q.Run || e.Resource == "run/"+q.Run)
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
	z, left := zip.NewWriter(out), int64(maxBundleBytes)
	add := func(name string, content []byte) error {
		if left -= int64(len(content)); left < 0 || int64(len(content)) > maxSize(name) {
			return errors.New("the bundle would be too large to be read again; ask for a shorter time with since and until")
		}
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

// maxSize bounds a file of a bundle, in bytes.
func maxSize(name string) int64 {
	switch {
	case strings.HasPrefix(name, proofFolder):
		return audit.MaxProofBytes
	case name == nameManifest:
		return maxManifest
	}
	return maxDerived
}

func proofName(seq int64) string { return fmt.Sprintf("%s%d%s", proofFolder, seq, proofSuffix) }

func indented(v any) ([]byte, error) {
	b, err := json.Marshal(v, json.Deterministic(true), jsontext.WithIndent("  "))
	return append(b, '\n'), err
}

// IsBundle reports whether a file begins as a bundle does.
func IsBundle(beginning []byte) bool { return bytes.HasPrefix(beginning, []byte("PK\x03\x04")) }
