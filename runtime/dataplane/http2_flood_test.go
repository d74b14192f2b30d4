package dataplane_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// buffered collects frames that are to be sent at once.
type buffered struct{ bytes.Buffer }

// Close implements io.Closer.
func (*buffered) Close() error { return nil }

// flood sends what build makes, until it is stopped or has sent enough, and reports
// which: it is stopped when the connection ends, or when nobody takes any more.
func flood(conn net.Conn, enough int, build func(f *frames)) (stopped bool) {
	var batch buffered
	f := newFrames(&batch, nil)
	for sent := 0; sent < enough; {
		batch.Reset()
		build(f)
		conn.SetWriteDeadline(time.Now().Add(time.Second))
		n, err := conn.Write(batch.Bytes())
		if err != nil {
			return true
		}
		sent += n
	}
	return false
}

func TestAFloodOfFramesStopsNobodyElse(t *testing.T) {
	const memory = 24 << 20
	open := func(f *frames, stream uint32, end bool) { f.request(stream, end, plainGet...) }
	next := func(stream *uint32) uint32 { *stream += 2; return *stream }
	fields := slices.Clone(plainGet)
	for range 2000 { // each is one byte once the first is in the table
		fields = append(fields, "x: "+strings.Repeat("y", 3000))
	}
	growing := newFrames(&buffered{}, nil).encode(fields...)
	for _, tc := range []struct {
		name, section string // of RFC 9113, unless it says otherwise
		reads         bool   // the client takes our answers
		// build makes a batch; stream is that of the last request. The first is open.
		build func(f *frames, stream *uint32)
		cut   bool // it must be stopped
	}{
		{"streams that are reset at once", "10.5", true, func(f *frames, stream *uint32) {
			for range 100 {
				open(f, next(stream), true)
				f.WriteRSTStream(*stream, http2.ErrCodeCancel)
			}
		}, false},
		{"streams that we have to reset", "10.5", true, func(f *frames, stream *uint32) {
			for range 100 {
				open(f, next(stream), false)
				f.WriteWindowUpdate(*stream, 0)
			}
		}, false},
		{"settings", "10.5", false, func(f *frames, _ *uint32) {
			for range 1000 {
				f.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 16384})
			}
		}, true},
		{"pings", "10.5", false, func(f *frames, _ *uint32) {
			for range 1000 {
				f.WritePing(false, [8]byte{})
			}
		}, true},
		{"continuations", "6.10", true, func(f *frames, stream *uint32) {
			block := f.encode(append(plainGet, "x: "+strings.Repeat("y", 1000))...)
			if next(stream) == 3 {
				f.WriteHeaders(http2.HeadersFrameParam{StreamID: *stream, BlockFragment: block})
			}
			for range 100 {
				f.WriteContinuation(3, false, block)
			}
		}, true},
		{"empty continuations", "6.10", true, func(f *frames, stream *uint32) {
			if next(stream) == 3 {
				f.WriteHeaders(http2.HeadersFrameParam{StreamID: *stream, BlockFragment: f.encode(plainGet...)})
			}
			for range 1000 {
				f.WriteContinuation(3, false, nil)
			}
		}, false},
		{"fields that grow when they are decoded", "4.1 of RFC 7541", true, func(f *frames, stream *uint32) {
			f.WriteHeaders(http2.HeadersFrameParam{StreamID: next(stream), BlockFragment: growing, EndHeaders: true, EndStream: true})
		}, false},
		{"empty data", "10.5", true, func(f *frames, _ *uint32) {
			for range 1000 {
				f.WriteData(1, false, nil)
			}
		}, false},
		{"padding", "10.5", true, func(f *frames, _ *uint32) {
			for range 100 {
				f.WriteDataPadded(1, false, nil, make([]byte, 255))
			}
		}, false},
		{"windows", "10.5", true, func(f *frames, _ *uint32) {
			for range 1000 {
				f.WriteWindowUpdate(0, 1)
			}
		}, false},
		{"priorities", "10.5", true, func(f *frames, stream *uint32) {
			for range 1000 {
				f.WritePriority(next(stream), http2.PriorityParam{StreamDep: 1, Weight: 5})
			}
		}, false},
		{"frames that nobody knows", "4.1", true, func(f *frames, _ *uint32) {
			for range 1000 {
				f.WriteRawFrame(0xbe, 0, 0, make([]byte, 100))
			}
		}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var active, most atomic.Int64
			stay := make(chan struct{})
			p := speaking(t, "HTTP/1.1", func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/other" {
					return
				}
				n := active.Add(1)
				defer active.Add(-1)
				for {
					if m := most.Load(); n <= m || most.CompareAndSwap(m, n) {
						break
					}
				}
				if _, err := io.Copy(io.Discard, r.Body); err != nil {
					return
				}
				select {
				case <-stay:
				case <-r.Context().Done():
				}
			})
			defer close(stay)
			e := multiplexed(t, p, func(l *lb.Listener) { l.HTTP2.MaxConcurrentStreams = 20 })
			before, goroutines := heap(), runtime.NumGoroutine()
			f := dialFrames(t, address(t, e, "h2c"))
			f.request(1, false, plainGet...)
			conn := f.conn.(net.Conn)
			if tc.reads {
				go io.Copy(io.Discard, conn)
			} else {
				conn.(*net.TCPConn).SetReadBuffer(4 << 10) // so that it is full soon
			}
			stream := uint32(1)
			const enough = 256 << 10
			stopped := flood(conn, enough, func(f *frames) { tc.build(f, &stream) })
			if tc.cut && !stopped {
				eventually(t, "stopped", func() bool {
					return flood(conn, 1, func(f *frames) { tc.build(f, &stream) })
				})
			}
			client, url := speakers(t, e)["x/net with prior knowledge"]()
			wantGet(t, client, url+"/other", 200, "")
			if grown := heap() - before; grown > memory {
				t.Errorf("memory grew by %d KiB", grown>>10)
			}
			// A member may not have noticed yet which ones have been reset.
			if n := most.Load(); n > 80 {
				t.Errorf("the member had %d requests at once; the client may have 20 streams", n)
			}
			conn.Close()
			client.CloseIdleConnections()
			eventually(t, "free of the flood", func() bool {
				return e.Status().Listeners["h2c"].Connections == 0 && active.Load() == 0 && runtime.NumGoroutine() < goroutines+30
			})
		})
	}
}

