// Package controltest makes logs for tests: a controller over any store, with
// people who call it, tickets that admit their changes, and objects to change.
package controltest

import (
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// Origin names the logs that tests make.
const Origin = "test.example/log"

// Who calls.
var (
	Olivia = identity.Actor{Name: "olivia", Credential: "token/0b5e9c3f7a12", Role: identity.Operator}
	Oscar  = identity.Actor{Name: "oscar", Credential: "token/5d2f8e6b1c90", Role: identity.Operator}
	Anton  = identity.Actor{Name: "anton", Credential: "token/a71c40d9e8f3", Role: identity.Approver}
)

// Log is an open log with what watches over it.
type Log struct {
	*control.Controller
	Store     control.Store
	Signer    *audit.Signer
	Publisher *Publisher
	Commits   *Commits
}

// signer is the same in one process, so that a log can be opened again.
var signer = sync.OnceValues(func() (*audit.Signer, error) {
	skey, vkey, err := audit.GenerateKey(Origin)
	if err != nil {
		return nil, err
	}
	return audit.NewSigner(skey, vkey)
})

// Signer signs the logs of this process's tests.
func Signer(t testing.TB) *audit.Signer {
	t.Helper()
	s, err := signer()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TryOpen opens a log over opts.Store. What else opts leaves out is made up.
// Store and controller are the caller's to close.
func TryOpen(t testing.TB, opts control.Options) (*Log, error) {
	t.Helper()
	return TryOpenAs(t, Signer(t), opts)
}

// TryOpenAs is TryOpen with a key of the caller's.
func TryOpenAs(t testing.TB, signer *audit.Signer, opts control.Options) (*Log, error) {
	t.Helper()
	l := &Log{Store: opts.Store, Signer: signer, Publisher: &Publisher{store: opts.Store}, Commits: &Commits{}}
	opts.Signer, opts.Committed = l.Signer, l.Commits.note
	if opts.Publisher == nil {
		opts.Publisher = l.Publisher
	}
	if opts.Sealer == nil {
		opts.Sealer = mirror{}
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	var err error
	if l.Controller, err = control.Open(t.Context(), opts); err != nil {
		return nil, err
	}
	return l, nil
}

// Open opens a log that closes with the test, before its store.
func Open(t testing.TB, opts control.Options) *Log {
	t.Helper()
	l, err := TryOpen(t, opts)
	if err != nil {
		t.Fatalf("open log: %v", err)
	}
	t.Cleanup(l.Close)
	return l
}

// By is a call by olivia under a ticket.
func By(ticketID string) control.Call { return control.Call{Actor: Olivia, Ticket: ticketID} }

// Ticket opens a ticket of olivia's, has anton approve it, and returns its id.
// Without addresses it admits every change.
func (l *Log) Ticket(t testing.TB, id string, addresses ...string) string {
	t.Helper()
	if len(addresses) == 0 {
		addresses = []string{"*"}
	}
	o, err := l.OpenTicket(t.Context(), control.Call{Actor: Olivia}, control.TicketRequest{Request: ticket.Request{
		ID: id, Title: "a change", Reason: "a test needs it", Scope: ticket.Scope{Addresses: addresses},
	}})
	Accepted(t, o, err)
	o, err = l.ActOnTicket(t.Context(), control.Call{Actor: Anton}, id, control.TicketAct{Action: ticket.Approve, Comment: "fine"})
	Accepted(t, o, err)
	return id
}

// Create creates an object under a ticket.
func (l *Log) Create(t testing.TB, ticketID, address string, obj lb.Object) control.Outcome {
	t.Helper()
	o, err := l.Put(t.Context(), By(ticketID), PutOf(t, address, obj, control.Precondition{Absent: true}))
	return Accepted(t, o, err)
}

// Update changes an object under a ticket.
func (l *Log) Update(t testing.TB, ticketID, address string, obj lb.Object) control.Outcome {
	t.Helper()
	o, err := l.Put(t.Context(), By(ticketID), PutOf(t, address, obj, control.Precondition{Exists: true}))
	return Accepted(t, o, err)
}

// PutOf is a put of an object, which it normalizes.
func PutOf(t testing.TB, address string, obj lb.Object, pre control.Precondition) control.Put {
	t.Helper()
	obj.Normalize()
	return control.Put{Address: Address(t, address), Object: obj, Precondition: pre}
}

// Address reads an address.
func Address(t testing.TB, s string) lb.Address {
	t.Helper()
	a, err := lb.ParseAddress(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Accepted fails the test unless the call was accepted.
func Accepted(t testing.TB, o control.Outcome, err error) control.Outcome {
	t.Helper()
	if err != nil {
		t.Fatalf("call failed: %v", err)
	}
	if r := o.Refusal(); r != nil {
		t.Fatalf("refused: %s: %s", r.Code, r.Detail)
	}
	return o
}

// Refused fails the test unless the call was refused with a code.
func Refused(t testing.TB, code string, o control.Outcome, err error) *audit.Refusal {
	t.Helper()
	if err != nil {
		t.Fatalf("call failed: %v; want it refused with %s", err, code)
	}
	r := o.Refusal()
	if r == nil {
		t.Fatalf("accepted as entry %d; want it refused with %s", o.Entry.Seq, code)
	}
	if r.Code != code {
		t.Fatalf("refused with %s (%s); want %s", r.Code, r.Detail, code)
	}
	return r
}

// Entries returns every entry of the log, oldest first.
func (l *Log) Entries(t testing.TB) []audit.Entry {
	t.Helper()
	rows, err := l.Store.Rows(t.Context(), 0, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	entries := make([]audit.Entry, len(rows))
	for i, row := range rows {
		if entries[i], err = audit.ParseLeaf(row.Leaf); err != nil {
			t.Fatalf("entry %d: %v", row.Seq, err)
		}
	}
	return entries
}

// Verified fails the test unless the whole log verifies.
func Verified(t testing.TB, src audit.Source) audit.Report {
	t.Helper()
	report, err := audit.Verify(t.Context(), src, Signer(t).Verifier(), nil)
	if err != nil {
		t.Fatalf("the log could not be read: %v", err)
	}
	if !report.OK() {
		t.Fatalf("the log does not verify: %v", report.Findings)
	}
	return report
}

// Commits counts commits and the entries in them.
type Commits struct {
	mu               sync.Mutex // guards what follows
	commits, entries int
}

func (c *Commits) note(entries int, _ time.Duration, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.commits++
		c.entries += entries
	}
}

// Counts returns the commits so far and the entries in them.
func (c *Commits) Counts() (commits, entries int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.commits, c.entries
}

// mirror is a sealer for tests that don't look at sealing: it turns a secret
// around.
type mirror struct{}

func (mirror) Seal(plain []byte) ([]byte, error) {
	sealed := slices.Clone(plain)
	slices.Reverse(sealed)
	return sealed, nil
}

func (m mirror) Open(sealed []byte) ([]byte, error) { return m.Seal(sealed) }
