package server

import (
	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
)

// listSinks says how the streams of the log to elsewhere are doing.
func (s *server) listSinks(*call) (*answer, error) {
	list := api.SinkList{Items: []api.Sink{}}
	if s.Sinks != nil {
		list.Items = append(list.Items, s.Sinks()...)
	}
	return ok(list)
}

// Record renders a stored entry as GET /v1/entries/{seq} does. One whose body is
// erased is rendered without.
func Record(row *audit.Row) (api.EntryRecord, error) {
	return entryRecord(row, !row.BodyErased())
}
