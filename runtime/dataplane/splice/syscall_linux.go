package splice

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls below are raw: sockets and pipes are non-blocking, so none of them waits,
// and telling Go's scheduler of each costs 5 to 30 percent of the whole. A call moves
// at most a pipe's content, which takes some tens of microseconds.

// receive takes what a socket has, at most b's length. 0 bytes are its end.
func receive(fd int, b []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall6(unix.SYS_RECVFROM,
			uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), 0, 0, 0) //nolint:gosec // a pointer is what the call takes
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

// send gives a socket as much of b as it takes.
func send(fd int, b []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO,
			uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_NOSIGNAL, 0, 0) //nolint:gosec // a pointer is what the call takes
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

// splice moves at most n bytes from one descriptor to another, one of which is a pipe.
func splice(from, to, n int) (int, syscall.Errno) {
	for {
		moved, _, errno := syscall.RawSyscall6(unix.SYS_SPLICE,
			uintptr(from), 0, uintptr(to), 0, uintptr(n), unix.SPLICE_F_NONBLOCK)
		if errno != unix.EINTR {
			return int(moved), errno
		}
	}
}
