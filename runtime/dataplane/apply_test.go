package dataplane_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func TestNoRequestFailsWhile200SnapshotsAreApplied(t *testing.T) {
	base := members("a", named(t, "a"), "b", named(t, "b"), "c", named(t, "c"))
	e := newEngine(t, dataplane.Options{})
	e.Apply(simple(0, pool(base)))
	url := "http://" + address(t, e, "web")

	var stop atomic.Bool
	var served, reused, fresh atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		client := newClient(t)
		wg.Go(func() {
			trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
				if info.Reused {
					reused.Add(1)
				} else {
					fresh.Add(1)
				}
			}}
			for !stop.Load() {
				// A POST with a body is never repeated by anyone: every failure shows.
				req, _ := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), "POST", url, strings.NewReader("body"))
				resp, err := client.Do(req)
				if err != nil {
					t.Errorf("a request failed: %v", err)
					return
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if resp.StatusCode != 200 {
					t.Errorf("a request got status %d", resp.StatusCode)
					return
				}
				served.Add(1)
			}
		})
	}
	for i := range 200 {
		p := pool(base)
		p = alter(p, func(p *lb.Pool) {
			for key, m := range p.Members {
				m.Weight = 1 + (i+len(key))%9
				p.Members[key] = m
			}
			switch i % 4 {
			case 1:
				member("b", func(m *lb.Member) { m.State = lb.MemberDrain })(p)
			case 2:
				delete(p.Members, "b")
			case 3:
				p.Timeouts.Response = lb.Duration(time.Duration(10+i) * time.Second)
			}
		})
		s := simple(int64(i+1), p)
		// A listener whose settings change keeps its connections.
		l := *webListener
		l.Timeouts.RequestHeader = lb.Duration(time.Duration(10+i%3) * time.Second)
		l.Limits.MaxConnections = 1000 + i
		s.Listeners = map[string]*lb.Listener{"web": &l}
		before := served.Load()
		e.Apply(s)
		eventually(t, "serving on", func() bool { return served.Load() > before+4 || t.Failed() })
	}
	stop.Store(true)
	wg.Wait()
	if got := e.Status().Revision; got != 200 {
		t.Errorf("the revision is %d, want 200", got)
	}
	if fresh.Load() != 8 || reused.Load() < 800 {
		t.Errorf("%d connections for 8 clients, %d requests on reused ones: connections were closed", fresh.Load(), reused.Load())
	}
}

func TestRequestsFinishOnTheSnapshotTheyBeganWith(t *testing.T) {
	arrived, proceed := make(chan struct{}), make(chan struct{})
	slow := backend(t, func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-proceed
		io.WriteString(w, "old")
	})
	next := named(t, "new")
	for _, tc := range []struct {
		name  string
		after *lb.Pool
		then  string
	}{
		{"member drained", alter(pool(members("a", slow, "b", next)), member("a", func(m *lb.Member) { m.State = lb.MemberDrain })), "new"},
		{"member disabled", alter(pool(members("a", slow, "b", next)), member("a", func(m *lb.Member) { m.State = lb.MemberDisabled })), "new"},
		{"member removed", pool(members("b", next)), "new"},
		{"member moved", pool(members("a", next)), "new"},
		{"timeouts changed", alter(pool(members("b", next)), func(p *lb.Pool) { p.Timeouts.Response = lb.MinTimeout * 500 }), "new"},
		{"pool emptied", pool(nil), "no healthy member\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := newEngine(t, dataplane.Options{})
			e.Apply(simple(1, pool(members("a", slow))))
			client, url := newClient(t), "http://"+address(t, e, "web")
			answer := make(chan string, 1)
			go func() {
				_, body, err := tryGet(client, url)
				answer <- fmt.Sprint(body, err)
			}()
			<-arrived
			e.Apply(simple(2, tc.after))
			for range 20 {
				if _, body := get(t, client, url); body != tc.then {
					t.Fatalf("a new request got %q, want %q", body, tc.then)
				}
			}
			if m, ok := e.Status().Pools["app"].Members["a"]; ok && m.Address == slow && m.ActiveRequests != 1 {
				t.Errorf("the member has %d active requests, want the one that is under way", m.ActiveRequests)
			}
			proceed <- struct{}{}
			if got := <-answer; got != "old<nil>" {
				t.Errorf("the request under way ended with %s", got)
			}
		})
	}
}

