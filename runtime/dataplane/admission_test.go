package dataplane_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// gate is a member that holds each request until it is told to let one through.
type gate struct {
	address       string
	arrived, open chan struct{}
}

func newGate(t *testing.T) *gate {
	g := &gate{arrived: make(chan struct{}, 100), open: make(chan struct{}, 100)}
	g.address = backend(t, func(w http.ResponseWriter, r *http.Request) {
		g.arrived <- struct{}{}
		select {
		case <-g.open:
			io.WriteString(w, "through")
		case <-r.Context().Done():
		}
	})
	return g
}

// goGet makes a request in the background.
func goGet(client *http.Client, url string) <-chan *http.Response {
	done := make(chan *http.Response, 1)
	go func() {
		resp, err := client.Get(url)
		if err == nil {
			resp.Body.Close()
		}
		done <- resp
	}()
	return done
}

// wantLater checks an answer that says when to come back.
func wantLater(t *testing.T, resp *http.Response, status int) {
	t.Helper()
	if resp == nil || resp.StatusCode != status {
		t.Fatalf("the answer is %v, want %d", resp, status)
	}
	if after, err := strconv.Atoi(resp.Header.Get("Retry-After")); err != nil || after < 1 {
		t.Errorf("Retry-After is %q, want seconds", resp.Header.Get("Retry-After"))
	}
}

func TestARequestThatFindsEveryMemberBusyWaitsItsTurn(t *testing.T) {
	g := newGate(t)
	p := pool(members("a", g.address))
	p.Limits = lb.PoolLimits{MaxConnections: 1, MaxPending: 1}
	d := &decisions{}
	e := newEngine(t, dataplane.Options{Recorder: d})
	e.Apply(simple(1, p))
	client, web := newClient(t), "http://"+address(t, e, "web")
	first := goGet(client, web)
	<-g.arrived
	// One of two waits, and the other is told to come back.
	second, third := goGet(client, web), goGet(client, web)
	var refused *http.Response
	waiting := second
	select {
	case refused = <-second:
		waiting = third
	case refused = <-third:
	}
	wantLater(t, refused, 503)
	select {
	case resp := <-waiting:
		t.Fatalf("the request that was to wait was answered %v", resp)
	case <-g.arrived:
		t.Fatal("the member got more requests at once than it may")
	default:
	}
	g.open <- struct{}{}
	if resp := <-first; resp == nil || resp.StatusCode != 200 {
		t.Errorf("the first request got %v", resp)
	}
	<-g.arrived
	g.open <- struct{}{}
	if resp := <-waiting; resp == nil || resp.StatusCode != 200 {
		t.Errorf("the waiting request got %v", resp)
	}
	if n := d.count(dataplane.CauseLimit); n != 1 {
		t.Errorf("%d refusals left a record, want 1", n)
	}
}

func TestARequestWaitsNoLongerThanConnectingMayTake(t *testing.T) {
	g := newGate(t)
	p := pool(members("a", g.address))
	p.Limits = lb.PoolLimits{MaxConnections: 1, MaxPending: 10}
	p.Timeouts.Connect = lb.Duration(100 * time.Millisecond)
	e := newEngine(t, dataplane.Options{})
	e.Apply(simple(1, p))
	client, web := newClient(t), "http://"+address(t, e, "web")
	first := goGet(client, web)
	<-g.arrived
	wantLater(t, <-goGet(client, web), 503)
	g.open <- struct{}{}
	<-first
}

func TestMoreRequestsAtOnceThanTheListenerAllowsAreRefused(t *testing.T) {
	g := newGate(t)
	l := listener(lb.ListenerHTTP, "app")
	l.Limits.MaxRequests = 2
	s := simple(1, pool(members("a", g.address)))
	s.Listeners = map[string]*lb.Listener{"web": l}
	e := newEngine(t, dataplane.Options{})
	e.Apply(s)
	client, web := newClient(t), "http://"+address(t, e, "web")
	first, second := goGet(client, web), goGet(client, web)
	<-g.arrived
	<-g.arrived
	for range 3 {
		wantLater(t, <-goGet(client, web), 503)
	}
	g.open <- struct{}{}
	g.open <- struct{}{}
	<-first
	<-second
	third := goGet(client, web) // refusals have taken no place
	g.open <- struct{}{}
	if resp := <-third; resp == nil || resp.StatusCode != 200 {
		t.Errorf("after all had finished: %v", resp)
	}
}

