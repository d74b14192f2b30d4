package evidence_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/evidence"
)

// TestABundleShowsTheSameToWhateverUnpacksIt hides things where some programs look and
// others don't.
func TestABundleShowsTheSameToWhateverUnpacksIt(t *testing.T) {
	s := newScene(t)
	good := zipped(t, s.collect(t, evidence.Query{Ticket: ticketID}))
	holds(t, good, nil, s.key())
	end := bytes.LastIndex(good, []byte("PK\x05\x06"))
	directory := int(binary.LittleEndian.Uint32(good[end+16:]))
	insert := func(at int, what []byte) []byte {
		return bytes.Join([][]byte{good[:at], what, good[at:]}, nil)
	}
	moved := func(text []byte, n int) []byte {
		out := bytes.Clone(text)
		at := bytes.LastIndex(out, []byte("PK\x05\x06")) + 16
		binary.LittleEndian.PutUint32(out[at:], binary.LittleEndian.Uint32(out[at:])+uint32(n))
		return out
	}
	page := []byte("<h1>All is well</h1>")
	hidden := stored("summary.html", page)
	for name, text := range map[string][]byte{
		"before the first file":                append(bytes.Clone(hidden), good...),
		"between files and directory":          moved(insert(directory, hidden), len(hidden)),
		"between files and directory, unmoved": insert(directory, hidden),
		"after the end":                        append(bytes.Clone(good), hidden...),
		"as a comment": func() []byte {
			out := append(bytes.Clone(good), page...)
			binary.LittleEndian.PutUint16(out[end+20:], uint16(len(page)))
			return out
		}(),
		"another name before the file": bytes.Replace(good, []byte("summary.html"), []byte("zummary.html"), 1),
		"another time before the file": func() []byte {
			out := bytes.Clone(good)
			out[10] ^= 1
			return out
		}(),
		"a name that is not in the header": withHeader(t, good, func(h *zip.FileHeader) {
			h.Extra = append(h.Extra, "\x75\x70\x09\x00\x01\x00\x00\x00\x00evil"...)
		}),
		"a comment of a file": withHeader(t, good, func(h *zip.FileHeader) { h.Comment = "read this" }),
		"a link":              withHeader(t, good, func(h *zip.FileHeader) { h.CreatorVersion, h.ExternalAttrs = 3<<8|20, 0o120777<<16 }),
	} {
		t.Run(name, func(t *testing.T) {
			if bytes.Equal(text, good) {
				t.Fatal("nothing is hidden")
			}
			rejected(t, text, s.key())
		})
	}
}

// stored is a file as it stands in a ZIP before the directory.
func stored(name string, content []byte) []byte {
	out := []byte("PK\x03\x04\x14\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	out = binary.LittleEndian.AppendUint32(out, crc32.ChecksumIEEE(content))
	out = binary.LittleEndian.AppendUint32(out, uint32(len(content)))
	out = binary.LittleEndian.AppendUint32(out, uint32(len(content)))
	out = binary.LittleEndian.AppendUint16(out, uint16(len(name)))
	out = append(out, 0, 0)
	return append(append(out, name...), content...)
}

// withHeader writes a ZIP anew with one file's header changed.
func withHeader(t testing.TB, text []byte, change func(*zip.FileHeader)) []byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(text), int64(len(text)))
	must(t, err)
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for i, f := range z.File {
		header := f.FileHeader
		if i == 2 {
			change(&header)
		}
		to, err := w.CreateRaw(&header)
		must(t, err)
		from, err := f.OpenRaw()
		must(t, err)
		_, err = io.Copy(to, from)
		must(t, err)
	}
	must(t, w.Close())
	return out.Bytes()
}

// TestAHugeBundleIsRefusedBeforeItFillsMemory makes small files of what unpacks to much.
func TestAHugeBundleIsRefusedBeforeItFillsMemory(t *testing.T) {
	s := newScene(t)
	files := unzip(t, zipped(t, s.collect(t, evidence.Query{Ticket: ticketID})))
	many := make([]file, 0, evidence.MaxEntries+100)
	for i := range evidence.MaxEntries + 100 {
		many = append(many, file{fmt.Sprintf("proofs/%d.tlog-proof", i), ""})
	}
	zeros := strings.Repeat("\x00", 16<<20+1)
	for name, text := range map[string][]byte{
		"a proof":     zipOf(t, append(files[:len(files):len(files)], file{"proofs/999999.tlog-proof", zeros})),
		"a manifest":  zipOf(t, append([]file{{"manifest.json", zeros[:64<<10+1]}}, files[1:]...)),
		"many proofs": zipOf(t, many),
		"lying sizes": withHeader(t, zipOf(t, append(files[:2:2], file{"summary.html", zeros[:1<<20]})), func(h *zip.FileHeader) { h.UncompressedSize64 = 10 }),
		"huge sizes": withHeader(t, zipOf(t, files), func(h *zip.FileHeader) {
			h.UncompressedSize64 = 1 << 60
		}),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			rejected(t, text, s.key())
			runtime.ReadMemStats(&after)
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 256<<20 {
				t.Errorf("%d bytes are refused with %d MiB", len(text), grown>>20)
			}
		})
	}
}

// FuzzBundle: whatever is read, nothing panics, and nothing but the bundle itself holds.
func FuzzBundle(f *testing.F) {
	s := newScene(f)
	good := zipped(f, s.collect(f, evidence.Query{Ticket: ticketID}))
	f.Add(good)
	f.Add(zipOf(f, unzip(f, good)[:3]))
	f.Add([]byte("PK\x03\x04"))
	key := s.key()
	f.Fuzz(func(t *testing.T, text []byte) {
		if r, err := check(t, text, nil, key); err == nil && r.OK() && r.Size == 0 {
			t.Errorf("it holds and proves nothing: %+v", r)
		}
	})
}
