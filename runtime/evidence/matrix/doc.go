// Package matrix has nothing but a test: it attacks a log in every way there is, asks
// everything that could notice, and holds the table in docs/EVIDENCE.md to the answers.
package matrix
