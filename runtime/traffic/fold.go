package traffic

import (
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
)

// series is what an answer has of one name, while it is added up.
type series struct {
	name
	tcp, known bool
	total      span
	points     []span
}

// span is what was counted in one step.
type span struct {
	start    int64
	covered  time.Duration
	revision int64
	cell
}

// fold adds the slots up to series of so many points.
func (v *view) fold(names []name, points int) []*series {
	out := make([]*series, len(names))
	for i, n := range names {
		out[i] = &series{name: n, points: make([]span, points)}
	}
	// By key, the series that it counts for.
	of := make([][]*series, len(v.keys))
	for id, k := range v.keys {
		for _, s := range out {
			if s.covers(k) {
				of[id] = append(of[id], s)
			}
		}
	}
	since, step := v.since.Unix(), int64(v.step/time.Second)
	for _, slot := range v.slots {
		i := (slot.start - since) / step
		if i < 0 || i >= int64(points) {
			continue
		}
		for _, s := range out {
			p := &s.points[i]
			p.start, p.revision = since+i*step, slot.revision
			p.covered += slot.covered
			s.total.revision = slot.revision
			s.total.covered += slot.covered
		}
		eachCell(slot.cells, func(id uint64) bool { return len(of[id]) > 0 }, func(id uint64, c *cell) {
			for _, s := range of[id] {
				s.is(v.keys[id])
				s.points[i].add(c)
				s.total.add(c)
			}
		})
	}
	for _, k := range v.current {
		for _, s := range out {
			if s.covers(k) {
				s.is(k)
			}
		}
	}
	return out
}

// is notes a key that counts for the series: it is of connections if all its keys are.
func (s *series) is(k key) { s.tcp, s.known = k.tcp && (s.tcp || !s.known), true }

func (s *series) render() api.TrafficSeries {
	out := api.TrafficSeries{Listener: s.listener, Pool: s.pool, Protocol: api.TrafficHTTP, Points: []api.TrafficPoint{}}
	if s.tcp {
		out.Protocol = api.TrafficTCP
	}
	for i := range s.points {
		p := &s.points[i]
		if p.covered == 0 {
			continue
		}
		if s.total.start == 0 {
			s.total.start = p.start
		}
		out.Points = append(out.Points, p.render(s.pool != ""))
	}
	out.Total = s.total.render(s.pool != "")
	return out
}

// render writes a span as the API does.
func (s *span) render(ofPool bool) api.TrafficPoint {
	p := api.TrafficPoint{Seconds: s.covered.Seconds(), Revision: s.revision}
	if s.start > 0 {
		p.Time = time.Unix(s.start, 0).UTC()
	}
	for class := range dataplane.CodeClasses {
		p.Requests += int64(s.cell[requests+class])
	}
	p.ClientErrors, p.Errors = int64(s.cell[requests+3]), int64(s.cell[requests+4]+s.cell[failed])
	p.LatencyP50, p.LatencyP99 = s.quantile(.5), s.quantile(.99)
	p.Connections = int64(s.cell[accepted])
	if ofPool {
		p.Connections = int64(s.cell[carried] + s.cell[failed])
	}
	p.OpenConnections = int64(s.cell[open])
	p.BytesIn, p.BytesOut = int64(s.cell[bytesIn]), int64(s.cell[bytesOut])
	return p
}

// quantile is how long, in seconds, a share of the requests took at most. Within a
// bucket they are taken to be spread evenly; in the last one to take no longer than its
// lower bound.
func (s *span) quantile(share float64) float64 {
	buckets := s.cell[latency : latency+dataplane.LatencyBuckets]
	all := uint64(0)
	for _, n := range buckets {
		all += n
	}
	if all == 0 {
		return 0
	}
	bounds := dataplane.LatencyBounds()
	rank, below, from := share*float64(all), 0.0, time.Duration(0)
	for i, n := range buckets {
		if i == len(bounds) {
			break
		}
		if here := float64(n); here > 0 && below+here >= rank {
			return from.Seconds() + (bounds[i]-from).Seconds()*(rank-below)/here
		}
		below, from = below+float64(n), bounds[i]
	}
	return from.Seconds()
}
