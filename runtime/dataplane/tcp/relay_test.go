package tcp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/splice"
)

// say sends everything and ends the half.
func say(t *testing.T, c halves, what []byte) {
	t.Helper()
	if _, err := c.Write(what); err != nil {
		t.Error(err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Error(err)
	}
}

// hear reads to the end.
func hear(t *testing.T, c net.Conn, want []byte) {
	t.Helper()
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, %v; want all %d and the end", len(got), err, len(want))
	}
}

func TestAHalfThatEndsLeavesTheOtherOpen(t *testing.T) {
	for kind := range kinds {
		for _, first := range []Side{Client, Member} {
			for _, size := range []int{0, 8, 1 << 20} {
				t.Run(fmt.Sprintf("%s, %s ends first with %d bytes on the way", kind, first, size), func(t *testing.T) {
					r := start(t, kind, patience)
					one, two := r.client, r.member
					if first == Member {
						one, two = two, one
					}
					said, answer := make([]byte, size), bytes.Repeat([]byte("answer"), size/2)
					go say(t, one, said)
					hear(t, two, said)
					go say(t, two, answer)
					hear(t, one, answer)
					want := Traffic{int64(len(said)), int64(len(answer))}
					if first == Member {
						want = Traffic{int64(len(answer)), int64(len(said))}
					}
					if o := r.wait(t); o.err != nil || o.traffic != want {
						t.Errorf("the relay returned %+v, %v; want %+v", o.traffic, o.err, want)
					}
				})
			}
		}
	}
}

func TestBothHalvesMayEndAtOnce(t *testing.T) {
	for kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			r := start(t, kind, patience)
			question, answer := make([]byte, 3<<20), make([]byte, 2<<20)
			var all sync.WaitGroup
			all.Go(func() { say(t, r.client, question) })
			all.Go(func() { say(t, r.member, answer) })
			all.Go(func() { hear(t, r.client, answer) })
			all.Go(func() { hear(t, r.member, question) })
			all.Wait()
			if o := r.wait(t); o.err != nil {
				t.Error(o.err)
			}
		})
	}
}

func TestWhatWasReadAheadIsDeliveredFirst(t *testing.T) {
	for kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			client, clientConn := kinds[kind](t)
			member, memberConn := pair(t)
			done := make(chan outcome, 1)
			go func() {
				traffic, err := Relay(Peer{Conn: clientConn, Ahead: []byte("a question ")}, Peer{Conn: memberConn, Ahead: []byte("an early ")}, patience)
				done <- outcome{traffic, err}
			}()
			go say(t, client, []byte("in two parts"))
			hear(t, member, []byte("a question in two parts"))
			go say(t, member, []byte("answer"))
			hear(t, client, []byte("an early answer"))
			if o := <-done; o.err != nil || o.traffic != (Traffic{23, 15}) {
				t.Errorf("the relay returned %+v, %v", o.traffic, o.err)
			}
		})
	}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func TestLargeStreamsPassWholeInBothDirections(t *testing.T) {
	for kind, size := range map[string]int{"tcp": 100 << 20, "opaque": 100 << 20, "tls": 10 << 20} {
		t.Run(kind, func(t *testing.T) {
			r := start(t, kind, patience)
			send := func(c halves, seed byte, sum *uint32) func() {
				return func() {
					hash, chunk := crc32.New(castagnoli), make([]byte, 1<<20)
					rand.NewChaCha8([32]byte{seed}).Read(chunk)
					for i := range size >> 20 {
						binary.BigEndian.PutUint64(chunk, uint64(i)) // no two are the same
						hash.Write(chunk)
						c.Write(chunk)
					}
					c.CloseWrite()
					*sum = hash.Sum32()
				}
			}
			receive := func(c halves, sum *uint32) func() {
				return func() {
					hash := crc32.New(castagnoli)
					if n, err := io.Copy(hash, struct{ io.Reader }{c}); n != int64(size) || err != nil {
						t.Errorf("%d bytes came, %v", n, err)
					}
					*sum = hash.Sum32()
				}
			}
			var up, down, gotUp, gotDown uint32
			var all sync.WaitGroup
			all.Go(send(r.client, 1, &up))
			all.Go(send(r.member, 2, &down))
			all.Go(receive(r.member, &gotUp))
			all.Go(receive(r.client, &gotDown))
			all.Wait()
			if up != gotUp || down != gotDown {
				t.Error("the checksums differ")
			}
			if o := r.wait(t); o.err != nil || o.traffic != (Traffic{int64(size), int64(size)}) {
				t.Errorf("the relay returned %+v, %v", o.traffic, o.err)
			}
		})
	}
}

func TestMessagesPassWithoutWaitingForMore(t *testing.T) {
	for kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			r := start(t, kind, patience)
			message, got := make([]byte, 200<<10), make([]byte, 200<<10)
			for _, size := range []int{1, 100, 5 << 10, 40 << 10, 200 << 10, 17, 64 << 10, 1} {
				for _, way := range [][2]halves{{r.client, r.member}, {r.member, r.client}} {
					go way[0].Write(message[:size])
					if _, err := io.ReadFull(way[1], got[:size]); err != nil {
						t.Fatalf("%d bytes: %v", size, err)
					}
				}
			}
		})
	}
}

