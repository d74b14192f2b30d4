package rawconn

import (
	"io"
	"testing"
	"time"
)

func TestTheTimeOfAWaitEndsWithIt(t *testing.T) {
	const brief = 500 * time.Millisecond // kept by the poller, not by a deadline
	for _, tc := range []struct {
		name string
		// wait waits for a byte, and returns once the time of that wait is long over.
		wait func(c *Conn, overdue func()) error
	}{
		{"in Serve, which goes on", func(c *Conn, overdue func()) error {
			steps := 0
			return c.Serve(func() bool {
				if n, _ := c.Read(make([]byte, 1)); n > 0 {
					overdue()
				}
				steps++
				return steps == 3
			})
		}},
		{"in Serve, which ends", func(c *Conn, overdue func()) error {
			defer overdue()
			return c.Serve(func() bool {
				n, _ := c.Read(make([]byte, 1))
				return n > 0
			})
		}},
		{"in Read", func(c *Conn, overdue func()) error {
			defer overdue()
			_, err := c.Read(make([]byte, 1))
			return err
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c, theirs := pair(t, newPoller(t))
			c.SetReadTimeout(brief)
			go func() {
				time.Sleep(brief / 2) // while c waits
				io.WriteString(theirs, "1")
			}()
			within(t, "the first wait", func() {
				err := tc.wait(c, func() {
					time.Sleep(brief + 3*Tick)
					io.WriteString(theirs, "2")
				})
				if err != nil {
					t.Errorf("a wait that brought something in time failed: %v", err)
				}
			})
			c.SetReadTimeout(time.Minute)
			within(t, "the next read", func() {
				if _, err := c.Read(make([]byte, 1)); err != nil {
					t.Errorf("the next read failed, too: %v", err)
				}
			})
		})
	}
}

func TestWhatInterruptedOneRequestDoesNotEndTheNext(t *testing.T) {
	c, theirs := pair(t, newPoller(t))
	c.SetReadTimeout(time.Minute)
	c.Interrupt()
	if _, err := c.Read(make([]byte, 1)); !IsTimeout(err) {
		t.Fatalf("an interrupted read returned %v", err)
	}
	if err := c.Recover(); err != nil {
		t.Fatal(err)
	}
	c.Interrupt() // too late: nobody reads
	io.WriteString(theirs, "1")
	within(t, "serving", func() {
		err := c.Serve(func() bool {
			n, _ := c.Read(make([]byte, 1))
			return n > 0
		})
		if err != nil {
			t.Errorf("a connection whose read was once interrupted is not served on: %v", err)
		}
	})
}

func TestATimeThatRunsOutAsSomethingComesIsForgottenAndAnInterruptionIsNot(t *testing.T) {
	for _, tc := range []struct {
		name string
		// late happens between the arrival of input and its being read.
		late      func(c *Conn)
		interrupt bool
	}{
		{"the time runs out", func(*Conn) { time.Sleep(500*time.Millisecond + 3*Tick) }, false},
		{"somebody interrupts", (*Conn).Interrupt, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c, theirs := pair(t, newPoller(t))
			c.SetReadTimeout(500 * time.Millisecond)
			go func() {
				io.ReadFull(theirs, make([]byte, 1))
				io.WriteString(theirs, "1") // not before it was asked for
			}()
			n, err := c.WriteRead([]byte("x"), func() []byte {
				tc.late(c)
				return make([]byte, 1)
			}, false)
			if n != 1 || err != nil {
				t.Errorf("what had come was read with %d bytes, %v", n, err)
			}
			io.WriteString(theirs, "2")
			within(t, "the next read", func() {
				if _, err := c.Read(make([]byte, 1)); IsTimeout(err) != tc.interrupt {
					t.Errorf("the next read returned %v", err)
				}
			})
		})
	}
}
