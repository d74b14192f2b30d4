package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/auditlb/terraform-provider-auditlb/runtime/archive"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/bucket"
)

// row is an entry with its body.
func row(t testing.TB, seq int64) audit.Row {
	t.Helper()
	e := audit.Entry{Seq: seq, Time: time.Unix(seq, 0), Type: audit.TypeReject, Resource: "pool/web", Outcome: audit.OutcomeRefused}
	r, err := audit.NewRecord(e, audit.Body{After: fmt.Appendf(nil, `{"n":%d}`, seq)}, bytes.Repeat([]byte{byte(seq)}, audit.SaltBytes))
	if err != nil {
		t.Fatal(err)
	}
	return audit.Row{Seq: seq, Leaf: r.Leaf, Salt: r.Salt, Body: r.Body, Columns: audit.ColumnsOf(&r.Entry)}
}

// counting is a bucket that counts reads, and fails while told to.
type counting struct {
	bucket.Bucket
	reads int
	fails error
	// spoil changes what is read.
	spoil func([]byte) []byte
}

func (c *counting) Get(ctx context.Context, key string) ([]byte, error) {
	c.reads++
	if c.fails != nil {
		return nil, c.fails
	}
	data, err := c.Bucket.Get(ctx, key)
	if c.spoil != nil && err == nil {
		data = c.spoil(bytes.Clone(data))
	}
	return data, err
}

func newBucket(t testing.TB) *counting {
	t.Helper()
	dir, err := bucket.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	return &counting{Bucket: dir}
}

func kept(t testing.TB, a *archive.Archive, rows ...audit.Row) *audit.Erasure {
	t.Helper()
	name, sum, err := a.Keep(t.Context(), rows)
	if err != nil {
		t.Fatal(err)
	}
	return &audit.Erasure{Segment: name, SHA256: sum, Bodies: len(rows)}
}

func TestWhatIsKeptComesBack(t *testing.T) {
	b := newBucket(t)
	a := archive.New(b)
	rows := []audit.Row{row(t, 3), row(t, 4), row(t, 9)}
	x := kept(t, a, rows...)
	if x.Segment != "bodies/0000000000000000003-0000000000000000009.jsonl.zst" {
		t.Errorf("kept as %s", x.Segment)
	}
	for _, r := range rows {
		got, err := a.Body(t.Context(), &r, x)
		if err != nil || !bytes.Equal(got.Body, r.Body) || !bytes.Equal(got.Salt, r.Salt) {
			t.Errorf("entry %d: %+v, %v", r.Seq, got, err)
		}
	}
	if b.reads != 2 { // once when it was written, once when it was asked for
		t.Errorf("read %d times, want 2", b.reads)
	}
	missing := row(t, 5)
	if _, err := a.Body(t.Context(), &missing, x); !errors.Is(err, archive.ErrSegment) {
		t.Errorf("a body that is not in it: %v", err)
	}
}

func TestKeepingTheSameAgainIsTheSameSegment(t *testing.T) {
	a := archive.New(newBucket(t))
	first := kept(t, a, row(t, 1), row(t, 2))
	if again := kept(t, a, row(t, 1), row(t, 2)); again.Segment != first.Segment || again.SHA256 != first.SHA256 {
		t.Errorf("kept as %+v and again as %+v", first, again)
	}
	kept(t, a, row(t, 1), row(t, 5))
	other := row(t, 5)
	x := kept(t, a, row(t, 1), row(t, 3), other) // the name is taken by other bodies
	if x.Segment == "" || x.Segment == first.Segment {
		t.Errorf("kept as %s", x.Segment)
	}
	if _, err := a.Body(t.Context(), &other, x); err != nil {
		t.Error(err)
	}
}

func TestABodyIsNotErasedBeforeItIsReadBack(t *testing.T) {
	tests := map[string]func(*counting){
		"not readable": func(c *counting) { c.fails = errors.New("down") },
		"cut off":      func(c *counting) { c.spoil = func(b []byte) []byte { return b[:len(b)/2] } },
		"other bodies": func(c *counting) {
			c.spoil = func([]byte) []byte {
				segment, _ := archive.Encode([]archive.Body{{Seq: 1, Salt: make([]byte, audit.SaltBytes), Body: []byte("{}")}})
				return segment
			}
		},
		"none": func(c *counting) {
			c.spoil = func([]byte) []byte { segment, _ := archive.Encode(nil); return segment }
		},
	}
	for name, damage := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBucket(t)
			damage(b)
			if segment, _, err := archive.New(b).Keep(t.Context(), []audit.Row{row(t, 1)}); err == nil {
				t.Errorf("kept as %s", segment)
			}
		})
	}
}

