// Package storetest is the suite that every store of the log passes: what
// control.Store promises, tried on the store itself.
package storetest

import (
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
)

// Open opens the store of a place, and makes it when there is none. Each place
// is a new directory; a store that lives elsewhere may take it as a name.
type Open func(t *testing.T, place string) (control.Store, error)

// Run runs the whole suite.
func Run(t *testing.T, open Open) {
	for _, part := range []struct {
		name string
		test func(*suite, *testing.T)
	}{
		{"a new store is empty", (*suite).empty},
		{"a commit shows everything at once", (*suite).commit},
		{"a transaction sees its own writes", (*suite).ownWrites},
		{"a rollback leaves nothing", (*suite).rollback},
		{"an entry is written once", (*suite).writtenOnce},
		{"entries of every size", (*suite).sizes},
		{"hashes and rows in ranges", (*suite).ranges},
		{"entries of a resource", (*suite).ofResource},
		{"bodies are erased, and only what may be", (*suite).erases},
		{"states are the fold", (*suite).states},
		{"states by prefix and page", (*suite).statesPages},
		{"secrets", (*suite).secrets},
		{"idempotency keys", (*suite).answered},
		{"plans by effect and run", (*suite).plans},
		{"entries by every filter", (*suite).queries},
		{"times at their edges", (*suite).times},
		{"counts by run", (*suite).counts},
		{"usage of tickets", (*suite).usage},
		{"who manages what", (*suite).managed},
		{"changes of objects", (*suite).changes},
		{"last uses of credentials", (*suite).lastUses},
		{"values kept beside the log", (*suite).kept},
		{"no orphans", (*suite).orphans},
		{"one process writes", (*suite).exclusive},
		{"reopening finds everything", (*suite).reopening},
	} {
		t.Run(part.name, func(t *testing.T) {
			s := &suite{open: open, place: t.TempDir()}
			s.reopen(t)
			part.test(s, t)
		})
	}
}
