package audit_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
)

// seeds are leaves that are headers, nearly, or not at all.
func leafSeeds(t testing.TB) (leaves [][]byte) {
	seal := func(change func(e *audit.Entry)) {
		e := fullEntry()
		change(&e)
		r, err := audit.NewRecord(e, audit.Body{}, salt)
		if err != nil {
			t.Fatal(err)
		}
		leaves = append(leaves, r.Leaf)
	}
	seal(func(*audit.Entry) {})
	seal(func(e *audit.Entry) { *e = audit.Entry{Time: moment, Type: audit.TypeSystem, Outcome: audit.OutcomeOK} })
	seal(func(e *audit.Entry) { e.Unplanned, e.Plan, e.Emergency = true, 0, true })
	seal(func(e *audit.Entry) { e.Outcome, e.Code = audit.OutcomeRefused, "scope" })
	seal(func(e *audit.Entry) { e.Actor = audit.Actor{Name: "ci", Provider: "github", Issuer: "i", Subject: "s"} })
	seal(func(e *audit.Entry) {
		e.Run.Verified, e.Run.Proved = true, map[string]string{"run_id": "1", "actor": "olivia", "time": "x", "seq": "1"}
	})
	seal(func(e *audit.Entry) { e.Run.Proved = map[string]string{} })
	seal(func(e *audit.Entry) { e.Owner, e.Run.Workspace = "team-web", "edge" })
	seal(func(e *audit.Entry) { e.Type, e.Op = audit.TypeDrift, "changed" })
	seal(func(e *audit.Entry) {
		e.Type, e.Resource = audit.TypeDrift, audit.DriftResource("acme/edge", "pool/web")
	})
	seal(func(e *audit.Entry) { e.Rollback = &audit.Rollback{} })
	seal(func(e *audit.Entry) { e.Rollback = &audit.Rollback{Run: `"seq":7,"time":"`, To: 40} })
	seal(func(e *audit.Entry) { e.Rollback = &audit.Rollback{To: -1} })
	seal(func(e *audit.Entry) { e.Run.Proved = map[string]string{"é": "1"} })
	seal(func(e *audit.Entry) { e.Ticket = `","time":"2020-01-01T00:00:00Z","seq":1,"` })
	seal(func(e *audit.Entry) { e.Request.UserAgent = "a\"b\\c\n\u007f\u2028\U0001f600" })
	seal(func(e *audit.Entry) { e.Seq = 1 << 53 })
	seal(func(e *audit.Entry) { e.Seq = 1<<53 + 2 })
	seal(func(e *audit.Entry) { e.Seq = -1 })
	seal(func(e *audit.Entry) { e.Time = time.Date(2024, 2, 29, 23, 59, 59, 999_999_000, time.UTC) })
	seal(func(e *audit.Entry) { e.Time = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) })
	seal(func(e *audit.Entry) { e.Time = time.Date(1969, 12, 31, 23, 59, 59, 500_000_000, time.UTC) })
	seal(func(e *audit.Entry) { e.Time = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC) })
	full := string(leaves[0])
	for _, change := range [][2]string{
		{"14:05:06.789012Z", "14:05:06.7890120Z"},
		{"14:05:06.789012Z", "14:05:06.7890123Z"},
		{"14:05:06.789012Z", "14:05:06.Z"},
		{"14:05:06.789012Z", "14:05:60Z"},
		{"14:05:06.789012Z", "24:05:06Z"},
		{"2026-01-31", "2026-02-30"},
		{"2026-01-31", "2026-13-31"},
		{`"seq":42`, `"seq":042`},
		{`"seq":42`, `"seq":42.0`},
		{`"seq":42`, `"seq":9007199254740993`},
		{`"seq":42`, `"seq":42,"seq":42`},
		{`"base":7`, `"base":0`},
		{`"ticket":"CHG-1042"`, `"ticket":""`},
		{`"op":"update",`, ``},
		{`"outcome":"ok",`, ``},
		{`"verified":false`, `"proved":{"b":"1","a":"2"},"verified":false`},
		{`"verified":false`, `"proved":{"a":"1","a":"2"},"verified":false`},
		{`"verified":false`, `"proved":null,"verified":false`},
		{`"v":1`, `"unplanned":false,"v":1`},
		{`"olivia"`, "\"oliv\xff\""},
		{`"olivia"`, "\"oliv\xed\xa0\x80\""},
		{`"olivia"`, "\"oliv\x00\""},
		{`olivia`, `\u006flivia`},
		{`{"actor"`, `{"Actor"`},
	} {
		leaves = append(leaves, []byte(strings.Replace(full, change[0], change[1], 1)))
	}
	return append(leaves, []byte("{}"), []byte(full+" "), []byte(full[:len(full)/2]), nil)
}

// agree fails the test when what reads a leaf fast disagrees with ParseLeaf.
func agree(t *testing.T, leaf []byte) {
	t.Helper()
	e, err := audit.ParseLeaf(bytes.Clone(leaf))
	if got, ok := audit.Scanned(leaf); ok {
		if err != nil {
			t.Fatalf("the scan accepts what is no header (%v): %q", err, leaf)
		}
		if want := audit.Reduced(&e); !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: the scan reads\n%+v, not\n%+v", leaf, got, want)
		}
	}
	if err != nil {
		return
	}
	if seq, micros, ok := audit.OrderOf(leaf); !ok || seq != e.Seq || micros != e.Time.UnixMicro() {
		t.Fatalf("%q: order %d %d %t, not %d %d", leaf, seq, micros, ok, e.Seq, e.Time.UnixMicro())
	}
}

// FuzzScanHeader holds the fast reading of a header, which verification relies on,
// to the one that defines it.
func FuzzScanHeader(f *testing.F) {
	for _, leaf := range leafSeeds(f) {
		f.Add(leaf)
	}
	f.Fuzz(agree)
}

// TestOrdinaryHeadersAreReadFast keeps the fast path from being no path at all.
func TestOrdinaryHeadersAreReadFast(t *testing.T) {
	read := 0
	for i, leaf := range leafSeeds(t) {
		agree(t, leaf)
		if _, ok := audit.Scanned(leaf); ok {
			read++
		} else if i < 7 {
			t.Errorf("not read: %s", leaf)
		}
	}
	if read < 11 {
		t.Errorf("%d headers read", read)
	}
}

// TestNoByteOfAHeaderCanBeAnother changes every byte of a header in many ways.
func TestNoByteOfAHeaderCanBeAnother(t *testing.T) {
	for _, leaf := range leafSeeds(t)[:6] {
		for i := range leaf {
			for _, c := range []byte("\"\\{},:0 19aZ\x00\x80\xff") {
				other := bytes.Clone(leaf)
				other[i] = c
				agree(t, other)
			}
			agree(t, append(bytes.Clone(leaf[:i]), leaf[i+1:]...))
		}
	}
}
