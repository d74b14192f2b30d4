package control_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// threePools creates pool/a, pool/b and pool/c, and returns the revision before.
func threePools(t *testing.T, log *controltest.Log) int64 {
	t.Helper()
	before := size(t, log) - 1
	for i, name := range []string{"a", "b", "c"} {
		log.Create(t, "CHG-1", "pool/"+name, controltest.Numbered(i))
	}
	return before
}

// TestASetIsGatedAsAWhole: what refuses one of several changes refuses all, in one entry
// about that one.
func TestASetIsGatedAsAWhole(t *testing.T) {
	for _, tt := range []struct {
		name    string
		prepare func(t *testing.T, log *controltest.Log)
		ticket  ticket.Request
		code    string
		about   string
		says    string
	}{
		{"scope", nil, ticket.Request{Scope: ticket.Scope{Addresses: []string{"pool/a", "pool/b"}}}, ticket.CodeOutOfScope, "pool/c", "pool/c"},
		{"operation", nil, ticket.Request{Scope: ticket.Scope{Addresses: []string{"*"}, Operations: []lb.Op{lb.OpUpdate}}}, ticket.CodeOutOfScope, "pool/a", "delete"},
		{"uses", nil, ticket.Request{MaxUses: 2}, ticket.CodeUsedUp, "configuration", "permits 2 changes, and 0 were made under it; these are 3 more"},
		{"freeze", func(t *testing.T, log *controltest.Log) {
			log.Create(t, "CHG-1", "freeze/f", freeze(time.Now().Add(-time.Minute), "pool/b"))
		}, ticket.Request{}, control.CodeFrozen, "pool/b", "freeze/f"},
		{"policy", func(t *testing.T, log *controltest.Log) {
			log.Create(t, "CHG-1", "policy/p", rules(map[string]string{"r": `change.name == "c" => false`}))
		}, ticket.Request{}, control.CodePolicyDenied, "pool/c", "policy/p"},
		{"uses as policies see them", func(t *testing.T, log *controltest.Log) {
			log.Create(t, "CHG-1", "policy/p", rules(map[string]string{"r": `change.name != "p" => ticket.uses < 2`}))
		}, ticket.Request{}, control.CodePolicyDenied, "pool/c", "policy/p"},
		{"references", func(t *testing.T, log *controltest.Log) {
			log.Create(t, "CHG-1", "listener/x", controltest.Listener(8000, "b"))
		}, ticket.Request{}, control.CodeReferenced, "pool/b", "listener/x"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log := newLog(t)
			w := newTangle(t, log, 1)
			threePools(t, log)
			if tt.prepare != nil {
				tt.prepare(t, log)
			}
			id := approvedTicket(t, log, control.TicketRequest{Request: tt.ticket})
			before, entries := w.state(), size(t, log)
			var changes []control.Change
			for _, name := range []string{"pool/b", "pool/c", "pool/a"} {
				address := controltest.Address(t, name)
				changes = append(changes, control.Change{Address: address, Base: log.Config().Get(address).Last.Revision})
			}
			o, err := log.Change(t.Context(), controltest.By(id), control.Subject{Resource: "configuration", Op: "change"}, changes)
			refusal := controltest.Refused(t, tt.code, o, err)
			if o.Entry.Resource != tt.about || !strings.Contains(refusal.Detail, tt.says) {
				t.Errorf("refused for %s: %s; want it for %s, and to say %q", o.Entry.Resource, refusal.Detail, tt.about, tt.says)
			}
			if got := size(t, log); got != entries+1 {
				t.Errorf("%d entries, want the refusal alone", got-entries)
			}
			if !maps.Equal(w.state(), before) {
				t.Error("something was changed")
			}
			stateIsTheFold(t, log)
		})
	}
}

