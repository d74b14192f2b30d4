package dataplane_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// patience bounds every wait for something that must happen.
const patience = 20 * time.Second

// newEngine returns an engine that ends with the test.
func newEngine(t *testing.T, options dataplane.Options) *dataplane.Engine {
	t.Helper()
	e := dataplane.New(options)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		e.Shutdown(ctx)
	})
	return e
}

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in %s: not %s", patience, what)
		}
	}
}

// backend starts a member and returns its address.
func backend(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s.Listener.Addr().String()
}

// named is a member that answers with its name.
func named(t *testing.T, name string) string {
	return backend(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, name) })
}

// unused is an address at which nobody listens.
func unused(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func pool(members map[string]lb.Member) *lb.Pool {
	p := lb.NewPool()
	p.Owner, p.Members = "test", members
	p.Normalize()
	return p
}

// members makes plain members out of key and address pairs.
func members(pairs ...string) map[string]lb.Member {
	out := map[string]lb.Member{}
	for i := 0; i < len(pairs); i += 2 {
		m := lb.NewMember()
		m.Address = pairs[i+1]
		out[pairs[i]] = m
	}
	return out
}

// alter returns a copy of the pool with a change, as control hands out changed objects.
func alter(p *lb.Pool, change func(*lb.Pool)) *lb.Pool {
	c := *p
	c.Members = maps.Clone(p.Members)
	change(&c)
	return &c
}

// member changes one member of a pool.
func member(key string, change func(*lb.Member)) func(*lb.Pool) {
	return func(p *lb.Pool) {
		m := p.Members[key]
		change(&m)
		p.Members[key] = m
	}
}

func listener(protocol lb.ListenerProtocol, defaultPool string) *lb.Listener {
	l := lb.NewListener()
	l.Owner, l.Address, l.Protocol, l.DefaultPool = "test", "127.0.0.1", protocol, defaultPool
	l.Normalize()
	return l
}

// simple is a snapshot of one http listener "web" and its pool "app".
func simple(revision int64, p *lb.Pool) *dataplane.Snapshot {
	return &dataplane.Snapshot{
		Revision:  revision,
		Pools:     map[string]*lb.Pool{"app": p},
		Listeners: map[string]*lb.Listener{"web": webListener},
	}
}

// webListener keeps its pointer over snapshots, as an unchanged object does.
var webListener = listener(lb.ListenerHTTP, "app")

// address is where a listener is bound.
func address(t *testing.T, e *dataplane.Engine, name string) string {
	t.Helper()
	s := e.Status().Listeners[name]
	if s.Address == "" {
		t.Fatalf("listener %s is not bound: %s", name, s.Error)
	}
	return s.Address
}

// newClient returns a client with connections of its own.
func newClient(t *testing.T) *http.Client {
	tr := &http.Transport{MaxIdleConnsPerHost: 100}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{
		Transport:     tr,
		Timeout:       patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// get returns the status and body of a GET.
func get(t *testing.T, c *http.Client, url string) (int, string) {
	t.Helper()
	status, body, err := tryGet(c, url)
	if err != nil {
		t.Fatal(err)
	}
	return status, body
}

func tryGet(c *http.Client, url string) (int, string, error) {
	resp, err := c.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

// wantGet checks the answer to a GET.
func wantGet(t *testing.T, c *http.Client, url string, status int, body string) {
	t.Helper()
	if s, b := get(t, c, url); s != status || b != body {
		t.Errorf("GET %s: %d %q, want %d %q", url, s, b, status, body)
	}
}

func TestAListenerWithoutRoutesServesItsDefaultPool(t *testing.T) {
	e := newEngine(t, dataplane.Options{})
	e.Apply(simple(7, pool(members("a", named(t, "a")))))
	wantGet(t, newClient(t), "http://"+address(t, e, "web"), 200, "a")
	if got := e.Status().Revision; got != 7 {
		t.Errorf("the status says revision %d, want 7", got)
	}
}

func TestApplyNeverFailsOnAnIncompleteSnapshot(t *testing.T) {
	e := newEngine(t, dataplane.Options{})
	bad := listener(lb.ListenerHTTP, "missing")
	worse := listener(lb.ListenerTCP, "missing")
	worse.Address = "not an address"
	https := listener(lb.ListenerHTTPS, "")
	https.Certificates = []string{"missing"}
	e.Apply(nil)
	e.Apply(&dataplane.Snapshot{})
	e.Apply(&dataplane.Snapshot{Listeners: map[string]*lb.Listener{"bad": bad, "worse": worse, "https": https}})
	if status, _ := get(t, newClient(t), "http://"+address(t, e, "bad")); status != 503 {
		t.Errorf("a pool that is missing gives status %d, want 503", status)
	}
	if e.Status().Listeners["worse"].Error == "" {
		t.Error("an address that can't be bound is not in the status")
	}
}

func TestShutdownFinishesWhatIsUnderWayAndStopsAccepting(t *testing.T) {
	arrived, proceed := make(chan struct{}), make(chan struct{})
	e := newEngine(t, dataplane.Options{})
	e.Apply(simple(1, pool(members("a", backend(t, func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-proceed
		io.WriteString(w, "finished")
	})))))
	web := address(t, e, "web")
	answer := make(chan string, 1)
	client := newClient(t)
	go func() {
		_, body, err := tryGet(client, "http://"+web)
		answer <- fmt.Sprint(body, err)
	}()
	<-arrived
	down := make(chan error, 1)
	go func() { down <- e.Shutdown(context.Background()) }()
	eventually(t, "refusing connections", func() bool {
		c, err := net.Dial("tcp", web)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	close(proceed)
	if got := <-answer; got != "finished<nil>" {
		t.Errorf("the request under way ended with %s", got)
	}
	if err := <-down; err != nil {
		t.Errorf("shutdown failed although everything finished: %v", err)
	}
	if _, err := e.Reserve("web", webListener); err == nil {
		t.Error("a shut down engine still reserves sockets")
	}
}

func TestShutdownCutsOffWhatOutlastsItsContext(t *testing.T) {
	arrived := make(chan struct{})
	e := newEngine(t, dataplane.Options{})
	e.Apply(simple(1, pool(members("a", backend(t, func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	})))))
	client, web := newClient(t), address(t, e, "web")
	failed := make(chan error, 1)
	go func() {
		_, _, err := tryGet(client, "http://"+web)
		failed <- err
	}()
	<-arrived
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := e.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("shutdown returned %v, want %v", err, context.DeadlineExceeded)
	}
	if err := <-failed; err == nil {
		t.Error("a request that outlasts the shutdown was answered")
	}
}
