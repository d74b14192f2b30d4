package lb

import (
	"strings"
	"testing"
)

func TestHashKeyBelongsToHashing(t *testing.T) {
	hash := func(algorithm Algorithm, source HashSource, name string) func(*Pool) {
		return func(p *Pool) { p.Algorithm, p.HashKey = algorithm, &HashKey{source, name} }
	}
	runViolationTests(t, validPool, []violationTest[*Pool]{
		{"ring_hash by address", hash(RingHash, HashSourceIP, ""), valid, ""},
		{"maglev by host", hash(Maglev, HashHost, ""), valid, ""},
		{"by path", hash(Maglev, HashPath, ""), valid, ""},
		{"by header", hash(Maglev, HashHeader, "X-User"), valid, ""},
		{"by cookie", hash(RingHash, HashCookie, "SID"), valid, ""},
		{"by query parameter", hash(RingHash, HashQuery, "user id"), valid, ""},
		{"left out", func(p *Pool) { p.Algorithm = RingHash }, "/hash_key", "is required when algorithm is ring_hash"},
		{"with another algorithm", hash(RoundRobin, HashSourceIP, ""), "/hash_key", "is only for the algorithms ring_hash and maglev"},
		{"source", hash(Maglev, "body", ""), "/hash_key/source", "must be one of"},
		{"header without a name", hash(Maglev, HashHeader, ""), "/hash_key/name", "is required"},
		{"header that is no token", hash(Maglev, HashHeader, "a:b"), "/hash_key/name", "must be a name"},
		{"cookie without a name", hash(Maglev, HashCookie, ""), "/hash_key/name", "is required"},
		{"query parameter without a name", hash(Maglev, HashQuery, ""), "/hash_key/name", "is required"},
		{"query parameter of 129 bytes", hash(Maglev, HashQuery, strings.Repeat("q", 129)), "/hash_key/name", "at most 128"},
		{"name of an address", hash(Maglev, HashSourceIP, "x"), "/hash_key/name", "is only for the sources header, cookie and query"},
	})
}

