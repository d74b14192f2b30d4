//go:build linux

package dataplane_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// drainBody is what members answer.
var drainBody = soakContent{3, 200_000}

// drainMember holds requests to .../early before it answers, and those to .../late in
// the middle of the answer, until it is told to proceed.
type drainMember struct {
	*soakMember
	arrived chan struct{} // one for each request that is held
	proceed func()
}

func newDrainMember(t *testing.T, ip string) *drainMember {
	released := make(chan struct{})
	d := &drainMember{arrived: make(chan struct{}, 1000), proceed: sync.OnceFunc(func() { close(released) })}
	hold := func() {
		d.arrived <- struct{}{}
		<-released
	}
	d.soakMember = newSoakMember(t, ip, func(l net.Listener, m *soakMember) {
		soakServe(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			sent := int64(0)
			switch {
			case r.Header.Get("Upgrade") != "":
				m.upgrade(w)
				return
			case strings.HasSuffix(r.URL.Path, "/early"):
				hold()
			}
			w.Header().Set("Content-Length", fmt.Sprint(drainBody.size))
			if strings.HasSuffix(r.URL.Path, "/late") {
				sent = drainBody.size / 2
				_ = drainBody.sendPart(w, 0, sent)
				http.NewResponseController(w).Flush()
				hold()
			}
			_ = drainBody.sendPart(w, sent, drainBody.size-sent)
		}))
	}, nil)
	t.Cleanup(d.proceed)
	return d
}

// drained is an engine that has something under way in every way there is.
type drained struct {
	*dataplane.Engine
	snapshot *dataplane.Snapshot
	member   *drainMember
	echo     *soakMember
	web      string
	// plain and secure are connections over HTTP/1.1 with a request that is held; the
	// first half of each before it is answered.
	plain, secure []*soakConn
	// streams are WebSockets and TCP connections.
	streams []*soakConn
	// idle has had its answer, silent has asked for nothing.
	idle, silent *soakConn
	http2        *http2.ClientConn
	// answers are of requests over HTTP/2, nil for one that is whole.
	answers chan error
}

const drainEach = 10 // connections of a kind, and streams over HTTP/2

func newDrained(t *testing.T, options dataplane.Options) *drained {
	d := &drained{
		Engine: newEngine(t, options), member: newDrainMember(t, "127.0.6.1"),
		echo: newSoakMember(t, "127.0.6.2", soakServeEcho, nil), answers: make(chan error, drainEach),
	}
	secure := listener(lb.ListenerHTTPS, "app")
	secure.Certificates = []string{"app"}
	d.snapshot = simple(1, pool(members("a", d.member.address)))
	d.snapshot.Pools["multiplexed"] = alter(d.snapshot.Pools["app"], func(p *lb.Pool) { p.HTTPVersion = lb.HTTP2 })
	d.snapshot.Pools["streams"] = alter(pool(members("a", d.echo.address)), func(p *lb.Pool) { p.Protocol = lb.PoolTCP })
	d.snapshot.Listeners = map[string]*lb.Listener{"web": listener(lb.ListenerHTTP, "app"), "tls": secure, "tcp": listener(lb.ListenerTCP, "streams")}
	d.snapshot.Routes = map[string]*lb.Route{"multiplexed": soakRoute("web", "/multiplexed", "multiplexed")}
	d.snapshot.Certificates = map[string]*tls.Certificate{"app": certificate(t, "app", "app.test")}
	d.Apply(d.snapshot)
	d.web = address(t, d.Engine, "web")
	d.begin(t)
	return d
}

// begin has everything begin.
func (d *drained) begin(t *testing.T) {
	t.Helper()
	over, config := address(t, d.Engine, "tls"), &tls.Config{ServerName: "app.test", InsecureSkipVerify: true}
	for i := range drainEach {
		path := []string{"/early", "/multiplexed/early", "/late", "/multiplexed/late"}[4*i/drainEach]
		d.plain = append(d.plain, drainAsk(t, d.web, nil, path))
		d.secure = append(d.secure, drainAsk(t, over, config, strings.TrimPrefix(path, "/multiplexed")))
		ws, err := soakDial(d.web, nil)
		if err == nil {
			err = ws.upgrade(d.web, "ws")
		}
		tcp, err2 := soakDial(address(t, d.Engine, "tcp"), nil)
		if err = errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		d.streams = append(d.streams, ws, tcp)
	}
	d.idle = drainAsk(t, d.web, nil, "/")
	if _, err := drainAnswer(d.idle); err != nil {
		t.Fatal(err)
	}
	h2, conn, err := soakDialHTTP2(over, config)
	if err != nil {
		t.Fatal(err)
	}
	if d.silent, err = soakDial(d.web, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.silent.Close() })
	t.Cleanup(func() { conn.Close() })
	d.http2 = h2
	for i := range drainEach {
		go func() {
			r, _ := http.NewRequestWithContext(t.Context(), "GET", "https://"+over+[]string{"/early", "/late"}[i%2], nil)
			resp, err := h2.RoundTrip(r)
			if err == nil {
				err = drainBody.check(resp.Body)
				resp.Body.Close()
			}
			d.answers <- err
		}()
	}
	for range 3 * drainEach {
		<-d.member.arrived
	}
	for _, c := range d.streams {
		t.Cleanup(func() { c.Close() })
		if err := drainEcho(c); err != nil {
			t.Fatal(err)
		}
	}
}

