package dataplane

import (
	"maps"
	"net/http"
	"reflect"
	"slices"
	"sync/atomic"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/balance"
	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/health"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// pool is a compiled [lb.Pool].
type pool struct {
	name    string
	config  *lb.Pool
	group   *balance.Group // shared by all versions of the pool
	members map[string]*member

	// Those that may be chosen, side by side with the balancer's shares.
	active   []*member
	balancer *balance.Balancer
}

// member is one version of a member: the immutable struct changes when the
// pool's settings do, what it points to survives.
type member struct {
	key, address string
	state        lb.MemberState
	timeouts     lb.PoolTimeouts
	load         *balance.Member
	transport    *http.Transport // nil in a tcp pool
	watch        *health.Watch   // nil without health check
	// cause is why the last probe that made the member unhealthy failed.
	cause *atomic.Pointer[string]
}

// compilePool builds a pool. Old is its previous version or nil.
func (e *Engine) compilePool(name string, config *lb.Pool, old *pool) *pool {
	p := &pool{name: name, config: config, members: make(map[string]*member, len(config.Members))}
	if old != nil {
		p.group = old.group
	} else {
		p.group = new(balance.Group)
	}
	var shares []balance.Share
	for _, key := range slices.Sorted(maps.Keys(config.Members)) {
		want := config.Members[key]
		m := e.compileMember(p, key, want, old)
		p.members[key] = m
		if want.State == lb.MemberActive {
			p.active = append(p.active, m)
			shares = append(shares, balance.Share{Member: m.load, Weight: want.Weight, Backup: want.Backup})
		}
	}
	p.balancer = p.group.NewBalancer(config.Algorithm, shares)
	return p
}

func (e *Engine) compileMember(p *pool, key string, want lb.Member, oldPool *pool) *member {
	m := &member{key: key, address: want.Address, state: want.State, timeouts: p.config.Timeouts}
	var old *member
	var oldCheck *lb.HealthCheck
	if oldPool != nil {
		if o := oldPool.members[key]; o != nil && o.address == want.Address {
			old, oldCheck = o, oldPool.config.HealthCheck
		}
	}
	if old != nil {
		m.load, m.cause = old.load, old.cause
	} else {
		m.load, m.cause = p.group.NewMember(), new(atomic.Pointer[string])
	}
	switch {
	case p.config.Protocol != lb.PoolHTTP:
	case old != nil && old.transport != nil && old.timeouts == m.timeouts:
		m.transport = old.transport
	default:
		m.transport = newTransport(m.timeouts)
	}
	check := p.config.HealthCheck
	switch {
	case check == nil || want.State == lb.MemberDisabled:
		// Nobody looks, so what was seen no longer counts.
		e.stopWatch(old)
		m.load.SetHealthy(true)
		m.cause.Store(nil)
	case old != nil && old.watch != nil && reflect.DeepEqual(oldCheck, check):
		m.watch = old.watch
	default:
		e.stopWatch(old)
		m.watch = e.watch(p.name, m, check)
	}
	return m
}

// watch begins to probe a member. Its health so far stands until probes say otherwise.
func (e *Engine) watch(pool string, m *member, check *lb.HealthCheck) *health.Watch {
	key, load, cause := m.key, m.load, m.cause
	return e.checker.Watch(m.address, check, load.Healthy(), func(healthy bool, err error) {
		if healthy {
			cause.Store(nil)
			e.log.Info("member is healthy again", "pool", pool, "member", key)
		} else {
			text := err.Error()
			cause.Store(&text)
			e.log.Warn("member is unhealthy", "pool", pool, "member", key, "cause", text)
		}
		load.SetHealthy(healthy)
	})
}

func (e *Engine) stopWatch(m *member) {
	if m != nil && m.watch != nil {
		m.watch.Stop()
	}
}

// retire ends what the pool's members have and next, the pool's new version or
// nil, has not taken over. Requests in flight are not touched.
func (p *pool) retire(next *pool) {
	for key, m := range p.members {
		var heir *member
		if next != nil {
			heir = next.members[key]
		}
		if m.watch != nil && (heir == nil || heir.watch != m.watch) {
			m.watch.Stop()
		}
		if m.transport != nil && (heir == nil || heir.transport != m.transport) {
			m.transport.CloseIdleConnections()
		}
	}
}

// acquire chooses a member and counts a request on it until load.Release; nil
// when no member can serve.
func (p *pool) acquire() *member {
	if i := p.balancer.Acquire(); i >= 0 {
		return p.active[i]
	}
	return nil
}
