package history_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/history"
	"github.com/auditlb/terraform-provider-auditlb/runtime/store/sqlite"
)

// TestPagesOfLargeObjectsEndEarlyAndLeaveNothingOut: forty objects of half a megabyte are
// never all in memory.
func TestPagesOfLargeObjectsEndEarlyAndLeaveNothingOut(t *testing.T) {
	store, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{MinFree: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	log := controltest.Open(t, control.Options{Store: store})
	ticket := log.Ticket(t, "CHG-1")
	var want []string
	for i := range 40 {
		want = append(want, fmt.Sprintf("pool/p%02d", i))
		log.Create(t, ticket, want[i], controltest.Numbered(1))
	}
	large := changed{store, func(row *audit.Row) { row.Body = append(row.Body, bytes.Repeat([]byte(" "), 512<<10)...) }}
	const most = 25 // objects of 8 MiB, and a query's more
	head := int64(len(log.Entries(t)) - 1)
	t.Run("state", func(t *testing.T) {
		var got []string
		for after, more := "", true; more; {
			var page []history.Object
			if page, more, err = history.StateAt(t.Context(), large, head, after, 500); err != nil {
				t.Fatal(err)
			}
			for _, o := range page {
				after = o.Address.String()
				got = append(got, after)
			}
			if len(page) > most {
				t.Errorf("a page of %d", len(page))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v", got)
		}
	})
	t.Run("diff", func(t *testing.T) {
		var got []string
		for after, more := "", true; more; more = after != "" {
			var page []history.Difference
			if page, after, err = history.Diff(t.Context(), large, 0, head, after, 500); err != nil {
				t.Fatal(err)
			}
			for _, d := range page {
				got = append(got, d.Address.String())
			}
			if len(page) > most {
				t.Errorf("a page of %d", len(page))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v", got)
		}
	})
}
