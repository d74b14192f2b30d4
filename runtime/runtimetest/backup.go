package runtimetest

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
	"github.com/auditlb/terraform-provider-auditlb/runtime/store/sqlite"
)

// Backup is a copy of a runtime's log, and nothing else of its data directory.
type Backup struct{ files map[string][]byte }

// Backup stops the runtime, copies its log, and starts it again on another port.
func (r *Runtime) Backup(t testing.TB) Backup {
	t.Helper()
	r.stop(t)
	b := Backup{files: map[string][]byte{}}
	for _, path := range r.logFiles(t) {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b.files[path] = content
	}
	r.boot(t)
	return b
}

// Restore stops the runtime, puts a copy of its log back, and starts it again on
// another port. Without the option ForgetLastSeen the node notices.
func (r *Runtime) Restore(t testing.TB, b Backup, changes ...Option) {
	t.Helper()
	r.stop(t)
	for _, path := range r.logFiles(t) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	for path, content := range b.files {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, o := range changes {
		o(t, r)
	}
	r.boot(t)
}

func (r *Runtime) logFiles(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(r.Dir, sqlite.FileName+"*"))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// ForgetLastSeen removes what the node saw of its log.
func ForgetLastSeen(t testing.TB, r *Runtime) {
	t.Helper()
	if err := os.Remove(filepath.Join(r.Dir, daemon.LastSeenName)); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
}
