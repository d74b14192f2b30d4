package evidence_test

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/evidence"
)

// file is a file of a ZIP.
type file struct{ name, content string }

func unzip(t testing.TB, text []byte) []file {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(text), int64(len(text)))
	must(t, err)
	var out []file
	for _, f := range z.File {
		r, err := f.Open()
		must(t, err)
		content, err := io.ReadAll(r)
		must(t, err)
		out = append(out, file{f.Name, string(content)})
	}
	return out
}

func zipOf(t testing.TB, files []file) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, f := range files {
		method := zip.Deflate
		if f.content == "" {
			method = zip.Store // there may be many
		}
		w, err := z.CreateHeader(&zip.FileHeader{Name: f.name, Method: method, Modified: time.Unix(1_700_000_000, 0).UTC()})
		must(t, err)
		if strings.HasSuffix(f.name, "/") {
			continue // a folder
		}
		_, err = io.WriteString(w, f.content)
		must(t, err)
	}
	must(t, z.Close())
	return out.Bytes()
}

// rejected fails the test unless a bundle is none, or is found to be wrong and proves nothing.
func rejected(t *testing.T, text []byte, key string) {
	t.Helper()
	r, err := check(t, text, nil, key)
	if err != nil {
		if !errors.Is(err, evidence.ErrBundle) {
			t.Errorf("%v is not ErrBundle", err)
		}
		return
	}
	if r.OK() || len(r.Proved) > 0 || len(r.NotProved) > 0 {
		t.Errorf("it holds: %q", r.Proved)
	}
}

