package dataplane_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// mirror answers with what it was sent.
func mirror(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	json.NewEncoder(w).Encode(seen{r.Method, r.Host, r.RequestURI, r.Header, string(body)})
}

type seen struct {
	Method, Host, URI string
	Header            http.Header
	Body              string
}

// through sends a request through a fresh engine to mirror.
func through(t *testing.T, method, uri string, header http.Header, body string) (seen, *http.Response) {
	t.Helper()
	e := newEngine(t, dataplane.Options{})
	e.Apply(simple(1, pool(members("a", backend(t, mirror)))))
	req, err := http.NewRequest(method, "http://"+address(t, e, "web")+uri, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "app.example.com"
	for k, v := range header {
		req.Header[k] = v
	}
	resp, err := newClient(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var s seen
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil {
		t.Fatalf("status %d: %v", resp.StatusCode, err)
	}
	return s, resp
}

func TestMethodHostPathQueryAndBodyPassUnchanged(t *testing.T) {
	s, _ := through(t, "PATCH", "/a%2Fb/../c//d?x=1;y=%zz&z", nil, "hello")
	if s.Method != "PATCH" || s.Host != "app.example.com" || s.URI != "/a%2Fb/../c//d?x=1;y=%zz&z" || s.Body != "hello" {
		t.Errorf("the member got %+v", s)
	}
}

func TestSpoofedForwardedHeadersAreDropped(t *testing.T) {
	s, _ := through(t, "GET", "/", http.Header{
		"X-Forwarded-For":    {"6.6.6.6"},
		"X-Forwarded-Host":   {"evil.test"},
		"X-Forwarded-Proto":  {"https"},
		"X-Forwarded-Prefix": {"/evil"},
		"X_Forwarded_For":    {"6.6.6.6"},
		"X-Real-Ip":          {"6.6.6.6"},
		"Forwarded":          {"for=6.6.6.6"},
		"X-Forward":          {"mine"},
	}, "")
	for name, want := range map[string]string{
		"X-Forwarded-For":    "[127.0.0.1]",
		"X-Forwarded-Host":   "[app.example.com]",
		"X-Forwarded-Proto":  "[http]",
		"X-Forwarded-Prefix": "[]",
		"X_forwarded_for":    "[]",
		"X-Real-Ip":          "[]",
		"Forwarded":          `[for=127.0.0.1;host="app.example.com";proto=http]`,
		"X-Forward":          "[mine]",
	} {
		if got := fmt.Sprint(s.Header[name]); got != want {
			t.Errorf("the member got %s %s, want %s", name, got, want)
		}
	}
}

func TestHopByHopHeadersAreRemoved(t *testing.T) {
	s, _ := through(t, "GET", "/", http.Header{
		"Connection":          {"X-Mine, keep-alive"},
		"X-Mine":              {"secret"},
		"Keep-Alive":          {"timeout=5"},
		"Proxy-Authorization": {"Basic eA=="},
		"Te":                  {"gzip"},
		"Upgrade":             {"h2c"},
		"X-Kept":              {"yes"},
	}, "")
	for _, name := range []string{"Connection", "X-Mine", "Keep-Alive", "Proxy-Authorization", "Te", "Upgrade"} {
		if v, ok := s.Header[name]; ok {
			t.Errorf("the member got %s: %q", name, v)
		}
	}
	if s.Header.Get("X-Kept") != "yes" {
		t.Error("an end-to-end header was lost")
	}
}

func TestOnlyWebSocketUpgradesPass(t *testing.T) {
	s, _ := through(t, "GET", "/", http.Header{"Connection": {"Upgrade, HTTP2-Settings"}, "Upgrade": {"h2c"}, "Http2-Settings": {"AA"}}, "")
	for _, name := range []string{"Connection", "Upgrade", "Http2-Settings"} {
		if v, ok := s.Header[name]; ok {
			t.Errorf("the member was asked for another protocol: %s: %q", name, v)
		}
	}
}

func TestARequestIDIsKeptIfSaneAndElseMade(t *testing.T) {
	for _, tc := range []struct {
		name, sent string
		kept       bool
	}{
		{"sane", "abc-123", true},
		{"longest", strings.Repeat("x", 128), true},
		{"absent", "", false},
		{"too long", strings.Repeat("x", 129), false},
		{"with a space", "a b", false},
		{"not ASCII", "é", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := http.Header{}
			if tc.sent != "" {
				h.Set("X-Request-Id", tc.sent)
			}
			s, resp := through(t, "GET", "/", h, "")
			got := s.Header.Get("X-Request-Id")
			if tc.kept != (got == tc.sent) || got == "" {
				t.Errorf("sent %q, the member got %q", tc.sent, got)
			}
			if back := resp.Header.Get("X-Request-Id"); back != got {
				t.Errorf("the member got id %q, the client %q", got, back)
			}
		})
	}
}

func TestErrorsHaveTheirStatus(t *testing.T) {
	silent := backend(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	rude := backend(t, func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) })
	routes := map[string]*lb.Route{}
	pools := map[string]*lb.Pool{
		"dead":    pool(members("a", unused(t))),
		"rude":    pool(members("a", rude)),
		"silent":  alter(pool(members("a", silent)), func(p *lb.Pool) { p.Timeouts.Response = lb.Duration(50 * time.Millisecond) }),
		"empty":   pool(nil),
		"drained": alter(pool(members("a", silent)), member("a", func(m *lb.Member) { m.State = lb.MemberDrain })),
	}
	for name := range pools {
		r := lb.NewRoute()
		r.Listener, r.Match.PathPrefix, r.Action.Forward = "web", "/"+name, map[string]lb.ForwardTarget{name: {Weight: 1}}
		routes[name] = r
	}
	e := newEngine(t, dataplane.Options{})
	e.Apply(&dataplane.Snapshot{Pools: pools, Routes: routes, Listeners: map[string]*lb.Listener{"web": listener(lb.ListenerHTTP, "")}})
	client := newClient(t)
	for _, tc := range []struct {
		name, path string
		status     int
		body       string
	}{
		{"no route", "/elsewhere", 404, "no route for this request\n"},
		{"no members", "/empty", 503, "no healthy member\n"},
		{"all drained", "/drained", 503, "no healthy member\n"},
		{"nobody listens", "/dead", 502, "the member failed\n"},
		{"member hangs up", "/rude", 502, "the member failed\n"},
		{"member is silent", "/silent", 504, "the member did not answer in time\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			resp, err := client.Get("http://" + address(t, e, "web") + tc.path)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != tc.status || string(body) != tc.body {
				t.Errorf("got %d %q, want %d %q", resp.StatusCode, body, tc.status, tc.body)
			}
			if ct := resp.Header.Get("Content-Type"); ct != "text/plain; charset=utf-8" {
				t.Errorf("the error is of type %q", ct)
			}
			if resp.Header.Get("X-Request-Id") == "" {
				t.Error("the error has no request id")
			}
		})
	}
}

