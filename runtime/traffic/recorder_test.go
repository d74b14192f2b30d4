package traffic_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/traffic"
)

// began is when the clock of every test starts: on a multiple of all steps.
var began = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// plane is a data plane whose counters and clock are moved by hand.
type plane struct {
	now      time.Time
	revision int64
	held     map[string]dataplane.ListenerTraffic
}

func newPlane(listeners ...string) (*plane, *traffic.Recorder) {
	p := &plane{now: began, revision: 1, held: map[string]dataplane.ListenerTraffic{}}
	for _, l := range listeners {
		p.held[l] = dataplane.ListenerTraffic{Protocol: lb.ListenerHTTP, Pools: map[string]dataplane.PoolTraffic{"": {}}}
	}
	return p, traffic.New(p, func() time.Time { return p.now })
}

// Traffic implements traffic.Source.
func (p *plane) Traffic() *dataplane.Traffic {
	t := &dataplane.Traffic{Revision: p.revision, Listeners: map[string]dataplane.ListenerTraffic{}}
	for name, l := range p.held {
		pools := map[string]dataplane.PoolTraffic{}
		for pool, c := range l.Pools {
			pools[pool] = c
		}
		l.Pools = pools
		t.Listeners[name] = l
	}
	return t
}

// serve counts n requests with a status that took as long as one bucket has.
func (p *plane) serve(listener, pool string, n uint64, status, bucket int) {
	c := p.held[listener].Pools[pool]
	c.Requests[status/100-1] += n
	c.Latency[bucket] += n
	p.held[listener].Pools[pool] = c
}

func (p *plane) pass(r *traffic.Recorder, d time.Duration) {
	p.now = p.now.Add(d)
	r.Sample()
}

// ask asks for one series, from since to now.
func (p *plane) ask(t *testing.T, r *traffic.Recorder, q api.TrafficQuery, ago time.Duration) (*api.Traffic, api.TrafficSeries) {
	t.Helper()
	q.Since, q.Until = p.now.Add(-ago), p.now
	if q.Limit == 0 {
		q.Limit = 100
	}
	answer, ok := r.Query(q)
	if !ok || len(answer.Items) == 0 {
		t.Fatalf("nothing is known of %+v", q)
	}
	return answer, answer.Items[0]
}

func TestAPointIsWhatWasCountedInItsStep(t *testing.T) {
	p, r := newPlane("web")
	p.serve("web", "app", 1000, 200, 3) // before the first look, which is a step of its own
	p.pass(r, 10*time.Second)
	p.serve("web", "app", 90, 200, 2)
	p.serve("web", "app", 6, 404, 2)
	p.serve("web", "", 4, 503, 0)
	p.revision = 42
	p.pass(r, 10*time.Second)
	p.pass(r, 10*time.Second)
	answer, s := p.ask(t, r, api.TrafficQuery{Listener: "web"}, time.Minute)
	if answer.StepSeconds != 10 || !answer.CountingSince.Equal(began) || len(s.Points) != 3 {
		t.Fatalf("%+v", answer)
	}
	want := []api.TrafficPoint{
		{Time: began, Seconds: 10, Revision: 1, Requests: 1000},
		{Time: began.Add(10 * time.Second), Seconds: 10, Revision: 42, Requests: 100, ClientErrors: 6, Errors: 4},
		{Time: began.Add(20 * time.Second), Seconds: 10, Revision: 42},
	}
	for i, got := range s.Points {
		got.LatencyP50, got.LatencyP99 = 0, 0
		if got != want[i] {
			t.Errorf("point %d is\n%+v, want\n%+v", i, got, want[i])
		}
	}
	if rate := s.Points[1].PerSecond(s.Points[1].Requests); rate != 10 {
		t.Errorf("%v requests per second, want 10", rate)
	}
	if got := s.Total; got.Requests != 1100 || got.Seconds != 30 || got.Errors != 4 || got.ClientErrors != 6 || got.Revision != 42 {
		t.Errorf("in total %+v", got)
	}
	_, s = p.ask(t, r, api.TrafficQuery{Pool: "app"}, time.Minute)
	if s.Protocol != api.TrafficHTTP || s.Points[1].Requests != 96 || s.Points[1].Errors != 0 {
		t.Errorf("the pool is not counted apart: %+v", s)
	}
}

