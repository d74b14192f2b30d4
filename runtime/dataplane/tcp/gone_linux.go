package tcp

import (
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// untilGone waits until a connection whose peer has ended its half is reset or
// closed, which nobody else would notice.
func untilGone(c net.Conn) error {
	socket := raw(underTLS(c))
	if socket == nil {
		return nil
	}
	var reset error
	closed := socket.Read(func(fd uintptr) bool {
		// A read would go on telling of the end.
		code, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && code != 0 {
			reset = os.NewSyscallError("read", syscall.Errno(code))
		}
		return reset != nil
	})
	if closed != nil {
		return closed
	}
	return reset
}
