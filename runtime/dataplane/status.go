package dataplane

import "github.com/auditlb/terraform-provider-auditlb/runtime/lb"

// Status is what the engine is doing, at about one moment.
type Status struct {
	// Revision is that of the snapshot new requests run under, 0 before the first.
	Revision  int64
	Listeners map[string]ListenerStatus
	Pools     map[string]PoolStatus
}

// ListenerStatus is the live side of a listener.
type ListenerStatus struct {
	// Address is where the listener's socket is bound (host:port), "" while it is not.
	Address string
	// Error is why the socket could not be bound; it is tried again.
	Error string
	// Connections is how many are open, with those that drain after a move.
	Connections int64
}

// PoolStatus is the live side of a pool.
type PoolStatus struct{ Members map[string]MemberStatus }

// MemberStatus is the live side of a member.
type MemberStatus struct {
	Address string
	State   lb.MemberState
	// Healthy is true for members that are not checked.
	Healthy bool
	// Cause is the failure that made the member unhealthy, for operators.
	Cause string
	// ActiveRequests is how many requests (connections in a tcp pool) it has.
	ActiveRequests int64
}

// Status returns a copy that the caller may keep.
func (e *Engine) Status() Status {
	e.mu.Lock()
	defer e.mu.Unlock()
	st := e.current.Load()
	s := Status{
		Revision:  st.revision,
		Listeners: make(map[string]ListenerStatus, len(st.listeners)),
		Pools:     make(map[string]PoolStatus, len(st.pools)),
	}
	for name, l := range st.listeners {
		out := ListenerStatus{Connections: l.live.stats.open.Load()}
		if f := e.frontends[name]; f != nil {
			if f.socket != nil {
				out.Address = f.socket.Addr().String()
			}
			if f.bindErr != nil {
				out.Error = f.bindErr.Error()
			}
		}
		s.Listeners[name] = out
	}
	for name, p := range st.pools {
		out := PoolStatus{Members: make(map[string]MemberStatus, len(p.members))}
		for key, m := range p.members {
			member := MemberStatus{Address: m.address, State: m.state, Healthy: m.load.Healthy(), ActiveRequests: m.load.Active()}
			if cause := m.cause.Load(); cause != nil {
				member.Cause = *cause
			}
			out.Members[key] = member
		}
		s.Pools[name] = out
	}
	return s
}
