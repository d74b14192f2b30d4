package server

import (
	"context"
	"fmt"
	"net/url"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runreport"
)

// maxReported bounds the entries of the run that a report looks at. Tests lower it.
var maxReported = 20_000

// Bounds of what else a report looks at.
const (
	// maxReportedBytes is of the run's entries.
	maxReportedBytes = 256 << 20
	// maxSince is of the entries about an object since it was planned.
	maxSince = 200
	// maxReportTickets and maxReportActors are of those that a report shows, and
	// maxTicketsSearched of those that may be bound to the run.
	maxReportTickets   = 50
	maxReportActors    = 50
	maxTicketsSearched = 200
)

// getRunReport answers what became of what a run planned.
func (s *server) getRunReport(c *call) (*answer, error) {
	id := c.PathValue("id")
	limit, cursor, err := c.page()
	if err != nil {
		return nil, err
	}
	held, err := s.Controller.RunByID(c.Context(), id)
	if err != nil {
		return nil, err
	}
	if held == nil {
		return nil, noRun(id)
	}
	report := api.RunReport{Tickets: []api.Ticket{}, Actors: []api.RunActor{}, Effects: []api.RunEffect{}}
	if report.Run, err = s.run(c.Context(), *held); err != nil {
		return nil, err
	}
	report.Link = webLink(report.Run.Claims.URL)
	entries, all, err := s.entriesOfRun(c.Context(), id)
	if err != nil {
		return nil, err
	}
	if !all {
		n := report.Run.Counts
		report.LeftOut = max(1, n.Planned+n.Applied+n.Refused-len(entries))
	}
	effects, err := runreport.Effects(c.Context(), id, entries, reportLog{s})
	if err != nil {
		return nil, err
	}
	counts, overall := runreport.Count(effects)
	report.Counts, report.Overall = api.EffectCounts(counts), string(overall)
	if report.LeftOut > 0 && overall != runreport.OverallFailed && overall != runreport.OverallUnplanned {
		report.Overall = api.RunUnclear
	}
	report.Actors = actorsOf(entries)
	if report.Tickets, err = s.ticketsOf(c, id, effects); err != nil {
		return nil, err
	}
	last, size := "", 0
	for i := range effects {
		e := &effects[i]
		if e.Key() <= cursor {
			continue
		}
		if len(report.Effects) == limit || size >= maxPageBytes {
			report.Next = last
			break
		}
		effect, read, err := s.effect(c.Context(), id, e)
		if err != nil {
			return nil, err
		}
		report.Effects = append(report.Effects, effect)
		last, size = e.Key(), size+read
	}
	return ok(report)
}

// webLink is a URL that may be made a link, or "".
func webLink(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	return u.String()
}

// entriesOfRun reads a run's plans, changes and refusals, without the objects in them; all
// is false when there are more than a report looks at: the oldest ones.
func (s *server) entriesOfRun(ctx context.Context, id string) (entries []runreport.Entry, all bool, err error) {
	q := control.Query{Run: id, Types: []audit.Type{audit.TypePlan, audit.TypeApply, audit.TypeReject}, Limit: entriesAtOnce}
	for size := 0; ; {
		rows, err := s.Log.Entries(ctx, q)
		if err != nil {
			return nil, false, err
		}
		read := 0
		for i := range rows {
			q.Before = rows[i].Seq
			read += len(rows[i].Leaf) + len(rows[i].Body)
			e, err := reported(&rows[i])
			if err != nil {
				return nil, false, err
			}
			if e.Body != nil {
				e.Body.Before, e.Body.After = nil, nil
			}
			entries = append(entries, e)
		}
		size += read
		switch {
		case len(rows) < q.Limit:
			return entries, true, nil
		case len(entries) >= maxReported || size >= maxReportedBytes:
			return entries, false, nil
		}
		if q.Limit = entriesAtOnce; read < smallEntry*len(rows) {
			q.Limit = searchedAtOnce
		}
	}
}

