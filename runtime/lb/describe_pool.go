package lb

import "fmt"

var poolDescriptions = map[string]string{
	"":                  "A pool is a set of interchangeable servers and how to choose among them.",
	"protocol":          "What the members speak: " + choice(PoolProtocols) + ". " + defaultsTo(DefaultPoolProtocol),
	"http_version":      "Version of HTTP that members are spoken to in: " + choice(HTTPVersions) + ". Without `upstream_tls`, members must speak HTTP/2 by prior knowledge (h2c). " + defaultsTo(DefaultHTTPVersion),
	"algorithm":         "How a member is chosen: `round_robin` in turn, `least_requests` the least busy, `random_two` the less busy of two drawn at random, `ring_hash` and `maglev` by a hash of `hash_key`, so that the same key leads to the same member; all by weight. " + defaultsTo(DefaultAlgorithm),
	"hash_key":          "What of a request the algorithms `ring_hash` and `maglev` go by: required for them, and only for them.",
	"hash_key.source":   "The part of a request: " + choice(HashSources) + ". Pools of protocol `tcp` have only `source_ip`. " + defaultsTo(DefaultHashSource),
	"hash_key.name":     "Name of the header, cookie or query parameter: required for these sources, and only for them.",
	"slow_start":        "Time in which the share of a member that turns healthy or is added grows to its full weight, " + span(0, MaxSlowStart, DefaultSlowStart),
	"members":           fmt.Sprintf("The servers, by a key of your choosing that history and diffs name them by. Keys are %s. At most %d.", NameRule, MaxMembers),
	"members.*":         "One server.",
	"members.*.address": "Where the server listens: `host:port`, with an IP address or a DNS name.",
	"members.*.weight":  "Share of the requests compared with the other members, " + between(MinWeight, MaxWeight) + ". " + defaultsTo(DefaultWeight),
	"members.*.backup":  "Whether the member serves only when no other member can. " + defaultsTo(false),
	"members.*.state":   "What is wanted of the member: `active` serves, `drain` finishes what it has and gets nothing new, `disabled` gets nothing and isn't checked. " + defaultsTo(DefaultMemberState),

	"health_check":                     "How the pool learns which members can serve. Without it every active member is taken to be healthy.",
	"health_check.type":                "How members are probed: `http` sends a request, `tcp` opens a connection, `grpc` calls the standard health service (only with `http_version = \"2\"`). " + defaultsTo(DefaultHealthCheckType),
	"health_check.interval":            "Time between probes of a member, " + span(MinHealthInterval, MaxHealthInterval, DefaultHealthInterval),
	"health_check.timeout":             fmt.Sprintf("How long a probe may take, at least %s and at most the interval. %s", MinHealthTimeout, defaultsTo(DefaultHealthTimeout)),
	"health_check.healthy_threshold":   "Probes in a row that must succeed before a member serves again, " + between(1, MaxHealthThreshold) + ". " + defaultsTo(DefaultHealthyThreshold),
	"health_check.unhealthy_threshold": "Probes in a row that must fail before a member stops serving, " + between(1, MaxHealthThreshold) + ". " + defaultsTo(DefaultUnhealthyThreshold),
	"health_check.path":                "Path requested by `http` probes. " + defaultsTo(DefaultHealthPath),
	"health_check.host":                "`Host` header of `http` probes. Empty means the member's address.",
	"health_check.service":             fmt.Sprintf("Service that `grpc` probes ask about, at most %d bytes. Empty means the server as a whole.", MaxHealthServiceLength),
	"health_check.expected_statuses":   "Statuses by which an `http` probe succeeds: codes such as `204` or ranges such as `200-299`. " + defaultsTo(DefaultExpectedStatuses),

	"outlier_detection":                      "Takes members out of service for a while when requests to them fail, whatever probes say. Without it no member is ejected.",
	"outlier_detection.consecutive_failures": "Failures in a row by which a member is ejected: connections that could not be opened or broke, timeouts and 5xx statuses, " + between(1, MaxOutlierFailures) + ". " + defaultsTo(DefaultOutlierFailures),
	"outlier_detection.ejection_time":        "How long a member is ejected for the first time; longer when it happens again and again, " + span(MinEjectionTime, MaxEjectionTime, DefaultEjectionTime),
	"outlier_detection.max_ejected_percent":  "Largest share of the members that may be ejected at once, " + between(1, MaxPercent) + ". One may always be. " + defaultsTo(DefaultMaxEjectedPercent),

	"retries":                 "When a request is tried again on another member.",
	"retries.attempts":        "How many more times a request may be tried, " + between(0, MaxRetryAttempts) + "; 0 turns retries off. " + defaultsTo(DefaultRetryAttempts),
	"retries.on":              "Failures that are answered with another try: " + listed(RetryCauses) + ". `connect_failure` is safe for every request, since nothing was sent; after the others only requests that may be repeated (RFC 9110 §9.2.2) are tried again. Pools of protocol `tcp` have only `connect_failure`. " + defaultsTo(RetryConnectFailure),
	"retries.per_try_timeout": "Time that each try may take until the response begins, " + durationForm + ", " + between(MinTimeout, MaxTimeout) + ", or `0s` for no bound of its own. " + defaultsTo(DefaultPerTryTimeout),
	"retries.budget_percent":  "Retries as a share of the requests of the last seconds, " + between(0, MaxPercent) + ": so that retries do not bury members that are struggling. " + defaultsTo(DefaultRetryBudgetPercent),

	"timeouts":          "How long work with a member may take.",
	"timeouts.connect":  "Time to open a connection to a member, " + span(MinTimeout, MaxTimeout, DefaultPoolConnectTimeout),
	"timeouts.response": "Time a member may take to begin its response, " + span(MinTimeout, MaxTimeout, DefaultPoolResponseTimeout),
	"timeouts.idle":     "Time a connection to a member may stay unused (http) or silent (tcp) before it is closed, " + span(MinTimeout, MaxTimeout, DefaultPoolIdleTimeout),

	"limits":                 "What may be open and waiting at once.",
	"limits.max_connections": "Connections to each member (with `http_version = \"2\"`: requests under way), " + between(1, MaxMemberConnections) + ". " + defaultsTo(DefaultMemberConnections),
	"limits.max_pending":     "Requests that may wait for a member to have room, " + between(0, MaxMaxPending) + "; more are answered 503. " + defaultsTo(DefaultMaxPending),

	"upstream_tls":                    "Speaks TLS to the members. Without it they are spoken to in the clear. Only for pools of protocol `http`.",
	"upstream_tls.ca_pem":             fmt.Sprintf("Authorities that members' certificates are verified by, in PEM, at most %d bytes. Empty means those of the system.", MaxPEMBytes),
	"upstream_tls.server_name":        "Name that is asked for (SNI) and verified. Empty means the member's host.",
	"upstream_tls.client_certificate": "Name of the certificate that is shown to members that ask for one.",
	"upstream_tls.min_version":        "Oldest TLS version spoken, " + choice(TLSVersions) + ". " + defaultsTo(DefaultUpstreamMinVersion),
	"upstream_tls.verify":             "Whether a member's certificate must be valid. Without that, anybody on the way can be the member. " + defaultsTo(DefaultUpstreamVerify),

	"affinity":       "Ties a client to the member that served it first, as long as that member can serve.",
	"affinity.type":  "By what a client is known again: " + choice(AffinityTypes) + ". Pools of protocol `tcp` have only `source_ip`. " + defaultsTo(DefaultAffinityType),
	"affinity.name":  "Name of the cookie (which the load balancer sets) or of the header (required). Default for `cookie`: `" + DefaultAffinityCookie + "`.",
	"affinity.ttl":   "How long the cookie lasts, " + durationForm + ", " + between(MinAffinityTTL, MaxAffinityTTL) + ", or `0s` until the browser is closed. " + defaultsTo(DefaultAffinityTTL),
	"proxy_protocol": "PROXY protocol header that connections to members begin with, to say who the client is: " + choice(ProxyProtocols) + ". Only `off` with `http_version = \"2\"`. " + defaultsTo(DefaultProxyProtocol),
}
