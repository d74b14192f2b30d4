package dataplane

import (
	"crypto/tls"
	"maps"
	"slices"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/route"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// listener is a compiled [lb.Listener] with its routes and certificates.
type listener struct {
	config       *lb.Listener
	routeConfigs map[string]*lb.Route
	routes       *route.Table
	certificates []*tls.Certificate // as config.Certificates, nil where missing
	tls          *tls.Config        // nil unless https
	stats        *listenerStats     // survives changes of the listener
	requests     map[string]*requestCounts
}

// compileListener builds a listener. Old is its previous version or nil; it is
// returned itself when nothing changed.
func (e *Engine) compileListener(name string, config *lb.Listener, routes map[string]*lb.Route, all map[string]*tls.Certificate, old *listener) *listener {
	certificates := make([]*tls.Certificate, len(config.Certificates))
	for i, certificate := range config.Certificates {
		certificates[i] = all[certificate]
	}
	l := &listener{config: config, routeConfigs: routes, certificates: certificates}
	sameRoutes := old != nil && maps.Equal(old.routeConfigs, routes)
	sameTLS := old != nil && old.config == config && slices.Equal(old.certificates, certificates)
	if sameRoutes && sameTLS {
		return old
	}
	if sameRoutes {
		l.routes = old.routes
	} else {
		l.routes = route.New(routes)
	}
	if sameTLS {
		l.tls = old.tls
	} else if config.Protocol == lb.ListenerHTTPS {
		l.tls = newTLSConfig(config, certificates)
	}
	if old != nil {
		l.stats = old.stats
	} else {
		l.stats = e.metrics.newListenerStats(name)
	}
	l.requests = requestCountsFor(config, routes, old)
	return l
}

// pool names the pool for a request, "" when there is none.
func (l *listener) pool(host, path, method string) string {
	if r := l.routes.Match(host, path, method); r != nil {
		return r.Pool()
	}
	return l.config.DefaultPool
}
