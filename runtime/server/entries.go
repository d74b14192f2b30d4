package server

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Bounds of the work for a page, since bodies may be large.
const (
	// maxPageBytes ends a page early: the next one goes on from there.
	maxPageBytes  = 8 << 20
	entriesAtOnce = 20
)

// What a list of entries can include.
const (
	includePatch    = "patch"
	includeEvidence = "evidence"
)

func (s *server) listEntries(c *call) (*answer, error) {
	values := c.URL.Query()
	q := control.Query{
		Resource: values.Get("resource"), Run: values.Get("run"), Ticket: values.Get("ticket"), Actor: values.Get("actor"),
	}
	if kind := audit.Type(values.Get("type")); kind != "" {
		if !slices.Contains(audit.Types, kind) {
			return nil, badParameter("type", fmt.Sprintf("must be one of %v", api.EntryTypes))
		}
		q.Types = []audit.Type{kind}
	}
	var err error
	if q.Since, err = c.timeParameter("since"); err != nil {
		return nil, err
	}
	if q.Until, err = c.timeParameter("until"); err != nil {
		return nil, err
	}
	return s.entries(c, q)
}

// entries answers a page of a query.
func (s *server) entries(c *call, q control.Query) (*answer, error) {
	limit, cursor, err := c.page()
	if err != nil {
		return nil, err
	}
	if q.Before, err = before(cursor); err != nil {
		return nil, err
	}
	include := c.URL.Query().Get("include")
	if include != "" && include != includePatch && include != includeEvidence {
		return nil, badParameter("include", "must be "+includePatch+" or "+includeEvidence)
	}
	list := api.EntryList{Items: []api.EntryRecord{}}
	for size := 0; len(list.Items) < limit; {
		q.Limit = min(limit-len(list.Items), entriesAtOnce)
		rows, err := s.Log.Entries(c.Context(), q)
		if err != nil {
			return nil, err
		}
		for i := range rows {
			row, found := &rows[i], ErasedBody{}
			if include != "" {
				row, found = s.whole(c.Context(), row)
			}
			record, err := entryRecord(row, include == includePatch && !row.BodyErased())
			if err != nil {
				return nil, err
			}
			record.Body, record.BodyState, record.BodyErasedBy = nil, found.State, found.By
			if include == includeEvidence {
				record.Evidence = evidence(row)
			}
			list.Items = append(list.Items, record)
			q.Before = rows[i].Seq
			if size += len(row.Leaf) + len(row.Body); size >= maxPageBytes {
				break
			}
		}
		if q.Before == 0 || len(rows) < q.Limit && size < maxPageBytes {
			return ok(list) // the log's beginning, or the last that match
		}
		if size >= maxPageBytes {
			break
		}
	}
	list.Next = strconv.FormatInt(q.Before, 10)
	return ok(list)
}

func (s *server) getEntry(c *call) (*answer, error) {
	seq, err := c.seq()
	if err != nil {
		return nil, err
	}
	row, err := s.Log.Entry(c.Context(), seq)
	if err != nil {
		return nil, err
	}
	if row == nil {
		return nil, noEntry(seq)
	}
	record, err := s.record(c.Context(), row)
	if err != nil {
		return nil, err
	}
	return ok(record)
}

// entryRecord renders a stored entry, if wanted with its body and patch. The
// header is read from the very bytes that the tree commits to.
func entryRecord(row *audit.Row, withBody bool) (api.EntryRecord, error) {
	record := api.EntryRecord{LeafHash: tlog.RecordHash(row.Leaf).String()}
	if err := json.Unmarshal(row.Leaf, &record.Entry); err != nil {
		return record, fmt.Errorf("header of entry %d: %w", row.Seq, err)
	}
	if !withBody {
		return record, nil
	}
	record.Body = &api.EntryBody{}
	if err := json.Unmarshal(row.Body, record.Body); err != nil {
		return record, fmt.Errorf("body of entry %d: %w", row.Seq, err)
	}
	var err error
	if record.Patch, err = lb.Diff(record.Body.Before, record.Body.After); err != nil {
		return record, fmt.Errorf("patch of entry %d: %w", row.Seq, err)
	}
	return record, nil
}