func TestAStreamThatIsNotTakenIsCutOff(t *testing.T) {
	e := multiplexed(t, speaking(t, "HTTP/1.1", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, endless{}) }),
		func(l *lb.Listener) { l.Timeouts.Idle = lb.Duration(300 * time.Millisecond) })
	before := heap()
	f := dialFrames(t, address(t, e, "h2c"), http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	for i := range uint32(50) {
		f.request(1+2*i, true, plainGet...)
	}
	active := func() int64 { return e.Status().Pools["app"].Members["a"].ActiveRequests }
	eventually(t, "serving all", func() bool { return active() > 0 })
	if grown := heap() - before; grown > 32<<20 {
		t.Errorf("memory grew by %d KiB for 50 streams", grown>>10)
	}
	eventually(t, "rid of what nobody takes", func() bool { return active() == 0 })
}

func TestABodyThatStopsWithinAStreamIsCutOff(t *testing.T) {
	e := multiplexed(t, speaking(t, "HTTP/1.1", func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }),
		func(l *lb.Listener) { l.Timeouts.RequestBody = lb.Duration(100 * time.Millisecond) })
	f := dialFrames(t, address(t, e, "h2c"))
	f.request(1, false, ":method: POST", ":scheme: http", ":authority: a", ":path: /")
	f.WriteData(1, false, []byte("half"))
	if got := f.result(1); !strings.HasPrefix(got, "408") {
		t.Errorf("the client got %q, want 408", got)
	}
}

func TestABodyWithinAStreamMayBeAsLargeAsTheListenerSays(t *testing.T) {
	e := multiplexed(t, speaking(t, "HTTP/1.1", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) }),
		func(l *lb.Listener) { l.Limits.MaxBodyBytes = 8 })
	for _, tc := range []struct{ name, length, body, want string }{
		{"enough", "", "12345678", "200 12345678"},
		{"too much", "", "123456789", "413 the request's body is too large"},
		{"too much, and it says so", "content-length: 9", "123456789", "413 the request's body is too large"},
	} {
		f := dialFrames(t, address(t, e, "h2c"))
		fields := []string{":method: POST", ":scheme: http", ":authority: a", ":path: /"}
		if tc.length != "" {
			fields = append(fields, tc.length)
		}
		f.request(1, false, fields...)
		f.WriteData(1, true, []byte(tc.body))
		if got := strings.TrimSpace(f.result(1)); got != tc.want {
			t.Errorf("%s: the client got %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestAConnectionThatBeginsNothingIsClosed(t *testing.T) {
	t.Parallel()
	e := multiplexed(t, speaking(t, "HTTP/1.1", func(http.ResponseWriter, *http.Request) {}), func(l *lb.Listener) {
		l.Timeouts.Idle, l.Timeouts.RequestHeader = lb.Duration(100*time.Millisecond), lb.Duration(100*time.Millisecond)
	})
	for _, part := range []int{1, 18, 20, len(http2.ClientPreface)} {
		conn := dial(t, address(t, e, "h2c"))
		io.WriteString(conn, http2.ClientPreface[:part])
		began := time.Now()
		io.Copy(io.Discard, conn)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%d bytes of the preface held a connection for %s", part, took)
		}
	}
}
