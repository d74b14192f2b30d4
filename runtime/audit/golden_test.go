package audit_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

var update = flag.Bool("update", false, "write testdata anew")

// golden compares with a file in testdata. These bytes are what the tree
// commits to: a difference means that logs written before no longer verify.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is\n%s\nwant\n%s", name, got, want)
	}
}

var moment = time.Date(2026, 1, 31, 14, 5, 6, 789_012_000, time.UTC)

// fullEntry has every field.
func fullEntry() audit.Entry {
	return audit.Entry{
		Seq: 42, Time: moment, Type: audit.TypeApply,
		Actor:  audit.Actor{Name: "olivia", Credential: "token/0b5e9c3f7a12", Role: "operator"},
		Ticket: "CHG-1042", Run: &audit.RunRef{ID: "github/acme/infra/123/1"},
		Request: &audit.Request{
			ID: "9d2f", Method: "PUT", Path: "/v1/pools/wéb", SourceIP: "192.0.2.7", UserAgent: "terraform-provider-auditlb/1 <&>\u2028", BodyDigest: "aa",
		},
		Resource: "pool/web", Op: "update", Base: 7, EffectDigest: "bb", Plan: 41, Outcome: audit.OutcomeOK,
	}
}

func fullBody() audit.Body {
	return audit.Body{
		Before: []byte(`{"b":1e2,"a":[1.50,"\u00e9"]}`), After: []byte(`{"z":null,"a":{"y":1,"x":2}}`), Unknown: []string{"/members"},
		Warnings: []string{"careful"},
		Refusal: &audit.Refusal{
			Code: "validation_failed", Detail: "no", Violations: []lb.Violation{{Pointer: "/port", Detail: "bad"}},
			Current: &audit.LastChange{Revision: 3, Op: lb.OpUpdate, Actor: "oscar", At: moment}, Referents: []string{"route/a"},
		},
	}
}

var salt = bytes.Repeat([]byte{0xa5}, audit.SaltBytes)

func record(t *testing.T, e audit.Entry, body audit.Body) audit.Record {
	t.Helper()
	r, err := audit.NewRecord(e, body, salt)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCanonicalBytesAreForGood(t *testing.T) {
	full := record(t, fullEntry(), fullBody())
	golden(t, "entry_full.json", full.Leaf)
	golden(t, "body_full.json", full.Body)
	least := record(t, audit.Entry{Time: moment, Type: audit.TypeSystem, Actor: audit.Actor{Name: "system/log"}, Outcome: audit.OutcomeOK}, audit.Body{})
	golden(t, "entry_least.json", least.Leaf)
	golden(t, "body_least.json", least.Body)
	golden(t, "leaf_hash.txt", fmt.Appendf(nil, "%v\n", full.LeafHash()))
}

// TestHashesCanBeComputedByAnyone takes the hashes apart into SHA-256 of bytes.
func TestHashesCanBeComputedByAnyone(t *testing.T) {
	r := record(t, fullEntry(), fullBody())
	if want := tlog.Hash(sha256.Sum256(append([]byte{0}, r.Leaf...))); r.LeafHash() != want || r.LeafHash() != tlog.RecordHash(r.Leaf) {
		t.Errorf("leaf hash %v, want %v (RFC 6962 §2.1)", r.LeafHash(), want)
	}
	sum := sha256.Sum256(append(bytes.Clone(salt), r.Body...))
	if want := hex.EncodeToString(sum[:]); r.Entry.BodyDigest != want {
		t.Errorf("body digest %s, want %s", r.Entry.BodyDigest, want)
	}
}

func TestEffectDigestsAreForGood(t *testing.T) {
	var out bytes.Buffer
	for _, e := range []audit.Effect{
		{Kind: lb.KindPool, Name: "web", Op: lb.OpCreate, After: []byte(`{"owner":"team-web"}`)},
		{Kind: lb.KindPool, Name: "web", Op: lb.OpUpdate, Before: []byte(`{"owner":"a"}`), After: []byte(`{"owner":"b"}`)},
		{Kind: lb.KindPool, Name: "web", Op: lb.OpDelete, Before: []byte(`{"owner":"b"}`)},
		{Kind: lb.KindRoute, Name: "web", Op: lb.OpCreate, After: []byte(`{}`), Unknown: []string{"/action", "/match"}},
	} {
		fmt.Fprintf(&out, "%s %s/%s %v: %s\n", e.Op, e.Kind, e.Name, e.Unknown, digest(t, e))
	}
	golden(t, "effect_digests.txt", out.Bytes())
}

// TestTypeCodesAreForGood holds the codes that a store's columns have.
func TestTypeCodesAreForGood(t *testing.T) {
	golden(t, "types.txt", fmt.Appendf(nil, "%v\n", audit.Types))
}
