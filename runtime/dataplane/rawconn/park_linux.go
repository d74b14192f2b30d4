package rawconn

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// parking holds idle connections in an epoll instance of its own, level-triggered and
// for one event each. The instance itself is waited on by Go's poller: no thread is
// held.
type parking struct {
	file   *os.File
	epoll  int
	failed error // why nothing can be parked

	mu    sync.Mutex
	conns map[int32]*Conn // by descriptor; protected by mu
}

func (p *Poller) startParking() {
	p.conns = map[int32]*Conn{}
	if p.epoll, p.failed = unix.EpollCreate1(unix.EPOLL_CLOEXEC); p.failed != nil {
		return
	}
	if p.failed = unix.SetNonblock(p.epoll, true); p.failed != nil {
		return
	}
	p.file = os.NewFile(uintptr(p.epoll), "parking")
	raw, err := p.file.SyscallConn()
	if p.failed = err; err != nil {
		return
	}
	go func() {
		events := make([]unix.EpollEvent, 256)
		_ = raw.Read(func(uintptr) bool { // ends when the file is closed
			p.collect(events)
			return false
		})
	}()
}

func (p *Poller) stopParking() {
	if p.file != nil {
		_ = p.file.Close()
	}
}

// park watches a connection for its next event. A connection that is closed leaves
// the instance by itself.
func (p *Poller) park(c *Conn) error {
	if p.failed != nil {
		return p.failed
	}
	var failed error
	err := c.raw.Control(func(fd uintptr) {
		event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLONESHOT, Fd: int32(fd)}
		p.mu.Lock()
		c.parkedAt = event.Fd
		p.conns[event.Fd] = c
		p.mu.Unlock()
		failed = unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, int(fd), &event)
		if failed == unix.EEXIST {
			failed = unix.EpollCtl(p.epoll, unix.EPOLL_CTL_MOD, int(fd), &event)
		}
	})
	if err == nil {
		err = failed
	}
	return err
}

// unpark forgets a connection that is closed.
func (p *Poller) unpark(c *Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns[c.parkedAt] == c {
		delete(p.conns, c.parkedAt)
	}
}

// collect wakes what has something to say.
func (p *Poller) collect(events []unix.EpollEvent) {
	for {
		n, err := unix.EpollWait(p.epoll, events, 0)
		if err == unix.EINTR {
			continue
		}
		if n <= 0 {
			return
		}
		p.mu.Lock()
		woken := make([]*Conn, 0, n)
		for _, e := range events[:n] {
			if c := p.conns[e.Fd]; c != nil {
				woken = append(woken, c)
				delete(p.conns, e.Fd)
			}
		}
		p.mu.Unlock()
		for _, c := range woken {
			c.awake(nil)
		}
	}
}
