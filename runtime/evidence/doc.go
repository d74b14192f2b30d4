// Package evidence is what can be handed to somebody who trusts neither the log
// nor whoever runs it: proofs of entries, and bundles of them, which are checked
// offline with nothing but the log's public key.
//
// A bundle is a ZIP file. Its proofs (C2SP tlog-proof) are the evidence, and each can
// be checked by itself. Everything else in it (entries and tickets as JSON, a
// summary to be read) is derived from the proofs, and a check derives it again: what
// people read is what was proved, or the check says that it isn't.
package evidence
