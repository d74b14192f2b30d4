package splice

import (
	"encoding/binary"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// askForHints has the sender's socket say, with what it gives, how much it has left
// (TCP_INQ, tcp(7)). Sockets that can't are asked each time, at the cost of a system
// call that finds nothing.
func (m *mover) askForHints(src syscall.RawConn) {
	_ = src.Control(m.onHints) // fails when it is closed; reading it says so
}

func (m *mover) setHints(fd uintptr) {
	m.hinted = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_INQ, 1) == nil
}

// hint is what a system call needs that receives bytes with a hint.
type hint struct {
	message unix.Msghdr
	vector  unix.Iovec
	control [unix.SizeofCmsghdr + 8]byte
}

// unknown is the hint of a socket that gave none.
const unknown = -1

// receive takes what a socket has, at most b's length, and returns how much is left. A
// sender's end counts as something: the kernel looks for it after it has taken the
// bytes, so with nothing left, whatever comes is yet to be told.
func (h *hint) receive(fd int, b []byte) (n, left int, errno syscall.Errno) {
	h.vector.Base = unsafe.SliceData(b) //nolint:gosec // as the call takes it
	h.vector.SetLen(len(b))
	h.message.Iov, h.message.Iovlen = &h.vector, 1
	h.message.Control = &h.control[0]
	defer func() { h.vector.Base = nil }() // b is given away while the sender is silent
	for {
		h.message.SetControllen(len(h.control))
		got, _, errno := syscall.RawSyscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&h.message)), 0) //nolint:gosec // a pointer is what the call takes
		switch errno {
		case 0:
			return int(got), h.left(), 0
		case unix.EINTR:
		default:
			return 0, unknown, errno
		}
	}
}

// left reads the hint: a control message of the size of an int.
func (h *hint) left() int {
	if h.message.Controllen < unix.SizeofCmsghdr+4 {
		return unknown
	}
	header := (*unix.Cmsghdr)(unsafe.Pointer(&h.control)) //nolint:gosec // the kernel's form
	if header.Level != unix.IPPROTO_TCP || header.Type != unix.TCP_CM_INQ {
		return unknown
	}
	return int(int32(binary.NativeEndian.Uint32(h.control[unix.SizeofCmsghdr:])))
}
