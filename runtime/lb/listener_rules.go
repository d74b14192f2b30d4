package lb

import (
	"net/netip"
	"slices"
)

// Validate implements [Object].
func (l *Listener) Validate() Violations {
	c := newChecker()
	l.Meta.validate(c)
	if a, err := netip.ParseAddr(l.Address); err != nil || a.Zone() != "" {
		c.at("address").fail("%s must be an IP address to bind, such as 0.0.0.0, 127.0.0.1 or ::", shown(l.Address))
	}
	c.at("port").intIn(l.Port, 1, 65535)
	oneOf(c.at("protocol"), l.Protocol, ListenerProtocols)
	l.validateCertificates(c)
	if l.DefaultPool != "" {
		c.at("default_pool").try(CheckName(l.DefaultPool))
	} else if l.Protocol == ListenerTCP {
		c.at("default_pool").fail("is required when protocol is %s: there are no routes to choose by", ListenerTCP)
	}
	l.validateTLS(c.at("tls"))
	l.validateHTTP2(c.at("http2"))
	t := c.at("timeouts")
	t.at("request_header").durationIn(l.Timeouts.RequestHeader, MinTimeout, MaxTimeout)
	t.at("request_body").durationIn(l.Timeouts.RequestBody, MinTimeout, MaxTimeout)
	t.at("idle").durationIn(l.Timeouts.Idle, MinTimeout, MaxTimeout)
	l.Limits.validate(c.at("limits"))
	checkPrefixes(c.at("trusted_proxies"), l.TrustedProxies)
	if l.ProxyProtocol && len(l.TrustedProxies) == 0 {
		c.at("trusted_proxies").fail("must name at least one network when proxy_protocol is on: a PROXY header says who the client is, and not everybody may")
	}
	checkPrefixes(c.at("allowed_cidrs"), l.AllowedCIDRs)
	oneOf(c.at("access_records"), l.AccessRecords, AccessRecordings)
	return *c.found
}

func (l *Listener) validateCertificates(c checker) {
	at := c.at("certificates")
	checkCount(at, len(l.Certificates), MaxListenerCertificates, "certificates")
	for i, name := range l.Certificates {
		at.index(i).try(CheckName(name))
	}
	if l.Protocol == ListenerHTTPS && len(l.Certificates) == 0 {
		at.fail("must name at least one certificate when protocol is %s", ListenerHTTPS)
	}
	if l.Protocol != ListenerHTTPS && len(l.Certificates) > 0 {
		at.fail("are only for protocol %s; this listener's protocol is %s", ListenerHTTPS, shown(string(l.Protocol)))
	}
	if l.DefaultCertificate != "" && !slices.Contains(l.Certificates, l.DefaultCertificate) {
		c.at("default_certificate").fail("%s must be one of the listener's certificates", shown(l.DefaultCertificate))
	}
}

func (l *Listener) validateTLS(c checker) {
	oneOf(c.at("min_version"), l.TLS.MinVersion, TLSVersions)
	alpn := c.at("alpn")
	if len(l.TLS.ALPN) == 0 {
		alpn.fail("must name at least one protocol")
	}
	for i, protocol := range l.TLS.ALPN {
		oneOf(alpn.index(i), protocol, ALPNProtocols)
	}
	auth, ca := c.at("client_auth"), c.at("client_ca_pem")
	oneOf(auth, l.TLS.ClientAuth, ClientAuths)
	switch l.TLS.ClientAuth {
	case ClientAuthNone:
		if l.TLS.ClientCAPEM != "" {
			ca.fail("verifies nobody while client_auth is %s; set client_auth to %s or %s", ClientAuthNone, ClientAuthRequired, ClientAuthOptional)
		}
	case ClientAuthOptional, ClientAuthRequired:
		if l.Protocol != ListenerHTTPS {
			auth.fail("must be %s unless protocol is %s; this listener's protocol is %s", ClientAuthNone, ListenerHTTPS, shown(string(l.Protocol)))
		}
		if _, err := ParseAuthorities(l.TLS.ClientCAPEM); err != nil {
			ca.fail("%v", err)
		}
	}
}

func (l *Listener) validateHTTP2(c checker) {
	if l.HTTP2.PriorKnowledge && l.Protocol != ListenerHTTP {
		c.at("prior_knowledge").fail("is only for protocol %s; with TLS, clients and listener agree on HTTP/2 by tls.alpn", ListenerHTTP)
	}
	c.at("max_concurrent_streams").intIn(l.HTTP2.MaxConcurrentStreams, 1, MaxConcurrentStreams)
}

func (l ListenerLimits) validate(c checker) {
	c.at("max_header_bytes").intIn(l.MaxHeaderBytes, MinMaxHeaderBytes, MaxMaxHeaderBytes)
	c.at("max_body_bytes").intIn(l.MaxBodyBytes, 0, MaxMaxBodyBytes)
	c.at("max_connections").intIn(l.MaxConnections, 1, MaxMaxConnections)
	c.at("max_connections_per_client").intIn(l.MaxConnectionsPerClient, 0, MaxMaxConnections)
	c.at("max_requests").intIn(l.MaxRequests, 1, MaxMaxRequests)
	c.at("request_rate").intIn(l.RequestRate, 0, MaxRequestRate)
	c.at("request_burst").intIn(l.RequestBurst, 0, MaxRequestBurst)
	if l.RequestBurst > 0 && l.RequestRate == 0 {
		c.at("request_burst").fail("is what may exceed request_rate, which is not set")
	}
}
