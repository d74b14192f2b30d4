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

// passed sends a request, in the notation of wire, to a listener with a change, and
// returns what the member got, and the answer of which the fields are given.
func passed(t *testing.T, change func(*lb.Listener), request, answerFields string) (*message, *http.Response) {
	t.Helper()
	m := record(t, func(conn net.Conn, _ *message) bool {
		io.WriteString(conn, wire("HTTP/1.1 200 OK|"+answerFields+"Content-Length: 2||ok"))
		return true
	})
	l := listener(lb.ListenerHTTP, "app")
	if change != nil {
		change(l)
	}
	l.Normalize()
	e := newEngine(t, dataplane.Options{})
	s := simple(1, pool(members("a", m.address)))
	s.Listeners = map[string]*lb.Listener{"web": l}
	e.Apply(s)
	conn := dial(t, address(t, e, "web"))
	io.WriteString(conn, wire(request))
	resp := wantAnswer(t, bufio.NewReader(conn), "GET", 200, "")
	return m.got()[0], resp
}

// wantFields checks fields, given as "Name: value, value"; of an empty value there must
// be none.
func wantFields(t *testing.T, whose string, h http.Header, want ...string) {
	t.Helper()
	for _, w := range want {
		name, value, _ := strings.Cut(w, ": ")
		if got := strings.Join(h.Values(name), ", "); got != value {
			t.Errorf("the %s's %s is %q, want %q", whose, name, got, value)
		}
	}
}

func TestFieldsOfOneConnectionEndWithIt(t *testing.T) {
	got, resp := passed(t, nil, "GET / HTTP/1.1|Host: a|Connection: x-mine, keep-alive, , close, content-length, host, authorization|"+
		"X-Mine: secret|Keep-Alive: timeout=5|Proxy-Connection: keep-alive|Proxy-Authorization: Basic eA==|"+
		"TE: gzip, trailers;q=0.5|Upgrade: h2c, foo/2|HTTP2-Settings: AAMAAABkAAQAAP__|X-Kept: yes|X-Kept: twice|Authorization: Basic eA==||",
		"Connection: X-Mine, upgrade|X-Mine: secret|Keep-Alive: timeout=5|Proxy-Authenticate: Basic|Upgrade: h2c|X-Kept: yes|X-Kept: twice|")
	wantFields(t, "member", got.header, "X-Mine: ", "Keep-Alive: ", "Proxy-Connection: ", "Proxy-Authorization: ", "Upgrade: ",
		"Connection: ", "Te: ", "Host: a", "X-Kept: yes, twice", "Authorization: Basic eA==", "Via: 1.1 auditlb")
	wantFields(t, "client", resp.Header, "X-Mine: ", "Keep-Alive: ", "Proxy-Authenticate: ", "Upgrade: ", "X-Kept: yes, twice")
	if !resp.Close {
		t.Error("the client's close was not answered by one")
	}
}

func TestWhoTakesTrailersIsSaidAnew(t *testing.T) {
	got, _ := passed(t, nil, "GET / HTTP/1.1|Host: a|TE: trailers|Connection: TE||", "")
	wantFields(t, "member", got.header, "Te: trailers", "Connection: TE")
}

func TestNoUpgradePassesButToWebSocket(t *testing.T) {
	for _, upgrade := range []string{"h2c", "TLS/1.2", "websocket, h2c", "h2c, websocket", "websocket2", "websocket/13"} {
		t.Run(upgrade, func(t *testing.T) {
			got, _ := passed(t, nil, "GET / HTTP/1.1|Host: a|Connection: Upgrade, HTTP2-Settings|Upgrade: "+upgrade+"|HTTP2-Settings: AA||", "")
			wantFields(t, "member", got.header, "Upgrade: ", "Connection: ", "Http2-Settings: ")
		})
	}
}

func TestAViaGrowsAndDoesNotBreak(t *testing.T) {
	got, _ := passed(t, nil, "GET / HTTP/1.0|Host: a|Via: 1.1 one|via: 2 two (a comment, with a comma)||", "")
	wantFields(t, "member", got.header, "Via: 1.1 one, 2 two (a comment, with a comma), 1.0 auditlb")
}

