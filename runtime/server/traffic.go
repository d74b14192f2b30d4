package server

import (
	"net/http"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

// getTraffic answers what the data plane did in a span of time.
func (s *server) getTraffic(c *call) (*answer, error) {
	values := c.URL.Query()
	q := api.TrafficQuery{Listener: values.Get("listener"), Pool: values.Get("pool")}
	var err error
	if q.Limit, q.Cursor, err = c.page(); err != nil {
		return nil, err
	}
	if q.Since, err = c.timeParameter("since"); err != nil {
		return nil, err
	}
	if q.Until, err = c.timeParameter("until"); err != nil {
		return nil, err
	}
	now := s.Now()
	if q.Until.IsZero() || q.Until.After(now) {
		q.Until = now
	}
	if q.Since.IsZero() {
		q.Since = q.Until.Add(-api.DefaultTrafficSpan)
	}
	if q.Since.After(q.Until) {
		return nil, badParameter("since", "must not be after until, or now")
	}
	if text := values.Get("step"); text != "" {
		if q.Step, err = time.ParseDuration(text); err != nil || q.Step < time.Second || q.Step > maxTrafficStep {
			return nil, badParameter("step", "must be a duration from 1s to 24h, such as 30s or 5m")
		}
	}
	if s.Traffic == nil {
		return ok(api.Traffic{Since: q.Since, Until: q.Until, CountingSince: now, Items: []api.TrafficSeries{}})
	}
	out, known := s.Traffic(q)
	if !known {
		one := api.TrafficSeries{Listener: q.Listener, Pool: q.Pool}
		return nil, api.NewProblem(api.CodeNotFound, "nothing is known of traffic of "+bounded(one.Name(), 256)+": it did not exist in that time")
	}
	return &answer{status: http.StatusOK, body: out}, nil
}

const maxTrafficStep = 24 * time.Hour
