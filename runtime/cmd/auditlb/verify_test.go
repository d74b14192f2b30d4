package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
	"github.com/auditlb/terraform-provider-auditlb/runtime/store/sqlite"
)

// longLog makes a log of so many entries in a directory.
func longLog(t *testing.T, size int64) (dir string, v note.Verifier) {
	t.Helper()
	dir = t.TempDir()
	skey, vkey, err := audit.GenerateKey("test.example/log")
	check(t, err)
	signer, err := audit.NewSigner(skey, vkey)
	check(t, err)
	check(t, os.WriteFile(filepath.Join(dir, daemon.PublicKeyName), []byte(vkey), 0o600))
	store, err := sqlite.Open(t.Context(), dir, sqlite.Options{MinFree: -1})
	check(t, err)
	defer store.Close()
	var tree audit.Tree
	var a control.Appendix
	for seq := range size {
		e := audit.Entry{
			Seq: seq, Time: time.Unix(1_800_000_000+seq, 0), Type: audit.TypeSystem, Outcome: audit.OutcomeOK,
			Actor: audit.Actor{Name: "system/test"}, Resource: "log",
		}
		r, err := audit.NewRecord(e, audit.Body{}, make([]byte, audit.SaltBytes))
		check(t, err)
		a.Records, a.Hashes = append(a.Records, r), append(a.Hashes, tree.Append(r.LeafHash())...)
	}
	cp, err := signer.Sign(&tree)
	check(t, err)
	tx, err := store.Begin(t.Context())
	check(t, err)
	check(t, tx.Append(t.Context(), a))
	check(t, tx.Commit(t.Context(), cp.Size, cp.Note))
	return dir, signer.Verifier()
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// verified runs auditlb verify and returns what it printed.
func verified(ctx context.Context, args ...string) (string, error) {
	var out bytes.Buffer
	root := newRoot()
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(append([]string{"verify"}, args...))
	err := root.ExecuteContext(ctx)
	return out.String(), err
}

// TestVerifyGoesOnFromItsFile leaves a file as a verification does that is broken
// off, and goes on from it.
func TestVerifyGoesOnFromItsFile(t *testing.T) {
	dir, verifier := longLog(t, 2500)
	file := filepath.Join(t.TempDir(), "progress")
	reader, err := sqlite.OpenReader(dir)
	check(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	_, err = audit.Verification{
		Version: version, Keep: func(b []byte) error { return replaceFile(file, b) },
		Progress: func(done, _ int64) {
			if done == 2000 {
				cancel()
			}
		},
	}.Run(ctx, reader, verifier)
	if reader.Close(); err == nil {
		t.Fatal("it was not broken off")
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the file: %v, %v", info, err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := verified(ended, "--data-dir", dir, "--resume", file); err == nil || !strings.Contains(err.Error(), "goes on from what "+file+" keeps") {
		t.Errorf("interrupted at once: %v", err)
	}
	if _, err := verified(ended, "--data-dir", dir); err == nil || !strings.Contains(err.Error(), "says nothing of whether the log is right") {
		t.Errorf("interrupted without a file: %v", err)
	}
	if _, err := verified(t.Context(), "--data-dir", dir, "--resume", file, "--depth", "shape"); err == nil || !strings.Contains(err.Error(), "depth is deep, not shape") {
		t.Errorf("another depth: %v", err)
	}
	out, err := verified(t.Context(), "--data-dir", dir, "--resume", file)
	if err != nil || !strings.Contains(out, "OK: 2500 entries") || !strings.Contains(out, "Entries 0 to 1999 were verified from ") {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("the file of a finished verification: %v", err)
	}
}

// TestTheFileOfAVerificationIsReplacedWhole writes where that can't be done.
func TestTheFileOfAVerificationIsReplacedWhole(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "progress")
	check(t, replaceFile(file, []byte("one")))
	check(t, replaceFile(file, []byte("two")))
	if b, err := os.ReadFile(file); err != nil || string(b) != "two" {
		t.Errorf("%q, %v", b, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("the directory has %v, %v", entries, err)
	}
	if err := replaceFile(filepath.Join(dir, "missing", "progress"), nil); err == nil {
		t.Error("written where there is no directory")
	}
}

func TestProgressIsALineEveryTenSecondsWithoutATerminal(t *testing.T) {
	var out bytes.Buffer
	clock := time.Unix(0, 0)
	p := newProgress(&out, "verified")
	p.now = func() time.Time { return clock }
	for done := int64(0); done <= 250; done++ {
		p.show(done*1000, 300_000)
		clock = clock.Add(100 * time.Millisecond)
	}
	p.end()
	want := "verified 100000 of 300000 entries, 10000/s, 20s left\nverified 200000 of 300000 entries, 10000/s, 10s left\n"
	if out.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", out.String(), want)
	}
}

func TestProgressIsOneLineOnATerminal(t *testing.T) {
	var out bytes.Buffer
	clock := time.Unix(0, 0)
	p := newProgress(&out, "verified")
	p.terminal, p.now = true, func() time.Time { return clock }
	for done := int64(0); done <= 12; done++ {
		p.show(done*1000, 12_000)
		clock = clock.Add(100 * time.Millisecond)
	}
	p.end()
	want := fmt.Sprintf("\rverified %d of 12000 entries, 10000/s, 0s left\x1b[K\rverified %d of 12000 entries, 10000/s, 0s left\x1b[K\n", 10000, 12000)
	if out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
}
