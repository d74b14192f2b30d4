package server_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
)

// event is one that came over a stream.
type event struct {
	kind  string
	entry api.Entry
}

// listen reads a stream of events until the test ends, or the stream. The rig's
// client would wait for its end.
func (r *rig) listen(t *testing.T, query, lastEventID string) (*http.Response, <-chan event) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.Endpoint+"/v1/events?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+r.Tokens[identity.Viewer])
	if lastEventID != "" {
		req.Header.Set(api.HeaderLastEventID, lastEventID)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); resp.Body.Close() })
	events := make(chan event, 1000)
	go func() {
		defer close(events)
		var e event
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "event":
				e.kind = value
			case "data":
				if err := json.Unmarshal([]byte(value), &e.entry); err != nil {
					t.Error(err)
				}
			case "":
				if e.kind != "" {
					events <- e
				}
				e = event{}
			}
		}
	}()
	return resp, events
}

// next is the next event, which has to come soon.
func next(t *testing.T, events <-chan event) event {
	t.Helper()
	select {
	case e, ok := <-events:
		if !ok {
			t.Fatal("the stream ended")
		}
		return e
	case <-time.After(10 * time.Second):
		t.Fatal("no event came")
	}
	return event{}
}

func TestEventsTellOfEveryEntryAsItComes(t *testing.T) {
	r := start(t)
	resp, events := r.listen(t, "", "")
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %s", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	var seqs []int64
	for i := range 5 {
		revision := r.create(t, fmt.Sprintf("pool/p%d", i), pool())
		e := next(t, events)
		if e.kind != "apply" || e.entry.Seq != revision || e.entry.Resource != fmt.Sprintf("pool/p%d", i) || e.entry.Actor.Name != "olivia" {
			t.Errorf("event %+v, want revision %d", e, revision)
		}
		seqs = append(seqs, e.entry.Seq)
	}
	// Who comes back with the last they saw misses nothing and sees nothing twice.
	_, again := r.listen(t, "", strconv.FormatInt(seqs[1], 10))
	for _, want := range seqs[2:] {
		if e := next(t, again); e.entry.Seq != want {
			t.Errorf("after coming back: %d, want %d", e.entry.Seq, want)
		}
	}
	if a := r.do(t, http.MethodGet, "/v1/events?follow=false&type=apply&after=0", nil); strings.Count(string(a.body), "event: apply\n") != 5 || strings.Contains(string(a.body), "event: ticket") {
		t.Errorf("what there was: %s", a)
	}
	for _, query := range []string{"type=x", "emergency=perhaps", "after=x", "follow=1"} {
		if a := r.do(t, http.MethodGet, "/v1/events?"+query, nil); a.problem.Code != api.CodeMalformed {
			t.Errorf("%s: %s", query, a)
		}
	}
}

func TestAnEmergencyIsAnEvent(t *testing.T) {
	r := start(t)
	_, events := r.listen(t, "emergency=true", "")
	r.create(t, "pool/web", pool())
	var opened api.Ticket
	r.must(t, &opened, http.MethodPost, "/v1/tickets", api.TicketRequest{Type: "emergency", Title: "web is down", Reason: "it answers nothing", Scope: api.TicketScope{Addresses: []string{"*"}}})
	if e := next(t, events); e.kind != "ticket" || e.entry.Op != "open" || e.entry.Ticket != opened.ID {
		t.Errorf("event %+v", e)
	}
	r.must(t, nil, http.MethodPut, "/v1/pools/web", pool("10.0.0.9:80"), updating, with(api.HeaderTicket, opened.ID))
	if e := next(t, events); e.kind != "apply" || !e.entry.Emergency {
		t.Errorf("event %+v", e)
	}
}

func TestStreamsAreBoundedAndEndWithTheRuntime(t *testing.T) {
	r := start(t)
	var all []<-chan event
	for i := range 8 {
		r.Tokens[identity.Viewer] = r.Token(t, fmt.Sprintf("reader%d", i), identity.Viewer)
		for range 8 {
			_, events := r.listen(t, "", "")
			all = append(all, events)
		}
		if a := r.do(t, http.MethodGet, "/v1/events?follow=false", nil, as(identity.Viewer)); a.problem.Code != api.CodeTooManyStreams {
			t.Errorf("one more of reader%d: %s", i, a)
		}
	}
	if a := r.do(t, http.MethodGet, "/v1/events?follow=false", nil); a.problem.Code != api.CodeTooManyStreams || a.header.Get("Retry-After") == "" {
		t.Errorf("one more: %s", a)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := r.Daemon.Close(ctx); err != nil {
		t.Errorf("the runtime waits for streams: %v", err)
	}
	for _, events := range all {
		for range events {
		}
	}
}
