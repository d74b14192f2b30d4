package control_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func TestWhatIsReferencedCanNotBeDeleted(t *testing.T) {
	log := newLog(t)
	cert, key := controltest.Certificate(t, "app.example.com")
	certificate := put(t, "certificate/app", cert, 0)
	certificate.PrivateKey = key
	applied(t, log, underOne, certificate)
	log.Create(t, "CHG-1", "pool/web", controltest.Numbered(1))
	listener := controltest.Listener(8443, "web")
	listener.Protocol, listener.Certificates = lb.ListenerHTTPS, []string{"app"}
	log.Create(t, "CHG-1", "listener/front", listener)
	for i := range 12 {
		log.Create(t, "CHG-1", fmt.Sprintf("route/r%02d", i), controltest.Route("front", fmt.Sprintf("/%d", i), "web"))
	}
	for address, referents := range map[string]int{"pool/web": 13, "listener/front": 12, "certificate/app": 1} {
		o, err := log.Delete(t.Context(), underOne, controltest.Address(t, address), exists)
		refusal := controltest.Refused(t, control.CodeReferenced, o, err)
		if len(refusal.Referents) != referents || !slices.IsSorted(refusal.Referents) || !strings.Contains(refusal.Detail, refusal.Referents[0]) {
			t.Errorf("%s: refused with %q and referents %v; want %d", address, refusal.Detail, refusal.Referents, referents)
		}
	}
	var order []string
	for i := range 12 {
		order = append(order, fmt.Sprintf("route/r%02d", i))
	}
	for _, address := range append(order, "listener/front", "pool/web", "certificate/app") {
		o, err := log.Delete(t.Context(), underOne, controltest.Address(t, address), exists)
		controltest.Accepted(t, o, err)
	}
	stateIsTheFold(t, log)
}

// TestAChangeMustSuitWhatRefersToIt turns a pool into one that its listener
// can't use.
func TestAChangeMustSuitWhatRefersToIt(t *testing.T) {
	log := newLog(t)
	log.Create(t, "CHG-1", "pool/web", controltest.Numbered(1))
	log.Create(t, "CHG-1", "listener/front", controltest.Listener(8080, "web"))
	tcp := controltest.Numbered(1)
	tcp.Protocol = lb.PoolTCP
	o, err := log.Put(t.Context(), underOne, put(t, "pool/web", tcp, -1))
	refusal := controltest.Refused(t, control.CodeReferenceUnsuited, o, err)
	if len(refusal.Violations) != 1 || refusal.Violations[0].Pointer != "/protocol" || !strings.Contains(refusal.Detail, "listener/front") {
		t.Errorf("refused with %+v", refusal)
	}
}

// TestListenersShareNoSocket holds addresses against each other as binding would.
func TestListenersShareNoSocket(t *testing.T) {
	for _, tt := range []struct {
		first, second string
		refused       bool
	}{
		{"127.0.0.1", "127.0.0.1", true},
		{"0.0.0.0", "127.0.0.1", true},
		{"127.0.0.1", "::", true},
		{"127.0.0.1", "127.0.0.2", false},
	} {
		t.Run(tt.first+" and "+tt.second, func(t *testing.T) {
			log := newLog(t)
			first, second := controltest.Listener(8080, ""), controltest.Listener(8080, "")
			first.Address, second.Address = tt.first, tt.second
			log.Create(t, "CHG-1", "listener/first", first)
			o, err := log.Put(t.Context(), underOne, put(t, "listener/second", second, 0))
			if tt.refused {
				controltest.Refused(t, control.CodeAddressInUse, o, err)
				return
			}
			controltest.Accepted(t, o, err)
		})
	}
}

// TestASocketIsGivenBackWhenTheChangeFails leaves nothing bound that no
// listener has.
func TestASocketIsGivenBackWhenTheChangeFails(t *testing.T) {
	log, store := newFaultyLog(t)
	store.onCommit(func(func() error) error { return control.ErrLogFull })
	if _, err := log.Put(t.Context(), underOne, put(t, "listener/front", controltest.Listener(8080, ""), 0)); err == nil {
		t.Fatal("the commit did not fail")
	}
	if n := log.Publisher.Reserved("front"); n != 0 {
		t.Errorf("%d sockets are still reserved", n)
	}
}