// reported reads an entry as a report needs it.
func reported(row *audit.Row) (runreport.Entry, error) {
	e, err := audit.ParseLeaf(row.Leaf)
	if err != nil {
		return runreport.Entry{}, fmt.Errorf("entry %d: %w", row.Seq, err)
	}
	out := runreport.Entry{Entry: e}
	if row.BodyErased() {
		return out, nil
	}
	body, err := audit.ParseBody(row.Body)
	if err != nil {
		return runreport.Entry{}, fmt.Errorf("entry %d: %w", row.Seq, err)
	}
	out.Body = &body
	return out, nil
}

// reportLog is what a report reads of the log.
type reportLog struct{ s *server }

// Entry implements runreport.Log.
func (l reportLog) Entry(ctx context.Context, seq int64) (*runreport.Entry, error) {
	row, err := l.s.Log.Entry(ctx, seq)
	if err != nil || row == nil {
		return nil, err
	}
	e, err := reported(l.s.bodies(ctx, row))
	return &e, err
}

// Applied implements runreport.Log.
func (l reportLog) Applied(ctx context.Context, resource string, after int64) ([]runreport.Entry, error) {
	current, err := l.s.Log.Current(ctx, resource)
	if err != nil || current == nil || current.Seq <= after {
		return nil, err // nothing has changed since
	}
	var out []runreport.Entry
	for size, seen := 0, 0; seen < maxSince && size < maxPageBytes; {
		rows, err := l.s.Log.RowsOf(ctx, resource, after+1, entriesAtOnce)
		if err != nil {
			return nil, err
		}
		for i := range rows {
			after, size = rows[i].Seq, size+len(rows[i].Body)
			if c := &rows[i].Columns; c.Type != audit.TypeApply || c.Refused {
				continue
			}
			e, err := reported(l.s.bodies(ctx, &rows[i]))
			if err != nil {
				return nil, err
			}
			out = append(out, e)
		}
		if seen += len(rows); len(rows) < entriesAtOnce {
			break
		}
	}
	return out, nil
}

// effect renders an effect. read is how many bytes of the log it is made of.
func (s *server) effect(ctx context.Context, run string, e *runreport.Effect) (out api.RunEffect, read int, err error) {
	out = api.RunEffect{Address: e.Address, Op: lb.Op(e.Op), Status: string(e.Status), Patch: []lb.Change{}}
	shown := e.Refusal
	if e.Refusal != nil {
		if out.Refusal, err = s.refusalOf(ctx, e.Refusal); err != nil {
			return out, 0, err
		}
		out.Ticket, out.Emergency = e.Refusal.Ticket, e.Refusal.Emergency
	}
	if e.Plan != nil {
		entry := effectEntry(e.Plan)
		shown, out.Plan, out.EffectDigest = e.Plan, &entry, e.Plan.EffectDigest
		if e.Refusal == nil {
			out.Ticket = e.Plan.Ticket
		}
		whole, err := reportLog{s}.Entry(ctx, e.Plan.Seq)
		if err != nil {
			return out, 0, err
		}
		if whole != nil && whole.Body != nil {
			out.Unknown, out.Warnings = whole.Body.Unknown, whole.Body.Warnings
		}
	}
	if e.Apply != nil {
		entry := effectEntry(e.Apply)
		shown, out.Apply, out.Ticket, out.Emergency = e.Apply, &entry, e.Apply.Ticket, e.Apply.Emergency
		if out.EffectDigest == "" {
			out.EffectDigest = e.Apply.EffectDigest
		}
		if e.Apply.Rollback != nil {
			rollback := api.RollbackRef(*e.Apply.Rollback)
			out.Rollback = &rollback
		}
	}
	row, err := s.Log.Entry(ctx, shown.Seq)
	if err != nil || row == nil {
		return out, 0, err
	}
	record, err := s.record(ctx, row)
	if err != nil {
		return out, 0, err
	}
	if record.Patch != nil {
		out.Patch = record.Patch
	}
	out.BodyState, out.BodyErasedBy = record.BodyState, record.BodyErasedBy
	out.TerraformAddress, err = s.nameOf(ctx, e, run)
	return out, len(row.Leaf) + len(row.Body), err
}
