package console

import (
	"strings"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

// watch is what the script of a page looks out for: entries that concern what the page
// shows, and that it does not show yet.
type watch struct {
	// Resource is what the page is about. Ticket and Run, if set, are those under which
	// entries concern it too.
	Resource, Ticket, Run string
	// After is the newest entry that the page shows.
	After int64
	// Types are the types of entry that concern it, with spaces between.
	Types string
}

// watching makes the watch of a page about a resource; nil where the page does not show
// what is newest.
func (v *visit) watching(resource string, newest []api.EntryRecord, types ...string) *watch {
	if query := v.URL.Query(); query.Has("cursor") || query.Has("at") || len(newest) == 0 {
		return nil
	}
	return &watch{Resource: resource, After: newest[0].Seq, Types: strings.Join(types, " ")}
}