func TestEveryFileOfABundleCounts(t *testing.T) {
	s := newScene(t)
	good := zipped(t, s.collect(t, evidence.Query{Ticket: ticketID}))
	files := unzip(t, good)
	holds(t, zipOf(t, files), nil, s.key())
	for i, f := range files {
		if !strings.HasPrefix(f.name, "proofs/") { // without a proof it is another bundle
			t.Run(f.name+" removed", func(t *testing.T) {
				rejected(t, zipOf(t, slices.Delete(slices.Clone(files), i, i+1)), s.key())
			})
		}
		t.Run(f.name+" doubled", func(t *testing.T) {
			rejected(t, zipOf(t, append(slices.Clone(files), f)), s.key())
		})
		t.Run(f.name+" renamed", func(t *testing.T) {
			for _, name := range []string{"x-" + f.name, strings.ToUpper(f.name), f.name + "/", "./" + f.name, "../" + f.name, "/" + f.name, strings.ReplaceAll(f.name, "/", `\`) + " ", strings.Replace(f.name, "proofs/", "proofs/../proofs/", 1) + "\x00"} {
				changed := slices.Clone(files)
				changed[i].name = name
				rejected(t, zipOf(t, changed), s.key())
			}
		})
		t.Run(f.name+" edited", func(t *testing.T) {
			for range 8 {
				content := []byte(f.content)
				at := rand.IntN(len(content))
				content[at] ^= 1 << rand.IntN(8)
				changed := slices.Clone(files)
				changed[i].content = string(content)
				rejected(t, zipOf(t, changed), s.key())
			}
			for _, content := range []string{"", f.content + " ", f.content + "\n", " " + f.content, f.content[:len(f.content)/2], f.content + f.content} {
				changed := slices.Clone(files)
				changed[i].content = content
				rejected(t, zipOf(t, changed), s.key())
			}
		})
	}
	for _, name := range []string{"proofs/1", "proofs/01.tlog-proof", "notes.txt", "proofs/", "proofs/../summary.html", "__MACOSX/._summary.html", "summary.htm"} {
		t.Run(name+" added", func(t *testing.T) {
			rejected(t, zipOf(t, append(slices.Clone(files), file{name, files[len(files)-1].content})), s.key())
		})
	}
}

// TestAProofInABundleHasOneForm: another spelling of the same proof is not taken.
func TestAProofInABundleHasOneForm(t *testing.T) {
	s := newScene(t)
	files := unzip(t, zipped(t, s.collect(t, evidence.Query{Ticket: ticketID})))
	last := len(files) - 1
	version, rest, _ := strings.Cut(files[last].content, "\nextra ")
	extra, rest, _ := strings.Cut(rest, "\n")
	inside, err := base64.StdEncoding.DecodeString(extra)
	must(t, err)
	for name, spelled := range map[string]string{
		"with a break":       extra[:8] + "\r" + extra[8:],
		"with a space":       base64.StdEncoding.EncodeToString(bytes.Replace(inside, []byte(`,"salt"`), []byte(`, "salt"`), 1)),
		"with an escape":     base64.StdEncoding.EncodeToString(bytes.Replace(inside, []byte(`"salt"`), []byte(`"\u0073alt"`), 1)),
		"with other hex":     base64.StdEncoding.EncodeToString(upperSalt(inside)),
		"with a break after": extra + "\r",
	} {
		t.Run(name, func(t *testing.T) {
			changed := slices.Clone(files)
			changed[last].content = version + "\nextra " + spelled + "\n" + rest
			p, err := audit.ParseProof([]byte(changed[last].content))
			must(t, err) // by itself it is one
			trust, err := audit.NewTrust(s.key())
			must(t, err)
			if r := evidence.CheckProof(p, trust, nil); !r.OK() {
				t.Errorf("%v", r.Findings)
			}
			rejected(t, zipOf(t, changed), s.key())
		})
	}
}

// upperSalt writes the salt in capitals.
func upperSalt(extra []byte) []byte {
	at := bytes.Index(extra, []byte(`"salt":"`)) + len(`"salt":"`)
	return slices.Concat(extra[:at], bytes.ToUpper(extra[at:at+2*audit.SaltBytes]), extra[at+2*audit.SaltBytes:])
}

// TestWhatIsDerivedFromAnotherBundleIsNotTaken writes bundles anew, so that what is
// derived fits, around proofs or a manifest that don't.
func TestWhatIsDerivedFromAnotherBundleIsNotTaken(t *testing.T) {
	s, other := newScene(t), newScene(t)
	query := evidence.Query{Since: time.Unix(0, 0)}
	theirs := other.collect(t, query)
	small := s.collect(t, query)
	s.change(t, "later", 1)
	for name, change := range map[string]func(*evidence.Bundle){
		"a proof of another log":            func(b *evidence.Bundle) { b.Proofs[3] = theirs.Proofs[3] },
		"a proof in another tree":           func(b *evidence.Bundle) { b.Proofs[3] = small.Proofs[3] },
		"the first proof in another tree":   func(b *evidence.Bundle) { b.Proofs[0] = small.Proofs[0] },
		"the checkpoint of another tree":    func(b *evidence.Bundle) { b.Proofs[3].Checkpoint = small.Proofs[3].Checkpoint },
		"another origin":                    func(b *evidence.Bundle) { b.Manifest.Origin = "example.com/other" },
		"another format":                    func(b *evidence.Bundle) { b.Manifest.Format = 2 },
		"a time that has none of it":        func(b *evidence.Bundle) { b.Manifest.Query = evidence.Query{Until: time.Unix(1, 0)} },
		"a ticket that has none of it":      func(b *evidence.Bundle) { b.Manifest.Query = evidence.Query{Ticket: "CHG-404"} },
		"no entry at all":                   func(b *evidence.Bundle) { b.Proofs = nil },
		"a body of another entry":           func(b *evidence.Bundle) { b.Proofs[3].Body = b.Proofs[4].Body },
		"the same entry by another's proof": func(b *evidence.Bundle) { b.Proofs[3].Leaf = b.Proofs[4].Leaf },
	} {
		t.Run(name, func(t *testing.T) {
			b := s.collect(t, query)
			change(b)
			rejected(t, zipped(t, b), s.key())
		})
	}
}

// TestNothingIsClaimedOfWhatWasLeftOut: who makes a bundle can leave entries and bodies
// out. The rest holds, and no more is claimed than that.
func TestNothingIsClaimedOfWhatWasLeftOut(t *testing.T) {
	s := newScene(t)
	query := evidence.Query{Since: time.Unix(0, 0)}
	t.Run("an entry in the middle", func(t *testing.T) {
		b := s.collect(t, query)
		b.Proofs = slices.Delete(b.Proofs, 4, 5)
		r := holds(t, zipped(t, b), nil, s.key())
		if says(r.Proved, whole) || !says(r.NotProved, "no further entries") {
			t.Errorf("proved %q, not proved %q", r.Proved, r.NotProved)
		}
	})
	t.Run("the last entries", func(t *testing.T) {
		b := s.collect(t, query)
		n := len(b.Proofs) - 2
		b.Proofs = b.Proofs[:n]
		r := holds(t, zipped(t, b), nil, s.key())
		if !says(r.NotProved, fmt.Sprintf("no entry before 0 or after %d is of the time", n-1)) {
			t.Errorf("proved %q, not proved %q", r.Proved, r.NotProved)
		}
	})
	t.Run("a file alone, without the rest of it", func(t *testing.T) {
		files := unzip(t, zipped(t, s.collect(t, query)))
		rejected(t, zipOf(t, files[:len(files)-1]), s.key())
	})
	t.Run("a body", func(t *testing.T) {
		b := s.collect(t, evidence.Query{Ticket: ticketID})
		at := slices.IndexFunc(b.Proofs, func(p audit.Proof) bool { return p.Seq == s.applied })
		b.Proofs[at].Body, b.Proofs[at].Salt = nil, nil
		text := zipped(t, b)
		r := holds(t, text, nil, s.key())
		if r.Erased != 1 || !says(r.NotProved, "what 1 entries changed") || !says(r.Proved, fmt.Sprintf("%d bodies", r.Entries-1)) {
			t.Errorf("erased %d, proved %q, not proved %q", r.Erased, r.Proved, r.NotProved)
		}
		if page := contentOf(t, text, "summary.html"); !strings.Contains(page, "The body is not here") {
			t.Error("the summary does not say so")
		}
	})
	t.Run("the body of what became of a ticket", func(t *testing.T) {
		b := s.collect(t, evidence.Query{Ticket: ticketID})
		var last int
		for i := range b.Proofs {
			if r, err := b.Proofs[i].Record(); err == nil && r.Entry.Type == audit.TypeTicket {
				last = i
			}
		}
		b.Proofs[last].Body, b.Proofs[last].Salt = nil, nil
		text := zipped(t, b)
		holds(t, text, nil, s.key())
		if want := fmt.Sprintf(`"later_without_body": %d`, b.Proofs[last].Seq); !strings.Contains(contentOf(t, text, "tickets.json"), want) {
			t.Errorf("the tickets do not say %s", want)
		}
	})
}

func contentOf(t testing.TB, text []byte, name string) string {
	t.Helper()
	for _, f := range unzip(t, text) {
		if f.name == name {
			return f.content
		}
	}
	t.Fatalf("there is no %s", name)
	return ""
}
