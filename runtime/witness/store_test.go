package witness_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/witness"
)

func TestNothingIsSignedThatIsNotOnDisk(t *testing.T) {
	fails := func() error { return errDisk }
	tests := []struct {
		name                string
		sync, rename, sweep func() error
	}{
		{"the file does not sync", fails, nil, nil},
		{"the file does not get its name", nil, fails, nil},
		{"the directory does not sync", nil, nil, fails},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLog(t, 8)
			w := newWitness(t, "", "witness.example/w1", l)
			w.signs(t, l.request(t, 0, 5))
			before := w.latest(t)
			w.FailDisk(tt.sync, tt.rename, tt.sweep)
			status, _, answer := w.post(t, l.request(t, 5, 8))
			if status != http.StatusInternalServerError || strings.Contains(answer, "—") || strings.Contains(answer, errDisk.Error()) {
				t.Errorf("answered %d: %q", status, answer)
			}
			if w.latest(t) != before {
				t.Error("what could not be kept is served")
			}
			w.FailDisk(nil, nil, nil)
			w.signs(t, l.request(t, 5, 8))
			if files, err := filepath.Glob(filepath.Join(w.dir, witness.CheckpointDir, witness.TempPrefix+"*")); err != nil || len(files) > 0 {
				t.Errorf("left behind: %v %v", files, err)
			}
		})
	}
}

// TestTheFileIsThereBeforeTheAnswer looks at the disk at the moment when the checkpoint
// gets its name, which is before there is an answer.
func TestTheFileIsThereBeforeTheAnswer(t *testing.T) {
	l := newLog(t, 8)
	w := newWitness(t, "", "witness.example/w1", l)
	var onDisk []byte
	answered := false
	w.FailDisk(nil, nil, func() error {
		if answered {
			t.Error("the answer was first")
		}
		var err error
		onDisk, err = os.ReadFile(filepath.Join(w.dir, witness.CheckpointDir, witness.OriginHash(origin)))
		return err
	})
	status, _, answer := w.post(t, l.request(t, 0, 8))
	answered = true
	if status != http.StatusOK || !strings.HasSuffix(string(onDisk), answer) {
		t.Errorf("answered %d %q with this on disk:\n%s", status, answer, onDisk)
	}
}

func TestAWitnessRemembersAfterARestart(t *testing.T) {
	l := newLog(t, 12)
	dir := t.TempDir()
	first := openWitness(t, dir, "witness.example/w1", l)
	must(t, first.Close())
	w := newWitness(t, dir, "witness.example/w1", l)
	w.signs(t, l.request(t, 0, 5))
	must(t, w.Close())
	// A write that kill -9 cut short.
	must(t, os.WriteFile(filepath.Join(dir, witness.CheckpointDir, witness.TempPrefix+"1"), []byte("half a"), 0o600))
	again := newWitness(t, dir, "witness.example/w1", l)
	if again.key.PublicKey() != w.key.PublicKey() {
		t.Error("another key")
	}
	if status, _, answer := again.post(t, l.fork(t, 3, 12).request(t, 5, 8)); status != http.StatusUnprocessableEntity {
		t.Errorf("a fork is answered %d: %s", status, answer)
	}
	if status, _, answer := again.post(t, l.request(t, 0, 3)); status != http.StatusConflict || answer != "5\n" {
		t.Errorf("a rollback is answered %d: %s", status, answer)
	}
	again.signs(t, l.request(t, 5, 8))
}

func TestADamagedMemoryRefusesToStart(t *testing.T) {
	l := newLog(t, 12)
	other := newWitness(t, "", "witness.example/w1", l)
	other.signs(t, l.request(t, 0, 5))
	tests := []struct {
		name   string
		damage func(text string) string
	}{
		{"empty", func(string) string { return "" }},
		{"cut off", func(s string) string { return s[:len(s)-10] }},
		{"another size", func(s string) string { return strings.Replace(s, "\n5\n", "\n4\n", 1) }},
		{"without our signature", func(s string) string { return s[:strings.LastIndex(s, "— ")] }},
		{"signed by another witness of this name", func(string) string { return other.latest(t) }},
		{"a checkpoint of another log", func(s string) string { return strings.Replace(s, origin, "log.example.com/dev", 1) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			w := newWitness(t, dir, "witness.example/w1", l)
			w.signs(t, l.request(t, 0, 5))
			path := filepath.Join(dir, witness.CheckpointDir, witness.OriginHash(origin))
			text, err := os.ReadFile(path)
			must(t, err)
			must(t, w.Close())
			must(t, os.WriteFile(path, []byte(tt.damage(string(text))), 0o600))
			_, err = witness.NewServer(options(w, l))
			if err == nil || !strings.Contains(err.Error(), "is damaged") || !strings.Contains(err.Error(), path) {
				t.Fatalf("err = %v", err)
			}
			must(t, os.WriteFile(path, text, 0o600))
			again, err := witness.NewServer(options(w, l))
			must(t, err)
			must(t, again.Close())
		})
	}
	t.Run("a file that belongs to another log", func(t *testing.T) {
		dir := t.TempDir()
		w := newWitness(t, dir, "witness.example/w1", l)
		w.signs(t, l.request(t, 0, 5))
		must(t, w.Close())
		from := filepath.Join(dir, witness.CheckpointDir, witness.OriginHash(origin))
		must(t, os.Rename(from, filepath.Join(dir, witness.CheckpointDir, witness.OriginHash("log.example.com/dev"))))
		if _, err := witness.NewServer(options(w, l)); err == nil || !strings.Contains(err.Error(), "is damaged") {
			t.Errorf("err = %v", err)
		}
	})
}

func TestADirectoryIsOneWitnesss(t *testing.T) {
	l := newLog(t, 3)
	w := newWitness(t, "", "witness.example/w1", l)
	if _, err := witness.NewServer(options(w, l)); err == nil || !strings.Contains(err.Error(), witness.ErrLocked.Error()) {
		t.Errorf("err = %v", err)
	}
}
