package bucket_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/bucket"
)

func openDir(t *testing.T, path string) *bucket.Dir {
	t.Helper()
	d, err := bucket.OpenDir(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestADirectoryKeepsItsPromises(t *testing.T) {
	conform(t, openDir(t, filepath.Join(t.TempDir(), "not", "there", "yet")))
}

func TestOnlyTheOwnerCanReadWhatIsKept(t *testing.T) {
	dir := t.TempDir()
	put(t, openDir(t, dir), "a/b", []byte("x"))
	for path, want := range map[string]fs.FileMode{"a": 0o700, "a/b": 0o600} {
		info, err := os.Stat(filepath.Join(dir, path))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: mode %v, %v; want %v", path, info.Mode().Perm(), err, want)
		}
	}
}

func TestNothingHalfWrittenIsLeftOrListed(t *testing.T) {
	dir := t.TempDir()
	d := openDir(t, dir)
	put(t, d, "a/b", []byte("x"))
	if err := d.Put(t.Context(), "a/b", []byte("y")); !errors.Is(err, bucket.ErrExists) {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(dir, "a"))
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v, %v; want one file", entries, err)
	}
	// What a crash left behind, and what others put there.
	for _, name := range []string{".new-HALF", "two words"} {
		if err := os.WriteFile(filepath.Join(dir, "a", name), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := list(t, d.List(t.Context(), "")); len(got) != 1 || got[0] != "a/b" {
		t.Errorf("listed %q, want a/b alone", got)
	}
}

func TestALinkLeadsNowhere(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "out")); err != nil {
		t.Fatal(err)
	}
	d := openDir(t, dir)
	if got, err := d.Get(t.Context(), "out/secret"); err == nil {
		t.Errorf("read %q through a link", got)
	}
	if err := d.Put(t.Context(), "out/new", []byte("x")); err == nil {
		t.Error("wrote through a link")
	}
	if _, err := os.Stat(filepath.Join(outside, "new")); err == nil {
		t.Error("there is a file outside")
	}
	if got := list(t, d.List(t.Context(), "")); len(got) > 0 {
		t.Errorf("listed %q through a link", got)
	}
}

func TestWhatCanNotBeWrittenIsAnErrorThatNamesThePlace(t *testing.T) {
	dir := t.TempDir()
	d := openDir(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "a"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := d.Put(t.Context(), "a/b", []byte("x"))
	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "a/b") {
		t.Errorf("put below a file = %v, want an error that names %s and the key", err, dir)
	}
}
