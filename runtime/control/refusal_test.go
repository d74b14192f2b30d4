package control_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// refusals are calls that must be refused, on the log of newRefusalLog.
var refusals = []struct {
	name, code string
	resource   string
	op         string
	call       func(t *testing.T, log *controltest.Log) (control.Outcome, error)
	ticket     string
}{
	{"no ticket", ticket.CodeRequired, "pool/new", "create", create("", "pool/new"), ""},
	{"ticket that does not exist", ticket.CodeUnknown, "pool/new", "create", create("CHG-404", "pool/new"), "CHG-404"},
	{"ticket with an impossible id", ticket.CodeUnknown, "pool/new", "create", create("no such thing", "pool/new"), "no such thing"},
	{"ticket that waits for approval", ticket.CodeUnapproved, "pool/new", "create", create("CHG-PENDING", "pool/new"), "CHG-PENDING"},
	{"rejected ticket", ticket.CodeRejected, "pool/new", "create", create("CHG-REJECTED", "pool/new"), "CHG-REJECTED"},
	{"cancelled ticket", ticket.CodeRejected, "pool/new", "create", create("CHG-CANCELLED", "pool/new"), "CHG-CANCELLED"},
	{"closed ticket", ticket.CodeClosed, "pool/new", "create", create("CHG-CLOSED", "pool/new"), "CHG-CLOSED"},
	{"expired ticket", ticket.CodeExpired, "pool/new", "create", create("CHG-EXPIRED", "pool/new"), "CHG-EXPIRED"},
	{"ticket before its window", ticket.CodeNotYet, "pool/new", "create", create("CHG-LATER", "pool/new"), "CHG-LATER"},
	{"object out of scope", ticket.CodeOutOfScope, "pool/new", "create", create("CHG-NARROW", "pool/new"), "CHG-NARROW"},
	{"operation out of scope", ticket.CodeOutOfScope, "pool/narrow", "create", create("CHG-NARROW", "pool/narrow"), "CHG-NARROW"},
	{"deletion without a ticket", ticket.CodeRequired, "pool/web", "delete", remove("", "pool/web", exists), ""},
	{"unregistered run", control.CodeRunUnknown, "pool/new", "create", func(t *testing.T, log *controltest.Log) (control.Outcome, error) {
		call := underOne
		call.Run = "run-404"
		return log.Put(t.Context(), call, put(t, "pool/new", controltest.Numbered(1), 0))
	}, "CHG-1"},

	{"invalid object", control.CodeInvalid, "pool/new", "create", creation("pool/new", &lb.Pool{}), "CHG-1"},
	{"reference to nothing", control.CodeReferenceMissing, "listener/new", "create", creation("listener/new", controltest.Listener(9000, "nowhere")), "CHG-1"},
	{"reference to a pool of another protocol", control.CodeReferenceUnsuited, "listener/new", "create", creation("listener/new", controltest.Listener(9000, "raw")), "CHG-1"},
	{"two listeners on one port", control.CodeAddressInUse, "listener/new", "create", creation("listener/new", controltest.Listener(8080, "web")), "CHG-1"},
	{"socket that can't be bound", control.CodeAddressUnavailable, "listener/taken", "create", creation("listener/taken", controltest.Listener(9000, "web")), "CHG-1"},
	{"deletion of what is referenced", control.CodeReferenced, "pool/web", "delete", remove("CHG-1", "pool/web", exists), "CHG-1"},
	{"deletion of nothing", control.CodeNotFound, "pool/nothing", "delete", remove("CHG-1", "pool/nothing", control.Precondition{}), "CHG-1"},
	{"creation of what exists", control.CodePreconditionFailed, "pool/web", "create", creation("pool/web", controltest.Numbered(5)), "CHG-1"},
	{"update of what does not exist", control.CodePreconditionFailed, "pool/nothing", "update", update("pool/nothing", -1), "CHG-1"},
	{"update of another revision", control.CodePreconditionFailed, "pool/web", "update", update("pool/web", 1), "CHG-1"},
	{"deletion of another revision", control.CodePreconditionFailed, "pool/web", "delete", remove("CHG-1", "pool/web", control.Precondition{Revision: 1}), "CHG-1"},
	{"put that does not say it creates", control.CodePreconditionFailed, "pool/nothing", "update", func(t *testing.T, log *controltest.Log) (control.Outcome, error) {
		return log.Put(t.Context(), underOne, controltest.PutOf(t, "pool/nothing", controltest.Numbered(1), control.Precondition{}))
	}, "CHG-1"},

	{"second ticket of a name", control.CodeTicketExists, "ticket/CHG-1", "open", open("CHG-1", "again"), ""},
	{"ticket without a reason", control.CodeInvalid, "ticket/CHG-2", "open", open("CHG-2", "..."), ""},
	{"approval of one's own ticket", ticket.CodeSelfApproval, "ticket/CHG-PENDING", "approve", act("CHG-PENDING", ticket.Approve), ""},
	{"action that the state does not allow", ticket.CodeWrongState, "ticket/CHG-CLOSED", "reject", act("CHG-CLOSED", ticket.Reject), ""},
	{"action on a ticket that does not exist", control.CodeNotFound, "ticket/CHG-404", "reject", act("CHG-404", ticket.Reject), ""},
	{"other claims for another's run", control.CodePreconditionFailed, "run/oscars", "register", register("oscars", map[string]string{"system": "mine"}), ""},
	{"run with an impossible id", control.CodeInvalid, "run/a b", "register", register("a b", map[string]string{}), ""},
	{"names of the resources of another's run", control.CodePreconditionFailed, "addresses/oscars", "attach", attach("oscars"), ""},
	{"names of the resources of no run", control.CodeRunUnknown, "addresses/run-404", "attach", attach("run-404"), ""},
	{"run that claims too much", control.CodeInvalid, "run/big", "register", register("big", map[string]string{"x": strings.Repeat("x", 9000)}), ""},
	{"token for an impossible actor", control.CodeInvalid, "", "create", func(t *testing.T, log *controltest.Log) (control.Outcome, error) {
		o, text, err := log.CreateToken(t.Context(), control.Call{Actor: controltest.Olivia}, control.TokenRequest{Actor: "system/log", Role: identity.Role("king")})
		if text != "" {
			t.Error("a refused token was given out")
		}
		return o, err
	}, ""},
	{"token that does not exist", control.CodeNotFound, "token/404", "revoke", func(t *testing.T, log *controltest.Log) (control.Outcome, error) {
		return log.RevokeToken(t.Context(), control.Call{Actor: controltest.Olivia}, "404")
	}, ""},
	{"refusal decided elsewhere", "role_insufficient", "pool/web", "update", func(t *testing.T, log *controltest.Log) (control.Outcome, error) {
		return log.Refuse(t.Context(), control.Call{Actor: controltest.Olivia}, control.Subject{Resource: "pool/web", Op: "update"},
			audit.Refusal{Code: "role_insufficient", Detail: "olivia may not"}, nil)
	}, ""},
	{"plan of an invalid object", control.CodeInvalid, "pool/new", "create", plan("pool/new", &lb.Pool{}), "CHG-1"},
	{"plan of a second listener on one port", control.CodeAddressInUse, "listener/new", "create", plan("listener/new", controltest.Listener(8080, "web")), "CHG-1"},
	{"body too large to keep", control.CodeTooLarge, "pool/huge", "create", func(t *testing.T, log *controltest.Log) (control.Outcome, error) {
		huge := jsontext.Value(`"` + strings.Repeat("x", audit.MaxBodyBytes) + `"`)
		return log.Record(t.Context(), underOne, control.Subject{Resource: "pool/huge", Op: "create"}, audit.Body{After: huge})
	}, "CHG-1"},
}

