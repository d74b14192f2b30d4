//go:build linux

package dataplane_test

import (
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// scaleGate is a member that holds requests until it is opened.
type scaleGate struct {
	address      string
	inside, most atomic.Int64
	opened       chan struct{}
}

func newScaleGate(t *testing.T) *scaleGate {
	g := &scaleGate{opened: make(chan struct{})}
	g.address = backend(t, func(w http.ResponseWriter, r *http.Request) {
		n := g.inside.Add(1)
		defer g.inside.Add(-1)
		for most := g.most.Load(); n > most && !g.most.CompareAndSwap(most, n); most = g.most.Load() {
		}
		<-g.opened
		io.WriteString(w, "served")
	})
	return g
}

// scaleAnswer is what a client of an overloaded engine gets.
type scaleAnswer struct {
	status     int
	retryAfter string
	body       string
	closes     bool
	err        error
}

// scaleConnect opens a connection that ends with the test.
func scaleConnect(t *testing.T, address string) *soakConn {
	t.Helper()
	c, err := soakDial(address, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// scaleAsk makes one request.
func scaleAsk(c *soakConn) scaleAnswer {
	c.SetDeadline(time.Now().Add(3 * patience))
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		return scaleAnswer{err: err}
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return scaleAnswer{err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return scaleAnswer{resp.StatusCode, resp.Header.Get("Retry-After"), string(body), resp.Close, err}
}

func TestOfTenTimesTheLoadTheLimitIsServedAndTheRestIsShed(t *testing.T) {
	const clients = 200
	for _, tc := range []struct {
		name            string
		change          func(*lb.Listener, *lb.Pool)
		inside, waiting int
	}{
		{"requests of the listener", func(l *lb.Listener, _ *lb.Pool) { l.Limits.MaxRequests = 20 }, 20, 0},
		{"connections to members", func(_ *lb.Listener, p *lb.Pool) { p.Limits = lb.PoolLimits{MaxConnections: 20} }, 20, 0},
		{"connections to members, with a queue", func(_ *lb.Listener, p *lb.Pool) {
			p.Limits = lb.PoolLimits{MaxConnections: 10, MaxPending: 10}
			p.Timeouts.Connect = lb.Duration(2 * patience) // which also bounds the wait in the queue
		}, 10, 10},
	} {
		t.Run(tc.name, func(t *testing.T) {
			gate := newScaleGate(t)
			release := sync.OnceFunc(func() { close(gate.opened) })
			defer release()
			l, p := listener(lb.ListenerHTTP, "app"), pool(members("a", gate.address))
			tc.change(l, p)
			s := simple(1, p)
			s.Listeners = map[string]*lb.Listener{"web": l}
			e := newEngine(t, dataplane.Options{})
			e.Apply(s)

			answers := make(chan scaleAnswer, clients)
			conns := make([]*soakConn, clients)
			for i := range conns {
				c := scaleConnect(t, address(t, e, "web"))
				conns[i] = c
				go func() { answers <- scaleAsk(c) }()
			}
			for range clients - tc.inside - tc.waiting {
				if a := <-answers; a.err != nil || a.status != 503 || a.retryAfter != "1" || a.closes {
					t.Fatalf("beyond the limit a client got %+v, want 503, when to try again, and an open connection", a)
				}
			}
			eventually(t, "at the limit", func() bool { return int(gate.inside.Load()) == tc.inside })
			release()
			for range tc.inside + tc.waiting {
				if a := <-answers; a.err != nil || a.status != 200 || a.body != "served" {
					t.Errorf("within the limit a client got %+v", a)
				}
			}
			if most := int(gate.most.Load()); most > tc.inside {
				t.Errorf("the member had %d requests at once, the limit is %d", most, tc.inside)
			}
			// Whoever was turned away is served on the same connection.
			for _, c := range conns {
				if a := scaleAsk(c); a.status != 200 {
					t.Fatalf("after the load a client got %+v", a)
				}
			}
		})
	}
}

func TestConnectionsBeyondTheLimitWaitTheirTurn(t *testing.T) {
	const limit, clients = 20, 200
	e, web := limited(t, func(l *lb.Listener) { l.Limits.MaxConnections = limit })
	var served atomic.Int64
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			c, err := soakDial(web, nil)
			if err != nil {
				t.Errorf("connect: %v", err)
				return
			}
			defer c.Close()
			for range 3 {
				if a := scaleAsk(c); a.status != 200 {
					t.Errorf("a client got %+v", a)
				}
			}
			served.Add(1)
		})
	}
	for served.Load() < clients && !t.Failed() {
		if open := e.Status().Listeners["web"].Connections; open > limit {
			t.Errorf("%d connections are open, the limit is %d", open, limit)
		}
		time.Sleep(time.Millisecond)
	}
	wg.Wait()
}

func TestMemoryStaysBoundedUnderTenTimesTheLoad(t *testing.T) {
	const limit, clients, bound = 16, 160, 48 << 20
	content := strings.Repeat("x", 64<<10)
	l := listener(lb.ListenerHTTP, "app")
	l.Limits.MaxRequests = limit
	s := simple(1, pool(members("a", backend(t, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(5 * time.Millisecond) // the member's work
		io.WriteString(w, content)
	}))))
	s.Listeners = map[string]*lb.Listener{"web": l}
	e := newEngine(t, dataplane.Options{})
	e.Apply(s)
	web := address(t, e, "web")

	var stop atomic.Bool
	var served, shed atomic.Int64
	var wg sync.WaitGroup
	before := scaleMemoryInUse()
	for range clients {
		c := scaleConnect(t, web)
		wg.Go(func() {
			for !stop.Load() {
				switch a := scaleAsk(c); {
				case a.status == 200 && a.body == content:
					served.Add(1)
				case a.status == 503 && a.retryAfter == "1":
					shed.Add(1)
					time.Sleep(2 * time.Millisecond) // the client's own work
				default:
					t.Errorf("a client got status %d with %d bytes, %v", a.status, len(a.body), a.err)
					return
				}
			}
		})
	}
	most := before.used
	for end := time.Now().Add(time.Second); time.Now().Before(end) || served.Load() < 10 || shed.Load() < 10; time.Sleep(20 * time.Millisecond) {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most = max(most, int64(m.HeapInuse+m.StackInuse))
		if t.Failed() {
			break
		}
	}
	stop.Store(true)
	wg.Wait()
	if grown := most - before.used; grown > bound {
		t.Errorf("memory grew by %d KiB, want at most %d", grown>>10, bound>>10)
	}
	t.Logf("%d served, %d shed; %d KiB more at most", served.Load(), shed.Load(), (most-before.used)>>10)
}

