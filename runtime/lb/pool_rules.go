package lb

import "slices"

// validatePolicies checks what goes beyond members and their health.
func (p *Pool) validatePolicies(c checker) {
	oneOf(c.at("http_version"), p.HTTPVersion, HTTPVersions)
	c.at("slow_start").durationIn(p.SlowStart, 0, MaxSlowStart)
	p.validateHashKey(c.at("hash_key"))
	if p.OutlierDetection != nil {
		p.OutlierDetection.validate(c.at("outlier_detection"))
	}
	p.Retries.validate(c.at("retries"))
	if p.UpstreamTLS != nil {
		p.UpstreamTLS.validate(c.at("upstream_tls"))
	}
	if p.Affinity != nil {
		p.Affinity.validate(c.at("affinity"))
	}
	oneOf(c.at("proxy_protocol"), p.ProxyProtocol, ProxyProtocols)
	if p.ProxyProtocol != ProxyOff && p.HTTPVersion == HTTP2 {
		c.at("proxy_protocol").fail("must be %s with http_version %s: one connection has requests of many clients", ProxyOff, HTTP2)
	}
	if h := p.HealthCheck; h != nil && h.Type == HealthGRPC && p.HTTPVersion != HTTP2 {
		c.at("health_check").at("type").fail("%s needs members that are spoken to in HTTP/2: set http_version to %s", HealthGRPC, HTTP2)
	}
}

func (p *Pool) validateHashKey(c checker) {
	k := p.HashKey
	switch {
	case k == nil && p.Algorithm.Hashes():
		c.fail("is required when algorithm is %s: it says what of a request decides", p.Algorithm)
	case k != nil && !p.Algorithm.Hashes():
		c.fail("is only for the algorithms %s and %s; this pool's algorithm is %s", RingHash, Maglev, shown(string(p.Algorithm)))
	case k != nil:
		k.validate(c)
	}
}

func (k *HashKey) validate(c checker) {
	oneOf(c.at("source"), k.Source, HashSources)
	name := c.at("name")
	switch k.Source {
	case HashHeader, HashCookie:
		name.try(checkToken(k.Name))
	case HashQuery:
		name.try(checkParameter(k.Name))
	case HashSourceIP, HashHost, HashPath:
		if k.Name != "" {
			name.fail("is only for the sources %s, %s and %s", HashHeader, HashCookie, HashQuery)
		}
	}
}

func (o *OutlierDetection) validate(c checker) {
	c.at("consecutive_failures").intIn(o.ConsecutiveFailures, 1, MaxOutlierFailures)
	c.at("ejection_time").durationIn(o.EjectionTime, MinEjectionTime, MaxEjectionTime)
	c.at("max_ejected_percent").intIn(o.MaxEjectedPercent, 1, MaxPercent)
}

func (r Retries) validate(c checker) {
	c.at("attempts").intIn(r.Attempts, 0, MaxRetryAttempts)
	on := c.at("on")
	if len(r.On) == 0 {
		on.fail("must name at least one cause; to turn retries off, set attempts to 0")
	}
	for i, cause := range r.On {
		oneOf(on.index(i), cause, RetryCauses)
	}
	c.at("per_try_timeout").durationIfSet(r.PerTryTimeout, MinTimeout, MaxTimeout)
	c.at("budget_percent").intIn(r.BudgetPercent, 0, MaxPercent)
}

func (u *UpstreamTLS) validate(c checker) {
	if u.CAPEM != "" {
		if _, err := ParseAuthorities(u.CAPEM); err != nil {
			c.at("ca_pem").fail("%v", err)
		}
	}
	if u.ServerName != "" {
		c.at("server_name").try(checkHost(u.ServerName))
	}
	if u.ClientCertificate != "" {
		c.at("client_certificate").try(CheckName(u.ClientCertificate))
	}
	oneOf(c.at("min_version"), u.MinVersion, TLSVersions)
}

func (a *Affinity) validate(c checker) {
	oneOf(c.at("type"), a.Type, AffinityTypes)
	switch a.Type {
	case AffinityCookie, AffinityHeader:
		c.at("name").try(checkToken(a.Name))
	case AffinitySourceIP:
		if a.Name != "" {
			c.at("name").fail("is only for the types %s and %s", AffinityCookie, AffinityHeader)
		}
	}
	c.at("ttl").durationIfSet(a.TTL, MinAffinityTTL, MaxAffinityTTL)
	if a.Type != AffinityCookie && a.TTL != 0 {
		c.at("ttl").fail("is only for the type %s", AffinityCookie)
	}
}

// onlyHTTP ends the message about what a tcp pool can't have.
const onlyHTTP = "is only for pools of protocol http: a tcp pool passes bytes on without reading them"

// validateTCP refuses what needs requests to be read.
func (p *Pool) validateTCP(c checker) {
	if p.HTTPVersion != DefaultHTTPVersion {
		c.at("http_version").fail(onlyHTTP)
	}
	if p.HashKey != nil && p.HashKey.Source != HashSourceIP {
		c.at("hash_key").at("source").fail("must be %s: anything else "+onlyHTTP, HashSourceIP)
	}
	if p.Affinity != nil && p.Affinity.Type != AffinitySourceIP {
		c.at("affinity").at("type").fail("must be %s: anything else "+onlyHTTP, AffinitySourceIP)
	}
	if len(p.Retries.On) > 0 && !slices.Equal(p.Retries.On, []RetryCause{RetryConnectFailure}) {
		c.at("retries").at("on").fail("may only be %s: anything else "+onlyHTTP, RetryConnectFailure)
	}
	if p.Retries.PerTryTimeout != 0 {
		c.at("retries").at("per_try_timeout").fail(onlyHTTP + "; timeouts.connect bounds each try")
	}
	if p.UpstreamTLS != nil {
		c.at("upstream_tls").fail(onlyHTTP + "; members that speak TLS can speak it with the client, through the pool")
	}
}
