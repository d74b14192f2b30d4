package audit_test

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
)

// FuzzParseLeaf holds what is accepted to one form: sealed again it is the same
// bytes.
func FuzzParseLeaf(f *testing.F) {
	seal := func(e audit.Entry, body audit.Body) audit.Record {
		r, err := audit.NewRecord(e, body, salt)
		if err != nil {
			f.Fatal(err)
		}
		return r
	}
	f.Add(seal(fullEntry(), fullBody()).Leaf)
	f.Add(seal(audit.Entry{Time: moment, Type: audit.TypeSystem, Outcome: audit.OutcomeOK}, audit.Body{}).Leaf)
	f.Add([]byte(`{"actor":{"name":""},"outcome":"","seq":0,"time":"0001-01-01T00:00:00Z","type":"","v":0}`))
	f.Add([]byte(`{"seq":9007199254740993}`))
	f.Add([]byte(`{"time":"9999-12-31T23:59:59.999999999Z"}`))
	f.Fuzz(func(t *testing.T, leaf []byte) {
		e, err := audit.ParseLeaf(leaf)
		if err != nil {
			return
		}
		again, err := audit.ParseLeaf(bytes.Clone(leaf))
		if err != nil || !reflect.DeepEqual(e, again) {
			t.Fatalf("read once as %+v, then as %+v (%v)", e, again, err)
		}
		for _, other := range [][]byte{append(bytes.Clone(leaf), ' '), append([]byte(" "), leaf...)} {
			if _, err := audit.ParseLeaf(other); err == nil {
				t.Fatalf("a second form was read: %q", other)
			}
		}
		sealed, err := audit.NewRecord(e, audit.Body{}, salt)
		if err != nil {
			t.Fatalf("what was read can't be sealed: %v", err)
		}
		sealed.Entry.Version, sealed.Entry.BodyDigest = e.Version, e.BodyDigest // NewRecord's own
		if !reflect.DeepEqual(sealed.Entry, e) {
			t.Fatalf("read %+v, sealed %+v", e, sealed.Entry)
		}
	})
}

// FuzzOpenCheckpoint changes notes that were signed: nothing but the text that was
// signed may be opened.
func FuzzOpenCheckpoint(f *testing.F) {
	s := newSigner(f, "test.example/log")
	var tree audit.Tree
	signed, err := s.Sign(&tree)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed.Note)
	f.Add([]byte("test.example/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n— test.example/log AAAA\n"))
	f.Add([]byte("test.example/log\n1\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := audit.OpenCheckpoint(b, s.Verifier())
		if err == nil && (c.Size != 0 || c.Root != tree.Root() || c.Origin != s.Origin()) {
			t.Fatalf("opened %+v, which was never signed", c)
		}
	})
}
