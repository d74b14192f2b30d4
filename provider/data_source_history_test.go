package provider

import (
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

// TestTheHistoryTellsWhatIsProvedFromWhatIsClaimed: a run's id says nothing of that.
func TestTheHistoryTellsWhatIsProvedFromWhatIsClaimed(t *testing.T) {
	claimed := historyEntryOf(&api.EntryRecord{Entry: api.Entry{Run: &api.RunRef{ID: "r"}, Actor: api.Actor{Name: "ci"}}})
	if claimed.Run.ValueString() != "r" || claimed.Verified.ValueBool() || claimed.Proved == nil || len(claimed.Proved) > 0 || !claimed.VouchedBy.IsNull() {
		t.Errorf("claimed: %+v", claimed)
	}
	proved := historyEntryOf(&api.EntryRecord{Entry: api.Entry{
		Run:   &api.RunRef{ID: "r", Verified: true, Proved: map[string]string{"commit": "abc"}},
		Actor: api.Actor{Name: "ci", Provider: "github"}, Emergency: true, Unplanned: true,
	}})
	if !proved.Verified.ValueBool() || proved.Proved["commit"] != "abc" || proved.VouchedBy.ValueString() != "github" || !proved.Emergency.ValueBool() || !proved.Unplanned.ValueBool() {
		t.Errorf("proved: %+v", proved)
	}
}
