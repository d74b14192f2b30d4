package server

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
)

// Points as they are written.
const (
	pointNow = "now"
	pointRun = "run:"
)

// pointParameter reads a point in time. Of a run it is the moment just before its first
// change, or with after the one just after its last.
func (s *server) pointParameter(c *call, name string, after bool) (api.Point, error) {
	return s.point(c, name, c.URL.Query().Get(name), after)
}

// point reads a point in time that stands somewhere else.
func (s *server) point(c *call, name, text string, after bool) (api.Point, error) {
	extent, err := s.Log.Extent(c.Context())
	if err != nil {
		return api.Point{}, err
	}
	head := extent.Size - 1
	if text == "" || text == pointNow {
		return s.pointAt(c.Context(), head)
	}
	if id, ok := strings.CutPrefix(text, pointRun); ok {
		first, last, err := s.Log.RunSpan(c.Context(), id)
		switch {
		case err != nil:
			return api.Point{}, err
		case first == 0:
			return api.Point{}, badParameter(name, "names a run that has changed nothing")
		case after:
			return s.pointAt(c.Context(), last)
		}
		return s.pointAt(c.Context(), first-1)
	}
	if revision, err := strconv.ParseInt(text, 10, 64); err == nil {
		if revision < 0 || revision > head {
			return api.Point{}, badParameter(name, "must be a revision from 0 to "+strconv.FormatInt(head, 10))
		}
		return s.pointAt(c.Context(), revision)
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return api.Point{}, badParameter(name, "must be "+api.PointForms)
	}
	// Until is exclusive, and times have microseconds.
	rows, err := s.Log.Entries(c.Context(), control.Query{Until: at.Add(time.Microsecond), Limit: 1})
	if err != nil {
		return api.Point{}, err
	}
	if len(rows) == 0 {
		return api.Point{}, badParameter(name, "is before the log begins")
	}
	return pointOf(&rows[0]), nil
}

func (s *server) pointAt(ctx context.Context, seq int64) (api.Point, error) {
	row, err := s.Log.Entry(ctx, seq)
	if err != nil {
		return api.Point{}, err
	}
	if row == nil {
		return api.Point{}, noEntry(seq)
	}
	return pointOf(row), nil
}

func pointOf(row *audit.Row) api.Point {
	return api.Point{Revision: row.Seq, Time: time.UnixMicro(row.Columns.TimeMicros).UTC()}
}
