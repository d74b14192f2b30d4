package dataplane

import (
	"errors"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/balance"
	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/proxyproto"
	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/route"
	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/sni"
	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/tcp"
	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/upstream"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// passThrough serves a connection of a tls_passthrough listener: the name that the
// client asks for chooses the pool, as a route's host does.
func (c *clientConn) passThrough(st *state, l *listener) {
	hello, first, err := sni.Peek(c.raw, time.Now().Add(l.config.Timeouts.RequestHeader.Std()))
	if err != nil {
		c.decide(l, CauseBadRequest, err.Error())
		l.carried("", false)
		c.reset()
		return
	}
	pool := l.config.DefaultPool
	request := route.Request{Host: []byte(hello.ServerName), Path: []byte("/")}
	if r, err := l.routes.Match(&request); err == nil && r != nil {
		pool = r.Pool()
	}
	if pool == "" {
		c.decide(l, CauseNoRoute, hello.ServerName)
		l.carried("", false)
		c.reset()
		return
	}
	c.relayTo(st, l, pool, first)
}

// stream is a connection of a listener without HTTP on its way to a member.
type stream struct {
	conn   *clientConn
	l      *listener
	pool   *pool
	member *member
	pick   balance.Request
	tried  [maxTries]int
	tries  int
}

// relayTo carries the connection to a member of a pool; first is what has been read of
// it. A client that can't be carried is reset.
func (c *clientConn) relayTo(st *state, l *listener, poolName string, first []byte) {
	defer c.close()
	s := &stream{conn: c, l: l, pool: st.pools[poolName]}
	if s.pool == nil {
		c.decide(l, CauseNoMember, "pool "+poolName)
		l.carried(poolName, false)
		c.reset()
		return
	}
	began := time.Now()
	member := s.connect()
	l.carried(poolName, member != nil)
	if member == nil {
		c.reset()
		return
	}
	defer s.member.load.Release()
	if ahead := c.raw.Unreads(); len(ahead) > 0 {
		first = append(first, ahead...)
	}
	c.raw.SetReadTimeout(0)
	c.raw.Disarm()
	stats := l.live.stats
	traffic, err := tcp.Relay(
		tcp.Peer{Conn: c.raw, Ahead: first, Sent: &stats.bytesIn},
		tcp.Peer{Conn: member.Raw, Sent: &stats.bytesOut}, s.pool.config.Timeouts.Idle.Std())
	member.Close()
	if err != nil && !errors.Is(err, tcp.ErrIdle) {
		c.front.engine.log.Debug("connection failed", "listener", c.front.name, "pool", poolName, "member", s.member.key, "error", err)
	}
	c.recordStream(l, s, st.revision, time.Since(began), traffic, err)
}

// connect opens a connection to a member, of several if the pool's retries say so:
// nothing has been sent before one accepts. Nil: there is none.
func (s *stream) connect() *upstream.Conn {
	c, p := s.conn, s.pool
	e := c.front.engine
	if a, k := p.config.Affinity, p.config.HashKey; a != nil || k != nil {
		s.pick.Hash, s.pick.Hashed = hashAddr(c.client.Addr()), true
	}
	p.budget.Request(time.Now())
	for {
		s.pick.Tried = s.tried[:s.tries]
		choice, err := p.balancer.Acquire(s.pick)
		if err != nil {
			cause := CauseNoMember
			if errors.Is(err, balance.ErrSaturated) {
				cause = CauseLimit
			}
			c.decide(s.l, cause, err.Error())
			return nil
		}
		s.member = p.active[choice.Index]
		s.tried[s.tries] = choice.Index
		s.tries++
		if choice.Backup && s.tries == 1 {
			c.decide(s.l, CauseBackup, s.member.key)
		}
		var first []byte
		if version := p.config.ProxyProtocol; version != lb.ProxyOff {
			first = proxyproto.Append(nil, version, c.client, c.local)
		}
		member, err := s.member.conns.Open(e.ending, first)
		if p.config.OutlierDetection != nil {
			s.member.load.Report(err != nil)
		}
		if err == nil {
			return member
		}
		s.member.load.Release()
		e.log.Debug("member does not accept a connection", "pool", p.name, "member", s.member.key, "error", err)
		if s.tries > p.config.Retries.Attempts || !p.retriesOn(lb.RetryConnectFailure) || !p.budget.TryRetry(time.Now(), p.config.Retries.BudgetPercent) {
			c.decide(s.l, CauseFailed, s.member.key)
			return nil
		}
		c.decide(s.l, CauseRetry, s.member.key)
	}
}

// recordStream leaves the record of a connection that has ended.
func (c *clientConn) recordStream(l *listener, s *stream, revision int64, took time.Duration, traffic tcp.Traffic, err error) {
	rec := c.front.engine.options.Recorder
	failed := err != nil && !errors.Is(err, tcp.ErrIdle)
	if mode := l.config.AccessRecords; rec == nil || mode == lb.AccessOff || mode == lb.AccessErrors && !failed {
		return
	}
	rec.Access(&Record{
		Time: time.Now().Add(-took), Revision: revision, Listener: c.front.name, Pool: s.pool.name, Member: s.member.key,
		Client: c.client.Addr(), Latency: took, BytesIn: traffic.ToMember, BytesOut: traffic.ToClient, Tries: s.tries,
	})
}