// TestEveryRefusalIsRecorded holds every reason to refuse to the same: nothing
// changes, and one entry says who tried what under which ticket and why not.
func TestEveryRefusalIsRecorded(t *testing.T) {
	log := newRefusalLog(t)
	for _, tt := range refusals {
		t.Run(tt.name, func(t *testing.T) {
			entries, revision, published := size(t, log), log.Config().Revision(), len(log.Publisher.Published())
			o, err := tt.call(t, log)
			refusal := controltest.Refused(t, tt.code, o, err)

			if got := size(t, log); got != entries+1 {
				t.Fatalf("%d entries were written, want 1", got-entries)
			}
			e, body := newest(t, log)
			if e.Type != audit.TypeReject || e.Outcome != audit.OutcomeRefused || e.Code != tt.code || e.Op != tt.op || e.Ticket != tt.ticket {
				t.Errorf("entry %+v; want a reject of %s with %s under %q", e, tt.op, tt.code, tt.ticket)
			}
			if tt.resource != "" && e.Resource != tt.resource {
				t.Errorf("entry is about %s, want %s", e.Resource, tt.resource)
			}
			if e.Actor.Name != "olivia" || e.Actor.Credential != controltest.Olivia.Credential || e.Actor.Role != string(identity.Operator) {
				t.Errorf("entry names %+v as who tried, want olivia", e.Actor)
			}
			if body.Refusal == nil || body.Refusal.Detail != refusal.Detail || len(refusal.Detail) < 10 {
				t.Errorf("entry says %+v, the answer %q", body.Refusal, refusal.Detail)
			}
			if log.Config().Revision() != revision || len(log.Publisher.Published()) != published {
				t.Error("a refused call reached the configuration")
			}
			if n := log.Publisher.Reserved("new"); n != 0 {
				t.Errorf("%d sockets are still reserved", n)
			}
		})
	}
	stateIsTheFold(t, log)
}

