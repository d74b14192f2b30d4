package dataplane_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// failing is a member that answers with a status until it is told to be well.
type failing struct {
	address string
	well    atomic.Bool
	served  atomic.Int32
}

func newFailing(t *testing.T, status int) *failing {
	m := &failing{}
	m.address = backend(t, func(w http.ResponseWriter, r *http.Request) {
		m.served.Add(1)
		if !m.well.Load() {
			w.WriteHeader(status)
			return
		}
		io.WriteString(w, "well")
	})
	return m
}

// retrying changes how a pool retries.
func retrying(p *lb.Pool, attempts int, on ...lb.RetryCause) *lb.Pool {
	p.Retries.Attempts, p.Retries.On = attempts, on
	p.Normalize()
	return p
}

func TestNobodyNoticesAMemberThatAcceptsNoConnections(t *testing.T) {
	d := &decisions{}
	e := newEngine(t, dataplane.Options{Recorder: d})
	m := record(t, repeat)
	e.Apply(simple(1, pool(members("a", unused(t), "b", m.address))))
	conn := dial(t, address(t, e, "web"))
	r := bufio.NewReader(conn)
	for range 4 {
		io.WriteString(conn, wire("GET / HTTP/1.1|Host: a||"))
		wantAnswer(t, r, "GET", 200, "GET /")
		// Nothing of the body has been sent, so it can go elsewhere.
		io.WriteString(conn, wire("POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||4|body|"))
		io.WriteString(conn, wire("0||"))
		wantAnswer(t, r, "POST", 200, "POST / body")
	}
	if d.count(dataplane.CauseRetry) == 0 {
		t.Error("no retry left a record")
	}
}

func TestAFailureIsTriedAgainElsewhereOnlyIfThePoolSaysSo(t *testing.T) {
	for _, tc := range []struct {
		name, method string
		attempts     int
		on           []lb.RetryCause
		hidden       bool // the client does not notice
	}{
		{"503 that is retried", "GET", 2, []lb.RetryCause{lb.Retry503}, true},
		{"503 to PUT", "PUT", 2, []lb.RetryCause{lb.Retry503}, true},
		{"503 that is not", "GET", 2, []lb.RetryCause{lb.Retry500, lb.Retry502, lb.Retry504, lb.RetryReset}, false},
		{"503 without attempts", "GET", 0, []lb.RetryCause{lb.Retry503}, false},
		{"503 to POST", "POST", 2, []lb.RetryCause{lb.Retry503}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, b := newFailing(t, 503), newFailing(t, 503)
			b.well.Store(true)
			e := newEngine(t, dataplane.Options{})
			e.Apply(simple(1, retrying(pool(members("a", a.address, "b", b.address)), tc.attempts, tc.on...)))
			conn := dial(t, address(t, e, "web"))
			r := bufio.NewReader(conn)
			const requests = 4 // they take turns
			failed := 0
			for range requests {
				io.WriteString(conn, wire(tc.method+" / HTTP/1.1|Host: a|Content-Length: 4||body"))
				resp, err := http.ReadResponse(r, nil)
				if err != nil {
					t.Fatal(err)
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if resp.StatusCode == 503 {
					failed++
				}
			}
			tries := a.served.Load() + b.served.Load()
			if a.served.Load() == 0 || (failed == 0) != tc.hidden || (tries > requests) != tc.hidden {
				t.Errorf("of %d requests the client saw %d fail, and the members %d", requests, failed, tries)
			}
		})
	}
}

func TestTriesEndWhenAllAttemptsAreUsedUp(t *testing.T) {
	a, b, c := newFailing(t, 503), newFailing(t, 503), newFailing(t, 503)
	e := newEngine(t, dataplane.Options{})
	e.Apply(simple(1, retrying(pool(members("a", a.address, "b", b.address, "c", c.address)), 1, lb.Retry503)))
	wantGet(t, newClient(t), "http://"+address(t, e, "web"), 503, "")
	if n := a.served.Load() + b.served.Load() + c.served.Load(); n != 2 {
		t.Errorf("one attempt more made %d tries, want 2", n)
	}
}

func TestRetriesStopWhenTheirBudgetIsSpent(t *testing.T) {
	a, b := newFailing(t, 503), newFailing(t, 503)
	p := retrying(pool(members("a", a.address, "b", b.address)), 1, lb.Retry503)
	p.Retries.BudgetPercent = 0
	e := newEngine(t, dataplane.Options{})
	e.Apply(simple(1, p))
	client, web := newClient(t), "http://"+address(t, e, "web")
	const requests = 100
	for range requests {
		wantGet(t, client, web, 503, "")
	}
	// What is left of the budget is a few retries a second.
	if retries := int(a.served.Load()+b.served.Load()) - requests; retries == 0 || retries > 60 {
		t.Errorf("%d requests were retried %d times", requests, retries)
	}
}

