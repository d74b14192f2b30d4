package splice

import (
	"bytes"
	"io"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// fillAll fills and drains until the sender has nothing left.
func (m *mover) fillAll(t *testing.T, p path) {
	t.Helper()
	src, dst := rawOf(t, p.src), rawOf(t, p.dst)
	dry := false
	for !dry {
		// Control does not wait, unlike Read.
		src.Control(func(fd uintptr) { dry = !m.fill(fd) })
		for m.held > 0 && m.err == nil {
			dst.Write(m.onWritable)
		}
		if m.err != nil {
			t.Fatal(m.err)
		}
	}
}

func newMover() *mover { return movers.New().(*mover) }

// say sends n bytes and waits until they are all at hand at src: the receive buffer
// is large, so that what is said at once is read without a pause.
func (p path) say(t *testing.T, n int) {
	t.Helper()
	p.src.SetReadBuffer(4 << 20)
	go io.CopyN(io.Discard, struct{ io.Reader }{p.receiver}, int64(n))
	if _, err := p.sender.Write(make([]byte, n)); err != nil {
		t.Fatal(err)
	}
	rawOf(t, p.src).Control(func(fd uintptr) {
		for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
			at, err := unix.IoctlGetInt(int(fd), unix.SIOCINQ)
			if err != nil {
				t.Fatal(err)
			}
			if at == n {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d of %d bytes came", at, n)
			}
		}
	})
}

func TestOnlyBulkGoesByPipe(t *testing.T) {
	type said struct {
		bytes int
		bulk  bool // how it is to go on afterwards
	}
	tests := []struct {
		name   string
		n      int64
		wishes []said
	}{
		{"small messages", -1, []said{{100, false}, {1 << 10, false}, {bulkBytes - 1, false}}},
		{"bulk in one go", -1, []said{{bulkBytes, true}}},
		{"bulk, then large messages", -1, []said{{bulkBytes, true}, {sustainBytes, true}, {sustainBytes, true}}},
		{"bulk, then a small message", -1, []said{{bulkBytes, true}, {sustainBytes - 1, false}, {sustainBytes, false}}},
		{"a large body", bulkBytes, []said{{sustainBytes, true}, {100, false}}},
		{"a small body", bulkBytes - 1, []said{{sustainBytes, false}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			usePipes(t, 1, 1)
			p, m := newPath(t), newMover()
			m.left, m.bulk = tt.n, tt.n >= bulkBytes
			for _, w := range tt.wishes {
				p.say(t, w.bytes)
				m.fillAll(t, p)
				if m.bulk != w.bulk {
					t.Fatalf("after %d bytes bulk = %t, want %t", w.bytes, m.bulk, w.bulk)
				}
				if m.pipe != nil || m.buffer != nil {
					t.Fatal("the sender has nothing, yet a buffer or pipe is held")
				}
			}
		})
	}
}

func TestWaitingForTheFirstByteOfALargeBodyKeepsItBulk(t *testing.T) {
	p, m := newPath(t), newMover()
	m.left, m.bulk = bulkBytes, true
	m.fillAll(t, p)
	if !m.bulk {
		t.Error("a body that has not begun is no longer bulk")
	}
}

func TestASocketThatCannotSpliceGoesByBuffer(t *testing.T) {
	own := usePipes(t, 1, 1)
	// Two sockets in the place of a pipe: splice(2) refuses them as it refuses a
	// socket that it can't read from.
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	own.open.Add(1)
	own.put(&pipe{r: fds[0], w: fds[1], size: pipeBytes})

	p := newPath(t)
	done := p.start(t, -1, nil)
	sent := noise(4*bulkBytes, 1)
	go func() {
		p.sender.Write(sent)
		p.sender.CloseWrite()
	}()
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(p.receiver, got); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("the bytes differ: %v", err)
	}
	if r := wait(t, done); r.err != nil {
		t.Error(r.err)
	}
}

func TestPipesAreBoundedAndReused(t *testing.T) {
	own := usePipes(t, 2, 1)
	a, b := own.get(), own.get()
	if a == nil || b == nil {
		t.Fatal("no pipe")
	}
	if own.get() != nil {
		t.Error("a third pipe was given out of two")
	}
	own.put(a)
	own.put(b) // one more than may be idle
	if n := own.open.Load(); n != 1 {
		t.Errorf("%d pipes are open, want 1", n)
	}
	again := own.get()
	if again != a {
		t.Error("an idle pipe was not used")
	}
	own.drop(again)
}

func TestAPipeThatHoldsSomethingIsNotReused(t *testing.T) {
	own := usePipes(t, 4, 4)
	p := newPath(t)
	done := p.fill(t)
	p.receiver.SetLinger(0)
	p.receiver.Close()
	wait(t, done)
	for len(own.idle) > 0 {
		idle := own.get()
		if n, _ := unix.IoctlGetInt(idle.r, unix.SIOCINQ); n != 0 {
			t.Errorf("an idle pipe holds %d bytes", n)
		}
		own.drop(idle)
	}
}