func TestConnectIsRefused(t *testing.T) {
	e := newEngine(t, dataplane.Options{})
	e.Apply(simple(1, pool(members("a", named(t, "a")))))
	conn := dial(t, address(t, e, "web"))
	io.WriteString(conn, "CONNECT internal:22 HTTP/1.1\r\nHost: internal:22\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != 405 {
		t.Errorf("CONNECT: %v, %v; want 405", resp, err)
	}
}

// dial opens a connection that fails rather than hangs.
func dial(t *testing.T, address string) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { conn.Close() })
	return conn.(*net.TCPConn)
}

func TestRoutesChooseThePoolAndTheRestGoesToTheDefault(t *testing.T) {
	api := lb.NewRoute()
	api.Listener, api.Match.PathPrefix, api.Action.Forward = "web", "/api", map[string]lb.ForwardTarget{"api": {Weight: 1}}
	other := lb.NewRoute()
	other.Listener, other.Action.Forward = "another", map[string]lb.ForwardTarget{"api": {Weight: 1}}
	s := simple(1, pool(members("a", named(t, "app"))))
	s.Pools["api"] = pool(members("a", named(t, "api")))
	s.Routes = map[string]*lb.Route{"api": api, "other": other}
	e := newEngine(t, dataplane.Options{})
	e.Apply(s)
	client, base := newClient(t), "http://"+address(t, e, "web")
	wantGet(t, client, base+"/api/v1", 200, "api")
	wantGet(t, client, base+"/apis", 200, "app")
	wantGet(t, client, base+"/", 200, "app")
}

