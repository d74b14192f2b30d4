// Package control is the one write path: gate, append, publish. Every change,
// plan, ticket, run and token passes through a [Controller], which decides on
// it, writes the entry with the tree and the state in one transaction, and
// only then lets traffic see it. Nothing else writes to the log.
//
// A single goroutine decides. It takes all calls that are waiting, lets each see
// the effects of those before it, and commits them together: one fsync for
// many callers (group commit). If the commit fails, none of them happened.
package control
