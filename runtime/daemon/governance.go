package daemon

import (
	"log/slog"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// governance makes what deserves attention loud: emergencies in the log of the
// process and in metrics, refusals and changes in metrics.
type governance struct {
	logger     *slog.Logger
	changes    *prometheus.CounterVec
	refusals   *prometheus.CounterVec
	opened     prometheus.Counter
	unreviewed prometheus.GaugeFunc
	written    *prometheus.CounterVec

	mu sync.Mutex // guards what follows
	// pending are the emergency tickets that nobody has reviewed; done those that
	// somebody has since the start.
	pending, done map[string]bool
}

func newGovernance(logger *slog.Logger, registry *prometheus.Registry) *governance {
	g := &governance{
		logger: logger,
		changes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "auditlb_changes_total", Help: "Changes made, by kind of object and whether they were made in an emergency.",
		}, []string{"kind", "emergency"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "auditlb_refusals_total", Help: "Calls refused and recorded, by code.",
		}, []string{"code"}),
		opened: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "auditlb_emergency_tickets_total", Help: "Emergency tickets opened.",
		}),
		written: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "auditlb_ticket_evidence_total", Help: "Attempts to write evidence back to the authority of a ticket, by result.",
		}, []string{"result"}),
		pending: map[string]bool{}, done: map[string]bool{},
	}
	g.unreviewed = prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "auditlb_emergency_tickets_unreviewed", Help: "Emergency tickets that nobody else has reviewed yet.",
	}, func() float64 {
		g.mu.Lock()
		defer g.mu.Unlock()
		return float64(len(g.pending))
	})
	registry.MustRegister(g.changes, g.refusals, g.opened, g.unreviewed, g.written)
	return g
}

// record is told of every entry.
func (g *governance) record(e *audit.Entry) {
	kind, id, _ := strings.Cut(e.Resource, "/")
	switch e.Type {
	case audit.TypeReject:
		g.refusals.WithLabelValues(e.Code).Inc()
	case audit.TypeApply:
		emergency := "false"
		if e.Emergency {
			emergency = "true"
			g.logger.Warn("change made in an emergency", "resource", e.Resource, "op", e.Op, "ticket", e.Ticket, "actor", e.Actor.Name, "seq", e.Seq)
		}
		g.changes.WithLabelValues(kind, emergency).Inc()
	case audit.TypeTicket:
		g.recordTicket(e, id)
	}
}

func (g *governance) recordTicket(e *audit.Entry, id string) {
	if !e.Emergency {
		return
	}
	switch {
	case e.Op == "open", e.Op == "mirror" && e.Base == 0:
		g.opened.Inc()
		g.logger.Warn("emergency ticket opened: changes under it need no approval", "ticket", id, "actor", e.Actor.Name, "seq", e.Seq)
		g.mu.Lock()
		defer g.mu.Unlock()
		g.pending[id] = true
	case e.Op == string(ticket.Review):
		g.logger.Info("emergency ticket reviewed", "ticket", id, "actor", e.Actor.Name, "seq", e.Seq)
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.pending, id)
		g.done[id] = true
	}
}

// found counts a ticket of before the start.
func (g *governance) found(t *control.HeldTicket) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if t.Unreviewed() && !g.done[t.ID] {
		g.pending[t.ID] = true
	}
}