func TestTwoThousandSlowClientsAreCutOffAndHoldNobodyUp(t *testing.T) {
	const slow, timeout = 1000, time.Second // of each kind
	scaleNeedsFiles(t, 8*slow)
	e, web := limited(t, func(l *lb.Listener) {
		l.Timeouts.RequestHeader, l.Timeouts.RequestBody = lb.Duration(timeout), lb.Duration(timeout)
	})
	var cut sync.WaitGroup
	var latest, left atomic.Int64
	left.Store(2 * slow)
	headers := make([]*soakConn, 0, slow)
	for i := range 2 * slow {
		c := scaleConnect(t, web)
		c.SetDeadline(time.Now().Add(3 * patience))
		if i%2 == 0 {
			io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ")
			headers = append(headers, c)
		} else {
			io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nslow")
		}
		began := time.Now()
		cut.Go(func() {
			said, err := io.ReadAll(c.r)
			if len(said) > 0 && !strings.HasPrefix(string(said), "HTTP/1.1 408 ") || scaleIsTimeout(err) {
				t.Errorf("a slow client got %.40q, %v; want 408 and the connection's end", said, err)
			}
			took := int64(time.Since(began))
			for last := latest.Load(); took > last && !latest.CompareAndSwap(last, took); last = latest.Load() {
			}
			left.Add(-1)
		})
	}
	// A byte now and then must not buy time.
	go func() {
		for left.Load() > 0 {
			for _, c := range headers {
				_, _ = io.WriteString(c, "x")
			}
			time.Sleep(100 * time.Millisecond)
		}
	}()
	var slowest time.Duration
	good := scaleConnect(t, web)
	served := 0
	for left.Load() > 0 && !t.Failed() {
		began := time.Now()
		if a := scaleAsk(good); a.status != 200 {
			t.Fatalf("among slow clients a good one got %+v", a)
		}
		slowest = max(slowest, time.Since(began))
		served++
	}
	cut.Wait()
	if served == 0 {
		t.Error("no request was served while slow clients were there")
	}
	if took := time.Duration(latest.Load()); took > timeout+patience {
		t.Errorf("the last slow client was cut off after %s, the time is %s", took, timeout)
	}
	eventually(t, "rid of slow clients", func() bool {
		s := e.Status()
		return s.Listeners["web"].Connections == 1 && s.Pools["app"].Members["a"].ActiveRequests == 0
	})
	t.Logf("the last of %d slow clients was cut off after %s; meanwhile %d requests, the slowest in %s", 2*slow, time.Duration(latest.Load()), served, slowest)
}

func scaleIsTimeout(err error) bool {
	timeout, ok := err.(interface{ Timeout() bool })
	return ok && timeout.Timeout()
}
