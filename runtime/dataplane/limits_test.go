package dataplane_test

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// limited starts an engine whose one listener was changed.
func limited(t *testing.T, change func(*lb.Listener)) (e *dataplane.Engine, web string) {
	t.Helper()
	l := listener(lb.ListenerHTTP, "app")
	change(l)
	s := simple(1, pool(members("a", backend(t, mirror))))
	s.Listeners["web"] = l
	e = newEngine(t, dataplane.Options{})
	e.Apply(s)
	return e, address(t, e, "web")
}

func TestASlowHeaderIsCutOff(t *testing.T) {
	_, web := limited(t, func(l *lb.Listener) { l.Timeouts.RequestHeader = lb.Duration(100 * time.Millisecond) })
	conn := dial(t, web)
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n")
	began := time.Now()
	// One byte now and then must not extend the time.
	go func() {
		for {
			if _, err := io.WriteString(conn, "x"); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	io.Copy(io.Discard, conn)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("a client that sends its header slowly was cut off after %s, not 100ms", took)
	}
}

func TestASlowBodyIsCutOff(t *testing.T) {
	_, web := limited(t, func(l *lb.Listener) { l.Timeouts.RequestBody = lb.Duration(100 * time.Millisecond) })
	conn := dial(t, web)
	io.WriteString(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != 408 {
		t.Errorf("a body that stops was answered %v, %v; want 408", resp, err)
	}
}

func TestABodyThatKeepsComingMayTakeLongerThanTheBodyTimeout(t *testing.T) {
	_, web := limited(t, func(l *lb.Listener) { l.Timeouts.RequestBody = lb.Duration(300 * time.Millisecond) })
	conn := dial(t, web)
	io.WriteString(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n")
	for range 8 {
		io.WriteString(conn, "x")
		time.Sleep(100 * time.Millisecond) // the pace of the client, not a wait for a condition
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != 200 {
		t.Errorf("a slow but steady body was answered %v, %v; want 200", resp, err)
	}
}

func TestAnIdleConnectionIsClosed(t *testing.T) {
	e, web := limited(t, func(l *lb.Listener) { l.Timeouts.Idle = lb.Duration(50 * time.Millisecond) })
	conn := dial(t, web)
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	if _, err := r.ReadByte(); err != io.EOF {
		t.Errorf("an idle connection ended with %v, want its end", err)
	}
	eventually(t, "without connections", func() bool { return e.Status().Listeners["web"].Connections == 0 })
}

func TestAHeaderThatIsTooLargeGets431(t *testing.T) {
	_, web := limited(t, func(l *lb.Listener) { l.Limits.MaxHeaderBytes = 2048 })
	conn := dial(t, web)
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nX-Large: "+strings.Repeat("x", 16<<10)+"\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != 431 {
		t.Errorf("a large header was answered %v, %v; want 431", resp, err)
	}
}

func TestConnectionsOverTheLimitWaitAndARaisedLimitHoldsAtOnce(t *testing.T) {
	limit := listener(lb.ListenerHTTP, "app")
	limit.Limits.MaxConnections = 1
	app := pool(members("a", named(t, "a")))
	e := newEngine(t, dataplane.Options{})
	apply := func(l *lb.Listener) {
		s := simple(1, app)
		s.Listeners["web"] = l
		e.Apply(s)
	}
	apply(limit)
	web := address(t, e, "web")
	first := dial(t, web)
	eventually(t, "serving the first connection", func() bool { return e.Status().Listeners["web"].Connections == 1 })

	// open is answered once the connection is accepted.
	open := func() <-chan error {
		conn, done := dial(t, web), make(chan error, 1)
		go func() {
			io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			_, err := http.ReadResponse(bufio.NewReader(conn), nil)
			done <- err
		}()
		return done
	}
	second := open()
	select {
	case err := <-second:
		t.Fatalf("a connection over the limit was served: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	first.Close()
	if err := <-second; err != nil {
		t.Fatalf("the waiting connection failed: %v", err)
	}

	third := open()
	raised := *limit
	raised.Limits.MaxConnections = 5
	apply(&raised)
	if err := <-third; err != nil {
		t.Fatalf("under the raised limit: %v", err)
	}
}

func TestAClientThatReadsNothingIsCutOff(t *testing.T) {
	l := listener(lb.ListenerHTTP, "app")
	l.Timeouts.Idle = lb.Duration(200 * time.Millisecond)
	s := simple(1, pool(members("a", backend(t, func(w http.ResponseWriter, r *http.Request) {
		chunk := make([]byte, 1<<20)
		for {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}))))
	s.Listeners["web"] = l
	e := newEngine(t, dataplane.Options{})
	e.Apply(s)
	conn := dial(t, address(t, e, "web"))
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	active := func() int64 { return e.Status().Pools["app"].Members["a"].ActiveRequests }
	eventually(t, "serving", func() bool { return active() == 1 })
	eventually(t, "rid of a client that reads nothing", func() bool { return active() == 0 })
}

func TestChangedTimeoutsHoldForNewConnectionsAndSpareOpenOnes(t *testing.T) {
	app := pool(members("a", named(t, "a")))
	long, short := listener(lb.ListenerHTTP, "app"), listener(lb.ListenerHTTP, "app")
	short.Timeouts.Idle = lb.Duration(50 * time.Millisecond)
	e := newEngine(t, dataplane.Options{})
	apply := func(l *lb.Listener) {
		s := simple(1, app)
		s.Listeners["web"] = l
		e.Apply(s)
	}
	// answered opens a connection, makes a request and leaves the connection idle.
	answered := func() (*bufio.Reader, io.Writer) {
		conn := dial(t, address(t, e, "web"))
		r := bufio.NewReader(conn)
		ask(t, r, conn)
		return r, conn
	}
	apply(long)
	r, conn := answered()
	apply(short)
	after, _ := answered()
	if _, err := after.ReadByte(); err != io.EOF {
		t.Errorf("an idle connection under the new timeout ended with %v, want its end", err)
	}
	ask(t, r, conn) // the old connection has been idle for as long
}

// ask makes one request on a connection that stays open.
func ask(t *testing.T, r *bufio.Reader, conn io.Writer) *http.Response {
	t.Helper()
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatalf("a request on an open connection failed: %v", err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); resp.StatusCode != 200 || string(body) != "a" {
		t.Fatalf("a request on an open connection got %d %q, %v", resp.StatusCode, body, err)
	}
	return resp
}