func TestAResetIsPassedOn(t *testing.T) {
	for kind := range kinds {
		for _, side := range []Side{Client, Member} {
			t.Run(fmt.Sprintf("%s, the %s resets", kind, side), func(t *testing.T) {
				r := start(t, kind, patience)
				resets, sees := r.client, r.member
				if side == Member {
					resets, sees = sees, resets
				}
				// Mid-way: something has passed in both directions.
				for _, way := range [][2]halves{{resets, sees}, {sees, resets}} {
					way[0].Write([]byte("x"))
					if _, err := io.ReadFull(way[1], make([]byte, 1)); err != nil {
						t.Fatal(err)
					}
				}
				reset(resets)
				o := r.wait(t)
				var failure *Failure
				if !errors.As(o.err, &failure) || failure.Side != side || !errors.Is(o.err, syscall.ECONNRESET) {
					t.Errorf("the relay ended with %v", o.err)
				}
				if _, err := io.ReadAll(sees); !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("the other side saw %v; a reset must not look like an end", err)
				}
				if o.traffic != (Traffic{1, 1}) {
					t.Errorf("traffic is %+v", o.traffic)
				}
			})
		}
	}
}

func reset(c net.Conn) {
	if layer, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = layer.NetConn()
	}
	c.(*net.TCPConn).SetLinger(0)
	c.Close()
}

func TestClosingEitherConnectionEndsTheRelay(t *testing.T) {
	for kind := range kinds {
		for _, side := range []Side{Client, Member} {
			t.Run(fmt.Sprintf("%s, the %s's", kind, side), func(t *testing.T) {
				r := start(t, kind, patience)
				closed, far := r.clientConn, r.member
				if side == Member {
					closed, far = r.memberConn, r.client
				}
				closed.Close()
				if o := r.wait(t); !errors.Is(o.err, net.ErrClosed) {
					t.Errorf("the relay ended with %v", o.err)
				}
				if _, err := io.ReadAll(far); !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("the other side saw %v; it must see that the stream was cut", err)
				}
			})
		}
	}
}

func TestASideWhoseHalfHasEndedIsStillWatched(t *testing.T) {
	if !splice.Supported() {
		t.Skip("not on this system")
	}
	tests := []struct {
		name    string
		happens func(r relayed)
		want    error
	}{
		{"closed by us", func(r relayed) { r.clientConn.Close() }, net.ErrClosed},
		{"reset by its peer", func(r relayed) { reset(r.client) }, syscall.ECONNRESET},
	}
	for _, kind := range []string{"tcp", "tls"} {
		for _, tt := range tests {
			t.Run(kind+", "+tt.name, func(t *testing.T) {
				r := start(t, kind, patience)
				say(t, r.client, []byte("question"))
				hear(t, r.member, []byte("question"))
				tt.happens(r)
				var failure *Failure
				if o := r.wait(t); !errors.As(o.err, &failure) || failure.Side != Client || !errors.Is(o.err, tt.want) {
					t.Errorf("the relay ended with %v", o.err)
				}
			})
		}
	}
}

// The poller tells only once of what came at once.
func TestAResetThatCameWithBytesIsNoticed(t *testing.T) {
	client, clientConn := pair(t)
	member, memberConn := pair(t)
	client.Write([]byte("last words"))
	reset(client)
	_, err := Relay(Peer{Conn: clientConn}, Peer{Conn: memberConn}, patience)
	var failure *Failure
	if !errors.As(err, &failure) || failure.Side != Client || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the relay ended with %v", err)
	}
	member.Close()
}

func TestASenderIsHeldBackByASlowReceiver(t *testing.T) {
	for kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			r := start(t, kind, patience)
			// The kernel holds some megabytes for each of the two connections, the
			// relay less than one. It must end before 64 MiB.
			const bound = 64 << 20
			taken, chunk := 0, make([]byte, 256<<10)
			for taken < bound {
				r.member.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
				n, err := r.member.Write(chunk)
				taken += n
				if err != nil {
					break
				}
			}
			if taken >= bound {
				t.Fatalf("%d MiB were taken for a client that reads nothing", taken>>20)
			}
			r.member.CloseWrite()
			if n, err := io.Copy(io.Discard, r.client); n != int64(taken) || err != nil {
				t.Errorf("%d of %d bytes arrived, %v", n, taken, err)
			}
		})
	}
}

func TestAReceiverThatTakesNothingIsReset(t *testing.T) {
	for kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			// Long enough for a busy machine to let the client speak in.
			r := start(t, kind, 2*time.Second)
			go func() {
				chunk := make([]byte, 1<<20)
				for {
					if _, err := r.client.Write(chunk); err != nil {
						return
					}
				}
			}()
			var failure *Failure
			if o := r.wait(t); !errors.As(o.err, &failure) || failure.Side != Member || !errors.Is(o.err, ErrStalled) {
				t.Errorf("the relay ended with %v", o.err)
			}
			if _, err := io.Copy(io.Discard, r.member); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the member saw %v", err)
			}
		})
	}
}

func TestEarlierDeadlinesAreRemoved(t *testing.T) {
	client, clientConn := pair(t)
	member, memberConn := pair(t)
	clientConn.SetDeadline(time.Now().Add(-time.Second))
	memberConn.SetDeadline(time.Now().Add(-time.Second))
	done := make(chan error, 1)
	go func() {
		_, err := Relay(Peer{Conn: clientConn}, Peer{Conn: memberConn}, patience)
		done <- err
	}()
	say(t, client, []byte("question"))
	hear(t, member, []byte("question"))
	member.CloseWrite()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAConnectionAboveTCPIsClosedByItsOwnClose(t *testing.T) {
	client, clientConn := pair(t)
	member, memberConn := pair(t)
	closed := make(chan struct{})
	var once sync.Once
	conn := above{opaque{clientConn}, func() { once.Do(func() { close(closed) }) }}
	if raw(conn) == nil {
		t.Fatal("what is below was not found")
	}
	done := make(chan error, 1)
	go func() {
		_, err := Relay(Peer{Conn: conn}, Peer{Conn: memberConn}, patience)
		done <- err
	}()
	client.CloseWrite()
	member.CloseWrite()
	if err := <-done; err != nil {
		t.Error(err)
	}
	<-closed
}