// despite is what clients get of a pool of which one member answers "well" and the
// other fails in a way of its own, while failures are tried again.
func despite(t *testing.T, other string, cause lb.RetryCause, change func(*lb.Pool)) {
	t.Helper()
	p := retrying(pool(members("a", other, "b", named(t, "well"))), 1, cause)
	if change != nil {
		change(p)
	}
	d := &decisions{}
	e := newEngine(t, dataplane.Options{Recorder: d})
	e.Apply(simple(1, p))
	client, web := newClient(t), "http://"+address(t, e, "web")
	for range 4 {
		wantGet(t, client, web, 200, "well")
	}
	if d.count(dataplane.CauseRetry) == 0 {
		t.Error("no request met the other member")
	}
}

func TestATryHasATimeOfItsOwn(t *testing.T) {
	silent := backend(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	despite(t, silent, lb.RetryTimeout, func(p *lb.Pool) { p.Retries.PerTryTimeout = lb.Duration(100 * time.Millisecond) })
}

func TestAResetIsTriedAgainElsewhere(t *testing.T) {
	despite(t, scripted(t, func(conn io.ReadWriter, r *bufio.Reader) {
		http.ReadRequest(r)
		conn.(*net.TCPConn).SetLinger(0)
	}), lb.RetryReset, nil)
}

func TestABackupServesWhileNobodyElseCan(t *testing.T) {
	a := newFailing(t, 500)
	p := pool(members("a", a.address))
	p.Members["b"] = lb.Member{Address: named(t, "backup"), Weight: 1, Backup: true, State: lb.MemberActive}
	p.OutlierDetection = &lb.OutlierDetection{ConsecutiveFailures: 1, EjectionTime: lb.Duration(200 * time.Millisecond), MaxEjectedPercent: 100}
	d := &decisions{}
	e := newEngine(t, dataplane.Options{Recorder: d})
	e.Apply(simple(1, p))
	client, web := newClient(t), "http://"+address(t, e, "web")
	wantGet(t, client, web, 500, "") // and the member is ejected
	wantGet(t, client, web, 200, "backup")
	a.well.Store(true)
	eventually(t, "back", func() bool {
		_, body := get(t, client, web)
		return body == "well"
	})
	for _, cause := range []dataplane.Cause{dataplane.CauseEjected, dataplane.CauseReturned, dataplane.CauseBackup} {
		if d.count(cause) == 0 {
			t.Errorf("%s left no record", cause)
		}
	}
}

func TestAnEjectedMemberIsSparedAndReturns(t *testing.T) {
	a, b := newFailing(t, 502), newFailing(t, 502)
	b.well.Store(true)
	p := pool(members("a", a.address, "b", b.address))
	p.OutlierDetection = &lb.OutlierDetection{ConsecutiveFailures: 2, EjectionTime: lb.Duration(500 * time.Millisecond), MaxEjectedPercent: 50}
	e := newEngine(t, dataplane.Options{})
	e.Apply(simple(1, p))
	client, web := newClient(t), "http://"+address(t, e, "web")
	began := time.Now()
	for a.served.Load() < 2 {
		get(t, client, web)
	}
	for range 10 {
		if status, _ := get(t, client, web); status != 200 && time.Since(began) < 400*time.Millisecond {
			t.Fatalf("an ejected member served: status %d", status)
		}
	}
	a.well.Store(true)
	eventually(t, "serving again", func() bool {
		wantGet(t, client, web, 200, "well")
		return a.served.Load() > 2
	})
}

func TestAClientIsToldNothingOfTheTriesBefore(t *testing.T) {
	bad := answering(t, "HTTP/1.1 503 Service Unavailable|X-Bad: yes|Set-Cookie: a=b|Content-Length: 3||bad")
	good := answering(t, "HTTP/1.1 200 OK|Content-Length: 4||good")
	e := newEngine(t, dataplane.Options{})
	e.Apply(simple(1, retrying(pool(members("a", bad.address, "b", good.address)), 1, lb.Retry503)))
	conn := dial(t, address(t, e, "web"))
	r := bufio.NewReader(conn)
	for range 2 {
		io.WriteString(conn, wire("GET / HTTP/1.1|Host: a||"))
		if head := readHead(t, r); strings.Contains(head, "X-Bad") || strings.Contains(head, "Cookie") || !strings.HasPrefix(head, "HTTP/1.1 200 ") {
			t.Errorf("the answer is %q", head)
		}
		wantNext(t, r, "good")
	}
	if len(bad.got()) == 0 {
		t.Error("the first member was not tried")
	}
}
