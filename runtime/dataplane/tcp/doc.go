// Package tcp carries bytes between a client's connection and a member's.
//
// [Relay] serves listeners that speak plain TCP, those that pass TLS through, and HTTP
// connections once they are upgraded. Between two TCP connections bytes go through
// package splice: a read and a write for small messages, no copy at all for bulk, and
// neither a buffer nor a pipe while a connection is silent. Where one side is TLS,
// or the system not Linux, they go through net.Conn and buffers.
//
// An idle relay between TCP connections costs 8 KiB beside its sockets, 6 of them the
// stacks of its two goroutines; see BenchmarkIdleRelay.
package tcp
