package sink

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// file appends messages to a file, one a line.
type file struct {
	FileConfig
	lines
	logger *slog.Logger
}

func newFile(cfg *FileConfig, logger *slog.Logger) *file {
	return &file{FileConfig: *cfg, logger: logger, lines: lines{path: cfg.Path, torn: tornWarning(logger, cfg.Path)}}
}

func tornWarning(logger *slog.Logger, path string) func(int64) {
	return func(n int64) { logger.Warn("an unfinished line was cut off", "file", path, "bytes", n) }
}

func (f *file) batch() int { return MaxBatch }

// deliver returns once the lines are on stable storage.
func (f *file) deliver(_ context.Context, batch []message) error {
	var text []byte
	for i := range batch {
		text = append(append(text, batch[i].payload...), '\n')
	}
	err := f.open()
	if err == nil && f.MaxBytes > 0 && f.size > 0 && f.size+int64(len(text)) > f.MaxBytes {
		err = f.turnOver(batch[0].seq())
	}
	if err == nil {
		err = f.append(text)
	}
	if err != nil {
		f.logger.Debug("file of a sink", "error", err)
		return failed(codeFile, "%s can't be written: %s", f.Path, reason(err))
	}
	return nil
}

// pastPattern is what follows a file's name once it has turned over.
var pastPattern = regexp.MustCompile(`^\.[0-9]{12}$`)

// turnOver puts the file aside, under the seq that the next one begins with.
func (f *file) turnOver(seq int64) error {
	past := fmt.Sprintf("%s.%012d", f.Path, seq)
	if _, err := os.Lstat(past); !errors.Is(err, fs.ErrNotExist) {
		return err // taken, by what was written before a crash: turn over later
	}
	if err := f.close(); err != nil {
		return err
	}
	if err := os.Rename(f.Path, past); err != nil {
		return err
	}
	if err := syncDir(filepath.Dir(f.Path)); err != nil {
		return err
	}
	f.removeOld(filepath.Base(past))
	return nil
}

// removeOld removes what is more than is kept. What can't be removed is left.
func (f *file) removeOld(newest string) {
	if f.Keep == 0 {
		return
	}
	folder, name := filepath.Split(f.Path)
	found, err := os.ReadDir(folder)
	if err != nil {
		f.logger.Warn("old files are not removed", "file", f.Path, "error", reason(err))
		return
	}
	var past []string
	for _, entry := range found {
		if rest, ok := strings.CutPrefix(entry.Name(), name); ok && pastPattern.MatchString(rest) {
			past = append(past, entry.Name())
		}
	}
	slices.SortFunc(past, func(a, b string) int { // by seq
		// One that is beyond the newest is of before the log was set back.
		if later := a > newest; later != (b > newest) {
			if later {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	for _, old := range past[:max(len(past)-f.Keep, 0)] {
		if err := os.Remove(filepath.Join(folder, old)); err != nil {
			f.logger.Warn("an old file is not removed", "file", old, "error", reason(err))
		}
	}
}

// reason is the cause of a file's error, without the path.
func reason(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}
