package provider

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

func TestTicketIsValidWhileApprovedAndWithinItsWindow(t *testing.T) {
	opens := time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC)
	closes := opens.Add(time.Hour)
	for name, tc := range map[string]struct {
		state string
		now   time.Time
		want  bool
	}{
		"before it opens": {"approved", opens.Add(-time.Nanosecond), false},
		"as it opens":     {"approved", opens, true},
		"within":          {"approved", opens.Add(time.Minute), true},
		"as it closes":    {"approved", closes, false},
		"pending":         {"pending", opens.Add(time.Minute), false},
		"closed":          {"closed", opens.Add(time.Minute), false},
	} {
		t.Run(name, func(t *testing.T) {
			got := changeTicketOf(&api.Ticket{ID: "CHG-1", State: tc.state, NotBefore: opens, NotAfter: closes}, tc.now)
			if got.Valid.ValueBool() != tc.want {
				t.Errorf("got %s, want %t", got.Valid, tc.want)
			}
		})
	}
}

func TestATicketThatIsUsedUpOrNeverEnds(t *testing.T) {
	now := time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC)
	for name, tc := range map[string]struct {
		ticket api.Ticket
		want   bool
	}{
		"no end":       {api.Ticket{State: "approved", Authority: "servicenow"}, true},
		"one use left": {api.Ticket{State: "approved", Uses: 2, MaxUses: 3}, true},
		"none left":    {api.Ticket{State: "approved", Uses: 3, MaxUses: 3}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := changeTicketOf(&tc.ticket, now); got.Valid.ValueBool() != tc.want {
				t.Errorf("got %s, want %t", got.Valid, tc.want)
			}
		})
	}
}

// opened is a ticket that one of two people has approved.
func opened(state string) *api.Ticket {
	return &api.Ticket{
		ID: "CHG-1", State: state, Requester: "olivia", RequiredApprovals: 2, Approvals: []api.TicketApproval{{By: "ada"}},
		NotAfter: time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC),
	}
}

// reads returns the states one by one, and the last of them from then on.
func reads(count *int, states ...string) func(context.Context) (*api.Ticket, error) {
	return func(context.Context) (*api.Ticket, error) {
		state := states[min(*count, len(states)-1)]
		*count++
		return opened(state), nil
	}
}

func TestATicketIsWaitedForUntilItIsApproved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin, count := time.Now(), 0
		ticket, err := awaitApproval(t.Context(), reads(&count, "draft", "pending", "pending", "pending", "approved"), time.Minute)
		if err != nil || ticket.State != "approved" || count != 5 {
			t.Fatalf("%v after %d reads: %v", ticket, count, err)
		}
		if waited := time.Since(begin); waited != 2*time.Second+3*time.Second+4500*time.Millisecond+6750*time.Millisecond {
			t.Errorf("took %s", waited)
		}
	})
}

func TestWaitingAsksLessAndLessOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		count, last, longest := 0, time.Now(), time.Duration(0)
		_, err := awaitApproval(t.Context(), func(ctx context.Context) (*api.Ticket, error) {
			longest, last = max(longest, time.Since(last)), time.Now()
			return reads(&count, "pending")(ctx)
		}, time.Hour)
		if err == nil || longest != 15*time.Second || count < 240 || count > 250 {
			t.Errorf("%d reads in an hour, %s apart at the most: %v", count, longest, err)
		}
	})
}

func TestWaitingEndsWhenNobodyCanApproveAnyMore(t *testing.T) {
	for _, state := range []string{"rejected", "cancelled", "expired", "closed", "something new"} {
		synctest.Test(t, func(t *testing.T) {
			begin, count := time.Now(), 0
			_, err := awaitApproval(t.Context(), reads(&count, "pending", state), time.Hour)
			var stopped *waitError
			if !errors.As(err, &stopped) || stopped.summary != "Change ticket CHG-1 is "+state || !strings.Contains(stopped.detail, "requested by olivia; its window closed at 2025-03-04T05:06:07Z") {
				t.Errorf("%s: %v", state, err)
			}
			if waited := time.Since(begin); waited != firstPause {
				t.Errorf("%s: took %s", state, waited)
			}
		})
	}
}

func TestATimeoutTellsWhoCanApprove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin, count := time.Now(), 0
		_, err := awaitApproval(t.Context(), reads(&count, "pending"), 90*time.Second)
		if waited := time.Since(begin); waited != 90*time.Second {
			t.Errorf("took %s", waited)
		}
		var stopped *waitError
		if !errors.As(err, &stopped) {
			t.Fatal(err)
		}
		for _, want := range []string{"CHG-1 was not approved within 1m30s", "It is pending: it has 1 of 2 approvals", "other than olivia", "auditlb ticket approve CHG-1"} {
			if !strings.Contains(stopped.Error(), want) {
				t.Errorf("%q is not said: %s", want, stopped)
			}
		}
	})
}

// What hangs on the way is not waited for either.
func TestATimeoutEndsACallToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin, count := time.Now(), 0
		_, err := awaitApproval(t.Context(), func(ctx context.Context) (*api.Ticket, error) {
			if count > 0 {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return reads(&count, "pending")(ctx)
		}, time.Minute)
		var stopped *waitError
		if !errors.As(err, &stopped) || time.Since(begin) != time.Minute {
			t.Errorf("after %s: %v", time.Since(begin), err)
		}
	})
}

func TestAnInterruptEndsTheWaitAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin, count := time.Now(), 0
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err := awaitApproval(ctx, reads(&count, "pending"), time.Hour)
		var stopped *waitError
		if !errors.Is(err, context.Canceled) || errors.As(err, &stopped) || time.Since(begin) != time.Second {
			t.Errorf("after %s: %v", time.Since(begin), err)
		}
	})
}