func TestDrainedMemberGetsNoNewRequests(t *testing.T) {
	var hits atomic.Int64
	counted := backend(t, func(w http.ResponseWriter, r *http.Request) { hits.Add(1) })
	p := pool(members("a", counted, "b", named(t, "b")))
	e := newEngine(t, dataplane.Options{})
	e.Apply(simple(1, p))
	client, url := newClient(t), "http://"+address(t, e, "web")
	for range 4 {
		get(t, client, url)
	}
	if hits.Load() != 2 {
		t.Fatalf("an active member of two got %d of 4 requests", hits.Load())
	}
	e.Apply(simple(2, alter(p, member("a", func(m *lb.Member) { m.State = lb.MemberDrain }))))
	for range 20 {
		wantGet(t, client, url, 200, "b")
	}
	if hits.Load() != 2 {
		t.Errorf("a drained member got %d new requests", hits.Load()-2)
	}
}

func TestWeightedRoundRobinCountsExactlyThroughTheProxy(t *testing.T) {
	p := pool(members("a", named(t, "a"), "b", named(t, "b"), "c", named(t, "c")))
	p = alter(p, member("a", func(m *lb.Member) { m.Weight = 5 }))
	e := newEngine(t, dataplane.Options{})
	e.Apply(simple(1, p))
	client, url := newClient(t), "http://"+address(t, e, "web")
	counts := map[string]int{}
	for i := range 70 {
		_, body := get(t, client, url)
		counts[body]++
		if i == 33 {
			// A snapshot that leaves the pool alone must not disturb its rotation.
			e.Apply(simple(2, p))
		}
	}
	if fmt.Sprint(counts) != "map[a:50 b:10 c:10]" {
		t.Errorf("weights 5, 1, 1 got %v of 70 requests", counts)
	}
}

func TestLeastRequestsPrefersTheIdleMemberThroughTheProxy(t *testing.T) {
	arrived, proceed := make(chan string, 1), make(chan struct{})
	hold := func(name string) string {
		return backend(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/hold" {
				arrived <- name
				<-proceed
			}
			io.WriteString(w, name)
		})
	}
	p := pool(members("a", hold("a"), "b", hold("b")))
	p.Algorithm = lb.LeastRequests
	e := newEngine(t, dataplane.Options{})
	e.Apply(simple(1, p))
	client, url := newClient(t), "http://"+address(t, e, "web")
	go tryGet(client, url+"/hold")
	busy := <-arrived
	// The count of requests survives a change of the pool.
	e.Apply(simple(2, alter(p, member("a", func(m *lb.Member) { m.Weight = 200 }))))
	for range 20 {
		if _, body := get(t, client, url); body == busy {
			t.Fatalf("member %s has a request under way and was chosen over the idle one", busy)
		}
	}
	close(proceed)
}

// on returns a listener on a given port of 127.0.0.1.
func on(port int, protocol lb.ListenerProtocol) *lb.Listener {
	l := listener(protocol, "app")
	l.Port = port
	return l
}

func portOf(address string) int {
	_, port, _ := net.SplitHostPort(address)
	n, _ := strconv.Atoi(port)
	return n
}

func snapshotOf(p *lb.Pool, listeners map[string]*lb.Listener) *dataplane.Snapshot {
	return &dataplane.Snapshot{Pools: map[string]*lb.Pool{"app": p}, Listeners: listeners}
}

func TestARemovedListenerStopsAcceptingAndFinishesWhatItHas(t *testing.T) {
	arrived, proceed := make(chan struct{}), make(chan struct{})
	app := pool(members("a", backend(t, func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-proceed
		io.WriteString(w, "finished")
	})))
	e := newEngine(t, dataplane.Options{})
	e.Apply(simple(1, app))
	client, web := newClient(t), address(t, e, "web")
	answer := make(chan string, 1)
	go func() {
		_, body, err := tryGet(client, "http://"+web)
		answer <- fmt.Sprint(body, err)
	}()
	<-arrived
	e.Apply(&dataplane.Snapshot{Revision: 2})
	if c, err := net.Dial("tcp", web); err == nil {
		c.Close()
		t.Error("a removed listener still accepts connections")
	}
	close(proceed)
	if got := <-answer; got != "finished<nil>" {
		t.Errorf("the request under way ended with %s", got)
	}
}

