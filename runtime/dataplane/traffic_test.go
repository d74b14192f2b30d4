package dataplane_test

import (
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func total(counts [dataplane.LatencyBuckets]uint64) (n uint64) {
	for _, c := range counts {
		n += c
	}
	return n
}

func TestTrafficIsCountedByListenerAndPool(t *testing.T) {
	e := newEngine(t, dataplane.Options{})
	held := make(chan struct{})
	p := pool(members("a", backend(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/slow":
			<-held
		case "/missing":
			w.WriteHeader(404)
		case "/broken":
			w.WriteHeader(500)
		}
	})))
	other := lb.NewRoute()
	other.Listener, other.Match.PathPrefix, other.Action.Forward = "web", "/other", map[string]lb.ForwardTarget{"other": {Weight: 1}}
	s := simple(7, p)
	s.Pools["other"], s.Routes = pool(members("a", named(t, "a"))), map[string]*lb.Route{"other": other}
	e.Apply(s)
	client, url := newClient(t), "http://"+address(t, e, "web")
	before := e.Traffic()
	for _, path := range []string{"/", "/missing", "/broken", "/other"} {
		get(t, client, url+path)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		get(t, client, url+"/slow")
	}()
	time.Sleep(20 * time.Millisecond) // so that it takes no less
	close(held)
	<-done
	// A request is counted just after its response is sent.
	eventually(t, "counted", func() bool {
		l := e.Traffic().Since(before).Listeners["web"]
		return total(l.Pools["app"].Latency)+total(l.Pools["other"].Latency) == 5
	})
	got := e.Traffic().Since(before)
	l := got.Listeners["web"]
	if got.Revision != 7 || l.Protocol != lb.ListenerHTTP || l.Open != 1 && l.Open != 2 || l.Accepted < 1 {
		t.Errorf("revision %d, listener %+v", got.Revision, l)
	}
	if want := [dataplane.CodeClasses]uint64{0, 2, 0, 1, 1}; l.Pools["app"].Requests != want {
		t.Errorf("requests to app by class: %v, want %v", l.Pools["app"].Requests, want)
	}
	if want := [dataplane.CodeClasses]uint64{0, 1, 0, 0, 0}; l.Pools["other"].Requests != want {
		t.Errorf("requests to other by class: %v, want %v", l.Pools["other"].Requests, want)
	}
	slow := uint64(0)
	for i, bound := range dataplane.LatencyBounds() {
		if bound > 10*time.Millisecond {
			slow += l.Pools["app"].Latency[i]
		}
	}
	if slow < 1 {
		t.Errorf("the slow request is not among those that took long: %v", l.Pools["app"].Latency)
	}
}

// TestCountersThatBeginAgainNeverCountBackwards: a listener that was removed and made
// anew has fewer requests than the one before it had.
func TestCountersThatBeginAgainNeverCountBackwards(t *testing.T) {
	e := newEngine(t, dataplane.Options{})
	p := pool(members("a", named(t, "a")))
	serve := func(n int) {
		e.Apply(simple(1, p))
		client, url := newClient(t), "http://"+address(t, e, "web")
		for range n {
			get(t, client, url)
		}
		eventually(t, "counted", func() bool { return e.Traffic().Listeners["web"].Pools["app"].Requests[1] == uint64(n) })
	}
	serve(3)
	before := e.Traffic()
	e.Apply(&dataplane.Snapshot{Revision: 2})
	if got := e.Traffic().Since(before); len(got.Listeners) != 0 {
		t.Errorf("a listener that is gone is counted: %+v", got)
	}
	for _, again := range []int{2, 5} { // fewer than before, and more
		e.Apply(&dataplane.Snapshot{Revision: 2})
		serve(again)
		l := e.Traffic().Since(before).Listeners["web"]
		if l.Pools["app"].Requests[1] != uint64(again) || total(l.Pools["app"].Latency) != uint64(again) || l.Accepted != 1 {
			t.Errorf("after %d requests to the new listener: %+v", again, l)
		}
	}
	if l := e.Traffic().Since(e.Traffic()).Listeners["web"]; l.Pools["app"].Requests[1] != 0 || l.Accepted != 0 {
		t.Errorf("nothing happened, counted %+v", l)
	}
}

func TestBytesOfAConnectionAreCountedWhileItIsOpen(t *testing.T) {
	e := newEngine(t, dataplane.Options{})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		io.Copy(conn, conn)
	}()
	e.Apply(streams(pool(members("a", ln.Addr().String()))))
	conn, err := net.Dial("tcp", address(t, e, "web"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for round := int64(1); round <= 2; round++ {
		io.WriteString(conn, "12345")
		if _, err := io.ReadFull(conn, make([]byte, 5)); err != nil {
			t.Fatal(err)
		}
		eventually(t, "counted", func() bool {
			l := e.Traffic().Listeners["web"]
			return l.BytesIn == 5*round && l.BytesOut == 5*round
		})
	}
	l := e.Traffic().Listeners["web"]
	if l.Open != 1 || l.Accepted != 1 || l.Pools["app"].Carried != 1 || l.Pools["app"].Failed != 0 {
		t.Errorf("with one connection open: %+v", l)
	}
}

func TestConnectionsThatNoMemberTakesAreCountedAsFailed(t *testing.T) {
	e := newEngine(t, dataplane.Options{})
	e.Apply(streams(pool(members("a", unused(t)))))
	if conn, err := net.Dial("tcp", address(t, e, "web")); err == nil { // it may be reset already
		defer conn.Close()
		io.ReadAll(conn)
	}
	eventually(t, "counted", func() bool { return e.Traffic().Listeners["web"].Pools["app"].Failed == 1 })
	if l := e.Traffic().Listeners["web"]; l.Accepted != 1 || l.Pools["app"].Carried != 0 {
		t.Errorf("%+v", l)
	}
}