func TestQuantilesAreThoseOfAllRequests(t *testing.T) {
	last := len(dataplane.LatencyBounds())
	for name, tt := range map[string]struct {
		requests map[int]uint64 // by bucket
		p50, p99 float64        // seconds
	}{
		"none":                        {nil, 0, 0},
		"all in one bucket":           {map[int]uint64{2: 100}, .00075, .000995},
		"two halves":                  {map[int]uint64{1: 50, 6: 50}, .0005, .0247},
		"one in a hundred is slow":    {map[int]uint64{0: 99, 10: 1}, .00025 * 50 / 99, .00025},
		"two in a hundred are slow":   {map[int]uint64{0: 98, 11: 2}, .00025 * 50 / 98, .75},
		"longer than the last bucket": {map[int]uint64{last: 10}, 60, 60},
	} {
		t.Run(name, func(t *testing.T) {
			p, r := newPlane("web")
			for bucket, n := range tt.requests {
				p.serve("web", "app", n/2, 200, bucket)
			}
			p.pass(r, 10*time.Second)
			for bucket, n := range tt.requests {
				p.serve("web", "app", n-n/2, 500, bucket)
			}
			p.pass(r, 10*time.Second)
			_, s := p.ask(t, r, api.TrafficQuery{Listener: "web"}, time.Minute)
			near := func(got, want float64) bool { return math.Abs(got-want) <= want*1e-9 }
			if !near(s.Total.LatencyP50, tt.p50) || !near(s.Total.LatencyP99, tt.p99) {
				t.Errorf("p50 %v, p99 %v; want %v, %v", s.Total.LatencyP50, s.Total.LatencyP99, tt.p50, tt.p99)
			}
		})
	}
}

// TestNothingIsLostOrCountedTwice: whatever is asked for, the points of a span add up to what
// happened in it.
func TestNothingIsLostOrCountedTwice(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	p, r := newPlane("web", "api")
	type look struct {
		at time.Time
		n  uint64
	}
	var looks []look
	for range 26 * 360 { // 26 hours
		n := uint64(random.IntN(5))
		p.serve("web", "app", n, 200, random.IntN(6))
		p.serve("api", "app", n, 500, random.IntN(6))
		looks = append(looks, look{p.now, n})
		p.pass(r, 10*time.Second)
	}
	for _, ago := range []time.Duration{5 * time.Minute, 15 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour, 26 * time.Hour, 7 * 24 * time.Hour} {
		for _, step := range []time.Duration{0, time.Second, 70 * time.Second, time.Hour} {
			answer, s := p.ask(t, r, api.TrafficQuery{Pool: "app", Step: step}, ago)
			want := uint64(0)
			for _, l := range looks {
				if !l.at.Before(answer.Since) {
					want += l.n
				}
			}
			got, covered, last := int64(0), 0.0, time.Time{}
			for _, point := range s.Points {
				got += point.Requests
				covered += point.Seconds
				if !point.Time.After(last) || point.Time.Before(answer.Since) || !point.Time.Before(answer.Until) {
					t.Errorf("%s in steps of %s: a point at %s", ago, step, point.Time)
				}
				last = point.Time
			}
			if got != int64(2*want) || s.Total.Requests != got || s.Total.Errors != int64(want) || covered != s.Total.Seconds {
				t.Errorf("%s in steps of %s (%d s): %d requests in %v s, in total %+v, want %d", ago, step, answer.StepSeconds, got, covered, s.Total, 2*want)
			}
			if len(s.Points) > api.MaxTrafficPoints || step == 0 && len(s.Points) > 122 && ago < 24*time.Hour {
				t.Errorf("%s in steps of %s: %d points", ago, step, len(s.Points))
			}
		}
	}
}

