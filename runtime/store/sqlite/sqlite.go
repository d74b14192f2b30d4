// Package sqlite keeps the log in one SQLite file: WAL, synchronous=FULL, one
// writer. It meets the obligations of control.Store on a local disk; network
// file systems don't keep SQLite's locks and are not supported.
package sqlite

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/gofrs/flock"
	_ "modernc.org/sqlite" // the database/sql driver

	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
)

//go:embed schema.sql
var schema string

// schemaVersion is kept in the file's user_version.
const schemaVersion = 2

// FileName is the log's file in the data directory.
const FileName = "auditlb.db"

const lockName = "auditlb.lock"

// DefaultMinFree is the free space below which changes are refused before the
// disk is full, in bytes.
const DefaultMinFree = 32 << 20

// ErrLocked means that another process has the log open for writing.
var ErrLocked = errors.New("another auditlb process is using the data directory")

// Options of a store.
type Options struct {
	// MinFree is the free space to keep, in bytes; 0 is DefaultMinFree,
	// negative is none.
	MinFree int64
}

// Store is the log in a SQLite file. It implements control.Store.
type Store struct {
	reader
	write    *sql.DB
	prepared prepared
	lock     *flock.Flock
	dir      string
	minFree  uint64
	cache    idCache
}

var _ control.Store = (*Store)(nil)

// Open opens the log in a directory for writing, and makes it when there is none.
func Open(ctx context.Context, dir string, opts Options) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	// The lock has a file of its own: closing any descriptor of SQLite's file
	// would drop the locks that SQLite itself holds on it.
	lock := flock.New(filepath.Join(dir, lockName), flock.SetPermissions(0o600))
	held, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	if !held {
		return nil, fmt.Errorf("%w (%s)", ErrLocked, dir)
	}
	s := &Store{lock: lock, dir: dir, cache: newIDCache()}
	switch {
	case opts.MinFree == 0:
		s.minFree = DefaultMinFree
	case opts.MinFree > 0:
		s.minFree = uint64(opts.MinFree)
	}
	if err := s.open(ctx, filepath.Join(dir, FileName)); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, path string) error {
	if err := createPrivate(path); err != nil {
		return err
	}
	var err error
	if s.write, err = sql.Open("sqlite", dsn(path, "rw", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)", "secure_delete(ON)", "wal_autocheckpoint(2000)")); err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	s.write.SetMaxOpenConns(1)
	if err := migrate(ctx, s.write); err != nil {
		return err
	}
	if s.prepared, err = prepare(ctx, s.write); err != nil {
		return err
	}
	s.reader.db, err = openReader(path)
	return err
}

// OpenReader opens the log in a directory for reading, whether or not a runtime
// is using it.
func OpenReader(dir string) (*Reader, error) {
	path := filepath.Join(dir, FileName)
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("no log in %s: %w", dir, err)
	}
	db, err := openReader(path)
	if err != nil {
		return nil, err
	}
	return &Reader{reader{db}}, nil
}

// Reader is a log open for reading only.
type Reader struct{ reader }

// Close closes the file.
func (r *Reader) Close() error { return r.db.Close() }

func openReader(path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", dsn(path, "ro", "query_only(ON)"))
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	// A verification reads on every processor.
	conns := max(4, runtime.GOMAXPROCS(0)+1)
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, nil
}

func dsn(path, mode string, pragmas ...string) string {
	q := url.Values{"mode": {mode}, "_txlock": {"immediate"}, "_pragma": append([]string{"busy_timeout(10000)"}, pragmas...)}
	// Opaque, because a relative path after "file://" would be a host's name.
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
}

// createPrivate makes the file readable by its owner only, before SQLite
// would make it with the process's umask.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("create log: %w", err)
	}
	return f.Close()
}

func migrate(ctx context.Context, db *sql.DB) error {
	var version int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	switch version {
	case schemaVersion:
		return nil
	case 0:
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return classify(err)
		}
		defer tx.Rollback()
		if _, err := tx.ExecContext(ctx, schema+fmt.Sprintf(";PRAGMA user_version = %d", schemaVersion)); err != nil {
			return fmt.Errorf("make log: %w", classify(err))
		}
		return classify(tx.Commit())
	}
	if version < schemaVersion {
		return fmt.Errorf("the log has schema version %d, of a development version; this program knows version %d and can't read it", version, schemaVersion)
	}
	return fmt.Errorf("the log has schema version %d; this program knows version %d: use a newer auditlb", version, schemaVersion)
}

// Close closes the file and gives up the lock.
func (s *Store) Close() error {
	var errs []error
	for _, db := range []*sql.DB{s.reader.db, s.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(append(errs, s.lock.Unlock())...)
}

// checkSpace refuses early, while there is still room for SQLite to clean up.
func (s *Store) checkSpace() error {
	if s.minFree == 0 {
		return nil
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(s.dir, &fs); err != nil {
		return fmt.Errorf("%w: free space: %w", control.ErrLogUnavailable, err)
	}
	if free := fs.Bavail * uint64(fs.Bsize); free < s.minFree {
		return fmt.Errorf("%w: %d bytes free, %d are kept", control.ErrLogFull, free, s.minFree)
	}
	return nil
}
