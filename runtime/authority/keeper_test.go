package authority_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/authority"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// scripted is an authority that does as it is told.
type scripted struct {
	name, prefix string
	reads        atomic.Int64
	mu           sync.Mutex
	err          error
	commentErr   error
	title        string
	hold         chan struct{}
	comments     []string
}

func (s *scripted) Name() string           { return s.name }
func (s *scripted) Handles(id string) bool { return strings.HasPrefix(id, s.prefix) }

func (s *scripted) Read(ctx context.Context, id string) (ticket.Facts, error) {
	s.reads.Add(1)
	if s.hold != nil {
		select {
		case <-s.hold:
		case <-ctx.Done():
			return ticket.Facts{}, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return ticket.Facts{ID: id, Title: s.title}, s.err
}

func (s *scripted) Comment(_ context.Context, _, text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.commentErr == nil {
		s.comments = append(s.comments, text)
	}
	return s.commentErr
}

func (s *scripted) set(err error, title string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err, s.title = err, title
}

// clock is a time that a test moves.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(1_800_000_000, c.at.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.at.Add(int64(d)) }

func keep(t *testing.T, c *clock, authorities ...authority.Authority) *authority.Keeper {
	t.Helper()
	var members []authority.Member
	for _, a := range authorities {
		members = append(members, authority.Member{Authority: a, Cache: 30 * time.Second})
	}
	k, err := authority.NewKeeper(c.now, members...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// lookup wants an answer, stale or not.
func lookup(t *testing.T, look func(context.Context, string) (authority.Answer, bool, error), id string) authority.Answer {
	t.Helper()
	a, ok, err := look(t.Context(), id)
	if !ok || err != nil {
		t.Fatalf("answer is %+v, %t, %v", a, ok, err)
	}
	return a
}

func down(wait time.Duration) error {
	return &authority.Unavailable{Authority: "x", Reason: "it answered 503", RetryAfter: wait}
}

func TestAGoodAnswerIsUsedAgainForAWhile(t *testing.T) {
	s, c := &scripted{name: "x", prefix: "A-", title: "one"}, &clock{}
	k := keep(t, c, s)
	first := lookup(t, k.Lookup, "A-1")
	s.set(nil, "two")
	c.advance(29 * time.Second)
	if a := lookup(t, k.Lookup, "A-1"); a.Facts.Title != "one" || a.At != first.At || a.Authority != "x" || a.Stale != nil || s.reads.Load() != 1 {
		t.Errorf("within 30s the answer is %+v after %d reads", a, s.reads.Load())
	}
	if a := lookup(t, k.Refresh, "A-1"); a.Facts.Title != "two" || s.reads.Load() != 2 || a.At != c.now() {
		t.Errorf("a refresh answered %+v after %d reads", a, s.reads.Load())
	}
	c.advance(30 * time.Second)
	if lookup(t, k.Lookup, "A-1"); s.reads.Load() != 3 {
		t.Errorf("%d reads, want a third one after 30s", s.reads.Load())
	}
}

func TestFiftyLookupsAtOnceAreOneRequest(t *testing.T) {
	kind := kinds()["http"]
	release := make(chan struct{})
	var requests atomic.Int64
	srv := serve(t, kind.answers)
	inner := srv.Config.Handler
	srv.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		<-release
		inner.ServeHTTP(w, r)
	})
	k := keep(t, &clock{}, kind.at(t, srv.URL, nil))
	var began, ended sync.WaitGroup
	for range 50 {
		began.Add(1)
		ended.Go(func() {
			began.Done()
			a, ok, err := k.Lookup(t.Context(), kind.id)
			if !ok || err != nil || a.Facts.State != ticket.Approved {
				t.Errorf("answer is %+v, %t, %v", a, ok, err)
			}
		})
	}
	began.Wait()
	close(release)
	ended.Wait()
	if n := requests.Load(); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

func TestOneWhoLeavesDoesNotTakeTheAnswerFromTheOthers(t *testing.T) {
	s := &scripted{name: "x", prefix: "A-", hold: make(chan struct{})}
	k := keep(t, &clock{}, s)
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error)
	go func() { _, _, err := k.Lookup(ctx, "A-1"); left <- err }()
	for s.reads.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	stayed := make(chan error)
	go func() { _, _, err := k.Lookup(t.Context(), "A-1"); stayed <- err }()
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("who left is told %v", err)
	}
	// Whoever asks now joins the request that is under way, if it still is.
	joined := make(chan error)
	go func() { _, _, err := k.Lookup(t.Context(), "A-1"); joined <- err }()
	time.Sleep(20 * time.Millisecond)
	close(s.hold)
	if err := <-joined; err != nil {
		t.Errorf("who came later is told %v", err)
	}
	if err := <-stayed; err != nil || s.reads.Load() != 1 {
		t.Errorf("who stayed is told %v after %d reads", err, s.reads.Load())
	}
}

func TestAnAnswerThatCanNotBeRefreshedComesBackStale(t *testing.T) {
	s, c := &scripted{name: "x", prefix: "A-", title: "one"}, &clock{}
	k := keep(t, c, s)
	at := lookup(t, k.Lookup, "A-1").At
	s.set(down(0), "")
	c.advance(time.Minute)
	a := lookup(t, k.Lookup, "A-1")
	var u *authority.Unavailable
	if a.Facts.Title != "one" || a.At != at || !errors.As(a.Stale, &u) {
		t.Errorf("answer is %+v, want the one of a minute ago with its reason", a)
	}
	if _, ok, err := k.Lookup(t.Context(), "A-2"); !ok || !errors.As(err, &u) {
		t.Errorf("without an earlier answer it is %t, %v", ok, err)
	}
	s.set(nil, "two")
	c.advance(time.Minute)
	if a := lookup(t, k.Lookup, "A-1"); a.Facts.Title != "two" || a.Stale != nil {
		t.Errorf("after the recovery the answer is %+v", a)
	}
	s.set(authority.ErrNotFound, "")
	c.advance(time.Minute)
	if _, ok, err := k.Lookup(t.Context(), "A-1"); !ok || !errors.Is(err, authority.ErrNotFound) {
		t.Errorf("a ticket that is gone gives %t, %v", ok, err)
	}
	s.set(down(0), "")
	if a, _, err := k.Lookup(t.Context(), "A-1"); err == nil {
		t.Errorf("a ticket that is gone came back: %+v", a)
	}
}

func TestATroubledAuthorityIsLeftAlone(t *testing.T) {
	tests := []struct {
		name  string
		err   error
		waits []time.Duration // after each failure in a row
	}{
		{"backoff doubles up to half a minute", down(0), []time.Duration{1, 2, 4, 8, 16, 30, 30}},
		{"Retry-After is honoured", down(10 * time.Second), []time.Duration{10, 10, 10, 10, 16}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, c := &scripted{name: "x", prefix: "A-", err: tt.err}, &clock{}
			k := keep(t, c, s)
			for i, wait := range tt.waits {
				_, _, _ = k.Lookup(t.Context(), "A-1")
				c.advance(wait*time.Second - time.Nanosecond)
				_, _, err := k.Lookup(t.Context(), "A-2")
				var u *authority.Unavailable
				if !errors.As(err, &u) || u.Reason != "it answered 503" || u.RetryAfter <= 0 || s.reads.Load() != int64(i+1) {
					t.Fatalf("just before %ds: %v after %d reads, want the failure at once and %d", wait, err, s.reads.Load(), i+1)
				}
				c.advance(time.Nanosecond)
			}
			s.set(nil, "")
			lookup(t, k.Lookup, "A-1")
			lookup(t, k.Lookup, "A-2") // no wait after a success
		})
	}
}

