package control

import (
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Bounds of what is remembered of runs' plans.
const (
	// plannedFor is how long a plan counts for later plans of its run. It spans
	// one walk of Terraform, and not the next attempt under the same run id.
	plannedFor  = 10 * time.Minute
	plannedRuns = 256
	// plannedObjects bounds what is remembered of one run.
	plannedObjects = 20_000
)

// planned remembers what recent runs planned, so that a plan can be judged with
// the others of its run: the pool that a route will need, the listener that
// will have moved away. It is a hint: losing it costs a warning, not a record.
// It belongs to the run loop's goroutine.
type planned struct {
	runs map[string]*runPlans
}

type runPlans struct {
	at      time.Time
	objects map[lb.Address]lb.Object // nil: planned to be deleted
}

func newPlanned() *planned { return &planned{map[string]*runPlans{}} }

// note remembers a plan.
func (p *planned) note(run string, plan Plan, now time.Time) {
	if run == "" {
		return
	}
	plans := p.of(run, now)
	if plans == nil {
		p.forgetOldest()
		plans = &runPlans{objects: map[lb.Address]lb.Object{}}
		p.runs[run] = plans
	}
	plans.at = now
	if _, known := plans.objects[plan.Address]; known || len(plans.objects) < plannedObjects {
		plans.objects[plan.Address] = essence(plan.Object)
	}
}

// exists stands for an object of which nothing more is asked.
var exists lb.Object = &lb.Pool{}

// essence is what later plans ask of an object: of a listener its socket, of
// others that they exist.
func essence(obj lb.Object) lb.Object {
	switch obj := obj.(type) {
	case nil:
		return nil
	case *lb.Listener:
		return &lb.Listener{Address: obj.Address, Port: obj.Port}
	}
	return exists
}

// of returns a run's plans while they count, or nil.
func (p *planned) of(run string, now time.Time) *runPlans {
	plans := p.runs[run]
	if plans != nil && now.Sub(plans.at) > plannedFor {
		delete(p.runs, run)
		return nil
	}
	return plans
}

func (p *planned) forgetOldest() {
	if len(p.runs) < plannedRuns {
		return
	}
	oldest := ""
	for run, plans := range p.runs {
		if oldest == "" || plans.at.Before(p.runs[oldest].at) {
			oldest = run
		}
	}
	delete(p.runs, oldest)
}

// makes reports whether a run plans that an object will exist.
func (p *planned) makes(run string, address lb.Address, now time.Time) bool {
	plans := p.of(run, now)
	return plans != nil && plans.objects[address] != nil
}

// over lays a run's planned listeners over a view.
func (p *planned) over(run string, view overlay, now time.Time) lb.View {
	out := overlay{base: view.base, changed: map[lb.Address]*Object{}}
	for a, o := range view.changed {
		out.changed[a] = o
	}
	if plans := p.of(run, now); plans != nil {
		for a, obj := range plans.objects {
			if a.Kind != lb.KindListener {
				continue
			}
			if out.changed[a] = nil; obj != nil {
				out.changed[a] = &Object{Address: a, Object: obj}
			}
		}
	}
	return out
}