// TestWhatIsRefusedAtLengthIsRecordedInBrief sends input that would make the
// refusal itself larger than an entry may be.
func TestWhatIsRefusedAtLengthIsRecordedInBrief(t *testing.T) {
	log := newLog(t)
	many := controltest.Pool()
	for i := range 40_000 {
		many.Members[fmt.Sprintf("Member %d", i)] = lb.Member{}
	}
	long := controltest.Pool("127.0.0.1:8080")
	long.Protocol = lb.PoolProtocol(strings.Repeat(`"`, 1<<20))
	for name, obj := range map[string]lb.Object{"many violations": many, "one long violation": long} {
		t.Run(name, func(t *testing.T) {
			entries := size(t, log)
			o, err := log.Put(t.Context(), underOne, put(t, "pool/new", obj, 0))
			refusal := controltest.Refused(t, control.CodeInvalid, o, err)
			if size(t, log) != entries+1 {
				t.Error("the refusal is not recorded")
			}
			if len(refusal.Detail) > 32<<10 || len(refusal.Violations) > lb.MaxViolations {
				t.Errorf("the refusal has %d bytes and %d violations", len(refusal.Detail), len(refusal.Violations))
			}
		})
	}
}

// newRefusalLog is a log with everything that a refusal needs to be refused.
func newRefusalLog(t *testing.T) *controltest.Log {
	t.Helper()
	now := newClock()
	log := controltest.Open(t, control.Options{Store: openStore(t, t.TempDir()), Now: now.Now})
	log.Ticket(t, "CHG-EXPIRED")
	now.Advance(ticket.DefaultWindow)
	log.Ticket(t, "CHG-1")
	for _, id := range []string{"CHG-REJECTED", "CHG-CANCELLED", "CHG-CLOSED"} {
		log.Ticket(t, id)
	}
	open := func(r ticket.Request) {
		r.Title, r.Reason = "a change", "a test needs it"
		o, err := log.OpenTicket(t.Context(), control.Call{Actor: controltest.Olivia}, control.TicketRequest{Request: r})
		controltest.Accepted(t, o, err)
	}
	open(ticket.Request{ID: "CHG-PENDING", Scope: ticket.Scope{Addresses: []string{"*"}}})
	open(ticket.Request{ID: "CHG-LATER", Scope: ticket.Scope{Addresses: []string{"*"}}, NotBefore: now.Now().Add(time.Hour)})
	open(ticket.Request{ID: "CHG-NARROW", Scope: ticket.Scope{Addresses: []string{"pool/narrow"}, Operations: []lb.Op{lb.OpUpdate}}})
	for id, action := range map[string]ticket.Action{
		"CHG-REJECTED": ticket.Reject, "CHG-CANCELLED": ticket.Cancel, "CHG-CLOSED": ticket.Close,
		"CHG-LATER": ticket.Approve, "CHG-NARROW": ticket.Approve,
	} {
		o, err := log.ActOnTicket(t.Context(), control.Call{Actor: controltest.Anton}, id, control.TicketAct{Action: action})
		controltest.Accepted(t, o, err)
	}
	o, err := log.RegisterRun(t.Context(), control.Call{Actor: controltest.Oscar}, "oscars", map[string]string{})
	controltest.Accepted(t, o, err)

	log.Create(t, "CHG-1", "pool/web", controltest.Numbered(1))
	raw := controltest.Numbered(1)
	raw.Protocol = lb.PoolTCP
	log.Create(t, "CHG-1", "pool/raw", raw)
	log.Create(t, "CHG-1", "listener/front", controltest.Listener(8080, "web"))
	log.Publisher.Unbindable("taken", "permission denied")
	return log
}

