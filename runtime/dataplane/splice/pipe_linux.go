package splice

import (
	"sync/atomic"

	"golang.org/x/sys/unix"
)

const (
	// pipeBytes is the size asked for. The default of 64 KiB costs half as much
	// again; 1 MiB saves a fifth, and costs four times the memory when receivers
	// are slow and longer system calls.
	pipeBytes = 256 << 10
	// minPipeBytes is the least worth using: the kernel makes the pipes of a user
	// who holds many very small (pipe(7), pipe-user-pages-soft).
	minPipeBytes = 64 << 10
	// maxPipes bounds what slow receivers can bind: 64 MiB and 512 descriptors, as
	// much as a user without privileges has by default. Copies beyond go by buffers.
	maxPipes = 256
	// maxIdlePipes are kept open.
	maxIdlePipes = 64
)

// pipes is shared by all copies.
var pipes = newPipePool(maxPipes, maxIdlePipes)

// pipe carries bytes between two sockets. It is empty unless a mover has it.
type pipe struct {
	r, w int
	size int
}

// pipePool lends pipes. It is a channel and not a sync.Pool so that the number of
// descriptors is bounded and does not depend on the garbage collector; a pipe is
// fetched once for many kilobytes.
type pipePool struct {
	idle chan *pipe
	open atomic.Int64
	most int64
}

func newPipePool(most, idle int) *pipePool {
	return &pipePool{idle: make(chan *pipe, idle), most: int64(most)}
}

// get returns an empty pipe, or nil when there are too many or none can be had.
func (p *pipePool) get() *pipe {
	select {
	case got := <-p.idle:
		return got
	default:
	}
	if p.open.Add(1) > p.most {
		p.open.Add(-1)
		return nil
	}
	made := newPipe()
	if made == nil {
		p.open.Add(-1)
	}
	return made
}

// put takes an empty pipe back.
func (p *pipePool) put(used *pipe) {
	select {
	case p.idle <- used:
	default:
		p.drop(used)
	}
}

// drop closes a pipe, and with it what it holds.
func (p *pipePool) drop(used *pipe) {
	used.close()
	p.open.Add(-1)
}

// newPipe returns nil when the system gives none of a useful size.
func newPipe() *pipe {
	var fds [2]int
	if unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK) != nil {
		return nil
	}
	p := &pipe{r: fds[0], w: fds[1]}
	// The size may be refused; the pipe then has the one it was made with.
	size, err := unix.FcntlInt(uintptr(p.w), unix.F_SETPIPE_SZ, pipeBytes)
	if err != nil {
		size, err = unix.FcntlInt(uintptr(p.w), unix.F_GETPIPE_SZ, 0)
	}
	if err != nil || size < minPipeBytes {
		p.close()
		return nil
	}
	p.size = size
	return p
}

func (p *pipe) close() {
	unix.Close(p.r)
	unix.Close(p.w)
}
