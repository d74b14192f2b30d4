package witness_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/torchwood"
	f_note "github.com/transparency-dev/formats/note"
	f_witness "github.com/transparency-dev/formats/witness"
	"golang.org/x/mod/sumdb/note"

	"github.com/auditlb/terraform-provider-auditlb/runtime/witness"
)

// cosigner is a key of type 0x04 that somebody else's code made.
type cosigner struct {
	vkey    string
	signer  note.Signer
	private ed25519.PrivateKey
}

func newCosigner(t *testing.T, name string) cosigner {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	s, err := torchwood.NewCosignatureSigner(name, key)
	must(t, err)
	return cosigner{s.Verifier().String(), s, key}
}

func TestAPolicyIsReadAsTheSpecificationSays(t *testing.T) {
	l := newLog(t, 3)
	var w [4]cosigner
	for i := range w {
		w[i] = newCosigner(t, fmt.Sprintf("witness.example/w%d", i))
	}
	_, mldsa, err := f_note.GenerateMLDSAKey("witness.example/pq")
	must(t, err)
	renamed := renamedKey(t, w[0].vkey, "other.example")
	legacy := legacyKey(t, w[0].vkey)
	wrongHash := strings.Join([]string{strings.Split(w[0].vkey, "+")[0], "00000000", strings.SplitN(w[0].vkey, "+", 3)[2]}, "+")
	fill := strings.NewReplacer("L0", l.vkey, "W0", w[0].vkey, "W1", w[1].vkey, "W2", w[2].vkey, "PQ", mldsa, "RENAMED", renamed, "LEGACY", legacy, "WRONGHASH", wrongHash).Replace
	tests := []struct {
		name, text string
		// err is a part of the error; "" for none.
		err string
	}{
		{"the least", "quorum none\n", ""},
		{"no last newline", "quorum none", ""},
		{"a witness without a URL", "witness a W0\nquorum a\n", ""},
		{"white space and comments", "\n  # a comment\n\t\n#\nwitness\ta  W0\thttps://w.example \n quorum a\t\n", ""},
		{"a comment may say anything", "# quorum b \x80\nwitness a W0\nquorum a\n", ""},
		{"logs", "log L0\nquorum none\n", ""},
		{"a log with a URL", "log L0 https://log.example\nquorum none\n", ""},
		{"groups of groups", "witness a W0\nwitness b W1\nwitness c W2\ngroup g any a b\ngroup h 2 g c\nquorum h\n", ""},
		{"a witness of ML-DSA-44", "witness a PQ\nquorum a\n", ""},
		{"names that are words of the policy", "witness any W0\ngroup all any any\nquorum all\n", ""},
		{"names beyond ASCII", "witness wit\xffness W0\nquorum wit\xffness\n", ""},

		{"nothing", "", "there is no quorum line"},
		{"two quorums", "quorum none\n\nquorum none\n", "line 3: there is a quorum line already"},
		{"an unknown quorum", "quorum a\n", `line 1: quorum "a" is no witness or group of a line before`},
		{"a quorum of a later line", "quorum a\nwitness a W0\n", `line 1: quorum "a"`},
		{"a quorum of two", "witness a W0\nwitness b W1\nquorum a b\n", "line 3: a quorum line is"},
		{"an unknown word", "quorum none\nwitnes a W0\n", `line 2: "witnes" is none of`},
		{"a comment behind something", "quorum none # for now\n", "line 1: a comment takes a line of its own"},
		{"carriage returns", "quorum none\r\n", "line 1: the character 0x0d is not allowed"},
		{"a form feed", "\f\nquorum none\n", "line 1: the character 0x0c"},
		{"a witness without a key", "witness a\nquorum none\n", "line 1: a witness line is"},
		{"a witness with too much", "witness a W0 https://w.example more\nquorum a\n", "line 1: a witness line is"},
		{"a name twice", "witness a W0\nwitness a W1\nquorum a\n", `line 2: there is a "a" already`},
		{"a group of a witness's name", "witness a W0\ngroup a any a\nquorum a\n", `line 2: there is a "a" already`},
		{"a witness called none", "witness none W0\nquorum none\n", "line 1: the name none"},
		{"a key twice", "witness a W0\nwitness b W0\nquorum a\n", "line 2: the public key"},
		{"a key twice by another name", "witness a W0\nwitness b RENAMED\nquorum a\n", "line 2: the public key"},
		{"a log twice", "log L0\nlog L0\nquorum none\n", "line 2: the public key"},
		{"a log's key for a witness", "witness a L0\nquorum a\n", "is not for cosignatures"},
		{"a witness's key of the old type", "witness a LEGACY\nquorum a\n", "is not for cosignatures"},
		{"a key with another hash", "witness a WRONGHASH\nquorum a\n", "is not valid"},
		{"a key that is none", "witness a b\nquorum a\n", "is not valid"},
		{"a log's key that is none", "log b\nquorum none\n", "line 1: the log's public key"},
		{"a group of nobody", "group g all\nquorum g\n", "line 1: a group line is"},
		{"a threshold of zero", "witness a W0\ngroup g 0 a\nquorum g\n", "a number from 1 to 1"},
		{"a threshold beyond its members", "witness a W0\ngroup g 2 a\nquorum g\n", "a number from 1 to 1"},
		{"a threshold below zero", "witness a W0\ngroup g -1 a\nquorum g\n", "a number from 1 to 1"},
		{"a member of a later line", "group g any a\nwitness a W0\nquorum g\n", `line 1: member "a" of group "g"`},
		{"none as a member", "group g any none\nquorum g\n", `line 1: member "none"`},
		{"a member twice", "witness a W0\ngroup g 2 a a\nquorum g\n", `line 2: "a" is a member of a group already`},
		{"a member of two groups", "witness a W0\nwitness b W1\ngroup g any a b\ngroup h any a\nquorum g\n", `line 4: "a" is a member of a group already`},
		{"a URL without a scheme", "witness a W0 w.example\nquorum a\n", "line 1: witness \"a\": the URL"},
		{"a URL of another scheme", "witness a W0 file:///etc\nquorum a\n", "the URL"},
		{"a URL with a query", "witness a W0 https://w.example/?a=b\nquorum a\n", "the URL"},
		{"a URL with a password", "witness a W0 https://a:b@w.example/\nquorum a\n", "the URL"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "policy")
			must(t, os.WriteFile(path, []byte(fill(tt.text)), 0o600))
			_, err := witness.LoadPolicy(path)
			if tt.err == "" {
				must(t, err)
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.err) || !strings.Contains(err.Error(), path) {
				t.Errorf("err = %v, want %q", err, tt.err)
			}
		})
	}
}