func create(ticketID, address string) func(*testing.T, *controltest.Log) (control.Outcome, error) {
	return func(t *testing.T, log *controltest.Log) (control.Outcome, error) {
		return log.Put(t.Context(), controltest.By(ticketID), put(t, address, controltest.Numbered(1), 0))
	}
}

func creation(address string, obj lb.Object) func(*testing.T, *controltest.Log) (control.Outcome, error) {
	return func(t *testing.T, log *controltest.Log) (control.Outcome, error) {
		return log.Put(t.Context(), underOne, put(t, address, obj, 0))
	}
}

func update(address string, revision int64) func(*testing.T, *controltest.Log) (control.Outcome, error) {
	return func(t *testing.T, log *controltest.Log) (control.Outcome, error) {
		return log.Put(t.Context(), underOne, put(t, address, controltest.Numbered(7), revision))
	}
}

func remove(ticketID, address string, pre control.Precondition) func(*testing.T, *controltest.Log) (control.Outcome, error) {
	return func(t *testing.T, log *controltest.Log) (control.Outcome, error) {
		return log.Delete(t.Context(), controltest.By(ticketID), controltest.Address(t, address), pre)
	}
}

func open(id, reason string) func(*testing.T, *controltest.Log) (control.Outcome, error) {
	return func(t *testing.T, log *controltest.Log) (control.Outcome, error) {
		return log.OpenTicket(t.Context(), control.Call{Actor: controltest.Olivia}, control.TicketRequest{Request: ticket.Request{
			ID: id, Title: "a change", Reason: reason, Scope: ticket.Scope{Addresses: []string{"*"}},
		}})
	}
}

func act(id string, action ticket.Action) func(*testing.T, *controltest.Log) (control.Outcome, error) {
	return func(t *testing.T, log *controltest.Log) (control.Outcome, error) {
		return log.ActOnTicket(t.Context(), control.Call{Actor: controltest.Olivia}, id, control.TicketAct{Action: action})
	}
}

func register(id string, claims any) func(*testing.T, *controltest.Log) (control.Outcome, error) {
	return func(t *testing.T, log *controltest.Log) (control.Outcome, error) {
		return log.RegisterRun(t.Context(), control.Call{Actor: controltest.Olivia}, id, claims)
	}
}

func attach(id string) func(*testing.T, *controltest.Log) (control.Outcome, error) {
	return func(t *testing.T, log *controltest.Log) (control.Outcome, error) {
		return log.AttachAddresses(t.Context(), control.Call{Actor: controltest.Olivia}, id, map[string]string{"pool/web": "auditlb_pool.web"})
	}
}

func plan(address string, obj lb.Object) func(*testing.T, *controltest.Log) (control.Outcome, error) {
	return func(t *testing.T, log *controltest.Log) (control.Outcome, error) {
		return log.Plan(context.Background(), underOne, control.Plan{Address: controltest.Address(t, address), Op: lb.OpCreate, Object: obj})
	}
}
