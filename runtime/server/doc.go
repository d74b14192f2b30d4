// Package server answers the management API over HTTP. It authenticates,
// bounds and decodes what comes in, hands it to control, and renders the
// resulting entry as the answer. It decides nothing about changes itself.
package server
