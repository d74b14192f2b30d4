package witness

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
)

// What stands in a witness's data directory.
const (
	lockName      = "witness.lock"
	checkpointDir = "checkpoints"
	evidenceDir   = "misbehaviour"
	// tempPrefix marks a checkpoint that was not written to its end.
	tempPrefix = ".new-"
)

const (
	// maxStored bounds the file of a checkpoint: a request's, and our own signature.
	maxStored = MaxRequest + 4<<10
	// MaxEvidence bounds each file of evidence, in bytes. What comes later is dropped: the
	// first is worth most.
	MaxEvidence = 1 << 20
)

// ErrLocked means that another process has the witness's data directory.
var ErrLocked = errors.New("another witness is using the data directory")

// store is a witness's memory: for each log the latest checkpoint that was cosigned,
// in a file of its own, named by the hash of the origin.
type store struct {
	dir  string
	lock *flock.Flock
	// Tests let these fail.
	sync   func(*os.File) error
	rename func(from, to string) error
	sweep  func(dir string) error
}

// openStore opens a directory, and makes it when there is none.
func openStore(dir string) (*store, error) {
	for _, d := range []string{dir, filepath.Join(dir, checkpointDir), filepath.Join(dir, evidenceDir)} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("data directory: %w", err)
		}
	}
	lock := flock.New(filepath.Join(dir, lockName), flock.SetPermissions(0o600))
	held, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	if !held {
		return nil, fmt.Errorf("%w (%s)", ErrLocked, dir)
	}
	s := &store{dir: dir, lock: lock, sync: (*os.File).Sync, rename: os.Rename, sweep: syncDir}
	if err := errors.Join(syncDir(filepath.Dir(dir)), syncDir(dir)); err != nil {
		return nil, errors.Join(fmt.Errorf("data directory: %w", err), s.close())
	}
	return s, nil
}

// load reads all checkpoints. check tells the origin of one, or what is wrong with it.
func (s *store) load(check func(checkpoint []byte) (origin string, err error)) (map[string][]byte, error) {
	dir := filepath.Join(s.dir, checkpointDir)
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read checkpoints: %w", err)
	}
	latest := map[string][]byte{}
	for _, f := range files {
		path := filepath.Join(dir, f.Name())
		if strings.HasPrefix(f.Name(), tempPrefix) {
			// It was never answered for.
			if err := os.Remove(path); err != nil {
				return nil, fmt.Errorf("remove what was not finished: %w", err)
			}
			continue
		}
		text, err := readBounded(path)
		if err != nil {
			return nil, fmt.Errorf("read checkpoints: %w", err)
		}
		origin, err := check(text)
		if err == nil && originHash(origin) != f.Name() {
			err = fmt.Errorf("it is of the log %q", origin)
		}
		if err != nil {
			return nil, fmt.Errorf("%s is damaged: %w; a witness that forgot what it signed could sign the contrary, so don't delete it: give the witness a new data directory, key and name", path, err)
		}
		latest[origin] = text
	}
	return latest, nil
}

func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxStored {
		return nil, fmt.Errorf("%s is no checkpoint", path)
	}
	return os.ReadFile(path)
}

// keep makes a checkpoint the latest of its log. When it returns nil, that outlasts
// kill -9 and power loss; when it does not, the one before may be there still.
func (s *store) keep(origin string, checkpoint []byte) error {
	dir := filepath.Join(s.dir, checkpointDir)
	f, err := os.CreateTemp(dir, tempPrefix+"*")
	if err != nil {
		return err
	}
	_, err = f.Write(checkpoint)
	if err == nil {
		err = s.sync(f)
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = s.rename(f.Name(), filepath.Join(dir, originHash(origin)))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return s.sweep(dir)
}

// keepEvidence appends to a file about a log's misbehaviour, unless that is full or
// holds the same already. It reports whether it did.
func (s *store) keepEvidence(origin, kind string, checkpoint, record []byte) (path string, kept bool, err error) {
	path = filepath.Join(s.dir, evidenceDir, originHash(origin)+"-"+kind)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return path, false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size()+int64(len(record)) > MaxEvidence {
		return path, false, err
	}
	held := make([]byte, info.Size())
	if _, err := f.ReadAt(held, 0); err != nil && len(held) > 0 {
		return path, false, err
	}
	if bytes.Contains(held, checkpoint) {
		return path, false, nil
	}
	if _, err := f.Write(record); err != nil {
		return path, false, err
	}
	return path, true, errors.Join(f.Sync(), syncDir(filepath.Dir(path)))
}

// close gives up the lock.
func (s *store) close() error { return s.lock.Unlock() }