func TestAClientThatLeavesCancelsTheMembersWork(t *testing.T) {
	arrived, cancelled := make(chan struct{}), make(chan struct{})
	e := newEngine(t, dataplane.Options{})
	e.Apply(simple(1, pool(members("a", backend(t, func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
		close(cancelled)
	})))))
	ctx, leave := context.WithCancel(t.Context())
	req, _ := http.NewRequestWithContext(ctx, "GET", "http://"+address(t, e, "web"), nil)
	go newClient(t).Do(req)
	<-arrived
	if n := e.Status().Pools["app"].Members["a"].ActiveRequests; n != 1 {
		t.Errorf("the member has %d active requests, want 1", n)
	}
	leave()
	select {
	case <-cancelled:
	case <-time.After(patience):
		t.Fatal("the member is still working for a client that left")
	}
	eventually(t, "free of active requests", func() bool { return e.Status().Pools["app"].Members["a"].ActiveRequests == 0 })
}

func TestAMemberThatFailsMidwayIsSeenAsAFailureByTheClient(t *testing.T) {
	e := newEngine(t, dataplane.Options{})
	e.Apply(simple(1, pool(members("a", backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "half")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})))))
	if _, body, err := tryGet(newClient(t), "http://"+address(t, e, "web")); err == nil {
		t.Errorf("a response that was cut short looks complete: %q", body)
	}
}

func TestWebSocketsPassBothWaysAndCountAsActive(t *testing.T) {
	e := newEngine(t, dataplane.Options{})
	e.Apply(simple(1, pool(members("a", backend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "websocket" || r.Header.Get("Sec-Websocket-Key") != "key" {
			w.WriteHeader(400)
			return
		}
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		for {
			line, err := rw.ReadString('\n')
			if err != nil {
				return
			}
			io.WriteString(conn, "echo "+line)
		}
	})))))
	conn := dial(t, address(t, e, "web"))
	io.WriteString(conn, "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: key\r\n\r\n")
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != 101 {
		t.Fatalf("the upgrade was answered %v, %v", resp, err)
	}
	for _, word := range []string{"one\n", "two\n"} {
		io.WriteString(conn, word)
		if line, err := r.ReadString('\n'); err != nil || line != "echo "+word {
			t.Fatalf("got %q, %v", line, err)
		}
	}
	active := func() int64 { return e.Status().Pools["app"].Members["a"].ActiveRequests }
	if active() != 1 {
		t.Errorf("an open WebSocket counts as %d active requests", active())
	}
	conn.Close()
	eventually(t, "free of the closed WebSocket", func() bool { return active() == 0 })
}

func TestTheMembersTypeAndEncodingAreNotTouched(t *testing.T) {
	e := newEngine(t, dataplane.Options{})
	e.Apply(simple(1, pool(members("a", backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Content-Type"] = nil
		fmt.Fprintf(w, "<html>%q", r.Header["Accept-Encoding"])
	})))))
	conn := dial(t, address(t, e, "web"))
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	if ct, ok := resp.Header["Content-Type"]; ok || string(body) != "<html>[]" {
		t.Errorf("type %q and body %q were made up on the way", ct, body)
	}
}
