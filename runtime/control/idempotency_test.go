package control_test

import (
	"bytes"
	"context"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// keyed is a call under an idempotency key.
func keyed(key, digest string) control.Call {
	call := underOne
	call.Key, call.Digest = key, digest
	return call
}

// sameAnswer fails the test unless two outcomes are one answer.
func sameAnswer(t *testing.T, first, again control.Outcome) {
	t.Helper()
	a, err := json.Marshal(first, json.Deterministic(true))
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(again, json.Deterministic(true))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Errorf("the retry was answered %s\nfirst it was %s", b, a)
	}
}

// TestARetryGetsTheFirstAnswer sends every kind of call twice under one key, and
// once more after a restart.
func TestARetryGetsTheFirstAnswer(t *testing.T) {
	calls := map[string]func(log *controltest.Log, call control.Call) (control.Outcome, error){
		"change": func(log *controltest.Log, call control.Call) (control.Outcome, error) {
			return log.Put(context.Background(), call, put(t, "pool/new", controltest.Numbered(1), 0))
		},
		"refusal": func(log *controltest.Log, call control.Call) (control.Outcome, error) {
			return log.Put(context.Background(), call, put(t, "pool/nothing", controltest.Numbered(1), 99))
		},
		"deletion": func(log *controltest.Log, call control.Call) (control.Outcome, error) {
			return log.Delete(context.Background(), call, controltest.Address(t, "pool/old"), exists)
		},
		"plan": func(log *controltest.Log, call control.Call) (control.Outcome, error) {
			return log.Plan(context.Background(), call, control.Plan{Address: controltest.Address(t, "pool/planned"), Op: "create", Object: controltest.Numbered(1)})
		},
		"ticket without an id": func(log *controltest.Log, call control.Call) (control.Outcome, error) {
			return log.OpenTicket(context.Background(), call, control.TicketRequest{Request: ticket.Request{Title: "a change", Reason: "a test", Scope: ticket.Scope{Addresses: []string{"*"}}}})
		},
		"token": func(log *controltest.Log, call control.Call) (control.Outcome, error) {
			o, _, err := log.CreateToken(context.Background(), call, control.TokenRequest{Actor: "alice", Role: "viewer"})
			return o, err
		},
	}
	dir := t.TempDir()
	store := openStore(t, dir)
	log := controltest.Open(t, control.Options{Store: store})
	log.Ticket(t, "CHG-1")
	log.Create(t, "CHG-1", "pool/old", controltest.Numbered(1))
	first := map[string]control.Outcome{}
	for name, call := range calls {
		o, err := call(log, keyed(name, "digest"))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		first[name] = o
	}
	entries := size(t, log)
	retry := func(t *testing.T) {
		for name, call := range calls {
			t.Run(name, func(t *testing.T) {
				again, err := call(log, keyed(name, "digest"))
				if err != nil {
					t.Fatal(err)
				}
				sameAnswer(t, first[name], again)
				if got := size(t, log); got != entries {
					t.Errorf("the retry appended %d entries", got-entries)
				}
			})
		}
	}
	t.Run("at once", retry)
	log.Close()
	store.Close()
	log = controltest.Open(t, control.Options{Store: openStore(t, dir)})
	t.Run("after a restart", retry)
	log.Update(t, "CHG-1", "pool/new", controltest.Numbered(2))
	entries++
	t.Run("after another change", retry)
	stateIsTheFold(t, log)
}

func TestATokensSecretIsGivenOutOnce(t *testing.T) {
	log := newLog(t)
	_, text, err := log.CreateToken(t.Context(), keyed("key", "digest"), control.TokenRequest{Actor: "alice", Role: "viewer"})
	if err != nil || text == "" {
		t.Fatalf("token %q, %v", text, err)
	}
	if actor, err := log.Authenticate(text); err != nil || actor.Name != "alice" {
		t.Errorf("Authenticate: %+v, %v", actor, err)
	}
	_, again, err := log.CreateToken(t.Context(), keyed("key", "digest"), control.TokenRequest{Actor: "alice", Role: "viewer"})
	if err != nil || again != "" {
		t.Errorf("the retry gave out %q (%v); the secret is not kept", again, err)
	}
	if n := len(tokensOf(t, log)); n != 1 {
		t.Errorf("%d tokens, want 1", n)
	}
}

