package provider

import (
	"testing"
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