func TestPolicyBounds(t *testing.T) {
	outlier := func(change func(*OutlierDetection)) func(*Pool) {
		return func(p *Pool) {
			o := NewOutlierDetection()
			change(&o)
			p.OutlierDetection = &o
		}
	}
	retries := func(change func(*Retries)) func(*Pool) { return func(p *Pool) { change(&p.Retries) } }
	runViolationTests(t, validPool, []violationTest[*Pool]{
		{"HTTP version", func(p *Pool) { p.HTTPVersion = "3" }, "/http_version", `"3" must be one of 1.1 and 2`},
		{"slow start negative", func(p *Pool) { p.SlowStart = -1 }, "/slow_start", "between 0s and 1h"},
		{"slow start at the most", func(p *Pool) { p.SlowStart = MaxSlowStart }, valid, ""},
		{"slow start above", func(p *Pool) { p.SlowStart = MaxSlowStart + 1 }, "/slow_start", "between 0s and 1h"},
		{"outlier detection", outlier(func(*OutlierDetection) {}), valid, ""},
		{"no failures", outlier(func(o *OutlierDetection) { o.ConsecutiveFailures = 0 }), "/outlier_detection/consecutive_failures", "between 1 and 1000"},
		{"ejection below", outlier(func(o *OutlierDetection) { o.EjectionTime = MinEjectionTime - 1 }), "/outlier_detection/ejection_time", "between 100ms and 1h"},
		{"ejection above", outlier(func(o *OutlierDetection) { o.EjectionTime = MaxEjectionTime + 1 }), "/outlier_detection/ejection_time", "between"},
		{"nobody ejected", outlier(func(o *OutlierDetection) { o.MaxEjectedPercent = 0 }), "/outlier_detection/max_ejected_percent", "between 1 and 100"},
		{"more than all ejected", outlier(func(o *OutlierDetection) { o.MaxEjectedPercent = 101 }), "/outlier_detection/max_ejected_percent", "between 1 and 100"},
		{"no retries", retries(func(r *Retries) { r.Attempts = 0 }), valid, ""},
		{"retries above", retries(func(r *Retries) { r.Attempts = 11 }), "/retries/attempts", "between 0 and 10"},
		{"every cause", retries(func(r *Retries) { r.On = RetryCauses }), valid, ""},
		{"no cause", retries(func(r *Retries) { r.On = nil }), "/retries/on", "set attempts to 0"},
		{"cause", retries(func(r *Retries) { r.On = []RetryCause{"404", "reset"} }), "/retries/on/0", `"404" must be one of connect_failure, `},
		{"try without a bound", retries(func(r *Retries) { r.PerTryTimeout = 0 }), valid, ""},
		{"try at the least", retries(func(r *Retries) { r.PerTryTimeout = MinTimeout }), valid, ""},
		{"try below", retries(func(r *Retries) { r.PerTryTimeout = 1 }), "/retries/per_try_timeout", "must be 0s or between 10ms and 24h"},
		{"budget above", retries(func(r *Retries) { r.BudgetPercent = 101 }), "/retries/budget_percent", "between 0 and 100"},
		{"no connections", func(p *Pool) { p.Limits.MaxConnections = 0 }, "/limits/max_connections", "between 1 and 1000000"},
		{"connections above", func(p *Pool) { p.Limits.MaxConnections = MaxMemberConnections + 1 }, "/limits/max_connections", "between"},
		{"nobody waits", func(p *Pool) { p.Limits.MaxPending = 0 }, valid, ""},
		{"pending above", func(p *Pool) { p.Limits.MaxPending = MaxMaxPending + 1 }, "/limits/max_pending", "between 0 and 1000000"},
		{"PROXY protocol", func(p *Pool) { p.ProxyProtocol = ProxyV2 }, valid, ""},
		{"PROXY protocol's version", func(p *Pool) { p.ProxyProtocol = "v3" }, "/proxy_protocol", "off, v1 and v2"},
		{"PROXY protocol and HTTP/2", func(p *Pool) { p.ProxyProtocol, p.HTTPVersion = ProxyV1, HTTP2 }, "/proxy_protocol", "requests of many clients"},
		{"gRPC health over HTTP/2", func(p *Pool) {
			p.HTTPVersion, p.HealthCheck.Type, p.HealthCheck.Service = HTTP2, HealthGRPC, "shop.Cart"
		}, valid, ""},
		{"gRPC health over HTTP/1.1", func(p *Pool) { p.HealthCheck.Type = HealthGRPC }, "/health_check/type", "set http_version to 2"},
		{"service of an http check", func(p *Pool) { p.HealthCheck.Service = "shop.Cart" }, "/health_check/service", "is only for health checks of type grpc"},
		{"service of 256 bytes", func(p *Pool) {
			p.HTTPVersion, p.HealthCheck.Type, p.HealthCheck.Service = HTTP2, HealthGRPC, strings.Repeat("s", 256)
		}, "/health_check/service", "at most 255"},
	})
}

func TestTLSToMembers(t *testing.T) {
	authority := newIssued(t)
	upstream := func(change func(*UpstreamTLS)) func(*Pool) {
		return func(p *Pool) {
			u := NewUpstreamTLS()
			change(&u)
			p.UpstreamTLS = &u
		}
	}
	runViolationTests(t, validPool, []violationTest[*Pool]{
		{"defaults", upstream(func(*UpstreamTLS) {}), valid, ""},
		{"all of it", upstream(func(u *UpstreamTLS) {
			*u = UpstreamTLS{authority.chain, "App.internal", "client", TLS13, false}
		}), valid, ""},
		{"name that is an address", upstream(func(u *UpstreamTLS) { u.ServerName = "10.0.0.1" }), valid, ""},
		{"authorities", upstream(func(u *UpstreamTLS) { u.CAPEM = "hello" }), "/upstream_tls/ca_pem", "is not a certificate in PEM"},
		{"key among the authorities", upstream(func(u *UpstreamTLS) { u.CAPEM = authority.chain + authority.pem }), "/upstream_tls/ca_pem", "contains a private key"},
		{"name", upstream(func(u *UpstreamTLS) { u.ServerName = "a b" }), "/upstream_tls/server_name", "DNS name"},
		{"certificate's name", upstream(func(u *UpstreamTLS) { u.ClientCertificate = "A" }), "/upstream_tls/client_certificate", "lower-case"},
		{"version", upstream(func(u *UpstreamTLS) { u.MinVersion = "1.1" }), "/upstream_tls/min_version", "1.2 and 1.3"},
	})
}