// drainAsk sends a request on a new connection.
func drainAsk(t *testing.T, address string, config *tls.Config, path string) *soakConn {
	t.Helper()
	c, err := soakDial(address, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(3 * patience))
	if _, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: app.test\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	return c
}

// drainAnswer reads an answer, and reports whether it says that the connection closes.
func drainAnswer(c *soakConn) (closes bool, err error) {
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return false, err
	}
	if resp.StatusCode != 200 {
		return false, soakRefused{status: resp.StatusCode}
	}
	return resp.Close, drainBody.check(resp.Body)
}

// drainEcho has one message echoed.
func drainEcho(c *soakConn) error {
	c.SetDeadline(time.Now().Add(3 * patience))
	message := soakContent{5, 1000}
	if err := message.send(c.Conn); err != nil {
		return err
	}
	return message.checkPart(c.r, 0, message.size)
}

// finish checks that all that is held comes to its end, and that the streams go on.
func (d *drained) finish(t *testing.T, closing bool) {
	t.Helper()
	for i, c := range d.streams {
		if err := drainEcho(c); err != nil {
			t.Errorf("stream %d: %v", i, err)
		}
		c.Close()
	}
	d.member.proceed()
	for i := range drainEach {
		for name, c := range map[string]*soakConn{"plain": d.plain[i], "secure": d.secure[i]} {
			closes, err := drainAnswer(c)
			if err != nil {
				t.Errorf("%s request %d: %v", name, i, err)
			}
			if early := i < drainEach/2; closes != (closing && early) {
				t.Errorf("%s request %d, held before its answer: %t; says that the connection closes: %t", name, i, early, closes)
			}
			if closing {
				if _, err := c.r.ReadByte(); err != io.EOF {
					t.Errorf("%s connection %d ended with %v, want its end", name, i, err)
				}
			}
		}
		if err := <-d.answers; err != nil {
			t.Errorf("a request over HTTP/2: %v", err)
		}
	}
}

func TestWhatIsUnderWayOnRemovedListenersFinishes(t *testing.T) {
	d := newDrained(t, dataplane.Options{DrainTimeout: 3 * patience})
	next := *d.snapshot
	next.Revision, next.Listeners, next.Routes = 2, nil, nil
	d.Apply(&next)
	if c, err := net.Dial("tcp", d.web); err == nil {
		c.Close()
		t.Error("a removed listener still accepts connections")
	}
	for name, c := range map[string]*soakConn{"idle": d.idle, "silent": d.silent} {
		c.SetDeadline(time.Now().Add(lb.DefaultRequestHeaderTimeout.Std() / 2))
		if _, err := c.r.ReadByte(); err != io.EOF {
			t.Errorf("a connection that is %s ended with %v, want its end", name, err)
		}
	}
	// The client has been told (GOAWAY, RFC 9113 §6.8) while its streams are still open.
	eventually(t, "told to leave over HTTP/2", func() bool { return !d.http2.CanTakeNewRequest() })
	d.finish(t, true)
	eventually(t, "closed over HTTP/2", func() bool { return d.http2.State().Closed })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := d.Shutdown(ctx); err != nil {
		t.Errorf("something was cut off: %v", err)
	}
}

func TestWhatOutlastsTheDeadlineOfRemovedListenersIsCutOff(t *testing.T) {
	const deadline = 500 * time.Millisecond
	d := newDrained(t, dataplane.Options{DrainTimeout: deadline})
	next := *d.snapshot
	next.Revision, next.Listeners, next.Routes = 2, nil, nil
	began := time.Now()
	d.Apply(&next)
	var ended sync.WaitGroup
	for _, c := range append(append(d.streams, d.plain...), d.secure...) {
		ended.Go(func() {
			n, err := io.Copy(io.Discard, c.r)
			if took := time.Since(began); took < deadline {
				t.Errorf("a connection was cut off after %s, before its time", took)
			}
			if scaleIsTimeout(err) || n >= drainBody.size {
				t.Errorf("a connection that outlasts the deadline got %d bytes, %v; want its end", n, err)
			}
		})
	}
	for range drainEach {
		if err := <-d.answers; err == nil {
			t.Error("a request over HTTP/2 that outlasts the deadline was answered")
		}
	}
	ended.Wait()
	if took := time.Since(began); took > deadline+patience {
		t.Errorf("the last connection was cut off after %s, the deadline is %s", took, deadline)
	}
}

func TestARemovedMemberFinishesWhatItHas(t *testing.T) {
	d := newDrained(t, dataplane.Options{})
	heir := newDrainMember(t, "127.0.6.3")
	heirEcho := newSoakMember(t, "127.0.6.4", soakServeEcho, nil)
	next := *d.snapshot
	next.Revision, next.Pools = 2, map[string]*lb.Pool{}
	for name, p := range d.snapshot.Pools {
		to := heir.address
		if name == "streams" {
			to = heirEcho.address
		}
		next.Pools[name] = alter(p, func(p *lb.Pool) { p.Members = members("b", to) })
	}
	d.Apply(&next)
	for range 2 * drainEach {
		c := drainAsk(t, d.web, nil, "/")
		if _, err := drainAnswer(c); err != nil {
			t.Fatalf("a new request: %v", err)
		}
		c.Close()
	}
	if heir.open() == 0 {
		t.Error("new requests did not go to the new member")
	}
	d.finish(t, false)
	eventually(t, "without connections to removed members", func() bool { return d.member.open()+d.echo.open() == 0 })
}