func TestDrainTimeoutClosesWhatDoesNotFinish(t *testing.T) {
	arrived := make(chan struct{})
	e := newEngine(t, dataplane.Options{DrainTimeout: 50 * time.Millisecond})
	e.Apply(simple(1, pool(members("a", backend(t, func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	})))))
	client, url := newClient(t), "http://"+address(t, e, "web")
	failed := make(chan error, 1)
	go func() {
		_, _, err := tryGet(client, url)
		failed <- err
	}()
	<-arrived
	e.Apply(&dataplane.Snapshot{Revision: 2})
	select {
	case err := <-failed:
		if err == nil {
			t.Error("the request was answered")
		}
	case <-time.After(patience):
		t.Error("a request outlasts the drain timeout of its removed listener")
	}
}

func TestAListenerMovesToItsNewPort(t *testing.T) {
	app := pool(members("a", named(t, "a")))
	e := newEngine(t, dataplane.Options{})
	before, after := on(portOf(unused(t)), lb.ListenerHTTP), on(portOf(unused(t)), lb.ListenerHTTP)
	e.Apply(snapshotOf(app, map[string]*lb.Listener{"web": before}))
	client := newClient(t)
	wantGet(t, client, "http://"+before.BindAddress(), 200, "a")
	e.Apply(snapshotOf(app, map[string]*lb.Listener{"web": after}))
	wantGet(t, client, "http://"+after.BindAddress(), 200, "a")
	eventually(t, "closed at the old port", func() bool {
		_, _, err := tryGet(client, "http://"+before.BindAddress())
		return err != nil
	})
}

func TestASocketIsHandedOverWithoutBeingClosed(t *testing.T) {
	app := pool(members("a", named(t, "a")))
	l := on(portOf(unused(t)), lb.ListenerHTTP)
	again := *l
	e := newEngine(t, dataplane.Options{})
	e.Apply(snapshotOf(app, map[string]*lb.Listener{"name0": l}))

	var stop atomic.Bool
	var served atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for !stop.Load() {
				// A connection for each request: none may be refused or reset.
				client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
				if status, _, err := tryGet(client, "http://"+l.BindAddress()); err != nil || status != 200 {
					t.Errorf("during a handover: %d, %v", status, err)
					return
				}
				served.Add(1)
			}
		})
	}
	for i := range 50 {
		before := served.Load()
		eventually(t, "serving on", func() bool { return served.Load() > before+2 || t.Failed() })
		e.Apply(snapshotOf(app, map[string]*lb.Listener{fmt.Sprint("name", (i+1)%2): &again}))
	}
	stop.Store(true)
	wg.Wait()
}

func TestConnectionsOfARemovedListenerAreServedOnceMoreAndToldToClose(t *testing.T) {
	e := newEngine(t, dataplane.Options{})
	e.Apply(simple(1, pool(members("a", named(t, "a")))))
	used, fresh, idle := dial(t, address(t, e, "web")), dial(t, address(t, e, "web")), dial(t, address(t, e, "web"))
	usedReader, idleReader := bufio.NewReader(used), bufio.NewReader(idle)
	ask(t, idleReader, idle)
	if resp := ask(t, usedReader, used); resp.Close {
		t.Error("a connection of a listener that stays was told to close")
	}
	eventually(t, "connected", func() bool { return e.Status().Listeners["web"].Connections == 3 })
	// Two connections have been used, the third is in the middle of its first header.
	io.WriteString(fresh, "GET / HT")
	e.Apply(&dataplane.Snapshot{Revision: 2})
	if resp := ask(t, usedReader, used); !resp.Close {
		t.Error("the client was not told that the connection ends")
	}
	// What stays idle is closed; what has begun is not.
	if _, err := idleReader.ReadByte(); err != io.EOF {
		t.Errorf("an idle connection of a removed listener ended with %v, want its end", err)
	}
	io.WriteString(fresh, "TP/1.1\r\nHost: a\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(fresh), nil)
	if err != nil || resp.StatusCode != 200 || !resp.Close {
		t.Errorf("a request that had begun was answered %v, %v", resp, err)
	}
}
