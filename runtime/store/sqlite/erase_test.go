package sqlite_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/store/sqlite"
)

// TestWhatIsErasedIsInNoFileAnyMore looks for the bytes of a body, small ones and such
// as fill pages of their own, in the files of the store once it is closed.
func TestWhatIsErasedIsInNoFileAnyMore(t *testing.T) {
	dir := t.TempDir()
	store, err := sqlite.Open(t.Context(), dir, sqlite.Options{MinFree: -1})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	l, err := controltest.TryOpen(t, control.Options{Store: store, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	id := l.Ticket(t, "CHG-1")
	for name, label := range map[string]string{"pool/small": "NEEDLE", "pool/large": strings.Repeat("HAYSTACK-NEEDLE", 15)} {
		p := controltest.Pool("10.0.0.1:80")
		p.Labels = map[string]string{}
		for i := range 20 {
			p.Labels["l"+string(rune('a'+i))] = label
		}
		l.Create(t, id, name, p)
		l.Update(t, id, name, controltest.Pool("10.0.0.2:80"))
		l.Update(t, id, name, controltest.Pool("10.0.0.3:80"))
	}
	now = now.Add(30 * 24 * time.Hour)
	erased, err := l.Erase(t.Context(), control.Retention{Period: control.MinRetention, Setting: "a test"})
	if err != nil || erased.Bodies == 0 {
		t.Fatalf("%+v, %v", erased, err)
	}
	controltest.Verified(t, store)
	l.Close()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{sqlite.FileName, sqlite.FileName + "-wal"} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if n := bytes.Count(content, []byte("NEEDLE")); n > 0 {
			t.Errorf("%s still has what was erased, %d times", name, n)
		}
	}
}
