package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/store/sqlite"
	"github.com/auditlb/terraform-provider-auditlb/runtime/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T, place string) (control.Store, error) {
		return sqlite.Open(t.Context(), place, sqlite.Options{MinFree: -1})
	})
}

func TestASecondProcessIsToldThatTheLogIsInUse(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	if _, err := sqlite.Open(t.Context(), dir, sqlite.Options{}); !errors.Is(err, sqlite.ErrLocked) {
		t.Errorf("second open: %v; want ErrLocked", err)
	}
	openReader(t, dir) // reading is open to others
}

// TestDirectoriesOfAnyNameWork uses names that mean something in a URI, and
// ones relative to the working directory.
func TestDirectoriesOfAnyNameWork(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, dir := range []string{"data", "./a/b", "with space", "per%20cent", "question?mode=ro", "hash#tag", "co:lon", "ünïcode", filepath.Join(t.TempDir(), "absolute ?#%")} {
		t.Run(dir, func(t *testing.T) {
			open(t, dir)
			openReader(t, dir)
			if info, err := os.Stat(filepath.Join(dir, sqlite.FileName)); err != nil || info.Size() == 0 && !exists(filepath.Join(dir, sqlite.FileName+"-wal")) {
				t.Errorf("the log is not in %s: %v", dir, err)
			}
		})
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func TestOnlyTheOwnerReadsTheFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	open(t, dir)
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) < 2 {
		t.Fatalf("files %v, %v", files, err)
	}
	for _, file := range append(files, dir) {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", file, info.Mode())
		}
	}
}

func TestBelowTheFreeSpaceFloorNothingIsWritten(t *testing.T) {
	s, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{MinFree: 1 << 60})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Begin(t.Context()); !errors.Is(err, control.ErrLogFull) {
		t.Errorf("begin: %v; want ErrLogFull", err)
	}
}

func TestANewerSchemaIsNotTouched(t *testing.T) {
	dir := t.TempDir()
	open(t, dir).Close()
	db := database(t, dir)
	if _, err := db.ExecContext(t.Context(), "PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	db.Close()
	if _, err := sqlite.Open(t.Context(), dir, sqlite.Options{}); err == nil {
		t.Error("a log of a newer schema was opened")
	}
	if s, err := sqlite.Open(t.Context(), dir, sqlite.Options{}); errors.Is(err, sqlite.ErrLocked) {
		t.Errorf("the failed open kept the lock: %v", err)
	} else if err == nil {
		s.Close()
	}
}
