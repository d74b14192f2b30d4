package dataplane_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// acting starts an engine with one listener "web" without default pool, one route, and
// pools of one member each.
func acting(t *testing.T, pools map[string]string, change func(*lb.Route)) (web string) {
	t.Helper()
	r := lb.NewRoute()
	r.Listener = "web"
	change(r)
	r.Normalize()
	s := &dataplane.Snapshot{
		Pools: map[string]*lb.Pool{}, Routes: map[string]*lb.Route{"r": r},
		Listeners: map[string]*lb.Listener{"web": listener(lb.ListenerHTTP, "")},
	}
	for name, address := range pools {
		s.Pools[name] = pool(members("a", address))
	}
	e := newEngine(t, dataplane.Options{})
	e.Apply(s)
	return address(t, e, "web")
}

// forwardTo is an action that sends everything to one pool.
func forwardTo(pool string) map[string]lb.ForwardTarget {
	return map[string]lb.ForwardTarget{pool: {Weight: 1}}
}

func TestARedirectKeepsWhatItDoesNotChange(t *testing.T) {
	web := acting(t, nil, func(r *lb.Route) {
		r.Match.PathPrefix = "/old"
		r.Action.Redirect = &lb.Redirect{Status: 308, Scheme: "https", PathPrefix: "/new"}
	})
	for _, tc := range []struct{ request, location string }{
		{"GET /old/a%2Fb?x=1&y HTTP/1.1|Host: app.example.com||", "https://app.example.com/new/a%2Fb?x=1&y"},
		{"POST /old HTTP/1.1|Host: app.example.com:8080|Content-Length: 4||body", "https://app.example.com/new"},
		{"GET /old? HTTP/1.0|Host: app.example.com||", "https://app.example.com/new?"},
		{"HEAD http://app.example.com/old/x HTTP/1.1|Host: app.example.com||", "https://app.example.com/new/x"},
	} {
		conn := dial(t, web)
		io.WriteString(conn, wire(tc.request))
		method, _, _ := strings.Cut(tc.request, " ")
		resp := wantAnswer(t, bufio.NewReader(conn), method, 308, "")
		if got := resp.Header.Get("Location"); got != tc.location {
			t.Errorf("%q leads to %s, want %s", tc.request, got, tc.location)
		}
	}
}

func TestAFixedResponseIsGivenWithoutAMember(t *testing.T) {
	web := acting(t, nil, func(r *lb.Route) {
		r.Action.FixedResponse = &lb.FixedResponse{Status: 503, ContentType: "application/json", Body: `{"down":true}`}
		r.ResponseHeaders.Set = map[string]string{"cache-control": "no-store"}
	})
	conn := dial(t, web)
	r := bufio.NewReader(conn)
	for range 2 {
		io.WriteString(conn, wire("POST / HTTP/1.1|Host: a|Content-Length: 4||body"))
		resp := wantAnswer(t, r, "POST", 503, `{"down":true}`)
		wantFields(t, "client", resp.Header, "Content-Type: application/json", "Cache-Control: no-store", "Content-Length: 13")
	}
}

func TestARewriteChangesWhatTheMemberIsAskedFor(t *testing.T) {
	for _, tc := range []struct {
		name           string
		match          lb.RouteMatch
		rewrite        lb.Rewrite
		request        string
		target, host   string
		forwardedHosts string
	}{
		{"prefix", lb.RouteMatch{PathPrefix: "/api"}, lb.Rewrite{PathPrefix: "/v2"}, "GET /api/a%2Fb?x HTTP/1.1|Host: a||", "/v2/a%2Fb?x", "a", "a"},
		{"prefix that is all", lb.RouteMatch{PathPrefix: "/api"}, lb.Rewrite{PathPrefix: "/"}, "GET /api HTTP/1.1|Host: a||", "/", "a", "a"},
		{"path", lb.RouteMatch{}, lb.Rewrite{Path: "/all"}, "GET /x?y=z HTTP/1.1|Host: a||", "/all?y=z", "a", "a"},
		{"expression", lb.RouteMatch{PathRegex: "/u/([0-9]+)/(?P<rest>.*)"}, lb.Rewrite{Path: "/${rest}/$1"}, "GET /u/7/a/b HTTP/1.1|Host: a||", "/a/b/7", "a", "a"},
		{"host", lb.RouteMatch{}, lb.Rewrite{Host: "inner.test:81"}, "GET / HTTP/1.1|Host: a||", "/", "inner.test:81", "a"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := record(t, repeat)
			web := acting(t, map[string]string{"app": m.address}, func(r *lb.Route) {
				r.Match, r.Action.Forward, r.Action.Rewrite = tc.match, forwardTo("app"), &tc.rewrite
			})
			conn := dial(t, web)
			io.WriteString(conn, wire(tc.request))
			wantAnswer(t, bufio.NewReader(conn), "GET", 200, "GET "+tc.target)
			wantFields(t, "member", m.got()[0].header, "Host: "+tc.host, "X-Forwarded-Host: "+tc.forwardedHosts)
		})
	}
}

