package rawconn

import (
	"errors"
	"io"
	"testing"
)

// Whoever reads until there is nothing left, as crypto/tls does, pays for no system
// call that finds nothing, and misses nothing.
func TestAStepThatReadsTooOftenMissesNothing(t *testing.T) {
	ours, theirs := pair(t, newPoller(t))
	const messages = 1000
	go func() {
		for i := range messages {
			theirs.Write([]byte{byte(i), byte(i >> 8)})
			if i%7 == 0 {
				io.ReadFull(theirs, make([]byte, 1)) // so that some come alone
			}
		}
		theirs.CloseWrite()
	}()
	var got int
	var ended error
	within(t, "reading all messages", func() {
		err := ours.Serve(func() bool {
			for {
				var b [3]byte
				n, err := ours.Read(b[:])
				if errors.Is(err, ErrWouldBlock) {
					return got == 2*messages // the end may come with the last message, and is then not told
				}
				if err != nil {
					ended = err
					return true
				}
				for range b[:n] {
					if got++; got%14 == 2 {
						ours.Write([]byte("."))
					}
				}
			}
		})
		if err != nil {
			t.Error(err)
		}
	})
	if got != 2*messages || ended != nil && !errors.Is(ended, io.EOF) {
		t.Errorf("got %d of %d bytes, then %v", got, 2*messages, ended)
	}
}

func TestAfterAShortReadAStepHasNothingMore(t *testing.T) {
	ours, theirs := pair(t, newPoller(t))
	theirs.Write([]byte("abcd"))
	within(t, "a step", func() {
		ours.Serve(func() bool {
			var b [3]byte
			n, err := ours.Read(b[:])
			if errors.Is(err, ErrWouldBlock) {
				return false
			}
			if n != 3 || err != nil {
				t.Errorf("the first read got %d bytes, %v", n, err)
			}
			if n, err := ours.Read(b[:]); n != 1 || err != nil {
				t.Errorf("after a full read there were %d bytes, %v", n, err)
			}
			theirs.Write([]byte("e"))
			if n, err := ours.Read(b[:]); n != 0 || !errors.Is(err, ErrWouldBlock) {
				t.Errorf("after a short read there were %d bytes, %v", n, err)
			}
			return true
		})
	})
}
