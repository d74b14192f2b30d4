// Package authority reads change tickets that live elsewhere: in ServiceNow, in
// Jira, on GitHub, or behind any service that answers with JSON.
//
// An [Authority] tells the facts of one ticket and takes a comment on it. It
// decides nothing about changes: package ticket does, from the facts. Everything
// it is told is hostile. Answers are bounded in size and time, texts are bounded and
// printable, and an answer is believed only when it names the very ticket that was
// asked for. What is not understood is never an approval.
//
// A [Keeper] stands in front of several authorities. It knows whose a ticket is,
// keeps good answers for a short while, asks once when many want to know, and leaves
// an authority alone that is in trouble. When an answer can't be refreshed, the
// earlier one comes back with its age and the reason; whether that is good enough is
// the caller's to decide.
//
// A [Writer] carries evidence the other way: once the changes under a ticket have
// come to rest, a comment on the ticket lists them, with the log's signed checkpoint.
//
// Two rules hold for all authorities:
//
//   - A requester's own approval is not counted. A ticket whose only approvals are
//     its requester's is pending, whatever the authority says.
//   - A ticket without a window is valid while it stays approved, or for
//     [Config.ValidFor] from its approval when that is set.
package authority
