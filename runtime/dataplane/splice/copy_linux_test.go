package splice

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"
)

// noise returns bytes that are the same for the same seed.
func noise(n int, seed uint64) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(seed)}).Read(b)
	return b
}

func TestEveryByteArrivesInOrder(t *testing.T) {
	sizes := map[string]int{
		"nothing": 0, "one byte": 1, "a buffer": bufferBytes, "bulk": bulkBytes,
		"bulk and a byte": bulkBytes + 1, "a pipe": pipeBytes, "many pipes": 20<<20 + 7,
	}
	for name, size := range sizes {
		for _, tt := range []struct {
			name  string
			n     int64
			pipes int
		}{{"until the end", -1, 4}, {"a known number", int64(size), 4}, {"without pipes", -1, 0}} {
			t.Run(name+" "+tt.name, func(t *testing.T) {
				usePipes(t, tt.pipes, tt.pipes)
				p := newPath(t)
				done := p.start(t, tt.n, nil)
				sent := noise(size, 1)
				go func() {
					p.sender.Write(sent)
					p.sender.CloseWrite()
				}()
				got := make([]byte, size)
				if _, err := io.ReadFull(p.receiver, got); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, sent) {
					t.Error("the bytes differ")
				}
				if r := wait(t, done); r.err != nil || r.moved != int64(size) {
					t.Errorf("Copy returned %d, %v; want %d", r.moved, r.err, size)
				}
			})
		}
	}
}

func TestBothDirectionsOfOnePairMoveAtOnce(t *testing.T) {
	const size = 32 << 20
	left, a := pair(t)
	b, right := pair(t)
	var copies sync.WaitGroup
	rawA, rawB := rawOf(t, a), rawOf(t, b)
	move := func(dst syscall.RawConn, to *net.TCPConn, src syscall.RawConn) func() {
		return func() {
			if _, err := Copy(dst, src, -1, nil); err != nil {
				t.Error(err)
			}
			to.CloseWrite()
		}
	}
	copies.Go(move(rawB, b, rawA))
	copies.Go(move(rawA, a, rawB))
	talk := func(c *net.TCPConn, seed uint64) (sent, got uint32) {
		var both sync.WaitGroup
		both.Go(func() {
			sum, chunk := crc32.NewIEEE(), noise(1<<20, seed)
			for i := range size >> 20 {
				binary.BigEndian.PutUint64(chunk, uint64(i)) // no two are the same
				sum.Write(chunk)
				if _, err := c.Write(chunk); err != nil {
					t.Error(err)
					return
				}
			}
			c.CloseWrite()
			sent = sum.Sum32()
		})
		both.Go(func() {
			sum := crc32.NewIEEE()
			if n, err := io.Copy(sum, struct{ io.Reader }{c}); n != size || err != nil {
				t.Errorf("%d bytes arrived, %v", n, err)
			}
			got = sum.Sum32()
		})
		both.Wait()
		return sent, got
	}
	var sentLeft, gotLeft, sentRight, gotRight uint32
	var ends sync.WaitGroup
	ends.Go(func() { sentLeft, gotLeft = talk(left, 1) })
	ends.Go(func() { sentRight, gotRight = talk(right, 2) })
	ends.Wait()
	copies.Wait()
	if sentLeft != gotRight || sentRight != gotLeft {
		t.Error("the checksums differ")
	}
}

func TestNothingBeyondNIsTaken(t *testing.T) {
	for name, n := range map[string]int{"by buffer": 1000, "by pipe": 3 * bulkBytes} {
		t.Run(name, func(t *testing.T) {
			p := newPath(t)
			go p.sender.Write(append(make([]byte, n), "next"...))
			done := p.start(t, int64(n), nil)
			if _, err := io.CopyN(io.Discard, p.receiver, int64(n)); err != nil {
				t.Fatal(err)
			}
			if r := wait(t, done); r.err != nil || r.moved != int64(n) {
				t.Fatalf("Copy returned %d, %v", r.moved, r.err)
			}
			next := make([]byte, 4)
			if _, err := io.ReadFull(p.src, next); err != nil || string(next) != "next" {
				t.Errorf("what follows is %q, %v", next, err)
			}
		})
	}
}

