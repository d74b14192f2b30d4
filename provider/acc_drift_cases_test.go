package provider_test

import (
	"strings"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// attributeCase is an attribute that drifts: what the object has besides what every one
// of its kind has, and the attribute as it was declared and as something else makes it.
// A "*" in its path is an element of a map, which is called k here.
type attributeCase struct {
	path string
	// without is what goes with the attribute when that is left out, and instead what comes
	// in its place.
	without []string
	instead object
	with    map[string]any
	// was differs from the default, so that leaving the attribute out is a difference. Becomes
	// is nil for what can only be there or not.
	was, becomes any
}

type object = map[string]any

// list is a set in JSON.
func list(elements ...string) []any {
	out := make([]any, len(elements))
	for i, e := range elements {
		out[i] = e
	}
	return out
}

// driftCases has each attribute of each kind of object. What the objects of a kind need
// is made before: pool/one and pool/two, listener/plain and certificate/site.
func driftCases(otherCA string) map[lb.Kind][]attributeCase {
	member := object{"members": object{"k": object{"address": "10.0.0.9:80"}}}
	hashed := object{"algorithm": "ring_hash"}
	header := object{"algorithm": "ring_hash", "hash_key": object{"source": "header", "name": "X-User"}}
	checked := object{"health_check": object{}}
	grpc := object{"http_version": "2", "health_check": object{"type": "grpc"}}
	ejecting := object{"outlier_detection": object{}}
	secure := object{"upstream_tls": object{}}
	sticky := object{"affinity": object{}}
	tls := object{"protocol": "https", "certificates": list("site")}
	matching := object{"match": object{"path_prefix": "/x"}}
	forward := object{"action": object{"forward": object{"one": object{}}}}
	redirect := object{"action": object{"redirect": object{"path": "/there"}}}
	fixed := object{"action": object{"fixed_response": object{}}}
	rewrite := object{"action": object{"forward": object{"one": object{}}, "rewrite": object{"host": "a.example.com"}}}
	mirror := object{"action": object{"forward": object{"one": object{}}, "mirror": object{"pool": "two"}}}
	both := []attributeCase{
		{path: "owner", was: "edge", becomes: "somebody"},
		{path: "labels", was: object{"a": "b"}, becomes: object{"a": "c"}},
	}
	cases := map[lb.Kind][]attributeCase{
		lb.KindPool: {
			{path: "protocol", was: "tcp", becomes: "http"},
			{path: "http_version", was: "2", becomes: "1.1"},
			{path: "algorithm", was: "least_requests", becomes: "random_two"},
			{path: "hash_key", without: []string{"algorithm"}, with: hashed, was: object{"source": "source_ip"}},
			{path: "hash_key.source", with: header, was: "header", becomes: "cookie"},
			{path: "hash_key.name", without: []string{"hash_key.source"}, with: object{"algorithm": "ring_hash", "hash_key": object{"source": "header"}}, was: "X-User", becomes: "X-Tenant"},
			{path: "slow_start", was: "30s", becomes: "1m"},
			{path: "members", was: object{"a": object{"address": "10.0.0.1:80"}}, becomes: object{"a": object{"address": "10.0.0.1:80"}, "b": object{"address": "10.0.0.2:80"}}},
			{path: "members.*.address", with: member, was: "10.0.0.1:80", becomes: "10.0.0.2:80"},
			{path: "members.*.weight", with: member, was: 3, becomes: 4},
			{path: "members.*.backup", with: member, was: true, becomes: false},
			{path: "members.*.state", with: member, was: "drain", becomes: "disabled"},
			{path: "health_check", was: object{"path": "/up"}},
			{path: "health_check.type", with: checked, was: "tcp", becomes: "http"},
			{path: "health_check.interval", with: checked, was: "20s", becomes: "30s"},
			{path: "health_check.timeout", with: checked, was: "1s", becomes: "2500ms"},
			{path: "health_check.healthy_threshold", with: checked, was: 4, becomes: 5},
			{path: "health_check.unhealthy_threshold", with: checked, was: 6, becomes: 7},
			{path: "health_check.path", with: checked, was: "/up", becomes: "/down"},
			{path: "health_check.host", with: checked, was: "a.example.com", becomes: "b.example.com"},
			{path: "health_check.service", with: grpc, was: "shop.Cart", becomes: "shop.Basket"},
			{path: "health_check.expected_statuses", with: checked, was: list("200"), becomes: list("204")},
			{path: "outlier_detection", was: object{"consecutive_failures": 9}},
			{path: "outlier_detection.consecutive_failures", with: ejecting, was: 8, becomes: 9},
			{path: "outlier_detection.ejection_time", with: ejecting, was: "2m", becomes: "3m"},
			{path: "outlier_detection.max_ejected_percent", with: ejecting, was: 20, becomes: 30},
			{path: "retries", was: object{"attempts": 1}},
			{path: "retries.attempts", was: 3, becomes: 4},
			{path: "retries.on", was: list("reset"), becomes: list("503")},
			{path: "retries.per_try_timeout", was: "1s", becomes: "2s"},
			{path: "retries.budget_percent", was: 30, becomes: 40},
			{path: "timeouts", was: object{"connect": "6s"}},
			{path: "timeouts.connect", was: "7s", becomes: "8s"},
			{path: "timeouts.response", was: "70s", becomes: "80s"},
			{path: "timeouts.idle", was: "7m", becomes: "8m"},
			{path: "limits", was: object{"max_pending": 5}},
			{path: "limits.max_connections", was: 7, becomes: 8},
			{path: "limits.max_pending", was: 9, becomes: 10},
			{path: "upstream_tls", was: object{"min_version": "1.3"}},
			{path: "upstream_tls.ca_pem", with: secure, was: otherCA, becomes: otherCA + "\n"},
			{path: "upstream_tls.server_name", with: secure, was: "a.example.com", becomes: "b.example.com"},
			{path: "upstream_tls.client_certificate", with: secure, was: "site", becomes: "spare"},
			{path: "upstream_tls.min_version", with: secure, was: "1.3", becomes: "1.2"},
			{path: "upstream_tls.verify", with: secure, was: false, becomes: true},
			{path: "affinity", was: object{"ttl": "5m"}},
			{path: "affinity.type", with: sticky, was: "source_ip", becomes: "cookie"},
			{path: "affinity.name", with: sticky, was: "SID", becomes: "SESSION"},
			{path: "affinity.ttl", with: sticky, was: "5m", becomes: "6m"},
			{path: "proxy_protocol", was: "v1", becomes: "v2"},
		},
		lb.KindListener: {
			{path: "address", was: "127.0.0.1", becomes: "127.0.0.2"},
			{path: "port"}, // the test chooses free ones
			{path: "protocol", was: "tls_passthrough", becomes: "http"},
			{path: "certificates", without: []string{"protocol"}, with: object{"protocol": "https"}, was: list("site", "spare"), becomes: list("site")},
			{path: "default_certificate", with: object{"protocol": "https", "certificates": list("site", "spare")}, was: "spare", becomes: "site"},
			{path: "default_pool", was: "one", becomes: "two"},
			{path: "tls", with: tls, was: object{"min_version": "1.3"}},
			{path: "tls.min_version", with: tls, was: "1.3", becomes: "1.2"},
			{path: "tls.alpn", with: tls, was: list("h2"), becomes: list("http/1.1")},
			{path: "tls.client_ca_pem", without: []string{"tls.client_auth"}, with: merged(tls, object{"tls": object{"client_auth": "optional"}}), was: otherCA, becomes: otherCA + "\n"},
			{path: "tls.client_auth", without: []string{"tls.client_ca_pem"}, with: object{"protocol": "https", "certificates": list("site"), "tls": object{"client_ca_pem": otherCA}}, was: "required", becomes: "optional"},
			{path: "timeouts", was: object{"idle": "9s"}},
			{path: "timeouts.request_header", was: "7s", becomes: "8s"},
			{path: "timeouts.request_body", was: "70s", becomes: "80s"},
			{path: "timeouts.idle", was: "90s", becomes: "91s"},
			{path: "limits", was: object{"max_connections": 5}},
			{path: "limits.max_header_bytes", was: 4096, becomes: 8192},
			{path: "limits.max_body_bytes", was: 1000, becomes: 2000},
			{path: "limits.max_connections", was: 10, becomes: 11},
			{path: "limits.max_connections_per_client", was: 3, becomes: 4},
			{path: "limits.max_requests", was: 5, becomes: 6},
			{path: "limits.request_rate", was: 7, becomes: 8},
			{path: "limits.request_burst", with: object{"limits": object{"request_rate": 5}}, was: 9, becomes: 10},
			{path: "http2", was: object{"max_concurrent_streams": 9}},
			{path: "http2.prior_knowledge", was: true, becomes: false},
			{path: "http2.max_concurrent_streams", was: 10, becomes: 11},
			{path: "proxy_protocol", with: object{"trusted_proxies": list("10.0.0.0/8")}, was: true, becomes: false},
			{path: "trusted_proxies", was: list("10.0.0.0/8"), becomes: list("10.1.0.0/16")},
			{path: "allowed_cidrs", was: list("127.0.0.0/8"), becomes: list("10.0.0.0/8")},
			{path: "access_records", was: "all", becomes: "off"},
		},
		lb.KindRoute: {
			{path: "listener", with: forward, was: "plain", becomes: "other"},
			{path: "priority", with: forward, was: 5, becomes: 6},
			{path: "match", with: forward, was: object{"path_prefix": "/a"}},
			{path: "match.hosts", with: forward, was: list("a.example.com"), becomes: list("b.example.com")},
			{path: "match.path_exact", with: forward, was: "/a", becomes: "/b"},
			{path: "match.path_prefix", with: forward, was: "/a", becomes: "/b"},
			{path: "match.path_regex", with: forward, was: "/a+", becomes: "/b+"},
			{path: "match.methods", with: forward, was: list("GET"), becomes: list("POST")},
			{path: "match.headers", with: forward, was: object{"x-a": object{"value": "1"}}, becomes: object{"x-b": object{"value": "1"}}},
			{path: "match.headers.*.type", with: merged(forward, object{"match": object{"headers": object{"k": object{"value": "a"}}}}), was: "prefix", becomes: "regex"},
			{path: "match.headers.*.value", with: merged(forward, object{"match": object{"headers": object{"k": object{"type": "exact"}}}}), was: "a", becomes: "b"},
			{path: "match.query", with: forward, was: object{"a": object{"value": "1"}}, becomes: object{"b": object{"value": "1"}}},
			{path: "match.query.*.type", with: merged(forward, object{"match": object{"query": object{"k": object{"value": "a"}}}}), was: "prefix", becomes: "regex"},
			{path: "match.query.*.value", with: merged(forward, object{"match": object{"query": object{"k": object{"type": "exact"}}}}), was: "a", becomes: "b"},
			{path: "action", was: object{"forward": object{"one": object{}}}, becomes: object{"forward": object{"two": object{}}}},
			{path: "action.forward", instead: redirect, was: object{"one": object{}}, becomes: object{"two": object{}}},
			{path: "action.forward.*.weight", with: object{"action": object{"forward": object{"k": object{}}}}, was: 3, becomes: 4},
			{path: "action.redirect", instead: fixed, was: object{"path": "/a"}, becomes: object{"path": "/b"}},
			{path: "action.redirect.status", with: redirect, was: 301, becomes: 308},
			{path: "action.redirect.scheme", with: redirect, was: "https", becomes: "http"},
			{path: "action.redirect.host", with: redirect, was: "a.example.com", becomes: "b.example.com"},
			{path: "action.redirect.port", with: redirect, was: 81, becomes: 82},
			{path: "action.redirect.path", with: object{"action": object{"redirect": object{"scheme": "https"}}}, was: "/a", becomes: "/b"},
			{path: "action.redirect.path_prefix", with: merged(matching, object{"action": object{"redirect": object{"scheme": "https"}}}), was: "/a", becomes: "/b"},
			{path: "action.redirect.strip_query", with: redirect, was: true, becomes: false},
			{path: "action.fixed_response", instead: redirect, was: object{"body": "a"}, becomes: object{"body": "b"}},
			{path: "action.fixed_response.status", with: fixed, was: 503, becomes: 404},
			{path: "action.fixed_response.content_type", with: fixed, was: "text/html", becomes: "text/css"},
			{path: "action.fixed_response.body", with: fixed, was: "a", becomes: "b"},
			{path: "action.rewrite", with: forward, was: object{"host": "a.example.com"}},
			{path: "action.rewrite.host", instead: object{"action": object{"rewrite": object{"path": "/z"}}}, with: forward, was: "a.example.com", becomes: "b.example.com"},
			{path: "action.rewrite.path", with: rewrite, was: "/a", becomes: "/b"},
			{path: "action.rewrite.path_prefix", with: merged(matching, rewrite), was: "/a", becomes: "/b"},
			{path: "action.mirror", with: forward, was: object{"pool": "two"}},
			{path: "action.mirror.pool", with: mirror, was: "two", becomes: "one"},
			{path: "action.mirror.percent", with: mirror, was: 5, becomes: 6},
			{path: "request_headers", with: forward, was: object{"remove": list("x-a")}},
			{path: "request_headers.set", with: forward, was: object{"x-a": "1"}, becomes: object{"x-a": "2"}},
			{path: "request_headers.add", with: forward, was: object{"x-a": "1"}, becomes: object{"x-a": "2"}},
			{path: "request_headers.remove", with: forward, was: list("x-a"), becomes: list("x-b")},
			{path: "response_headers", with: forward, was: object{"remove": list("x-a")}},
			{path: "response_headers.set", with: forward, was: object{"x-a": "1"}, becomes: object{"x-a": "2"}},
			{path: "response_headers.add", with: forward, was: object{"x-a": "1"}, becomes: object{"x-a": "2"}},
			{path: "response_headers.remove", with: forward, was: list("x-a"), becomes: list("x-b")},
			{path: "timeouts", with: forward, was: object{"request": "5s"}},
			{path: "timeouts.response", with: forward, was: "5s", becomes: "6s"},
			{path: "timeouts.request", with: forward, was: "5s", becomes: "6s"},
		},
		lb.KindCertificate: {
			{path: "chain_pem"}, // the test has the keys
			{path: "private_key_wo_version", was: 2, becomes: 3},
		},
		lb.KindFreeze: {
			{path: "reason", was: "The racks are moved", becomes: "Nobody is here"},
			{path: "addresses", was: list("pool/x"), becomes: list("pool/y")},
			{path: "begin", was: "2090-01-01T00:00:00Z", becomes: "2090-01-01T01:00:00Z"},
			{path: "end", was: "2090-01-02T00:00:00Z", becomes: "2090-01-02T01:00:00Z"},
			{path: "recurrence", was: "FREQ=YEARLY", becomes: "FREQ=MONTHLY"},
			{path: "time_zone", was: "Europe/Berlin", becomes: "Europe/Paris"},
		},
		lb.KindPolicy: {
			{path: "rules", was: object{"a": object{"require": "true", "message": "Never said"}}, becomes: object{"b": object{"require": "true", "message": "Never said"}}},
			{path: "rules.*.when", with: ruled(), was: "1 < 2", becomes: "1 < 3"},
			{path: "rules.*.require", with: ruled(), was: "2 < 3", becomes: "2 < 4"},
			{path: "rules.*.message", with: ruled(), was: "Never said", becomes: "Not said either"},
			{path: "rules.*.on_emergency", with: ruled(), was: true, becomes: false},
			{path: "authority_grace", was: "5m", becomes: "6m"},
		},
	}
	for kind := range cases {
		for _, c := range both {
			if kind == lb.KindRoute {
				c.with = forward
			}
			cases[kind] = append(cases[kind], c)
		}
	}
	return cases
}

func ruled() object {
	return object{"rules": object{"k": object{"require": "true", "message": "Never said"}}}
}

// leastOf is what every object of a kind has.
func leastOf(kind lb.Kind) object {
	least := object{"owner": "edge"}
	switch kind {
	case lb.KindListener:
		least["address"] = "127.0.0.1"
	case lb.KindRoute:
		least["listener"] = "plain"
	case lb.KindFreeze:
		least = merged(least, object{"reason": "A test", "addresses": list("pool/none"), "begin": "2090-01-01T00:00:00Z", "end": "2090-01-02T00:00:00Z"})
	}
	return least
}

// merged lays objects over each other, without touching them.
func merged(objects ...object) object {
	out := object{}
	for _, o := range objects {
		for key, value := range o {
			if of, ok := value.(object); ok {
				below, _ := out[key].(object)
				value = merged(below, of)
			}
			out[key] = value
		}
	}
	return out
}

// with returns the object with a value at a path; nil takes it out.
func with(o object, path string, value any) object {
	out := merged(o)
	at, name := out, ""
	for name, path = cutPath(path); path != ""; name, path = cutPath(path) {
		below, _ := at[name].(object)
		below = merged(below)
		at[name] = below
		at = below
	}
	if value == nil {
		delete(at, name)
	} else {
		at[name] = value
	}
	return out
}

func cutPath(path string) (name, rest string) {
	name, rest, _ = strings.Cut(path, ".")
	if name == "*" {
		name = "k"
	}
	return name, rest
}
