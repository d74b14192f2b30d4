package witness_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/witness"
)

func TestARequestIsReadAsItWasWritten(t *testing.T) {
	for _, r := range []witness.Request{
		{Checkpoint: []byte("x")},
		{Old: 1 << 62, Proof: make(tlog.TreeProof, witness.MaxProof), Checkpoint: []byte("a\n\nb\n")},
	} {
		got, err := witness.ParseRequest(r.Marshal())
		must(t, err)
		if got.Old != r.Old || len(got.Proof) != len(r.Proof) || !bytes.Equal(got.Checkpoint, r.Checkpoint) {
			t.Errorf("%+v became %+v", r, got)
		}
	}
}

// FuzzRequest holds that a request has one form only: what is read is written as the
// same bytes.
func FuzzRequest(f *testing.F) {
	hash := tlog.Hash{1}.String()
	for _, s := range []string{
		"", "old 0\n\nx", "old 5\n" + hash + "\n\nx", "old 5\n" + hash + "\n" + hash + "\n\norigin\n8\n" + hash + "\n\n— a b\n",
		"old 05\n\nx", "old +5\n\nx", "old 5\r\n\r\nx", "old 5\n\n", "old 5\n" + hash[:43] + "\n\nx", "old 5\n" + strings.Repeat(hash+"\n", 64) + "\nx",
		"old 9223372036854775807\n\nx", "old 4611686018427387904\n\nx", "old 5\n\n\n\nx",
		// The unused bits of the last character.
		"old 5\nAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=\n\nx",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := witness.ParseRequest(body)
		if err != nil {
			if !errors.Is(err, witness.ErrMalformed) {
				t.Errorf("%v is no ErrMalformed", err)
			}
			return
		}
		if r.Old < 0 || len(r.Proof) > witness.MaxProof || len(r.Checkpoint) == 0 {
			t.Errorf("out of range: %+v", r)
		}
		if got := r.Marshal(); !bytes.Equal(got, body) {
			t.Errorf("%q was read, and written as %q", body, got)
		}
	})
}
