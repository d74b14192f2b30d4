package daemon_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
)

// The files of a log's key, as they stand in a data directory.
const (
	keyName  = "log.key"
	nextName = keyName + ".next"
)

// opened opens a stopped log, adds an entry, and returns its key and head.
func opened(t *testing.T, c daemon.Config) (key string, head []byte) {
	t.Helper()
	controller, done, err := daemon.OpenLog(t.Context(), c)
	if err != nil {
		t.Fatalf("it does not start: %v", err)
	}
	o, _, err := controller.CreateToken(t.Context(), control.Call{Actor: control.System("test")}, control.TokenRequest{Actor: "vera", Role: "viewer"})
	accepted(t, o, err)
	key, head = controller.PublicKey(), controller.Checkpoint()
	if err := done(); err != nil {
		t.Fatal(err)
	}
	return key, head
}

func readFile(t *testing.T, dir, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func writeFile(t *testing.T, dir, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func removeFile(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func privateKey(t *testing.T, origin string) []byte {
	t.Helper()
	skey, vkey, err := audit.GenerateKey(origin)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Appendf(nil, "%s\n%s\n", skey, vkey)
}

// settled fails the test unless the log of a directory starts, twice, with one key that
// signs it, whose files are as they should be.
func settled(t *testing.T, dir string) string {
	t.Helper()
	c := config(dir, -1)
	key, _ := opened(t, c)
	again, head := opened(t, c)
	if again != key {
		t.Errorf("the key is %s, and then %s", key, again)
	}
	v, err := note.NewVerifier(key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := audit.OpenCheckpoint(head, v); err != nil {
		t.Errorf("the head is not by the key: %v", err)
	}
	if got := string(readFile(t, dir, daemon.PublicKeyName)); got != key+"\n" {
		t.Errorf("%s holds %q", daemon.PublicKeyName, got)
	}
	if !strings.Contains(string(readFile(t, dir, keyName)), key) {
		t.Errorf("%s holds another key", keyName)
	}
	info, err := os.Stat(filepath.Join(dir, keyName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%s: %v %v", keyName, info.Mode(), err)
	}
	if _, err := os.Stat(filepath.Join(dir, nextName)); !os.IsNotExist(err) {
		t.Errorf("the next key is still there: %v", err)
	}
	return key
}

// TestAChangeOfKeyThatIsCutShortHasHappenedOrNot stops a rotation and a restart after
// each step, which leaves the files as they stood then.
func TestAChangeOfKeyThatIsCutShortHasHappenedOrNot(t *testing.T) {
	changes := map[string]func(*testing.T, daemon.Config) (daemon.KeyChange, error){
		"rotation": func(t *testing.T, c daemon.Config) (daemon.KeyChange, error) {
			return daemon.RotateLogKey(t.Context(), c, "yearly")
		},
		"restart": func(t *testing.T, c daemon.Config) (daemon.KeyChange, error) {
			return daemon.RestartLog(t.Context(), c, daemon.Restart{Reason: "restored"})
		},
	}
	for kind, change := range changes {
		for _, step := range []struct {
			name     string
			happened bool
			// cut puts the files back to where the change stood, from what they were before.
			cut func(t *testing.T, dir string, before map[string][]byte)
		}{
			{"nothing but half of a file", false, func(t *testing.T, dir string, _ map[string][]byte) {
				writeFile(t, dir, nextName+".new", []byte("PRIVATE+KEY+"))
			}},
			{"the next key is kept", false, func(t *testing.T, dir string, before map[string][]byte) {
				origin, _, _ := strings.Cut(string(before[daemon.PublicKeyName]), "+")
				writeFile(t, dir, nextName, privateKey(t, origin))
			}},
			{"it is committed", true, func(t *testing.T, dir string, before map[string][]byte) {
				writeFile(t, dir, nextName, readFile(t, dir, keyName))
				for _, name := range []string{keyName, daemon.LastSeenName, daemon.PublicKeyName} {
					writeFile(t, dir, name, before[name])
				}
			}},
			{"what was seen is written", true, func(t *testing.T, dir string, before map[string][]byte) {
				writeFile(t, dir, nextName, readFile(t, dir, keyName))
				for _, name := range []string{keyName, daemon.PublicKeyName} {
					writeFile(t, dir, name, before[name])
				}
			}},
			{"the key is in place", true, func(t *testing.T, dir string, before map[string][]byte) {
				writeFile(t, dir, daemon.PublicKeyName, before[daemon.PublicKeyName])
			}},
			{"the public key is gone", true, func(t *testing.T, dir string, _ map[string][]byte) {
				removeFile(t, dir, daemon.PublicKeyName)
			}},
			{"all is done", true, func(*testing.T, string, map[string][]byte) {}},
		} {
			t.Run(kind+", "+step.name, func(t *testing.T) {
				dir := t.TempDir()
				d := start(t, config(dir, -1))
				stop(t, d)
				before := map[string][]byte{}
				for _, name := range []string{keyName, daemon.LastSeenName, daemon.PublicKeyName} {
					before[name] = readFile(t, dir, name)
				}
				if step.happened {
					made, err := change(t, config(dir, -1))
					if err != nil || made.PreviousKey+"\n" != string(before[daemon.PublicKeyName]) {
						t.Fatalf("%+v %v", made, err)
					}
				}
				step.cut(t, dir, before)
				key := settled(t, dir)
				if happened := key+"\n" != string(before[daemon.PublicKeyName]); happened != step.happened {
					t.Errorf("it happened: %v", happened)
				}
				// And it can be done once more.
				if made, err := change(t, config(dir, -1)); err != nil || made.PreviousKey != key {
					t.Errorf("%+v %v", made, err)
				}
				stop(t, start(t, config(dir, -1)))
			})
		}
	}
}

func TestAKeyThatOthersCouldHaveReadIsNotTaken(t *testing.T) {
	dir := t.TempDir()
	opened(t, config(dir, -1))
	next := privateKey(t, "x")
	writeFile(t, dir, nextName, next)
	if err := os.Chmod(filepath.Join(dir, nextName), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := daemon.OpenLog(t.Context(), config(dir, -1)); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("%v", err)
	}
	if !bytes.Equal(readFile(t, dir, nextName), next) {
		t.Error("the next key is lost")
	}
}

// TestARestartLeavesTheConfigurationAsItIs: its name for the log is the operator's to change.
func TestARestartLeavesTheConfigurationAsItIs(t *testing.T) {
	c := config(t.TempDir(), -1)
	c.Log.Origin = "example.com/log"
	opened(t, c)
	if _, err := daemon.RestartLog(t.Context(), c, daemon.Restart{Origin: "example.com/log", Reason: "x"}); err == nil || !strings.Contains(err.Error(), "another origin") {
		t.Errorf("under the same name: %v", err)
	}
	opened(t, c) // nothing happened
	if _, err := daemon.RestartLog(t.Context(), c, daemon.Restart{Origin: "example.com/log-2", Reason: "x"}); err != nil {
		t.Fatal(err)
	}
	if c.Log.Origin != "example.com/log" {
		t.Errorf("the configuration's origin is %q", c.Log.Origin)
	}
	if _, _, err := daemon.OpenLog(t.Context(), c); err == nil || !strings.Contains(err.Error(), `"example.com/log-2"`) {
		t.Errorf("%v", err)
	}
	c.Log.Origin = "example.com/log-2"
	opened(t, c)
}