func TestARewriteCanNotBeTurnedIntoAnotherRequest(t *testing.T) {
	m := record(t, repeat)
	web := acting(t, map[string]string{"app": m.address}, func(r *lb.Route) {
		r.Match.PathRegex, r.Action.Forward, r.Action.Rewrite = "/(.*)", forwardTo("app"), &lb.Rewrite{Path: "/in/$1"}
	})
	conn := dial(t, web)
	r := bufio.NewReader(conn)
	for _, path := range []string{"/a%20HTTP/1.1%0d%0aX:%20y", "/%0d%0a%0d%0aGET%20/smuggled", "/%3fq%23f", "/%00", "/a%2e%2e%2fb"} {
		io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n")
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 200 && resp.StatusCode != 400 {
			t.Errorf("%s was answered %d", path, resp.StatusCode)
		}
		if resp.Close {
			conn = dial(t, web)
			r = bufio.NewReader(conn)
		}
	}
	for _, got := range m.got() {
		if !strings.HasPrefix(got.target, "/in/") || got.header.Get("X") != "" {
			t.Errorf("the member got %s with %v", got, got.header)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.conns {
		if c.err != nil {
			t.Errorf("the member got %v", c.err)
		}
	}
}

func TestARouteChangesFields(t *testing.T) {
	m := answering(t, "HTTP/1.1 200 OK|X-Old: yes|X-Set: theirs|Server: secret|X-Add: theirs|Content-Length: 0||")
	web := acting(t, map[string]string{"app": m.address}, func(r *lb.Route) {
		r.Action.Forward = forwardTo("app")
		r.RequestHeaders = lb.HeaderChanges{
			Set: map[string]string{"x-set": "ours", "x-request-id": "fixed"}, Add: map[string]string{"x-add": "ours"}, Remove: []string{"x-old", "cookie"},
		}
		r.ResponseHeaders = lb.HeaderChanges{
			Set: map[string]string{"x-set": "ours"}, Add: map[string]string{"x-add": "ours"}, Remove: []string{"X-Old", "server"},
		}
	})
	conn := dial(t, web)
	io.WriteString(conn, wire("GET / HTTP/1.1|Host: a|X-Set: 1|X-SET: 2|X-Old: 1|Cookie: a=b|X-Add: 1||"))
	resp := wantAnswer(t, bufio.NewReader(conn), "GET", 200, "")
	wantFields(t, "member", m.got()[0].header, "X-Set: ours", "X-Add: 1, ours", "X-Old: ", "Cookie: ", "X-Request-Id: fixed")
	wantFields(t, "client", resp.Header, "X-Set: ours", "X-Add: theirs, ours", "X-Old: ", "Server: ")
}

func TestAMirrorGetsCopiesAndHoldsNobodyUp(t *testing.T) {
	copies := make(chan *message, 16)
	proceed := make(chan struct{})
	silent := record(t, func(conn net.Conn, m *message) bool {
		copies <- m
		<-proceed
		return false
	})
	defer close(proceed)
	m := record(t, repeat)
	web := acting(t, map[string]string{"app": m.address, "copy": silent.address}, func(r *lb.Route) {
		r.Action.Forward, r.Action.Mirror = forwardTo("app"), &lb.Mirror{Pool: "copy", Percent: 100}
	})
	conn := dial(t, web)
	r := bufio.NewReader(conn)
	for _, tc := range []struct{ request, want string }{
		{"GET /1?x HTTP/1.1|Host: a|X: y||", "GET /1?x"},
		{"POST /2 HTTP/1.1|Host: a|X: y|Content-Length: 4||body", "POST /2 body"},
	} {
		io.WriteString(conn, wire(tc.request))
		wantAnswer(t, r, "GET", 200, tc.want)
		got := <-copies
		if got.String() != tc.want {
			t.Errorf("the copy is %s, want %s", got, tc.want)
		}
		wantFields(t, "copy", got.header, "X: y", "Host: a", "X-Forwarded-For: 127.0.0.1")
	}
	// A body that comes by and by is not held for the sake of a copy.
	io.WriteString(conn, wire("POST /3 HTTP/1.1|Host: a|Transfer-Encoding: chunked||4|body|0||"))
	wantAnswer(t, r, "GET", 200, "POST /3 body")
	io.WriteString(conn, wire("GET /4 HTTP/1.1|Host: a||"))
	wantAnswer(t, r, "GET", 200, "GET /4")
	if got := <-copies; got.String() != "GET /4" {
		t.Errorf("the copy is %s", got)
	}
}

func TestAMirrorThatFailsIsNobodysConcern(t *testing.T) {
	m := record(t, repeat)
	web := acting(t, map[string]string{"app": m.address, "copy": unused(t)}, func(r *lb.Route) {
		r.Action.Forward, r.Action.Mirror = forwardTo("app"), &lb.Mirror{Pool: "copy", Percent: 100}
	})
	conn := dial(t, web)
	r := bufio.NewReader(conn)
	for range 10 {
		io.WriteString(conn, wire("GET / HTTP/1.1|Host: a||"))
		wantAnswer(t, r, "GET", 200, "GET /")
	}
}
