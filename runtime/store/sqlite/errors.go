package sqlite

import (
	"errors"
	"fmt"

	sqlitedriver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
)

// classify says what a write's error means: no space, a failed sync, or
// anything else, after which the result is not known.
func classify(err error) error {
	if err == nil {
		return nil
	}
	var e *sqlitedriver.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("%w: %w", control.ErrLogUnavailable, err)
	}
	switch code := e.Code(); {
	case code&0xff == sqlite3.SQLITE_FULL:
		return fmt.Errorf("%w: %w", control.ErrLogFull, err)
	case code == sqlite3.SQLITE_IOERR_FSYNC, code == sqlite3.SQLITE_IOERR_DIR_FSYNC:
		return fmt.Errorf("%w: %w", control.ErrLogBroken, err)
	}
	return fmt.Errorf("%w: %w", control.ErrLogUnavailable, err)
}
