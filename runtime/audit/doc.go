// Package audit is the record itself, without any I/O: entries and their
// canonical bytes, the Merkle tree over them, signed checkpoints, and the
// verification of a stored log.
//
// An entry is two things. Its header is small canonical JSON (RFC 8785) and is
// the leaf of the tree, so anyone who has the header can compute the leaf hash
// (RFC 6962 §2.1). Its body says what changed; the header commits to it with
// SHA-256(salt ‖ body), so that a body can be erased later without touching the
// tree and without leaving a hash that a guess could be tested against.
package audit
