// Package acctest boots the real runtime inside a test and runs the real
// terraform against it.
package acctest

import (
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
)

// Runtime is a runtime on a free port, with people who can use it.
type Runtime struct{ *runtimetest.Runtime }

// Start boots a runtime that lives as long as the test.
func Start(t testing.TB, opts ...runtimetest.Option) *Runtime {
	t.Helper()
	return &Runtime{runtimetest.Start(t, opts...)}
}

// KeyPair makes a self-signed certificate for names, with its key, in PEM.
func KeyPair(t testing.TB, names ...string) (chainPEM, keyPEM string) {
	t.Helper()
	return runtimetest.KeyPair(t, names...)
}

// FreePort returns a port that nothing listens on at the moment.
func FreePort(t testing.TB) int {
	t.Helper()
	return runtimetest.FreePort(t)
}
