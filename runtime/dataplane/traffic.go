package dataplane

import (
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// LatencyBuckets is how many buckets requests are counted in by the time they took:
// one up to each of [LatencyBounds], and one for what took longer.
const LatencyBuckets = len(durationBounds) + 1

// LatencyBounds are the upper bounds of the buckets, in order.
func LatencyBounds() [LatencyBuckets - 1]time.Duration { return durationBounds }

// Traffic is what the engine has counted, at about one moment. A listener is counted
// from its beginning, over all its changes, and so is each pool at a listener.
type Traffic struct {
	// Revision is that of the snapshot new requests run under.
	Revision  int64
	Listeners map[string]ListenerTraffic
}

// ListenerTraffic is what was counted of one listener.
type ListenerTraffic struct {
	Protocol lb.ListenerProtocol
	// Open is how many connections are open, and Accepted counts those that were opened.
	Open, Accepted int64
	// Bytes of bodies, and of connections without HTTP, by where they came from: clients
	// or members.
	BytesIn, BytesOut int64
	// Pools are those that the listener can choose; "" is what went to none.
	Pools map[string]PoolTraffic

	counts *listenerStats
}

// PoolTraffic is what was counted of what one listener sent to one pool.
type PoolTraffic struct {
	// Requests by class of status, from 1xx; a client that went away counts as 4xx.
	Requests [CodeClasses]uint64
	// Latency has the same requests by the time they took; see [LatencyBounds].
	Latency [LatencyBuckets]uint64
	// Carried counts the connections without HTTP that a member took, and Failed those
	// that none did.
	Carried, Failed uint64

	counts *poolCounts
}

// Traffic returns a copy of the counters that the caller may keep. It takes no lock.
func (e *Engine) Traffic() *Traffic {
	st := e.current.Load()
	t := &Traffic{Revision: st.revision, Listeners: make(map[string]ListenerTraffic, len(st.listeners))}
	for name, l := range st.listeners {
		stats := l.live.stats
		out := ListenerTraffic{
			Protocol: l.config.Protocol, Open: stats.open.Load(), Accepted: stats.accepted.Load(),
			BytesIn: stats.bytesIn.Load(), BytesOut: stats.bytesOut.Load(),
			Pools: make(map[string]PoolTraffic, len(l.counts)), counts: stats,
		}
		for pool, c := range l.counts {
			out.Pools[pool] = c.load()
		}
		t.Listeners[name] = out
	}
	return t
}

func (c *poolCounts) load() PoolTraffic {
	out := PoolTraffic{Carried: c.carried.Load(), Failed: c.failed.Load(), counts: c}
	for class := range c.requests {
		for bucket := range c.requests[class] {
			n := c.requests[class][bucket].Load()
			out.Requests[class] += n
			out.Latency[bucket] += n
		}
	}
	return out
}

// Since returns what was counted after an earlier copy was made, which may be nil. What
// began meanwhile, also under the name of something that is gone, is counted from its
// beginning: no count is ever negative.
func (t *Traffic) Since(earlier *Traffic) *Traffic {
	if earlier == nil {
		earlier = &Traffic{}
	}
	out := &Traffic{Revision: t.Revision, Listeners: make(map[string]ListenerTraffic, len(t.Listeners))}
	for name, now := range t.Listeners {
		then := earlier.Listeners[name]
		if then.counts != now.counts {
			then = ListenerTraffic{Pools: then.Pools}
		}
		now.Accepted -= then.Accepted
		now.BytesIn -= then.BytesIn
		now.BytesOut -= then.BytesOut
		pools := make(map[string]PoolTraffic, len(now.Pools))
		for pool, p := range now.Pools {
			pools[pool] = p.since(then.Pools[pool])
		}
		now.Pools = pools
		out.Listeners[name] = now
	}
	return out
}

func (p PoolTraffic) since(then PoolTraffic) PoolTraffic {
	if then.counts != p.counts {
		return p
	}
	for i := range p.Requests {
		p.Requests[i] -= then.Requests[i]
	}
	for i := range p.Latency {
		p.Latency[i] -= then.Latency[i]
	}
	p.Carried -= then.Carried
	p.Failed -= then.Failed
	return p
}
