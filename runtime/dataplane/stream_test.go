package dataplane_test

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// upper is a tcp member that reads to the end of the client's half, then answers.
func upper(t *testing.T, prefix string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				b, err := io.ReadAll(conn)
				if err == nil {
					io.WriteString(conn, prefix+string(b))
				}
			}()
		}
	}()
	return ln.Addr().String()
}

func streams(p *lb.Pool) *dataplane.Snapshot {
	p.Protocol = lb.PoolTCP
	s := simple(1, p)
	s.Listeners = map[string]*lb.Listener{"web": listener(lb.ListenerTCP, "app")}
	return s
}

// converse sends, ends its half and reads the answer.
func converse(t *testing.T, conn *net.TCPConn, question string) (string, error) {
	t.Helper()
	io.WriteString(conn, question)
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	return string(answer), err
}

func TestTCPListenerKeepsHalfClosedConnectionsOpen(t *testing.T) {
	e := newEngine(t, dataplane.Options{})
	e.Apply(streams(pool(members("a", upper(t, "re: ")))))
	if got, err := converse(t, dial(t, address(t, e, "web")), "question"); got != "re: question" {
		t.Errorf("got %q, %v", got, err)
	}
	eventually(t, "without connections", func() bool {
		s := e.Status()
		return s.Listeners["web"].Connections == 0 && s.Pools["app"].Members["a"].ActiveRequests == 0
	})
}

func TestTCPConnectionsOutliveSnapshotsAndADrainedMember(t *testing.T) {
	e := newEngine(t, dataplane.Options{})
	p := pool(members("a", upper(t, "a: "), "b", upper(t, "b: ")))
	e.Apply(streams(alter(p, member("b", func(m *lb.Member) { m.State = lb.MemberDisabled }))))
	conn := dial(t, address(t, e, "web"))
	eventually(t, "connected", func() bool { return e.Status().Pools["app"].Members["a"].ActiveRequests == 1 })
	e.Apply(streams(alter(p, member("a", func(m *lb.Member) { m.State = lb.MemberDrain }))))
	if got, err := converse(t, dial(t, address(t, e, "web")), "new"); got != "b: new" {
		t.Errorf("a new connection got %q, %v; the drained member must get none", got, err)
	}
	if got, err := converse(t, conn, "old"); got != "a: old" {
		t.Errorf("the open connection got %q, %v", got, err)
	}
}

func TestSilentTCPConnectionIsClosed(t *testing.T) {
	e := newEngine(t, dataplane.Options{})
	e.Apply(streams(alter(pool(members("a", upper(t, ""))), func(p *lb.Pool) { p.Timeouts.Idle = lb.Duration(50 * time.Millisecond) })))
	conn := dial(t, address(t, e, "web"))
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("a silent connection got data")
	}
	eventually(t, "closed", func() bool { return e.Status().Listeners["web"].Connections == 0 })
}

func TestTCPClientWithoutMemberIsReset(t *testing.T) {
	for name, p := range map[string]*lb.Pool{"no member": pool(nil), "nobody listens": pool(members("a", unused(t)))} {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t, dataplane.Options{})
			e.Apply(streams(p))
			conn, err := net.Dial("tcp", address(t, e, "web"))
			if err != nil {
				return // reset before the dial was done with it
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(patience))
			if _, err := io.ReadAll(conn); !errors.Is(err, syscall.ECONNRESET) {
				t.Error("a connection that nobody serves ended with", err)
			}
		})
	}
}

func TestRemovedTCPListenerLetsConnectionsFinish(t *testing.T) {
	e := newEngine(t, dataplane.Options{})
	e.Apply(streams(pool(members("a", upper(t, "re: ")))))
	conn := dial(t, address(t, e, "web"))
	eventually(t, "connected", func() bool { return e.Status().Pools["app"].Members["a"].ActiveRequests == 1 })
	e.Apply(&dataplane.Snapshot{Revision: 2})
	if got, err := converse(t, conn, "late"); got != "re: late" {
		t.Errorf("the open connection got %q, %v", got, err)
	}
}

func TestAChangedProtocolKeepsTheSocket(t *testing.T) {
	e := newEngine(t, dataplane.Options{})
	l := on(portOf(unused(t)), lb.ListenerHTTP)
	e.Apply(snapshotOf(pool(members("a", named(t, "http"))), map[string]*lb.Listener{"web": l}))
	client := newClient(t)
	wantGet(t, client, "http://"+l.BindAddress(), 200, "http")
	s := streams(pool(members("a", upper(t, "tcp: "))))
	s.Listeners["web"].Port = l.Port
	e.Apply(s)
	if got, err := converse(t, dial(t, l.BindAddress()), "x"); got != "tcp: x" {
		t.Errorf("got %q, %v", got, err)
	}
}