// renamedKey is the same key under another name.
func renamedKey(t *testing.T, vkey, name string) string {
	t.Helper()
	material, err := base64.StdEncoding.DecodeString(strings.SplitN(vkey, "+", 3)[2])
	must(t, err)
	renamed, err := f_note.VKeyToCosignatureV1(mustVkey(t, name, material[1:]))
	must(t, err)
	return renamed
}

// legacyKey is the same key as a log would have it, of type 0x01.
func legacyKey(t *testing.T, vkey string) string {
	t.Helper()
	material, err := base64.StdEncoding.DecodeString(strings.SplitN(vkey, "+", 3)[2])
	must(t, err)
	return mustVkey(t, strings.SplitN(vkey, "+", 2)[0], material[1:])
}

func mustVkey(t *testing.T, name string, key []byte) string {
	t.Helper()
	vkey, err := note.NewEd25519VerifierKey(name, key)
	must(t, err)
	return vkey
}

// TestAPolicyIsJudgedAsOthersJudgeIt compares every subset of four cosigners with what
// two libraries say to the same file.
func TestAPolicyIsJudgedAsOthersJudgeIt(t *testing.T) {
	l := newLog(t, 7)
	var w [4]cosigner
	var lines strings.Builder
	fmt.Fprintf(&lines, "log %s\n", l.vkey)
	for i := range w {
		w[i] = newCosigner(t, fmt.Sprintf("witness.example/w%d", i))
		fmt.Fprintf(&lines, "witness w%d %s https://w%d.example/\n", i, w[i].vkey, i)
	}
	for _, quorum := range []string{
		"quorum none", "quorum w2", "group g all w0 w1 w2 w3\nquorum g", "group g any w1 w3\nquorum g", "group g 3 w0 w1 w2 w3\nquorum g",
		"group x 1 w0 w1\ngroup y any w2 w3\ngroup z all x y\nquorum z", "group x 2 w0 w1\ngroup z any x w2\nquorum z",
	} {
		t.Run(quorum, func(t *testing.T) {
			text := []byte(lines.String() + quorum + "\n")
			ours, err := witness.ParsePolicy(text)
			must(t, err)
			formats, err := f_witness.ParsePolicy(text)
			must(t, err)
			theirs, err := torchwood.ParsePolicy(text)
			must(t, err)
			met := 0
			for set := range 1 << len(w) {
				signers := []note.Signer{l.signer}
				for i := range w {
					if set>>i&1 == 1 {
						signers = append(signers, w[i].signer)
					}
				}
				opened, err := note.Open(l.at(t, 7), note.VerifierList(l.key))
				must(t, err)
				signed, err := note.Sign(&note.Note{Text: opened.Text}, signers...)
				must(t, err)
				got := ours.Satisfied(signed)
				if want := formats.Satisfied(signed); got != want {
					t.Errorf("of %04b we say %t, formats says %t", set, got, want)
				}
				_, _, err = torchwood.VerifyCheckpoint(signed, theirs)
				if want := err == nil; got != want {
					t.Errorf("of %04b we say %t, torchwood says %t (%v)", set, got, want, err)
				}
				if got {
					met++
				}
			}
			if met == 0 || met == 1<<len(w) && quorum != "quorum none" {
				t.Errorf("it was met by %d of %d sets", met, 1<<len(w))
			}
		})
	}
}

