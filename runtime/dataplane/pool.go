package dataplane

import (
	"crypto/tls"
	"maps"
	"net"
	"reflect"
	"slices"
	"sync/atomic"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/balance"
	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/health"
	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/limit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/tlsconfig"
	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/upstream"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// pool is a compiled [lb.Pool].
type pool struct {
	name    string
	config  *lb.Pool
	group   *balance.Group // shared by all versions of the pool
	members map[string]*member
	budget  *limit.RetryBudget // shared, too
	// certificate is the client certificate that members are shown, nil for none.
	certificate *tls.Certificate
	// retries says on which causes a request is tried again.
	retries map[lb.RetryCause]bool

	// Those that may be chosen, side by side with the balancer's shares.
	active   []*member
	balancer *balance.Balancer
}

// member is one version of a member: the immutable struct changes when the
// pool's settings do, what it points to survives.
type member struct {
	key, address, scheme string
	state                lb.MemberState
	load                 *balance.Member
	conns                *upstream.Conns // of a pool that speaks HTTP/1.1 or tcp, else nil
	http2                *upstream.HTTP2 // of one that speaks HTTP/2, else nil
	watch                *health.Watch   // nil without health check
	// cause is why the last probe that made the member unhealthy failed.
	cause *atomic.Pointer[string]
}

// compilePool builds a pool. Old is its previous version or nil.
func (e *Engine) compilePool(name string, config *lb.Pool, certificate *tls.Certificate, old *pool) *pool {
	p := &pool{
		name: name, config: config, certificate: certificate,
		members: make(map[string]*member, len(config.Members)),
		retries: make(map[lb.RetryCause]bool, len(config.Retries.On)),
	}
	for _, cause := range config.Retries.On {
		p.retries[cause] = true
	}
	if old != nil {
		p.group, p.budget = old.group, old.budget
	} else {
		p.budget = limit.NewRetryBudget()
		p.group = balance.NewGroup(func(ej balance.Ejection) { e.ejected(name, ej) })
	}
	secure, err := p.upstreamTLS()
	if err != nil {
		// Without its TLS the pool serves nothing: plain text is not what was asked for.
		e.log.Error("pool's upstream TLS can't be set up", "pool", name, "error", err)
	}
	var shares []balance.Share
	for _, key := range slices.Sorted(maps.Keys(config.Members)) {
		want := config.Members[key]
		m := e.compileMember(p, key, want, secure, old)
		p.members[key] = m
		if want.State == lb.MemberActive && err == nil {
			p.active = append(p.active, m)
			shares = append(shares, balance.Share{Member: m.load, Weight: want.Weight, Backup: want.Backup, Limit: config.Limits.MaxConnections})
		}
	}
	a := config.Affinity
	p.balancer = p.group.NewBalancer(balance.Config{
		Algorithm: config.Algorithm, SlowStart: config.SlowStart.Std(), Outlier: config.OutlierDetection,
		HashAffinity: a != nil && a.Type != lb.AffinityCookie, MaxPending: config.Limits.MaxPending,
	}, shares)
	return p
}

// upstreamTLS is how the pool's members are spoken to over TLS, nil without TLS.
func (p *pool) upstreamTLS() (*tlsconfig.Upstream, error) {
	u := p.config.UpstreamTLS
	if u == nil {
		return nil, nil
	}
	return tlsconfig.NewUpstream(u, p.certificate, p.config.HTTPVersion)
}

// connectsLike reports whether connections made under another version are as good.
func (p *pool) connectsLike(old *pool) bool {
	return old.config.Protocol == p.config.Protocol && old.config.HTTPVersion == p.config.HTTPVersion &&
		old.config.Timeouts == p.config.Timeouts && old.certificate == p.certificate &&
		reflect.DeepEqual(old.config.UpstreamTLS, p.config.UpstreamTLS)
}

func (e *Engine) compileMember(p *pool, key string, want lb.Member, secure *tlsconfig.Upstream, oldPool *pool) *member {
	m := &member{key: key, address: want.Address, scheme: "http", state: want.State}
	var old *member
	if oldPool != nil {
		if o := oldPool.members[key]; o != nil && o.address == want.Address {
			old = o
		}
	}
	if old != nil {
		m.load, m.cause = old.load, old.cause
	} else {
		m.load, m.cause = p.group.NewMember(key), new(atomic.Pointer[string])
	}
	var tlsFor *tls.Config
	if secure != nil {
		host, _, _ := net.SplitHostPort(want.Address)
		tlsFor, m.scheme = secure.Config(host), "https"
	}
	switch {
	case old != nil && p.connectsLike(oldPool):
		m.conns, m.http2 = old.conns, old.http2
	default:
		t := p.config.Timeouts
		settings := upstream.Settings{
			Poller: e.poller, Address: want.Address, TLS: tlsFor,
			Connect: t.Connect.Std(), Write: t.Response.Std(), Idle: t.Idle.Std(),
		}
		if p.config.HTTPVersion == lb.HTTP2 {
			m.http2 = upstream.NewHTTP2(settings)
		} else {
			m.conns = upstream.New(settings)
		}
	}
	check := p.config.HealthCheck
	switch {
	case check == nil || want.State == lb.MemberDisabled:
		// Nobody looks, so what was seen no longer counts.
		e.stopWatch(old)
		m.load.SetHealthy(true)
		m.cause.Store(nil)
	case old != nil && old.watch != nil && reflect.DeepEqual(oldPool.config.HealthCheck, check) &&
		p.connectsLike(oldPool) && oldPool.config.ProxyProtocol == p.config.ProxyProtocol:
		m.watch = old.watch
	default:
		e.stopWatch(old)
		m.watch = e.watch(p, m, tlsFor)
	}
	return m
}

// watch begins to probe a member. Its health so far stands until probes say otherwise.
func (e *Engine) watch(p *pool, m *member, secure *tls.Config) *health.Watch {
	pool, key, load, cause := p.name, m.key, m.load, m.cause
	target := health.Target{
		Address: m.address, Check: p.config.HealthCheck, TLS: secure,
		HTTPVersion: p.config.HTTPVersion, ProxyProtocol: p.config.ProxyProtocol,
	}
	return e.checker.Watch(target, load.Healthy(), func(healthy bool, err error) {
		if healthy {
			cause.Store(nil)
			e.log.Info("member is healthy again", "pool", pool, "member", key)
			e.decided(CauseHealthy, pool, key, "")
		} else {
			text := err.Error()
			cause.Store(&text)
			e.log.Warn("member is unhealthy", "pool", pool, "member", key, "cause", text)
			e.decided(CauseUnhealthy, pool, key, text)
		}
		load.SetHealthy(healthy)
	})
}

// ejected hears of ejections and their ends.
func (e *Engine) ejected(pool string, ej balance.Ejection) {
	if ej.Ended {
		e.log.Info("member returns from ejection", "pool", pool, "member", ej.Member)
		e.decided(CauseReturned, pool, ej.Member, "")
		return
	}
	e.log.Warn("member is ejected", "pool", pool, "member", ej.Member, "for", ej.For)
	e.decided(CauseEjected, pool, ej.Member, ej.For.String())
}

// decided leaves the record of a decision about a member.
func (e *Engine) decided(cause Cause, pool, member, detail string) {
	e.metrics.decided(cause)
	if rec := e.options.Recorder; rec != nil {
		rec.Decision(&Record{Time: time.Now(), Revision: e.current.Load().revision, Cause: cause, Pool: pool, Member: member, Detail: []byte(detail)})
	}
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
		if m.conns != nil && (heir == nil || heir.conns != m.conns) {
			m.conns.Close()
		}
		if m.http2 != nil && (heir == nil || heir.http2 != m.http2) {
			m.http2.Close()
		}
	}
	if next == nil {
		p.group.Close()
	}
}

// retriesOn reports whether the pool's requests are tried again for a cause.
func (p *pool) retriesOn(cause lb.RetryCause) bool { return p.retries[cause] }

// retryStatus is the cause that a response with a status is, if it is one.
func (p *pool) retryStatus(status int) (lb.RetryCause, bool) {
	if status < 500 || len(p.retries) == 0 {
		return "", false
	}
	switch status {
	case 500:
		return lb.Retry500, true
	case 502:
		return lb.Retry502, true
	case 503:
		return lb.Retry503, true
	case 504:
		return lb.Retry504, true
	}
	return "", false
}