// TestConcurrentRetriesAreOneChange sends a call under one key many times at
// once, so that some share a batch.
func TestConcurrentRetriesAreOneChange(t *testing.T) {
	log := newLog(t)
	entries := size(t, log)
	var wg sync.WaitGroup
	outcomes := make([]control.Outcome, 50)
	for i := range outcomes {
		wg.Go(func() {
			o, err := log.Put(context.Background(), keyed("key", "digest"), put(t, "pool/new", controltest.Numbered(1), 0))
			if err != nil {
				t.Error(err)
			}
			outcomes[i] = o
		})
	}
	wg.Wait()
	for _, o := range outcomes {
		sameAnswer(t, outcomes[0], o)
	}
	controltest.Accepted(t, outcomes[0], nil)
	if got := size(t, log); got != entries+1 {
		t.Errorf("%d entries, want 1", got-entries)
	}
}

// TestRetriesInOneBatchAreOneChange is the same for calls that are certainly
// committed together: the first of them is not stored yet.
func TestRetriesInOneBatchAreOneChange(t *testing.T) {
	log, store := newFaultyLog(t)
	entries := size(t, log)
	call, wait := oneBatch(t, log, store)
	outcomes := make([]control.Outcome, 3)
	for i := range outcomes {
		call(func() {
			var err error
			if outcomes[i], err = log.Put(context.Background(), keyed("key", "digest"), put(t, "pool/new", controltest.Numbered(1), 0)); err != nil {
				t.Error(err)
			}
		})
	}
	wait()
	for _, o := range outcomes {
		sameAnswer(t, controltest.Accepted(t, outcomes[0], nil), o)
	}
	if got := size(t, log); got != entries+2 { // with the call that kept the log busy
		t.Errorf("%d entries, want 2", got-entries)
	}
}

func TestAKeyIsForOneCall(t *testing.T) {
	log := newLog(t)
	first, err := log.Put(t.Context(), keyed("key", "one"), put(t, "pool/a", controltest.Numbered(1), 0))
	controltest.Accepted(t, first, err)
	for range 2 {
		o, err := log.Put(t.Context(), keyed("key", "two"), put(t, "pool/b", controltest.Numbered(1), 0))
		controltest.Refused(t, control.CodeIdempotencyReused, o, err)
		if e, _ := newest(t, log); e.Code != control.CodeIdempotencyReused || e.Resource != "pool/b" || e.Actor.Name != "olivia" {
			t.Errorf("the refusal is recorded as %+v", e)
		}
	}
	again, err := log.Put(t.Context(), keyed("key", "one"), put(t, "pool/a", controltest.Numbered(1), 0))
	if err != nil {
		t.Fatal(err)
	}
	sameAnswer(t, first, again)
	if log.Config().Get(controltest.Address(t, "pool/b")) != nil {
		t.Error("the refused call took effect")
	}
}

func TestKeysOfDifferentActorsAreApart(t *testing.T) {
	log := newLog(t)
	o, err := log.Put(t.Context(), keyed("key", "one"), put(t, "pool/a", controltest.Numbered(1), 0))
	controltest.Accepted(t, o, err)
	call := keyed("key", "two")
	call.Actor = controltest.Oscar
	o, err = log.Put(t.Context(), call, put(t, "pool/b", controltest.Numbered(1), 0))
	if controltest.Accepted(t, o, err).Entry.Actor.Name != "oscar" {
		t.Errorf("answered %+v", o.Entry)
	}
}
