package lb

import (
	"fmt"
	"testing"
)

func TestListenerTLSBounds(t *testing.T) {
	authority := newIssued(t)
	auth := func(a ClientAuth, ca string) func(*Listener) {
		return func(l *Listener) { l.TLS.ClientAuth, l.TLS.ClientCAPEM = a, ca }
	}
	runViolationTests(t, validListener, []violationTest[*Listener]{
		{"HTTP/1.1 alone", func(l *Listener) { l.TLS.ALPN = []string{ALPNHTTP1} }, valid, ""},
		{"nothing to agree on", func(l *Listener) { l.TLS.ALPN = nil }, "/tls/alpn", "at least one protocol"},
		{"ALPN", func(l *Listener) { l.TLS.ALPN = []string{"h2", "h3"} }, "/tls/alpn/1", `"h3" must be one of h2 and http/1.1`},
		{"clients' certificates", auth(ClientAuthRequired, authority.chain), valid, ""},
		{"clients' certificates if there are", auth(ClientAuthOptional, authority.chain), valid, ""},
		{"client_auth", auth("maybe", ""), "/tls/client_auth", "none, optional and required"},
		{"no authorities", auth(ClientAuthRequired, ""), "/tls/client_ca_pem", "is required"},
		{"authorities", auth(ClientAuthOptional, "hello"), "/tls/client_ca_pem", "is not a certificate in PEM"},
		{"key among the authorities", auth(ClientAuthRequired, authority.chain+authority.pem), "/tls/client_ca_pem", "contains a private key"},
		{"authorities of nobody", auth(ClientAuthNone, authority.chain), "/tls/client_ca_pem", "verifies nobody"},
		{"clients' certificates without TLS", func(l *Listener) {
			l.Protocol, l.Certificates, l.TLS.ClientAuth, l.TLS.ClientCAPEM = ListenerHTTP, nil, ClientAuthRequired, authority.chain
		}, "/tls/client_auth", `must be none unless protocol is https; this listener's protocol is "http"`},
	})
}

func TestListenerLimitsAndNetworks(t *testing.T) {
	limits := func(change func(*ListenerLimits)) func(*Listener) {
		return func(l *Listener) { change(&l.Limits) }
	}
	networks := func(n ...string) func(*Listener) { return func(l *Listener) { l.AllowedCIDRs = n } }
	plain := func() *Listener {
		l := validListener()
		l.Protocol, l.Certificates = ListenerHTTP, nil
		return l
	}
	runViolationTests(t, plain, []violationTest[*Listener]{
		{"body timeout below", func(l *Listener) { l.Timeouts.RequestBody = MinTimeout - 1 }, "/timeouts/request_body", "between 10ms and 24h"},
		{"body at the most", limits(func(l *ListenerLimits) { l.MaxBodyBytes = MaxMaxBodyBytes }), valid, ""},
		{"body above", limits(func(l *ListenerLimits) { l.MaxBodyBytes = MaxMaxBodyBytes + 1 }), "/limits/max_body_bytes", "between 0 and"},
		{"body negative", limits(func(l *ListenerLimits) { l.MaxBodyBytes = -1 }), "/limits/max_body_bytes", "between 0 and"},
		{"connections of a client above", limits(func(l *ListenerLimits) { l.MaxConnectionsPerClient = MaxMaxConnections + 1 }), "/limits/max_connections_per_client", "between 0 and"},
		{"no requests", limits(func(l *ListenerLimits) { l.MaxRequests = 0 }), "/limits/max_requests", "between 1 and 10000000"},
		{"rate and burst", limits(func(l *ListenerLimits) { l.RequestRate, l.RequestBurst = 10, 100 }), valid, ""},
		{"rate without a burst", limits(func(l *ListenerLimits) { l.RequestRate = 10 }), valid, ""},
		{"burst without a rate", limits(func(l *ListenerLimits) { l.RequestBurst = 10 }), "/limits/request_burst", "request_rate, which is not set"},
		{"rate above", limits(func(l *ListenerLimits) { l.RequestRate = MaxRequestRate + 1 }), "/limits/request_rate", "between 0 and 1000000"},
		{"burst above", limits(func(l *ListenerLimits) { l.RequestRate, l.RequestBurst = 1, MaxRequestBurst+1 }), "/limits/request_burst", "between 0 and 1000000"},
		{"HTTP/2 without TLS", func(l *Listener) { l.HTTP2.PriorKnowledge = true }, valid, ""},
		{"HTTP/2 by prior knowledge with TLS", func(l *Listener) {
			l.Protocol, l.Certificates, l.HTTP2.PriorKnowledge = ListenerHTTPS, []string{"a"}, true
		}, "/http2/prior_knowledge", "is only for protocol http"},
		{"no streams", func(l *Listener) { l.HTTP2.MaxConcurrentStreams = 0 }, "/http2/max_concurrent_streams", "between 1 and 10000"},
		{"networks", networks("10.0.0.0/8", "2001:db8::/32", "::/0"), valid, ""},
		{"address for a network", networks("10.0.0.1"), "/allowed_cidrs/0", "CIDR notation"},
		{"network that is too long", networks("10.0.0.0/33"), "/allowed_cidrs/0", "CIDR notation"},
		{"network with a zone", networks("fe80::%eth0/64"), "/allowed_cidrs/0", "CIDR notation"},
		{"proxies", func(l *Listener) { l.TrustedProxies = []string{"x"} }, "/trusted_proxies/0", "CIDR notation"},
		{"1,001 networks", func(l *Listener) {
			for i := range MaxCIDRs + 1 {
				l.AllowedCIDRs = append(l.AllowedCIDRs, fmt.Sprintf("10.%d.%d.0/24", i/256, i%256))
			}
		}, "/allowed_cidrs", "1001 networks; at most 1000"},
		{"PROXY protocol", func(l *Listener) { l.ProxyProtocol, l.TrustedProxies = true, []string{"10.0.0.0/8"} }, valid, ""},
		{"PROXY protocol from anybody", func(l *Listener) { l.ProxyProtocol = true }, "/trusted_proxies", "at least one network"},
		{"access records", func(l *Listener) { l.AccessRecords = "some" }, "/access_records", "off, errors and all"},
	})
}

func TestAListenerThatPassesTLSOn(t *testing.T) {
	passthrough := func() *Listener {
		l := validListener()
		l.Protocol, l.Certificates, l.DefaultPool = ListenerTLSPassthrough, nil, "db"
		return l
	}
	runViolationTests(t, passthrough, []violationTest[*Listener]{
		{"no default pool", func(l *Listener) { l.DefaultPool = "" }, valid, ""},
		{"certificates", func(l *Listener) { l.Certificates = []string{"a"} }, "/certificates", "are only for protocol https"},
		{"clients' certificates", func(l *Listener) { l.TLS.ClientAuth, l.TLS.ClientCAPEM = ClientAuthRequired, newIssued(t).chain }, "/tls/client_auth", "must be none"},
		{"HTTP/2 by prior knowledge", func(l *Listener) { l.HTTP2.PriorKnowledge = true }, "/http2/prior_knowledge", "is only for protocol http"},
	})
}
