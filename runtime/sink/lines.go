package sink

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	filePermissions = 0o600
	// maxTornBytes bounds a line that a crash left unfinished. More than that is no
	// line of ours.
	maxTornBytes = 64 << 20
	tailBlock    = 64 << 10
)

// lines is a file that whole lines are appended to. The zero file is opened by the first
// append, and again when somebody has moved it away.
type lines struct {
	path string
	// torn is told how many bytes of an unfinished line were cut off.
	torn func(bytes int64)

	file *os.File
	size int64
}

// append writes whole lines and returns once they are on stable storage. After an error
// the file is opened anew, so that what was written in part is cut off.
func (l *lines) append(text []byte) error {
	if err := l.open(); err != nil {
		return err
	}
	_, err := l.file.Write(text)
	if err == nil {
		err = l.file.Sync()
	}
	if err != nil {
		// What can't be cut off here is, up to its last line, found at the next opening.
		return errors.Join(err, l.file.Truncate(l.size), l.close())
	}
	l.size += int64(len(text))
	return nil
}

// open makes the file ready for the end of its last whole line.
func (l *lines) open() error {
	if l.file != nil {
		if l.current() {
			return nil
		}
		if err := l.close(); err != nil {
			return err
		}
	}
	_, err := os.Lstat(l.path)
	isNew := errors.Is(err, fs.ErrNotExist)
	file, err := os.OpenFile(l.path, os.O_RDWR|os.O_CREATE|os.O_APPEND, filePermissions)
	if err != nil {
		return err
	}
	size, err := l.repair(file)
	if err == nil && isNew {
		err = syncDir(filepath.Dir(l.path))
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	l.file, l.size = file, size
	return nil
}

// current reports whether the open file is still the one at the path, and as we left it.
func (l *lines) current() bool {
	open, err := l.file.Stat()
	if err != nil || open.Size() != l.size {
		return false
	}
	there, err := os.Stat(l.path)
	return err == nil && os.SameFile(open, there)
}

// repair cuts off what follows the last whole line, and returns the file's size.
func (l *lines) repair(file *os.File) (int64, error) {
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, fmt.Errorf("%s is not a regular file", l.path)
	}
	size := info.Size()
	whole, err := wholeLines(file, size)
	if err != nil || whole == size {
		return size, err
	}
	if err := errors.Join(file.Truncate(whole), file.Sync()); err != nil {
		return 0, err
	}
	l.torn(size - whole)
	return whole, nil
}

// wholeLines returns the end of the last whole line.
func wholeLines(file io.ReaderAt, size int64) (int64, error) {
	block := make([]byte, tailBlock)
	for end := size; end > 0; {
		begin := max(end-tailBlock, 0)
		b := block[:end-begin]
		if _, err := file.ReadAt(b, begin); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(b, '\n'); i >= 0 {
			return begin + int64(i) + 1, nil
		}
		if end = begin; size-end > maxTornBytes {
			return 0, fmt.Errorf("the file's last %d bytes have no end of a line: it is none of ours", maxTornBytes)
		}
	}
	return 0, nil
}

func (l *lines) close() error {
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}

// syncDir makes a file's name durable.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
