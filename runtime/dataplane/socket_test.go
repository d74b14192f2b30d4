package dataplane_test

import (
	"net"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func TestABindErrorIsShownAndTriedAgain(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	l := on(portOf(taken.Addr().String()), lb.ListenerHTTP)
	e := newEngine(t, dataplane.Options{})
	e.Apply(snapshotOf(pool(members("a", named(t, "a"))), map[string]*lb.Listener{"web": l}))
	if s := e.Status().Listeners["web"]; s.Address != "" || !strings.Contains(s.Error, "in use") {
		t.Errorf("the status of a listener that can't be bound is %+v", s)
	}
	taken.Close()
	eventually(t, "bound", func() bool { return e.Status().Listeners["web"].Address != "" })
	if s := e.Status().Listeners["web"]; s.Error != "" {
		t.Errorf("a bound listener still has the error %q", s.Error)
	}
	wantGet(t, newClient(t), "http://"+l.BindAddress(), 200, "a")
}

func TestReserveRefusesATakenPort(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	e := newEngine(t, dataplane.Options{})
	if _, err := e.Reserve("web", on(portOf(taken.Addr().String()), lb.ListenerHTTP)); err == nil {
		t.Error("a taken port was reserved")
	}
}

func TestReserveHoldsThePortUntilReleased(t *testing.T) {
	l := on(portOf(unused(t)), lb.ListenerHTTP)
	e := newEngine(t, dataplane.Options{})
	release, err := e.Reserve("web", l)
	if err != nil {
		t.Fatal(err)
	}
	if ln, err := net.Listen("tcp", l.BindAddress()); err == nil {
		ln.Close()
		t.Error("a reserved port could be bound by another")
	}
	if _, err := e.Reserve("web", l); err != nil {
		t.Errorf("reserving again failed: %v", err)
	}
	release()
	release()
	ln, err := net.Listen("tcp", l.BindAddress())
	if err != nil {
		t.Fatalf("a released port can't be bound: %v", err)
	}
	ln.Close()
}

func TestApplyTakesAReservedSocketOver(t *testing.T) {
	l := on(portOf(unused(t)), lb.ListenerHTTP)
	e := newEngine(t, dataplane.Options{})
	release, err := e.Reserve("web", l)
	if err != nil {
		t.Fatal(err)
	}
	e.Apply(snapshotOf(pool(members("a", named(t, "a"))), map[string]*lb.Listener{"web": l}))
	release() // too late: must not take the socket away
	wantGet(t, newClient(t), "http://"+l.BindAddress(), 200, "a")
	if _, err := e.Reserve("web", l); err != nil {
		t.Errorf("a listener's own socket can't be reserved: %v", err)
	}
}

func TestReserveLeavesAnOverlapWithOurOwnSocketToApply(t *testing.T) {
	app := pool(members("a", named(t, "a")))
	wide := on(portOf(unused(t)), lb.ListenerHTTP)
	wide.Address = "0.0.0.0"
	narrow := on(wide.Port, lb.ListenerHTTP)
	e := newEngine(t, dataplane.Options{})
	e.Apply(snapshotOf(app, map[string]*lb.Listener{"web": wide}))
	release, err := e.Reserve("web", narrow)
	if err != nil {
		t.Fatalf("a listener that narrows its address is refused: %v", err)
	}
	defer release()
	e.Apply(snapshotOf(app, map[string]*lb.Listener{"web": narrow}))
	if got := address(t, e, "web"); got != narrow.BindAddress() {
		t.Errorf("the listener is bound to %s, want %s", got, narrow.BindAddress())
	}
	wantGet(t, newClient(t), "http://"+narrow.BindAddress(), 200, "a")
}
