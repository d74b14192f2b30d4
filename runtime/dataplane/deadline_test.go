package dataplane_test

import (
	"bufio"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func TestARoutesTimesOverrideThoseOfThePool(t *testing.T) {
	stuck := func(conn io.ReadWriter, r *bufio.Reader, say string) {
		if _, err := http.ReadRequest(r); err == nil {
			io.WriteString(conn, wire(say))
			io.Copy(io.Discard, r)
		}
	}
	for _, tc := range []struct {
		name, say string
		timeouts  lb.RouteTimeouts
		request   string
		want      string // status, or "cut"
	}{
		{"response", "", lb.RouteTimeouts{Response: lb.Duration(50 * time.Millisecond)}, "GET / HTTP/1.1|Host: a||", "504"},
		{"request", "", lb.RouteTimeouts{Request: lb.Duration(50 * time.Millisecond)}, "GET / HTTP/1.1|Host: a||", "504"},
		{"request, within the head", "HTTP/1.1 200 OK|X: ", lb.RouteTimeouts{Request: lb.Duration(50 * time.Millisecond)}, "GET / HTTP/1.1|Host: a||", "504"},
		{"request, within the body", "HTTP/1.1 200 OK|Content-Length: 9||half", lb.RouteTimeouts{Request: lb.Duration(100 * time.Millisecond)}, "GET / HTTP/1.1|Host: a||", "cut"},
		{"request, within the client's body", "", lb.RouteTimeouts{Request: lb.Duration(100 * time.Millisecond)}, "POST / HTTP/1.1|Host: a|Content-Length: 9||half", "504"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			m := scripted(t, func(conn io.ReadWriter, r *bufio.Reader) { stuck(conn, r, tc.say) })
			web := acting(t, map[string]string{"app": m}, func(r *lb.Route) {
				r.Action.Forward, r.Timeouts = forwardTo("app"), tc.timeouts
			})
			conn := dial(t, web)
			began := time.Now()
			io.WriteString(conn, wire(tc.request))
			if got := finalAnswer(bufio.NewReader(conn), "GET"); got != tc.want && got != tc.want+" the member did not answer in time" {
				t.Errorf("the client got %q, want %s", got, tc.want)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func TestAnExchangeWithinItsTimeIsNotCut(t *testing.T) {
	// Each piece comes in time, and all of them within the time of the whole.
	m := scripted(t, func(conn io.ReadWriter, r *bufio.Reader) {
		http.ReadRequest(r)
		for _, piece := range []string{"HTTP/1.1 200 OK\r\n", "Content-Length: 4\r\n\r\n", "bo", "dy"} {
			time.Sleep(60 * time.Millisecond) // the member's pace
			io.WriteString(conn, piece)
		}
	})
	web := acting(t, map[string]string{"app": m}, func(r *lb.Route) {
		r.Action.Forward = forwardTo("app")
		r.Timeouts = lb.RouteTimeouts{Response: lb.Duration(5 * time.Second), Request: lb.Duration(10 * time.Second)}
	})
	wantGet(t, newClient(t), "http://"+web, 200, "body")
}

func TestTheTimeForAnAnswerBeginsWhenTheBodyHasBeenSent(t *testing.T) {
	for _, tc := range []struct {
		name    string
		request time.Duration // of the route; 0 for none
	}{{"without a time for the whole", 0}, {"with one", 10 * time.Second}} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			web := acting(t, map[string]string{"app": record(t, repeat).address}, func(r *lb.Route) {
				r.Action.Forward = forwardTo("app")
				r.Timeouts = lb.RouteTimeouts{Response: lb.Duration(200 * time.Millisecond), Request: lb.Duration(tc.request)}
			})
			conn := dial(t, web)
			io.WriteString(conn, wire("POST / HTTP/1.1|Host: a|Content-Length: 8||"))
			for range 8 {
				time.Sleep(80 * time.Millisecond) // the client's pace
				io.WriteString(conn, "x")
			}
			wantAnswer(t, bufio.NewReader(conn), "POST", 200, "POST / xxxxxxxx")
		})
	}
}
