package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/authority"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
)

// evidence tells authorities what was done under their tickets. It implements
// [authority.Source] over the log.
type evidence struct {
	controller *control.Controller
	log        control.Store
	origin     string
}

// entriesAtOnce is how many entries of a ticket are read together.
const entriesAtOnce = 200

// Evidence implements [authority.Source].
func (s *evidence) Evidence(ctx context.Context, ticketID string) (authority.Evidence, error) {
	out := authority.Evidence{Ticket: ticketID, LogOrigin: s.origin}
	t, err := s.controller.Ticket(ctx, ticketID)
	if err != nil || t == nil {
		return out, err
	}
	var lines []authority.EntryLine
	for before := int64(0); ; {
		rows, err := s.log.Entries(ctx, control.Query{Ticket: ticketID, Before: before, Limit: entriesAtOnce})
		if err != nil {
			return out, err
		}
		for i := range rows {
			before = rows[i].Seq
			if before <= t.Written {
				rows = nil
				break
			}
			e, err := audit.ParseLeaf(rows[i].Leaf)
			if err != nil {
				return out, fmt.Errorf("entry %d: %w", rows[i].Seq, err)
			}
			switch e.Type {
			case audit.TypeApply:
				out.Applied++
			case audit.TypeReject:
				out.Refused++
			default:
				continue
			}
			out.Through = max(out.Through, e.Seq)
			lines = append(lines, authority.EntryLine{
				Seq: e.Seq, Time: e.Time, Actor: e.Actor.Name, Run: e.RunID(), Op: e.Op, Resource: e.Resource, Refusal: e.Code,
			})
		}
		if len(rows) < entriesAtOnce {
			break
		}
	}
	slices.Reverse(lines)
	out.Entries = lines[:min(len(lines), authority.MaxEvidenceEntries)]
	out.Truncated = len(lines) - len(out.Entries)
	extent, err := s.log.Extent(ctx)
	out.Checkpoint = string(extent.Note)
	return out, err
}

// Written implements [authority.Source].
func (s *evidence) Written(ctx context.Context, ticketID string, through int64) error {
	return s.controller.MarkWritten(ctx, ticketID, through)
}

// unwritten notes the tickets of which their authority was not told everything
// before the last stop.
func (s *evidence) unwritten(ctx context.Context, writer *authority.Writer) error {
	return s.eachTicket(ctx, func(t *control.HeldTicket) error {
		if t.Authority == "" {
			return nil
		}
		usage, err := s.controller.Usage(ctx, t.ID)
		if err == nil && usage.Last > t.Written {
			writer.Note(t.ID, usage.Last)
		}
		return err
	})
}

// eachTicket calls f with every ticket, latest change first.
func (s *evidence) eachTicket(ctx context.Context, f func(*control.HeldTicket) error) error {
	const page = 200
	for before := int64(0); ; {
		tickets, err := s.controller.Tickets(ctx, before, page)
		if err != nil {
			return err
		}
		for i := range tickets {
			before = tickets[i].Revision
			if err := f(&tickets[i]); err != nil {
				return err
			}
		}
		if len(tickets) < page {
			return nil
		}
	}
}

// newWriter makes the writer of evidence.
func newWriter(source *evidence, keeper *authority.Keeper, quiet time.Duration, logger *slog.Logger, m *governance) *authority.Writer {
	return authority.NewWriter(source, keeper, authority.WriterConfig{
		Quiet: quiet,
		OnWritten: func(id string, took time.Duration) {
			m.written.WithLabelValues("ok").Inc()
			logger.Info("evidence written back", "ticket", id, "took", took)
		},
		OnFailed: func(id string, err error, retryIn time.Duration) {
			m.written.WithLabelValues("failed").Inc()
			logger.Warn("evidence not written back", "ticket", id, "error", err, "retry_in", retryIn)
		},
	})
}
