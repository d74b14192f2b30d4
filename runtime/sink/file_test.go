package sink_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/sink"
)

func toFile(path string) sink.Config {
	return sink.Config{Name: "file", File: &sink.FileConfig{Path: path}}
}

// fileSeqs are the entries in a file, which has whole lines only.
func fileSeqs(t testing.TB, path string) []int64 {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > 0 && text[len(text)-1] != '\n' {
		t.Fatalf("%s ends in the middle of a line", path)
	}
	var out []int64
	for line := range strings.Lines(string(text)) {
		out = append(out, seqsOf(t, []byte(line))...)
	}
	return out
}

func TestAFileHasEveryEntryInALine(t *testing.T) {
	m := newMemory(t, 200)
	path := filepath.Join(t.TempDir(), "log.jsonl")
	r := start(t, m, impatient(t.Output()), toFile(path))
	caughtUp(t, r, "file", 200)
	if got := fileSeqs(t, path); !slices.Equal(got, upTo(200)) {
		t.Errorf("has %v", got)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

// TestATornLineIsCutOff: what a crash left of a line is gone, and its entry, whose position
// was not kept, comes again.
func TestATornLineIsCutOff(t *testing.T) {
	for _, tt := range []struct{ name, tail string }{
		{"a few bytes", `{"seq"`},
		{"longer than what is read at once", `{"text":"` + strings.Repeat("x", 200_000)},
		{"nothing", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMemory(t, 30)
			path := filepath.Join(t.TempDir(), "log.jsonl")
			r := start(t, m, impatient(t.Output()), toFile(path))
			caughtUp(t, r, "file", 30)
			end(t, r)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, append(text, tt.tail...), 0o600); err != nil {
				t.Fatal(err)
			}
			m.grow(t, 10)
			var out logged
			r = start(t, m, impatient(&out), toFile(path))
			caughtUp(t, r, "file", 40)
			if got := fileSeqs(t, path); !slices.Equal(got, upTo(40)) {
				t.Errorf("has %v", got)
			}
			if cut := strings.Contains(out.String(), "an unfinished line was cut off"); cut != (tt.tail != "") {
				t.Errorf("logged:\n%s", &out)
			}
		})
	}
}

func TestTheEndOfTheLastWholeLineIsFound(t *testing.T) {
	long := strings.Repeat("x", 65536)
	for _, tt := range []struct {
		text string
		want int
	}{
		{"", 0},
		{"a", 0},
		{"\n", 1},
		{"a\n", 2},
		{"a\nb", 2},
		{"\n\n", 2},
		{long, 0},
		{long + "\n", 65537},
		{long[:65535] + "\n" + long, 65536},
		{"a\n" + long + long, 2},
		{long[:65534] + "\n" + long + "b", 65535},
	} {
		if got, err := sink.WholeLines(tt.text); err != nil || got != int64(tt.want) {
			t.Errorf("%d bytes: %d, %v; want %d", len(tt.text), got, err, tt.want)
		}
	}
	if _, err := sink.WholeLines(strings.Repeat("x", 65<<20)); err == nil {
		t.Error("a file without lines is taken for one of ours")
	}
}

func TestAFileTurnsOverBySizeAndLosesNothing(t *testing.T) {
	m := newMemory(t, 400)
	dir := t.TempDir()
	cfg := toFile(filepath.Join(dir, "log.jsonl"))
	cfg.File.MaxBytes = 60_000
	r := start(t, m, impatient(t.Output()), cfg)
	caughtUp(t, r, "file", 400)
	files, err := filepath.Glob(filepath.Join(dir, "log.jsonl.*"))
	if err != nil || len(files) < 2 {
		t.Fatalf("%q %v", files, err)
	}
	var got []int64
	for _, f := range append(files, cfg.File.Path) {
		seqs := fileSeqs(t, f)
		got = append(got, seqs...)
		info, err := os.Stat(f)
		if err != nil || info.Size() > cfg.File.MaxBytes {
			t.Errorf("%s has %d bytes, %v", f, info.Size(), err)
		}
	}
	if !slices.Equal(got, upTo(400)) {
		t.Errorf("%q have %v", files, got)
	}
}