func TestWhatIsGoneAgesOut(t *testing.T) {
	p, r := newPlane("web", "old")
	p.serve("old", "app", 5, 200, 1)
	p.pass(r, 10*time.Second)
	delete(p.held, "old")
	names := func() (out []string) {
		answer, _ := p.ask(t, r, api.TrafficQuery{}, traffic.Keep)
		for _, s := range answer.Items {
			out = append(out, s.Name())
		}
		return out
	}
	if got := names(); fmt.Sprint(got) != "[listener/old listener/web pool/app]" {
		t.Errorf("after it was removed: %v", got)
	}
	for range 14*24*6 + 12 + 1 {
		p.serve("web", "", 1, 404, 1)
		p.pass(r, 10*time.Minute)
	}
	if got := names(); fmt.Sprint(got) != "[listener/web]" {
		t.Errorf("fourteen days later: %v", got)
	}
	if _, ok := r.Query(api.TrafficQuery{Listener: "old", Since: began, Until: p.now, Limit: 1}); ok {
		t.Error("fourteen days later it is still known")
	}
	if bytes, _ := r.Held(); bytes > 14*24*6*20 {
		t.Errorf("%d bytes are held", bytes)
	}
	// Its number goes to another, and the bound on keys is one on what is remembered.
	r.Bound(traffic.MaxBytes, 2)
	p.held["new"] = dataplane.ListenerTraffic{Protocol: lb.ListenerTCP, Accepted: 3, Pools: map[string]dataplane.PoolTraffic{}}
	p.pass(r, 10*time.Second)
	if _, s := p.ask(t, r, api.TrafficQuery{Listener: "new"}, time.Minute); s.Total.Connections != 3 || s.Protocol != api.TrafficTCP {
		t.Errorf("what came later: %+v", s)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	p, r := newPlane("web")
	const most = 20_000
	r.Bound(most, 50)
	for range 400 {
		for i := range 60 {
			p.serve("web", fmt.Sprintf("p%d", i), 100, 200, i%9)
		}
		p.pass(r, 10*time.Second)
	}
	if bytes, keys := r.Held(); bytes > most || bytes < most/2 || keys != 50 {
		t.Errorf("%d bytes and %d keys are held, of %d and 50", bytes, keys, most)
	}
	// What is newest is there.
	if _, s := p.ask(t, r, api.TrafficQuery{Listener: "web"}, time.Minute); s.Total.Requests == 0 || len(s.Points) < 6 {
		t.Errorf("the last minute: %+v", s)
	}
}

func TestAClockThatIsPutBackMakesNoRateWrong(t *testing.T) {
	p, r := newPlane("web")
	for range 60 {
		p.serve("web", "app", 100, 200, 1)
		p.pass(r, 10*time.Second)
	}
	p.serve("web", "app", 7, 200, 1)
	p.pass(r, -5*time.Minute) // no look: time did not pass
	p.serve("web", "app", 3, 200, 1)
	p.now = p.now.Add(5*time.Minute + 10*time.Second)
	r.Sample()
	answer, s := p.ask(t, r, api.TrafficQuery{Listener: "web"}, time.Hour)
	for _, point := range s.Points {
		if rate := point.PerSecond(point.Requests); rate < 0 || rate > 10 || point.Time.After(answer.Until) {
			t.Errorf("%v requests per second at %s", rate, point.Time)
		}
	}
	if s.Total.Requests != 6010 {
		t.Errorf("%d requests, want 6010", s.Total.Requests)
	}
}

func TestAListIsPagedByName(t *testing.T) {
	p, r := newPlane("a", "b", "c")
	for _, l := range []string{"a", "b", "c"} {
		p.serve(l, "pool-"+l, 1, 200, 1)
		p.serve(l, "a", 1, 200, 1)
	}
	p.pass(r, 10*time.Second)
	var got []string
	for cursor := ""; ; {
		answer, _ := r.Query(api.TrafficQuery{Since: began, Until: p.now, Limit: 2, Cursor: cursor})
		for _, s := range answer.Items {
			got = append(got, s.Name())
			if len(s.Points) != 1 {
				t.Errorf("%+v", s)
			}
		}
		if cursor = answer.Next; cursor == "" {
			break
		}
	}
	if want := "[listener/a listener/b listener/c pool/a pool/pool-a pool/pool-b pool/pool-c]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
}

// TestAListenerMadeAnewCountsFromNothing is over a real data plane, whose counters
// begin again.
func TestAListenerMadeAnewCountsFromNothing(t *testing.T) {
	e := dataplane.New(dataplane.Options{})
	t.Cleanup(func() { _ = e.Shutdown(t.Context()) })
	now := began
	r := traffic.New(e, func() time.Time { return now })
	l := lb.NewListener()
	l.Owner, l.Address, l.Protocol = "test", "127.0.0.1", lb.ListenerHTTP
	l.Normalize()
	for i, n := range []int{5, 3, 9} {
		e.Apply(&dataplane.Snapshot{Revision: int64(2 * i), Listeners: map[string]*lb.Listener{"web": l}})
		for range n {
			request(t, e.Status().Listeners["web"].Address)
		}
		counted(t, e, n)
		now = now.Add(10 * time.Second)
		r.Sample()
		e.Apply(&dataplane.Snapshot{Revision: int64(2*i + 1)})
	}
	answer, ok := r.Query(api.TrafficQuery{Listener: "web", Since: began, Until: now, Limit: 1})
	if !ok {
		t.Fatal("nothing is known")
	}
	var got []int64
	for _, p := range answer.Items[0].Points {
		got = append(got, p.Requests)
	}
	if fmt.Sprint(got) != "[5 3 9]" {
		t.Errorf("requests: %v, want 5, 3 and 9", got)
	}
}