func TestAnArchiveThatIsDownIsNotAskedForEachBody(t *testing.T) {
	b := newBucket(t)
	a := archive.New(b)
	r := row(t, 1)
	x := kept(t, a, r)
	b.reads, b.fails = 0, errors.New("down")
	for range 50 {
		if _, err := a.Body(t.Context(), &r, x); !errors.Is(err, archive.ErrUnavailable) {
			t.Fatalf("got %v, want ErrUnavailable", err)
		}
	}
	if b.reads != 1 {
		t.Errorf("asked %d times, want once", b.reads)
	}
}

// TestASegmentThatIsNotTheOneIsNotAskedForEachBody: whatever else is there, it holds up a
// page of old entries once, and no other segment.
func TestASegmentThatIsNotTheOneIsNotAskedForEachBody(t *testing.T) {
	for name, damage := range map[string]func(*counting){
		"altered":   func(c *counting) { c.spoil = func(b []byte) []byte { return append(b, 0) } },
		"too large": func(c *counting) { c.fails = fmt.Errorf("read: %w", bucket.ErrTooLarge) },
		"gone":      func(c *counting) { c.fails = fmt.Errorf("read: %w", bucket.ErrNotFound) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBucket(t)
			a := archive.New(b)
			r, other := row(t, 1), row(t, 7)
			x, beside := kept(t, a, r), kept(t, a, other)
			b.reads = 0
			damage(b)
			for range 50 {
				if _, err := a.Body(t.Context(), &r, x); !errors.Is(err, archive.ErrSegment) {
					t.Fatalf("got %v, want ErrSegment", err)
				}
			}
			if b.reads != 1 {
				t.Errorf("asked %d times, want once", b.reads)
			}
			b.fails, b.spoil = nil, nil
			if _, err := a.Body(t.Context(), &other, beside); err != nil {
				t.Errorf("another segment: %v", err)
			}
		})
	}
}

func TestASegmentThatWasAlteredIsNotBelieved(t *testing.T) {
	b := newBucket(t)
	a := archive.New(b)
	r := row(t, 1)
	x := kept(t, a, r)
	b.spoil = func(data []byte) []byte {
		bodies, err := archive.Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		bodies[0].Body = []byte(`{"after":{"n":7}}`)
		data, _ = archive.Encode(bodies)
		return data
	}
	if got, err := a.Body(t.Context(), &r, x); !errors.Is(err, archive.ErrSegment) {
		t.Errorf("got %s, %v", got.Body, err)
	}
}

func pack(t testing.TB, text string) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return z.EncodeAll([]byte(text), nil)
}

func TestWhatIsNoSegmentIsRefused(t *testing.T) {
	line := `{"seq":1,"salt":"AAAAAAAAAAAAAAAAAAAAAA==","body":"e30="}` + "\n"
	if bodies, err := archive.Decode(pack(t, line)); err != nil || len(bodies) != 1 {
		t.Fatalf("%v, %v", bodies, err)
	}
	for name, segment := range map[string][]byte{
		"noise":                  []byte("noise"),
		"no JSON":                pack(t, "noise\n"),
		"an unknown member":      pack(t, `{"seq":1,"salt":"AAAAAAAAAAAAAAAAAAAAAA==","body":"e30=","more":1}`),
		"twice the same entry":   pack(t, line+line),
		"a negative entry":       pack(t, strings.Replace(line, "1", "-1", 1)),
		"a salt that is short":   pack(t, `{"seq":1,"salt":"AAAA","body":"e30="}`),
		"a bomb":                 pack(t, strings.Repeat(" ", 20<<20)),
		"a line without its end": pack(t, `{"seq":1,"salt":"`),
	} {
		if bodies, err := archive.Decode(segment); !errors.Is(err, archive.ErrSegment) {
			t.Errorf("%s: %d bodies, %v; want ErrSegment", name, len(bodies), err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	good, err := archive.Encode([]archive.Body{{Seq: 1, Salt: make([]byte, audit.SaltBytes), Body: []byte("{}")}, {Seq: 5, Salt: make([]byte, audit.SaltBytes), Body: []byte(`{"after":1}`)}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte("noise"))
	f.Fuzz(func(t *testing.T, segment []byte) {
		bodies, err := archive.Decode(segment)
		if err != nil {
			return
		}
		again, err := archive.Encode(bodies)
		if err != nil {
			t.Fatal(err)
		}
		back, err := archive.Decode(again)
		if err != nil || len(back) != len(bodies) {
			t.Errorf("%d bodies, %d after packing them again: %v", len(bodies), len(back), err)
		}
	})
}