func TestHostIsThatOfTheTarget(t *testing.T) {
	for _, tc := range []struct{ name, request, want string }{
		{"as it was written", "GET / HTTP/1.1|Host: App.Example.com:8080||", "App.Example.com:8080"},
		{"of the absolute form", "GET http://App.example.com/ HTTP/1.1|Host: app.example.com||", "App.example.com"},
		{"none in HTTP/1.0", "GET / HTTP/1.0||", ""},
		{"of the absolute form in HTTP/1.0", "GET http://app.example.com/ HTTP/1.0||", "app.example.com"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, _ := passed(t, nil, tc.request, "")
			wantFields(t, "member", got.header, "Host: "+tc.want, "X-Forwarded-Host: "+tc.want)
		})
	}
}

func TestWhatATrustedProxySaysOfTheClientIsBelieved(t *testing.T) {
	claims := "X-Forwarded-For: 203.0.113.7|X-Forwarded-For: 198.51.100.9, 2001:db8::1|X-Forwarded-Proto: https|X-Forwarded-Host: shop.test|" +
		`X-Forwarded-Prefix: /shop|X-Real-IP: 203.0.113.7|X_Forwarded_Port: 443|Forwarded: for="[2001:db8::1]";proto=https|`
	request := "GET / HTTP/1.1|Host: a|" + claims + "|"
	t.Run("trusted", func(t *testing.T) {
		got, _ := passed(t, func(l *lb.Listener) { l.TrustedProxies = []string{"127.0.0.0/8"} }, request, "")
		wantFields(t, "member", got.header,
			"X-Forwarded-For: 203.0.113.7, 198.51.100.9, 2001:db8::1, 127.0.0.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: shop.test",
			"X-Forwarded-Prefix: /shop", "X-Real-Ip: 203.0.113.7", "X-Forwarded-Port: 443",
			`Forwarded: for="[2001:db8::1]";proto=https, for=127.0.0.1;host="a";proto=http`)
	})
	t.Run("not trusted", func(t *testing.T) {
		got, _ := passed(t, func(l *lb.Listener) { l.TrustedProxies = []string{"192.0.2.0/24"} }, request, "")
		wantFields(t, "member", got.header,
			"X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http", "X-Forwarded-Host: a", "X-Forwarded-Prefix: ", "X-Real-Ip: ",
			"X-Forwarded-Port: ", `Forwarded: for=127.0.0.1;host="a";proto=http`)
	})
}

func TestNobodyPosesAsATrustedProxyByConnection(t *testing.T) {
	// To nominate what we add would take it from the member.
	got, _ := passed(t, nil, "GET / HTTP/1.1|Host: a|Connection: X-Forwarded-For, Forwarded, Via, X-Request-Id, X-Forwarded-Proto||", "")
	wantFields(t, "member", got.header, "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http", "Via: 1.1 auditlb")
	if got.header.Get("X-Request-Id") == "" {
		t.Error("the member got no request id")
	}
}

func TestTraceContextPassesUnchanged(t *testing.T) {
	const parent, state = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"
	got, _ := passed(t, nil, "GET / HTTP/1.1|Host: a|traceparent: "+parent+"|TraceState: "+state+"|Connection: traceparent, tracestate||", "")
	wantFields(t, "member", got.header, "Traceparent: "+parent, "Tracestate: "+state)
}

func TestTheMembersRequestIDWins(t *testing.T) {
	_, resp := passed(t, nil, "GET / HTTP/1.1|Host: a|X-Request-Id: mine||", "X-Request-Id: theirs|")
	wantFields(t, "client", resp.Header, "X-Request-Id: theirs")
	got, resp := passed(t, nil, "GET / HTTP/1.1|Host: a|X-Request-Id: mine|X-Request-Id: other||", "")
	wantFields(t, "member", got.header, "X-Request-Id: mine")
	wantFields(t, "client", resp.Header, "X-Request-Id: mine")
}

func TestNamesAndValuesPassAsTheyAre(t *testing.T) {
	m := record(t, repeat)
	e := newEngine(t, dataplane.Options{})
	e.Apply(simple(1, pool(members("a", m.address))))
	conn := dial(t, address(t, e, "web"))
	io.WriteString(conn, wire("GET / HTTP/1.1|hOsT: a|x-LOWER_Mixed: \t a\tb  c\xff \t|Empty:||"))
	wantAnswer(t, bufio.NewReader(conn), "GET", 200, "GET /")
	m.mu.Lock()
	defer m.mu.Unlock()
	raw := m.conns[0].raw.String()
	for _, line := range []string{"x-LOWER_Mixed: a\tb  c\xff", "Empty: "} {
		if !strings.Contains(raw, "\r\n"+line+"\r\n") {
			t.Errorf("%q is not in %q", line, raw)
		}
	}
}
