//go:build !linux

package splice

import (
	"errors"
	"syscall"
)

// Supported reports whether this package works here, which it does on Linux only.
func Supported() bool { return false }

// Copy moves nothing and returns [errors.ErrUnsupported].
func Copy(_, _ syscall.RawConn, _ int64, _ func(moved int)) (moved int64, err error) {
	return 0, errors.ErrUnsupported
}

// Failed returns nil.
func Failed(syscall.RawConn) error { return nil }