func TestAFileKeepsAsManyOfThePastAsItIsTold(t *testing.T) {
	m := newMemory(t, 400)
	dir := t.TempDir()
	other := filepath.Join(dir, "log.jsonl.bak")
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := toFile(filepath.Join(dir, "log.jsonl"))
	cfg.File.MaxBytes, cfg.File.Keep = 50_000, 2
	r := start(t, m, impatient(t.Output()), cfg)
	caughtUp(t, r, "file", 400)
	files, err := filepath.Glob(filepath.Join(dir, "log.jsonl.0*"))
	if err != nil || len(files) != 2 {
		t.Fatalf("%q %v", files, err)
	}
	var got []int64
	for _, f := range append(files, cfg.File.Path) {
		got = append(got, fileSeqs(t, f)...)
	}
	if !slices.Equal(got, upTo(400)[400-len(got):]) {
		t.Errorf("the newest files have %v", got)
	}
	if _, err := os.Stat(other); err != nil {
		t.Errorf("a file that is none of ours: %v", err)
	}
}

// TestFilesOfALogThatWasSetBackAreTheOldOnes: they have higher numbers than what is written
// after a restore, and go first.
func TestFilesOfALogThatWasSetBackAreTheOldOnes(t *testing.T) {
	m := newMemory(t, 400)
	cfg := toFile(filepath.Join(t.TempDir(), "log.jsonl"))
	cfg.File.MaxBytes, cfg.File.Keep = 50_000, 2
	for _, seq := range []string{"000000009000", "000000009100"} {
		if err := os.WriteFile(cfg.File.Path+"."+seq, []byte("{}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := start(t, m, impatient(t.Output()), cfg)
	caughtUp(t, r, "file", 400)
	files, err := filepath.Glob(cfg.File.Path + ".*")
	if err != nil || len(files) != 2 {
		t.Fatalf("%q %v", files, err)
	}
	var got []int64
	for _, f := range append(files, cfg.File.Path) {
		if strings.Contains(f, ".000000009") {
			t.Errorf("%s is kept", f)
			continue
		}
		got = append(got, fileSeqs(t, f)...)
	}
	if !slices.Equal(got, upTo(400)[400-len(got):]) {
		t.Errorf("the newest files have %v", got)
	}
}

// TestAFileThatWasMovedAwayIsBegunAnew, as logrotate does it, also when it copies and
// truncates.
func TestAFileThatWasMovedAwayIsBegunAnew(t *testing.T) {
	m := newMemory(t, 10)
	path := filepath.Join(t.TempDir(), "log.jsonl")
	r := start(t, m, impatient(t.Output()), toFile(path))
	caughtUp(t, r, "file", 10)
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	for _, e := range m.grow(t, 10) {
		r.Notify(&e)
	}
	caughtUp(t, r, "file", 20)
	if old, now := fileSeqs(t, path+".old"), fileSeqs(t, path); !slices.Equal(old, upTo(10)) || !slices.Equal(now, upTo(20)[10:]) {
		t.Errorf("%v and %v", old, now)
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	for _, e := range m.grow(t, 10) {
		r.Notify(&e)
	}
	caughtUp(t, r, "file", 30)
	if now := fileSeqs(t, path); !slices.Equal(now, upTo(30)[20:]) {
		t.Errorf("after it was truncated: %v", now)
	}
}

func TestAFileThatCanNotBeWrittenIsTriedAgain(t *testing.T) {
	m := newMemory(t, 10)
	dir := filepath.Join(t.TempDir(), "not", "there")
	r := start(t, m, impatient(t.Output()), toFile(filepath.Join(dir, "log.jsonl")))
	eventually(t, "failures", func() bool { return status(t, r, "file").Failures > 2 })
	if s := status(t, r, "file"); s.State != api.SinkFailing || s.LastFailure.Code != "file" || !strings.Contains(s.LastFailure.Detail, "no such file or directory") {
		t.Errorf("%+v", s.LastFailure)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	caughtUp(t, r, "file", 10)
	if got := fileSeqs(t, filepath.Join(dir, "log.jsonl")); !slices.Equal(got, upTo(10)) {
		t.Errorf("has %v", got)
	}
}

func TestWhatIsNoFileIsNotWrittenTo(t *testing.T) {
	m := newMemory(t, 1)
	r := start(t, m, impatient(t.Output()), toFile("/dev/null"))
	eventually(t, "a failure", func() bool { return status(t, r, "file").Failures > 0 })
	if s := status(t, r, "file"); !strings.Contains(s.LastFailure.Detail, "not a regular file") {
		t.Errorf("%+v", s.LastFailure)
	}
}
