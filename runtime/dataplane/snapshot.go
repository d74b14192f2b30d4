package dataplane

import (
	"crypto/tls"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Snapshot is an immutable configuration at a revision. Nobody changes it once
// handed over. An object that did not change since the previous snapshot keeps its
// pointer: that is how the engine knows what it need not compile again.
type Snapshot struct {
	Revision  int64
	Pools     map[string]*lb.Pool
	Listeners map[string]*lb.Listener
	Routes    map[string]*lb.Route
	// Certificates by name of the certificate, with Leaf set.
	Certificates map[string]*tls.Certificate
}

// state is a compiled snapshot. It is immutable; what changes at run time (counts,
// health, rotations) is behind pointers and safe for concurrent use.
type state struct {
	revision  int64
	pools     map[string]*pool
	listeners map[string]*listener
}

// compile builds the state for a snapshot, with all parts of the previous one that
// did not change.
func (e *Engine) compile(s *Snapshot, prev *state) *state {
	next := &state{
		revision:  s.Revision,
		pools:     make(map[string]*pool, len(s.Pools)),
		listeners: make(map[string]*listener, len(s.Listeners)),
	}
	for name, config := range s.Pools {
		var certificate *tls.Certificate
		if u := config.UpstreamTLS; u != nil && u.ClientCertificate != "" {
			certificate = s.Certificates[u.ClientCertificate]
		}
		if old := prev.pools[name]; old != nil && old.config == config && old.certificate == certificate {
			next.pools[name] = old
		} else {
			next.pools[name] = e.compilePool(name, config, certificate, old)
		}
	}
	routes := make(map[string]map[string]*lb.Route, len(s.Listeners))
	for name, r := range s.Routes {
		if routes[r.Listener] == nil {
			routes[r.Listener] = map[string]*lb.Route{}
		}
		routes[r.Listener][name] = r
	}
	for name, config := range s.Listeners {
		next.listeners[name] = compileListener(config, routes[name], s.Certificates, prev.listeners[name])
	}
	return next
}