// TestASetIsHeldToTheConfigurationAsItWillBe: each of these is refused one by one, and makes
// sense as a whole.
func TestASetIsHeldToTheConfigurationAsItWillBe(t *testing.T) {
	log := newLog(t)
	log.Create(t, "CHG-1", "pool/web", controltest.Numbered(1))
	log.Create(t, "CHG-1", "listener/x", controltest.Listener(8000, "web"))
	log.Create(t, "CHG-1", "listener/y", controltest.Listener(8001, ""))
	at := func(address string) control.Change {
		c := control.Change{Address: controltest.Address(t, address)}
		if held := log.Config().Get(c.Address); held != nil {
			c.Base = held.Last.Revision
		}
		return c
	}
	with := func(address string, obj lb.Object) control.Change {
		c := at(address)
		obj.Normalize()
		c.Object = obj
		return c
	}
	do := func(changes ...control.Change) control.Outcome {
		o, err := log.Change(t.Context(), underOne, control.Subject{Resource: "configuration", Op: "change"}, changes)
		return controltest.Accepted(t, o, err)
	}
	order := func(o control.Outcome) string {
		var words []string
		for _, p := range o.Parts {
			words = append(words, p.Entry.Op+" "+p.Entry.Resource)
		}
		return strings.Join(words, ", ")
	}
	published := len(log.Publisher.Published())
	swapped := do(with("listener/x", controltest.Listener(8001, "web")), with("listener/y", controltest.Listener(8000, "")))
	if got := log.Publisher.Published(); len(got) != published+1 || got[published] != swapped.Entry.Seq {
		t.Errorf("published %v: want one configuration, at %d", got[published:], swapped.Entry.Seq)
	}
	o := do(with("route/r", controltest.Route("z", "/", "new")), with("pool/new", controltest.Numbered(2)), with("listener/z", controltest.Listener(8002, "new")))
	if got, want := order(o), "create pool/new, create listener/z, create route/r"; got != want {
		t.Errorf("in the order %s, want %s", got, want)
	}
	// A listener takes the socket of one that goes, whose route moves.
	o = do(at("pool/new"), at("listener/z"), with("route/r", controltest.Route("x", "/", "web")), with("listener/v", controltest.Listener(8002, "web")))
	if got, want := order(o), "update route/r, delete listener/z, create listener/v, delete pool/new"; got != want {
		t.Errorf("in the order %s, want %s", got, want)
	}
	tcp, tcpListener := controltest.Numbered(1), controltest.Listener(8001, "web")
	tcp.Protocol, tcpListener.Protocol = lb.PoolTCP, lb.ListenerTCP
	o, err := log.Change(t.Context(), underOne, control.Subject{Resource: "configuration", Op: "change"}, []control.Change{with("pool/web", tcp), with("listener/x", tcpListener)})
	if r := controltest.Refused(t, control.CodeReferenceUnsuited, o, err); !strings.Contains(r.Detail, "route/r") && !strings.Contains(r.Detail, "listener/v") {
		t.Errorf("refused with %s", r.Detail)
	}
	do(at("route/r"), at("listener/v"), with("pool/web", tcp), with("listener/x", tcpListener))
	stateIsTheFold(t, log)
}

func TestASetOfChangesIsBounded(t *testing.T) {
	log := newLog(t)
	var many []control.Change
	for i := range control.MaxChanges + 1 {
		many = append(many, control.Change{Address: controltest.Address(t, fmt.Sprintf("pool/p%d", i)), Object: controltest.Numbered(i)})
	}
	subject := control.Subject{Resource: "configuration", Op: "change"}
	o, err := log.Change(t.Context(), underOne, subject, many)
	controltest.Refused(t, control.CodeTooLarge, o, err)
	o, err = log.Change(t.Context(), underOne, subject, []control.Change{many[0], many[0]})
	controltest.Refused(t, control.CodeInvalid, o, err)
	var heavy []control.Change
	for i := range 10 {
		heavy = append(heavy, control.Change{Address: many[i].Address, Object: controltest.BigPool(900_000)})
	}
	o, err = log.Change(t.Context(), underOne, subject, heavy)
	controltest.Refused(t, control.CodeTooLarge, o, err)
	o, err = log.Change(t.Context(), keyed("key", "digest"), subject, many[:control.MaxChanges])
	controltest.Accepted(t, o, err)
	again, err := log.Change(t.Context(), keyed("key", "digest"), subject, nil)
	controltest.Accepted(t, again, err)
	sameAnswer(t, o, again)
	if n := len(o.Parts); n != control.MaxChanges {
		t.Errorf("%d entries", n)
	}
}

// TestASetThatCanNotBeSealedAsAWholeLeavesOneRefusal: what is too large comes last.
func TestASetThatCanNotBeSealedAsAWholeLeavesOneRefusal(t *testing.T) {
	log := newLog(t)
	w := newTangle(t, log, 1)
	log.Create(t, "CHG-1", "pool/a", controltest.Numbered(1))
	log.Create(t, "CHG-1", "pool/b", controltest.Numbered(1))
	before, entries := w.state(), size(t, log)
	var changes []control.Change
	for _, name := range []string{"pool/b", "pool/a"} {
		address := controltest.Address(t, name)
		changes = append(changes, control.Change{Address: address, Base: log.Config().Get(address).Last.Revision, Object: controltest.Numbered(2)})
	}
	changes[0].Undone = make([]int64, audit.MaxBodyBytes)
	o, err := log.Change(t.Context(), underOne, control.Subject{Resource: "configuration", Op: "change"}, changes)
	controltest.Refused(t, control.CodeTooLarge, o, err)
	if o.Entry.Resource != "pool/b" || size(t, log) != entries+1 || !maps.Equal(w.state(), before) {
		t.Errorf("refused for %s; %d entries", o.Entry.Resource, size(t, log)-entries)
	}
	stateIsTheFold(t, log)
}
