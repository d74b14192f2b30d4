// Package bucket keeps objects that are written once: in a directory, or in a
// bucket of a service that speaks S3, where object lock can keep them from
// everybody for a time.
package bucket

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
)

// Bounds of objects.
const (
	MaxObjectBytes = 64 << 20
	MaxKeyBytes    = 512
)

// Errors of a bucket.
var (
	// ErrExists means that the key holds something else, which stays.
	ErrExists = errors.New("there is another object under this key")
	// ErrNotFound means that there is nothing under the key.
	ErrNotFound = errors.New("there is no such object")
	// ErrTooLarge means that an object is over MaxObjectBytes.
	ErrTooLarge = errors.New("object too large")
	// ErrEmpty means that an object has no bytes: services differ on those.
	ErrEmpty = errors.New("object empty")
	// ErrKey means that a key is not one that [CheckKey] admits.
	ErrKey = errors.New("key not valid")
)

// Bucket is where objects are kept. Its obligations:
//
//   - Put returns nil only once the object is on stable storage, whole. What stands
//     under a key is never overwritten.
//   - An object is seen whole or not at all.
//   - A call ends, with an error if need be, also when whoever is behind it hangs.
type Bucket interface {
	// Put writes an object, of 1 to MaxObjectBytes bytes. A key that holds the same bytes already is no error, so
	// that a retry settles a call whose answer was lost; other bytes are [ErrExists].
	Put(ctx context.Context, key string, data []byte) error
	// Get returns an object, or [ErrNotFound].
	Get(ctx context.Context, key string) ([]byte, error)
	// List yields the keys that begin with prefix, in order of their bytes. It ends
	// after the first error.
	List(ctx context.Context, prefix string) iter.Seq2[string, error]
	// String names the bucket for people, without secrets.
	String() string
}

// CheckKey reports whether a key can be used with every bucket: names of letters,
// digits and ".-_+=@", none of which begins with a dot, with slashes between them.
func CheckKey(key string) error {
	if key == "" || len(key) > MaxKeyBytes {
		return fmt.Errorf("%w: it must have 1 to %d bytes", ErrKey, MaxKeyBytes)
	}
	for name := range strings.SplitSeq(key, "/") {
		if name == "" || name[0] == '.' || strings.ContainsFunc(name, func(r rune) bool { return !inKey(r) }) {
			return fmt.Errorf("%w: %.100q in it can't be a name", ErrKey, name)
		}
	}
	return nil
}

func inKey(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune(".-_+=@", r)
}

func checkPut(key string, data []byte) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	if len(data) == 0 {
		return ErrEmpty
	}
	if len(data) > MaxObjectBytes {
		return fmt.Errorf("%w: %d bytes; at most %d are allowed", ErrTooLarge, len(data), MaxObjectBytes)
	}
	return nil
}