func TestAClientThatAsksTooOftenIsRefusedAndNobodyElse(t *testing.T) {
	_, web := limited(t, func(l *lb.Listener) {
		l.Limits.RequestRate, l.Limits.RequestBurst = 1, 3
		l.TrustedProxies = []string{"127.0.0.0/8"}
	})
	conn := dial(t, web)
	r := bufio.NewReader(conn)
	ask := func(from string) *http.Response {
		fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: %s\r\n\r\n", from)
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		return resp
	}
	allowed := 0
	var refused *http.Response
	for range 10 {
		if resp := ask("192.0.2.1"); resp.StatusCode == 200 {
			allowed++
		} else {
			refused = resp
		}
	}
	// The burst, the first, and what comes due in the meantime.
	if allowed < 4 || allowed > 8 {
		t.Errorf("%d of 10 requests at once were served", allowed)
	}
	wantLater(t, refused, 429)
	if resp := ask("192.0.2.2"); resp.StatusCode != 200 {
		t.Errorf("another client was answered %d", resp.StatusCode)
	}
}

func TestABodyMayBeAsLargeAsTheListenerSays(t *testing.T) {
	for _, tc := range []struct {
		name, request string
		status        int
	}{
		{"length that is allowed", "POST / HTTP/1.1|Host: a|Content-Length: 8||12345678", 200},
		{"length that is too much", "POST / HTTP/1.1|Host: a|Content-Length: 9||123456789", 413},
		{"length that is too much, of which nothing comes", "POST / HTTP/1.1|Host: a|Content-Length: 1000000000||", 413},
		{"length that is too much, and asks first", "POST / HTTP/1.1|Host: a|Content-Length: 9|Expect: 100-continue||", 413},
		{"chunks that are allowed", "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||4|1234|4|5678|0||", 200},
		{"chunks that are too much", "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||4|1234|5|56789|0||", 413},
		{"chunks without end", "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||4|1234|fffffff|567890", 413},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := record(t, repeat)
			l := listener(lb.ListenerHTTP, "app")
			l.Limits.MaxBodyBytes = 8
			s := simple(1, pool(members("a", m.address)))
			s.Listeners = map[string]*lb.Listener{"web": l}
			e := newEngine(t, dataplane.Options{})
			e.Apply(s)
			conn := dial(t, address(t, e, "web"))
			io.WriteString(conn, wire(tc.request))
			r := bufio.NewReader(conn)
			resp := wantAnswer(t, r, "POST", tc.status, "")
			if n := len(m.got()); (n == 1) != (tc.status == 200) {
				t.Errorf("the member got %d whole requests", n)
			}
			if !resp.Close { // only if all of the body is out of the way
				io.WriteString(conn, wire("GET /next HTTP/1.1|Host: a||"))
				wantAnswer(t, r, "GET", 200, "GET /next")
			} else if rest, _ := io.ReadAll(r); len(rest) > 0 {
				t.Errorf("the connection went on with %q", rest)
			}
		})
	}
}

func TestOnlyClientsFromAllowedNetworksAreServed(t *testing.T) {
	closed := -1
	for _, tc := range []struct {
		name             string
		allowed, trusted []string
		from             string // X-Forwarded-For
		status           int
	}{
		{"peer that is allowed", []string{"127.0.0.0/8"}, nil, "", 200},
		{"peer that is not", []string{"192.0.2.0/24"}, nil, "", closed},
		{"peer that is not and claims to be another", []string{"192.0.2.0/24"}, nil, "192.0.2.1", closed},
		{"client of a trusted proxy", []string{"192.0.2.0/24"}, []string{"127.0.0.1/32"}, "192.0.2.1", 200},
		{"client of a trusted proxy that is not allowed", []string{"192.0.2.0/24"}, []string{"127.0.0.1/32"}, "198.51.100.1", 403},
		{"client of a trusted proxy that claims to be another", []string{"192.0.2.0/24"}, []string{"127.0.0.1/32"}, "192.0.2.1, 198.51.100.1", 403},
		{"trusted proxy itself", []string{"192.0.2.0/24"}, []string{"127.0.0.1/32"}, "", 403},
		{"mapped address", []string{"192.0.2.0/24"}, []string{"127.0.0.1/32"}, "::ffff:192.0.2.1", 200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, web := limited(t, func(l *lb.Listener) {
				l.AllowedCIDRs, l.TrustedProxies = tc.allowed, tc.trusted
				l.Normalize()
			})
			conn, err := net.Dial("tcp", web)
			if err != nil {
				if tc.status == closed { // before the client was through with it
					return
				}
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(patience))
			request := "GET / HTTP/1.1|Host: a|"
			if tc.from != "" {
				request += "X-Forwarded-For: " + tc.from + "|"
			}
			_, sent := io.WriteString(conn, wire(request+"|"))
			if tc.status == closed {
				// Whichever comes first is told of the reset; the other sees an end.
				b, err := io.ReadAll(conn)
				if errors.Is(err, os.ErrDeadlineExceeded) || len(b) > 0 || sent == nil && err == nil {
					t.Errorf("a client that is not allowed got %q, %v and %v", b, sent, err)
				}
				return
			}
			wantAnswer(t, bufio.NewReader(conn), "GET", tc.status, "")
		})
	}
}