func TestAfterAWaitOneTriesForAll(t *testing.T) {
	s, c := &scripted{name: "x", prefix: "A-", err: down(0)}, &clock{}
	k := keep(t, c, s)
	_, _, _ = k.Lookup(t.Context(), "A-1")
	c.advance(time.Second)
	s.set(nil, "")
	s.hold = make(chan struct{})
	done := make(chan error)
	go func() { _, _, err := k.Lookup(t.Context(), "A-1"); done <- err }()
	for s.reads.Load() < 2 {
		time.Sleep(time.Millisecond)
	}
	for i := range 10 {
		if _, _, err := k.Lookup(t.Context(), fmt.Sprintf("A-%d", i+2)); err == nil {
			t.Error("a second one was let through")
		}
	}
	close(s.hold)
	if err := <-done; err != nil || s.reads.Load() != 2 {
		t.Errorf("%v after %d reads", err, s.reads.Load())
	}
	lookup(t, k.Lookup, "A-2")
}

func TestOneTicketsTroubleIsNotItsAuthoritys(t *testing.T) {
	kind := kinds()["http"]
	srv := serve(t, map[string]string{"GET /tickets/REQ-5": httpTicket("ok", "[]"), "GET /tickets/REQ-6": `{"` + leak})
	k := keep(t, &clock{}, kind.at(t, srv.URL, nil))
	if _, _, err := k.Lookup(t.Context(), "REQ-6"); err == nil {
		t.Fatal("a malformed answer was taken")
	}
	lookup(t, k.Lookup, "REQ-5")
}

