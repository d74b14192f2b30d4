// Package splice moves bytes from one stream socket to another at the least cost.
//
// Small messages take a read and a write through a pooled buffer. Bulk goes through a
// pipe with splice(2), which hands the kernel's pages on without copying them: a
// quarter of the processor time, but more than a read and a write for less than
// 16 KiB. [Copy] begins with the one, goes over to the other when the sender has
// shown that it has much to say, and comes back when it has not.
//
// Sockets are reached by their [syscall.RawConn], so waiting is left to Go's network
// poller, and deadlines set on the net.Conn hold. Three rules keep that simple:
//
//   - A callback may offer something to the other socket, and never waits for it: that
//     would hold the first one's lock for as long, and two copies in opposite
//     directions would wait for each other.
//   - A sender whose socket says that it has nothing left (TCP_INQ) is waited for
//     without being asked. The poller tells of what comes later; but not of a failure
//     that came with the last bytes, for which whoever copies without end has to look
//     (see [Failed]).
//   - A pipe is empty whenever it is filled. So EAGAIN while filling it says that the
//     sender has nothing, and never that the pipe is full.
//
// While the sender is silent, a copy holds neither a buffer nor a pipe.
package splice

// WriteError is a failure of the receiving side. All other errors of [Copy] are the
// sending side's.
type WriteError struct{ Err error }

// Error implements error.
func (e *WriteError) Error() string { return "write: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *WriteError) Unwrap() error { return e.Err }
