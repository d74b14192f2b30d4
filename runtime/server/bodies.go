package server

import (
	"context"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
)

// Bodies finds bodies that are not in the log any more.
type Bodies interface {
	// Erased says what became of the body of an entry that has none. That it can't be
	// had is no error: an entry is shown without it.
	Erased(ctx context.Context, row *audit.Row) ErasedBody
}

// ErasedBody is what became of a body.
type ErasedBody struct {
	// By is the entry that says so; 0 when none does.
	By int64
	// State is api.BodyErased, api.BodyArchived or api.BodyUnavailable.
	State string
	// Salt and Body are of an archived body.
	Salt, Body []byte
}

// whole returns a row with its body, from wherever it is, and what became of the body
// where the log does not hold it.
func (s *server) whole(ctx context.Context, row *audit.Row) (*audit.Row, ErasedBody) {
	if !row.BodyErased() {
		return row, ErasedBody{}
	}
	found := ErasedBody{State: api.BodyUnavailable}
	if s.Bodies != nil {
		found = s.Bodies.Erased(ctx, row)
	}
	if found.State == api.BodyArchived {
		with := *row
		with.Salt, with.Body = found.Salt, found.Body
		return &with, found
	}
	return row, found
}

// record is entryRecord with the body, which may be elsewhere or gone.
func (s *server) record(ctx context.Context, row *audit.Row) (api.EntryRecord, error) {
	whole, found := s.whole(ctx, row)
	record, err := entryRecord(whole, !whole.BodyErased())
	record.BodyState, record.BodyErasedBy = found.State, found.By
	return record, err
}
