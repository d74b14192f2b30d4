package audit_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
)

func newSigner(t testing.TB, origin string) *audit.Signer {
	t.Helper()
	skey, vkey, err := audit.GenerateKey(origin)
	if err != nil {
		t.Fatal(err)
	}
	s, err := audit.NewSigner(skey, vkey)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestACheckpointOpensAsItWasSigned(t *testing.T) {
	s := newSigner(t, "test.example/log")
	var tree audit.Tree
	for size := range int64(4) {
		signed, err := s.Sign(&tree)
		if err != nil {
			t.Fatal(err)
		}
		opened, err := audit.OpenCheckpoint(signed.Note, s.Verifier())
		if err != nil || opened.Size != size || opened.Root != tree.Root() || opened.Origin != "test.example/log" || !bytes.Equal(opened.Note, signed.Note) {
			t.Errorf("opened %+v (%v); signed %+v", opened, err, signed)
		}
		want := fmt.Sprintf("test.example/log\n%d\n%s\n\n— test.example/log ", size, tree.Root())
		if !strings.HasPrefix(string(signed.Note), want) {
			t.Errorf("the note is %q, want %q… (C2SP tlog-checkpoint)", signed.Note, want)
		}
		tree.Append(tlog.RecordHash(leafOf(size)))
	}
}

func TestOpenCheckpointRefuses(t *testing.T) {
	s := newSigner(t, "test.example/log")
	var tree audit.Tree
	tree.Append(tlog.RecordHash(leafOf(0)))
	good, err := s.Sign(&tree)
	if err != nil {
		t.Fatal(err)
	}
	root := tree.Root()
	skey, vkey, err := note.GenerateKey(rand.Reader, "test.example/log")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	own, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	// text is a note that is truly signed, whatever it says.
	text := func(s string) []byte {
		signed, err := note.Sign(&note.Note{Text: s}, signer)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	if _, err := audit.OpenCheckpoint(text(fmt.Sprintf("test.example/log\n1\n%s\n", root)), own); err != nil {
		t.Fatalf("a good checkpoint was refused: %v", err)
	}
	for _, tt := range []struct {
		name     string
		signed   []byte
		verifier note.Verifier
	}{
		{"nothing", nil, s.Verifier()},
		{"noise", []byte("noise"), s.Verifier()},
		{"no signature", []byte(fmt.Sprintf("test.example/log\n1\n%s\n", root)), s.Verifier()},
		{"another key of the same name", good.Note, own},
		{"another log's key", good.Note, newSigner(t, "other.example/log").Verifier()},
		{"size changed", bytes.Replace(good.Note, []byte("\n1\n"), []byte("\n2\n"), 1), s.Verifier()},
		{"root changed", bytes.Replace(good.Note, []byte(root.String()), []byte(tlog.Hash{}.String()), 1), s.Verifier()},
		{"signature cut", good.Note[:len(good.Note)-8], s.Verifier()},
		{"another origin, truly signed", text(fmt.Sprintf("other.example/log\n1\n%s\n", root)), own},
		{"size that is no number", text(fmt.Sprintf("test.example/log\nmany\n%s\n", root)), own},
		{"negative size", text(fmt.Sprintf("test.example/log\n-1\n%s\n", root)), own},
		{"size beyond reason", text(fmt.Sprintf("test.example/log\n18446744073709551615\n%s\n", root)), own},
		{"root too short", text("test.example/log\n1\nAAAA\n"), own},
		{"root too long", text("test.example/log\n1\n" + root.String()[:43] + "AAAA\n"), own},
		{"root that is not base64", text("test.example/log\n1\n!!!!\n"), own},
		{"no root", text("test.example/log\n1\n"), own},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if c, err := audit.OpenCheckpoint(tt.signed, tt.verifier); !errors.Is(err, audit.ErrBadCheckpoint) {
				t.Errorf("opened as %+v (%v); want ErrBadCheckpoint", c, err)
			}
		})
	}
}

func TestASignerNeedsKeysThatBelongTogether(t *testing.T) {
	skey, vkey, err := audit.GenerateKey("test.example/log")
	if err != nil {
		t.Fatal(err)
	}
	other := newSigner(t, "test.example/log").PublicKey()
	for name, keys := range map[string][2]string{
		"another's public key": {skey, other}, "no private key": {"", vkey}, "no public key": {skey, ""}, "public for private": {vkey, vkey},
	} {
		if _, err := audit.NewSigner(keys[0], keys[1]); err == nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), skey) {
			t.Errorf("%s: the error repeats the private key", name)
		}
	}
	for _, origin := range []string{"", "with space", "with+plus"} {
		skey, vkey, err := audit.GenerateKey(origin)
		if err == nil {
			_, err = audit.NewSigner(skey, vkey)
		}
		if err == nil {
			t.Errorf("origin %q: accepted", origin)
		}
	}
}
