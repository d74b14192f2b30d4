// Package ticket is the change ticket: its states, who may move it between
// them, and whether it admits a change. It is pure: time and people are passed
// in, and nothing is stored here.
package ticket
