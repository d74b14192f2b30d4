package server

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

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
	// maxUndoneListed bounds what a list says of a rollback.
	maxUndoneListed = 10
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
		Workspace: values.Get("workspace"), Owner: values.Get("owner"),
	}
	var err error
	if q.Types, err = typesParameter(values.Get("type")); err != nil {
		return nil, err
	}
	if q.Since, err = c.timeParameter("since"); err != nil {
		return nil, err
	}
	if q.Until, err = c.timeParameter("until"); err != nil {
		return nil, err
	}
	if text := values.Get("text"); len(text) > api.MaxTextLength {
		return nil, badParameter("text", fmt.Sprintf("has %d bytes; at most %d are allowed", len(text), api.MaxTextLength))
	}
	return s.entries(c, q, searchFor(values.Get("text")))
}

func typesParameter(text string) ([]audit.Type, error) {
	if text == "" {
		return nil, nil
	}
	var types []audit.Type
	for word := range strings.SplitSeq(text, ",") {
		kind := audit.Type(word)
		if !slices.Contains(audit.Types, kind) {
			return nil, badParameter("type", fmt.Sprintf("must be one of %v, or several with commas between", api.EntryTypes))
		}
		if !slices.Contains(types, kind) {
			types = append(types, kind)
		}
	}
	return types, nil
}

// entries answers a page of a query: of what it selects, what a search finds.
func (s *server) entries(c *call, q control.Query, find *search) (*answer, error) {
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
	for size := 0; len(list.Items) < limit && size < maxPageBytes && !find.ended(); {
		q.Limit = find.atOnce(min(limit-len(list.Items), entriesAtOnce))
		rows, err := s.Log.Entries(c.Context(), q)
		if err != nil {
			return nil, err
		}
		seen := 0
		for ; seen < len(rows) && len(list.Items) < limit && size < maxPageBytes; seen++ {
			row := &rows[seen]
			q.Before = row.Seq
			if !find.in(row) {
				continue
			}
			record, err := s.listed(c.Context(), row, include)
			if err != nil {
				return nil, err
			}
			list.Items = append(list.Items, record)
			size += len(row.Leaf) + len(row.Body)
		}
		if q.Before == 0 || seen == len(rows) && len(rows) < q.Limit {
			return ok(list) // the log's beginning, or the last that match
		}
	}
	list.Next = strconv.FormatInt(q.Before, 10)
	return ok(list)
}

// listed renders an entry for a list, with what is to be included.
func (s *server) listed(ctx context.Context, row *audit.Row, include string) (api.EntryRecord, error) {
	found := ErasedBody{}
	if include != "" {
		row, found = s.whole(ctx, row)
	}
	record, err := entryRecord(row, include == includePatch && !row.BodyErased())
	if err != nil {
		return record, err
	}
	if record.Body != nil && len(record.Body.Undone) > 0 {
		record.Undone = record.Body.Undone[:min(len(record.Body.Undone), maxUndoneListed)]
		record.UndoneMore = len(record.Body.Undone) > maxUndoneListed
	}
	record.Body, record.BodyState, record.BodyErasedBy = nil, found.State, found.By
	if include == includeEvidence {
		record.Evidence = evidence(row)
	}
	err = s.name(ctx, &record)
	return record, err
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
	if err == nil {
		err = s.name(c.Context(), &record)
	}
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
