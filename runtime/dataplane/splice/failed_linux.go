package splice

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Failed returns ECONNRESET when a socket's connection has failed and no call has told
// of it yet, an error too when the socket is closed, and else nil. It only looks: the
// next read or write still tells.
func Failed(c syscall.RawConn) error {
	failed := false
	err := c.Control(func(fd uintptr) {
		// POLLERR needs no asking for, and an orderly end does not cause it.
		look := [1]unix.PollFd{{Fd: int32(fd)}}
		n, err := unix.Poll(look[:], 0)
		failed = err == nil && n == 1 && look[0].Revents&unix.POLLERR != 0
	})
	if err == nil && failed {
		err = os.NewSyscallError("read", syscall.ECONNRESET)
	}
	return err
}