func TestAffinityBounds(t *testing.T) {
	affinity := func(a Affinity) func(*Pool) { return func(p *Pool) { p.Affinity = &a } }
	runViolationTests(t, validPool, []violationTest[*Pool]{
		{"defaults", affinity(NewAffinity()), valid, ""},
		{"cookie that lasts", affinity(Affinity{AffinityCookie, "SID", MaxAffinityTTL}), valid, ""},
		{"header", affinity(Affinity{AffinityHeader, "X-User", 0}), valid, ""},
		{"address", affinity(Affinity{AffinitySourceIP, "", 0}), valid, ""},
		{"type", affinity(Affinity{"ip", "", 0}), "/affinity/type", "cookie, header and source_ip"},
		{"cookie's name", affinity(Affinity{AffinityCookie, "a=b", 0}), "/affinity/name", "must be a name"},
		{"header without a name", affinity(Affinity{AffinityHeader, "", 0}), "/affinity/name", "is required"},
		{"address with a name", affinity(Affinity{AffinitySourceIP, "x", 0}), "/affinity/name", "is only for the types cookie and header"},
		{"less than a second", affinity(Affinity{AffinityCookie, "SID", 1}), "/affinity/ttl", "must be 0s or between 1s and 8760h"},
		{"more than a year", affinity(Affinity{AffinityCookie, "SID", MaxAffinityTTL + 1}), "/affinity/ttl", "between 1s and"},
		{"header that lasts", affinity(Affinity{AffinityHeader, "x-user", MinAffinityTTL}), "/affinity/ttl", "is only for the type cookie"},
	})
}

// A tcp pool has connections and no requests.
func TestATCPPoolHasNothingThatNeedsRequests(t *testing.T) {
	tcpPool := func() *Pool {
		p := validPool()
		p.Protocol, p.HealthCheck.Type = PoolTCP, HealthTCP
		return p
	}
	tls := NewUpstreamTLS()
	runViolationTests(t, tcpPool, []violationTest[*Pool]{
		{"http check", func(p *Pool) { p.HealthCheck.Type = HealthHTTP }, valid, ""},
		{"hash of the address", func(p *Pool) { p.Algorithm, p.HashKey = Maglev, &HashKey{HashSourceIP, ""} }, valid, ""},
		{"affinity by address", func(p *Pool) { p.Affinity = &Affinity{AffinitySourceIP, "", 0} }, valid, ""},
		{"outlier detection", func(p *Pool) { o := NewOutlierDetection(); p.OutlierDetection = &o }, valid, ""},
		{"PROXY protocol", func(p *Pool) { p.ProxyProtocol = ProxyV1 }, valid, ""},
		{"no retries", func(p *Pool) { p.Retries.Attempts = 0 }, valid, ""},
		{"HTTP/2", func(p *Pool) { p.HTTPVersion = HTTP2 }, "/http_version", "only for pools of protocol http"},
		{"hash of the path", func(p *Pool) { p.Algorithm, p.HashKey = Maglev, &HashKey{HashPath, ""} }, "/hash_key/source", "must be source_ip"},
		{"affinity by cookie", func(p *Pool) { a := NewAffinity(); p.Affinity = &a }, "/affinity/type", "must be source_ip"},
		{"retry of a status", func(p *Pool) { p.Retries.On = []RetryCause{RetryConnectFailure, Retry503} }, "/retries/on", "may only be connect_failure"},
		{"time for a try", func(p *Pool) { p.Retries.PerTryTimeout = MinTimeout }, "/retries/per_try_timeout", "timeouts.connect bounds each try"},
		{"TLS to members", func(p *Pool) { p.UpstreamTLS = &tls }, "/upstream_tls", "speak it with the client, through the pool"},
	})
}