func TestACommentThatIsRefusedDoesNotKeepTicketsFromBeingRead(t *testing.T) {
	s, c := &scripted{name: "x", prefix: "A-", commentErr: down(time.Minute)}, &clock{}
	k := keep(t, c, s)
	var u *authority.Unavailable
	for range 2 {
		if err := k.Comment(t.Context(), "A-1", "text"); !errors.As(err, &u) {
			t.Errorf("comment: %v", err)
		}
	}
	lookup(t, k.Lookup, "A-1")
	s.mu.Lock()
	s.commentErr = nil
	s.mu.Unlock()
	if err := k.Comment(t.Context(), "A-1", "text"); err == nil {
		t.Error("a comment was sent before the minute was over")
	}
	c.advance(time.Minute)
	if err := k.Comment(t.Context(), "A-1", "text"); err != nil || len(s.comments) != 1 {
		t.Errorf("after the minute: %v, %q", err, s.comments)
	}
}

func TestTheFirstAuthorityThatHandlesAnIDIsAsked(t *testing.T) {
	one, two := &scripted{name: "one", prefix: "A-1"}, &scripted{name: "two", prefix: "A-"}
	k := keep(t, &clock{}, one, two)
	if a := lookup(t, k.Lookup, "A-12"); a.Authority != "one" {
		t.Errorf("A-12 was asked of %s", a.Authority)
	}
	if a := lookup(t, k.Lookup, "A-2"); a.Authority != "two" {
		t.Errorf("A-2 was asked of %s", a.Authority)
	}
	a, ok, err := k.Lookup(t.Context(), "B-1")
	if ok || err != nil || k.Handles("B-1") || !k.Handles("A-2") {
		t.Errorf("B-1 is handled: %+v, %v", a, err)
	}
	if err := k.Comment(t.Context(), "B-1", "text"); !errors.Is(err, authority.ErrNotFound) {
		t.Errorf("comment on B-1: %v", err)
	}
	if _, err := authority.NewKeeper(nil, authority.Member{Authority: one}, authority.Member{Authority: one}); err == nil {
		t.Error("two authorities of one name were taken")
	}
}

func TestAKeeperRemembersABoundedNumberOfAnswers(t *testing.T) {
	s, c := &scripted{name: "x", prefix: "A-"}, &clock{}
	k := keep(t, c, s)
	for i := range authority.MaxAnswers + 1 {
		lookup(t, k.Lookup, fmt.Sprintf("A-%d", i))
		c.advance(time.Millisecond)
	}
	before := s.reads.Load()
	lookup(t, k.Lookup, "A-1")
	if s.reads.Load() != before {
		t.Error("a newer answer was forgotten")
	}
	lookup(t, k.Lookup, "A-0")
	if s.reads.Load() != before+1 {
		t.Error("the oldest answer was not forgotten")
	}
}