func TestAPolicyThatCanNotBeSubmittedByIsRefused(t *testing.T) {
	a, b := newCosigner(t, "a.example"), newCosigner(t, "b.example")
	tests := []struct{ name, text, err string }{
		{"no witness", "quorum none\n", "no witness has a URL"},
		{"no URL", "witness a A\nquorum a\n", "no witness has a URL"},
		{"too few URLs", "witness a A https://a.example\nwitness b B\ngroup g all a b\nquorum g\n", "too few for the quorum"},
		{"enough URLs", "witness a A https://a.example\nwitness b B\ngroup g any a b\nquorum g\n", ""},
		{"URLs without need", "witness a A https://a.example\nquorum none\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := witness.ParsePolicy([]byte(strings.NewReplacer("A", a.vkey, "B", b.vkey).Replace(tt.text)))
			must(t, err)
			_, err = witness.NewCollector(newLog(t, 1), witness.CollectorConfig{Policy: p})
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("err = %v, want %q", err, tt.err)
			}
		})
	}
}

func FuzzPolicy(f *testing.F) {
	vkey, err := f_note.VKeyToCosignatureV1("Wit1+55ee4561+AVhZSmQj9+SoL+p/nN0Hh76xXmF7QcHfytUrI1XfSClk")
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{
		"", "quorum none", "witness a " + vkey + " https://w.example/x\nquorum a\n", "witness a " + vkey + "\ngroup g 1 a\nquorum g\n",
		"log " + vkey + "\nquorum none\n", "# x\n\t \nquorum none\n", "group g any g\nquorum g\n", "witness a +++\n", "log a+b+\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := witness.ParsePolicy(text)
		if err != nil {
			return
		}
		if p.Satisfied(nil) {
			t.Error("it is met by what is no checkpoint")
		}
		_ = p.Submittable()
	})
}
