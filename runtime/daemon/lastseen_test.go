package daemon_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/store/sqlite"
)

// signerIn is the key of a stopped log.
func signerIn(t *testing.T, dir string) *audit.Signer {
	t.Helper()
	skey, vkey, _ := strings.Cut(strings.TrimSpace(string(readFile(t, dir, keyName))), "\n")
	s, err := audit.NewSigner(skey, vkey)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestANodeHoldsItsLogToWhatItSaw changes the file that it is kept in, or the log.
func TestANodeHoldsItsLogToWhatItSaw(t *testing.T) {
	other := func(size int) audit.Tree {
		var tree audit.Tree
		for i := range size {
			tree.Append([32]byte{byte(i)})
		}
		return tree
	}
	for name, c := range map[string]struct {
		seen func(t *testing.T, dir string) []byte
		want string
	}{
		"the head": {nil, ""},
		"missing":  {func(*testing.T, string) []byte { return nil }, ""},
		"an entry": {func(t *testing.T, dir string) []byte { return signedOf(t, signerIn(t, dir), other(1)) }, "has other entries than those that this node saw"},
		"a fork":   {func(t *testing.T, dir string) []byte { return signedOf(t, signerIn(t, dir), other(2)) }, "were rewritten"},
		"a longer": {func(t *testing.T, dir string) []byte { return signedOf(t, signerIn(t, dir), other(999)) }, "it was rolled back"},
		"nothing":  {func(t *testing.T, dir string) []byte { return signedOf(t, signerIn(t, dir), other(0)) }, ""},
		"a name": {func(t *testing.T, dir string) []byte { // of the very same tree
			_, rest, _ := bytes.Cut(readFile(t, dir, daemon.LastSeenName), []byte("\n"))
			return append([]byte("example.com/x\n"), rest...)
		}, `and this node saw "example.com/x"`},
		"torn":      {func(t *testing.T, dir string) []byte { return readFile(t, dir, daemon.LastSeenName)[:30] }, "remove the file to start without it"},
		"empty":     {func(*testing.T, string) []byte { return []byte{} }, "remove the file to start without it"},
		"a garbage": {func(*testing.T, string) []byte { return bytes.Repeat([]byte{0xff}, 1<<20) }, "remove the file to start without it"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			stop(t, start(t, config(dir, -1)))
			opened(t, config(dir, -1))
			opened(t, config(dir, -1))
			if c.seen != nil {
				if seen := c.seen(t, dir); seen == nil {
					removeFile(t, dir, daemon.LastSeenName)
				} else {
					writeFile(t, dir, daemon.LastSeenName, seen)
				}
			}
			d, err := daemon.Start(t.Context(), config(dir, -1), slog.New(slog.DiscardHandler))
			if err == nil {
				stop(t, d)
			}
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v", err)
			}
			var rollback *daemon.RollbackError
			if errors.As(err, &rollback) {
				// It stays so until the log goes on under another name.
				if _, _, err := daemon.OpenLog(t.Context(), config(dir, -1)); !errors.As(err, &rollback) {
					t.Errorf("%v", err)
				}
				if _, err := daemon.RestartLog(t.Context(), config(dir, -1), daemon.Restart{Reason: "restored"}); err != nil {
					t.Fatal(err)
				}
				stop(t, start(t, config(dir, -1)))
			}
		})
	}
}

func signedOf(t *testing.T, s *audit.Signer, tree audit.Tree) []byte {
	t.Helper()
	cp, err := s.Sign(&tree)
	if err != nil {
		t.Fatal(err)
	}
	return cp.Note
}

// TestTheLastEntryBeforeAStopWasSeen, so that nothing can be rolled back over a restart.
func TestTheLastEntryBeforeAStopWasSeen(t *testing.T) {
	dir := t.TempDir()
	d := start(t, config(dir, -1))
	c := operator(t, d)
	if _, err := c.Put(t.Context(), lb.Address{Kind: lb.KindPool, Name: "web"}, pool("127.0.0.1:1"), client.IfAbsent()); err != nil {
		t.Fatal(err)
	}
	head := d.Controller.Checkpoint()
	stop(t, d)
	if seen := readFile(t, dir, daemon.LastSeenName); !bytes.Equal(seen, head) {
		t.Errorf("seen is\n%s\nand the head\n%s", seen, head)
	}
	if info, err := os.Stat(filepath.Join(dir, daemon.LastSeenName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if _, err := os.Stat(filepath.Join(dir, sqlite.FileName)); err != nil {
		t.Fatal(err)
	}
}

// TestTrafficGoesOnWhereNothingCanBeSeen: the file's folder is not there.
func TestTrafficGoesOnWhereNothingCanBeSeen(t *testing.T) {
	conf, logs := config(t.TempDir(), -1), &runtimetest.Buffer{}
	conf.Log.LastCheckpointFile = filepath.Join(t.TempDir(), "unmounted", "seen")
	d, err := daemon.Start(t.Context(), conf, slog.New(slog.NewTextHandler(logs, nil)))
	if err != nil {
		t.Fatal(err)
	}
	c := operator(t, d)
	if _, err := c.Put(t.Context(), lb.Address{Kind: lb.KindPool, Name: "web"}, pool("127.0.0.1:1"), client.IfAbsent()); err != nil {
		t.Errorf("a change: %v", err)
	}
	stop(t, d) // tries once more
	if n := strings.Count(logs.String(), "newest checkpoint not kept"); n != 1 {
		t.Errorf("it is said %d times:\n%s", n, logs)
	}
}
