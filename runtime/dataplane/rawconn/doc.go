// Package rawconn is the one place where the data plane goes below net.Conn.
//
// A [Conn] is a TCP connection whose reads and writes are raw, non-blocking system
// calls. What it saves over net.Conn is measurable at the rates of a proxy:
//
//   - [Conn.Serve] runs a server's loop inside one wait of Go's network poller. The
//     poller remembers what arrives between two waits, so the loop never spends a
//     read on finding out that there is nothing.
//   - [Conn.WriteRead] sends a request and waits for the answer in one such wait.
//   - Timeouts are one atomic store. A [Poller] looks at them a few times a second
//     and interrupts those that are due; short ones use the connection's deadline.
//   - [Conn.Park] holds an idle connection without a goroutine and without buffers.
//
// # A trap that shapes this package
//
// Go registers descriptors edge-triggered. An end of stream that arrives together
// with the last data is part of the edge that this data made: a loop that reads the
// data and waits again never hears of it. Parking is level-triggered and finds it, so
// a connection must be parked after a while, not waited on forever; [ParkAfter] is
// that while.
//
// On systems other than Linux the same type works over net.Conn alone.
package rawconn
