package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
)

// findEntries reads pages until there are as many entries as are wanted, or no more. When
// it is interrupted it returns what it found with an error that says how far it came.
func findEntries(cmd *cobra.Command, cl *client.Client, q api.EntryQuery) (*api.EntryList, error) {
	found := &api.EntryList{Items: []api.EntryRecord{}}
	wanted := q.Limit
	progress := newProgress(cmd.ErrOrStderr(), "searched")
	defer progress.end()
	size := int64(0)
	for first := true; ; first = false {
		q.Limit = min(wanted-len(found.Items), api.MaxPageSize)
		page, err := cl.Entries(cmd.Context(), q)
		if err != nil {
			if q.Cursor == "" || !errors.Is(err, context.Canceled) {
				return nil, err
			}
			found.Next = q.Cursor
			return found, fmt.Errorf("interrupted: searched back to entry %s; go on with --cursor %s", q.Cursor, q.Cursor)
		}
		found.Items, found.Next = append(found.Items, page.Items...), page.Next
		if page.Next == "" || len(found.Items) >= wanted {
			return found, nil
		}
		q.Cursor = page.Next
		if first {
			size = logSize(cmd.Context(), cl)
		}
		if at, err := strconv.ParseInt(page.Next, 10, 64); err == nil && size > at {
			progress.show(size-at, size)
		}
	}
}

// logSize is how many entries there are, for showing progress; 0 when that can't be learnt.
func logSize(ctx context.Context, cl *client.Client) int64 {
	note, err := cl.Checkpoint(ctx)
	if err != nil {
		return 0 // the next page fails by itself, if anything does
	}
	cp, err := audit.ReadCheckpoint(note)
	if err != nil {
		return 0
	}
	return cp.Size
}
