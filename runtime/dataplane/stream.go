package dataplane

import (
	"context"
	"errors"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/tcp"
)

// relay serves one connection of a tcp listener. A client whose connection can't be
// carried to a member is reset.
func (f *frontend) relay(c *clientConn) {
	st, l := f.state()
	log := f.engine.log.With("listener", f.name, "pool", l.config.DefaultPool)
	p := st.pools[l.config.DefaultPool]
	var m *member
	if p != nil {
		m = p.acquire()
	}
	if m == nil {
		log.Debug("no healthy member for a connection")
		c.reset()
		return
	}
	defer m.load.Release()
	ctx, cancel := context.WithCancel(f.engine.ending)
	defer cancel()
	upstream, err := dialer(m.timeouts).DialContext(ctx, "tcp", m.address)
	if err != nil {
		log.Debug("member does not accept a connection", "member", m.key, "error", err)
		c.reset()
		return
	}
	if err := tcp.Relay(c, upstream, m.timeouts.Idle.Std()); err != nil && !errors.Is(err, tcp.ErrIdle) {
		log.Debug("connection failed", "member", m.key, "error", err)
	}
}