func TestAnEndBeforeNIsUnexpected(t *testing.T) {
	p := newPath(t)
	done := p.start(t, 1000, nil)
	p.sender.Write(make([]byte, 999))
	p.sender.CloseWrite()
	if r := wait(t, done); !errors.Is(r.err, io.ErrUnexpectedEOF) || r.moved != 999 {
		t.Errorf("Copy returned %d, %v", r.moved, r.err)
	}
}

// The end is part of the same edge of the poller as the data that it came with.
func TestAnEndThatCameWithDataIsSeen(t *testing.T) {
	p := newPath(t)
	p.sender.Write([]byte("last words"))
	p.sender.CloseWrite()
	if r := wait(t, p.start(t, -1, nil)); r.err != nil || r.moved != 10 {
		t.Errorf("Copy returned %d, %v", r.moved, r.err)
	}
}

// fill sends to a receiver that reads nothing until Copy has to wait for it.
func (p path) fill(t *testing.T) <-chan result {
	t.Helper()
	blocked := make(chan struct{})
	var once sync.Once
	done := p.start(t, -1, func(moved int) {
		if moved == 0 {
			once.Do(func() { close(blocked) })
		}
	})
	go func() {
		chunk := make([]byte, 1<<20)
		for {
			if _, err := p.sender.Write(chunk); err != nil {
				return
			}
		}
	}()
	select {
	case <-blocked:
	case r := <-done:
		t.Fatalf("the copy ended: %v", r.err)
	}
	return done
}

func TestFailuresNameTheirSide(t *testing.T) {
	tests := []struct {
		name    string
		blocked bool // the receiver takes nothing when it happens
		happens func(p path)
		want    error
		write   bool
	}{
		{"no byte in time", false, func(p path) { p.src.SetReadDeadline(time.Now()) }, os.ErrDeadlineExceeded, false},
		{"source closed by us", false, func(p path) { p.src.Close() }, net.ErrClosed, false},
		{"sender resets", false, func(p path) { p.sender.SetLinger(0); p.sender.Close() }, syscall.ECONNRESET, false},
		{"nothing taken in time", true, func(p path) { p.dst.SetWriteDeadline(time.Now()) }, os.ErrDeadlineExceeded, true},
		{"destination closed by us", true, func(p path) { p.dst.Close() }, net.ErrClosed, true},
		{"receiver resets", true, func(p path) { p.receiver.SetLinger(0); p.receiver.Close() }, syscall.ECONNRESET, true},
		{"our half has ended", false, func(p path) { p.dst.CloseWrite(); p.sender.Write([]byte("x")) }, syscall.EPIPE, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			usePipes(t, 4, 4)
			p := newPath(t)
			var done <-chan result
			if tt.blocked {
				done = p.fill(t)
			} else {
				done = p.start(t, -1, nil)
			}
			tt.happens(p)
			r := wait(t, done)
			if !errors.Is(r.err, tt.want) {
				t.Errorf("Copy returned %v, want %v", r.err, tt.want)
			}
			var write *WriteError
			if errors.As(r.err, &write) != tt.write {
				t.Errorf("Copy returned %#v; it should be the receiver's failure: %t", r.err, tt.write)
			}
		})
	}
}

func TestEachWaitForTheReceiverEndsWithSomethingTaken(t *testing.T) {
	const size = 32 << 20 // more than the kernel holds
	p := newPath(t)
	blocked := make(chan struct{})
	waits, inVain, last := 0, 0, -1
	done := p.start(t, size, func(moved int) {
		if moved == 0 {
			if waits++; waits == 1 {
				close(blocked)
			}
			if last == 0 {
				inVain++
			}
		}
		last = moved
	})
	go p.sender.Write(make([]byte, size))
	<-blocked
	if _, err := io.CopyN(io.Discard, p.receiver, size); err != nil {
		t.Error(err)
	}
	if r := wait(t, done); r.err != nil {
		t.Error(r.err)
	}
	if inVain > 0 {
		t.Errorf("%d of %d waits ended with nothing taken", inVain, waits)
	}
}
