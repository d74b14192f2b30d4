package dataplane

import (
	"crypto/tls"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/limit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/route"
	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/tlsconfig"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// listener is a compiled [lb.Listener] with its routes and certificates.
type listener struct {
	config       *lb.Listener
	routeConfigs map[string]*lb.Route
	routes       *route.Table
	certificates []*tls.Certificate // as config.Certificates, nil where missing
	tls          *tls.Config        // nil unless https
	names        map[string]bool    // of the certificates, in lower case, also "*.example.com"
	// Nil where the configuration has none.
	allowed, trusted networks
	live             *listenerLive
	rate             limit.Rate             // of each client's requests
	counts           map[string]*poolCounts // by pool
}

// listenerLive is the side of a listener that survives its changes.
type listenerLive struct {
	stats    *listenerStats
	tickets  tlsconfig.Listener
	inFlight atomic.Int64 // requests
	rates    *limit.Rates // by client
}

// compileListener builds a listener. Old is its previous version or nil; it is
// returned itself when nothing changed.
func compileListener(config *lb.Listener, routes map[string]*lb.Route, all map[string]*tls.Certificate, old *listener) *listener {
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
	switch {
	case sameRoutes:
		l.routes = old.routes
	case old != nil:
		l.routes = route.New(routes, old.routes)
	default:
		l.routes = route.New(routes, nil)
	}
	l.allowed, l.trusted = parseNetworks(config.AllowedCIDRs), parseNetworks(config.TrustedProxies)
	if old != nil {
		l.live = old.live
	} else {
		l.live = &listenerLive{stats: new(listenerStats), rates: limit.NewRates()}
	}
	if limits := config.Limits; limits.RequestRate > 0 {
		l.rate = limit.NewRate(limits.RequestRate, limits.RequestBurst)
	}
	if sameTLS {
		l.tls, l.names = old.tls, old.names
	} else if config.Protocol == lb.ListenerHTTPS {
		l.tls = l.live.tickets.Config(config, certificates)
		l.names = map[string]bool{}
		for _, c := range certificates {
			if c != nil && c.Leaf != nil {
				for _, name := range c.Leaf.DNSNames {
					l.names[strings.ToLower(name)] = true
				}
			}
		}
	}
	l.counts = poolCountsFor(config, routes, old)
	return l
}

// certified reports whether a certificate of the listener is for a name.
func (l *listener) certified(name string) bool {
	name = strings.ToLower(name)
	_, parent, _ := strings.Cut(name, ".")
	return l.names[name] || l.names["*."+parent]
}
