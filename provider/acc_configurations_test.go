package provider_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/knownvalue"

	"github.com/auditlb/terraform-provider-auditlb/provider/acctest"
)

// configuration is one object with nothing but what is required, and one with
// everything, written in ways that the server doesn't.
type configuration struct {
	name     string
	resource string
	// least and most are the resource's attributes besides name and owner.
	least, most string
	// others are tried in between.
	others []string
	// leastState and mostState are some of the values that follow.
	leastState, mostState map[string]knownvalue.Check
	// ignoreOnImport are attributes that can't come back.
	ignoreOnImport []string
}

// label is what the resource and its object are called.
func (c *configuration) label() string { return strings.ReplaceAll(c.name, " ", "-") }

// at is the resource's address in Terraform, and address the object's.
func (c *configuration) at() string { return c.resource + "." + c.label() }

func (c *configuration) address() string {
	return strings.TrimSuffix(strings.TrimPrefix(c.resource, "auditlb_"), "_window") + "/" + c.label()
}

// block is the resource with attributes.
func (c *configuration) block(attributes string) string {
	return fmt.Sprintf("resource %q %q {\n name = %q\n owner = \"edge\"\n%s\n}\n", c.resource, c.label(), c.label(), attributes)
}

// configurations are those of every kind, and what they refer to. They don't get in each
// other's way, so that one run of terraform takes all of them.
func configurations(t *testing.T) (all []configuration, needs string) {
	chain, key := acctest.KeyPair(t, "app.example.com", "WWW.example.com")
	otherChain, otherKey := acctest.KeyPair(t, "other.example.com")
	pem := func(s string) string { return "<<-EOT\n" + s + "EOT\n" }
	certificate := func(chain, key string) string {
		return "chain_pem = " + pem(chain) + "private_key_wo = " + pem(key)
	}
	certs := "resource \"auditlb_certificate\" \"site\" {\n name = \"site\"\n owner = \"edge\"\n" + certificate(chain, key) + "}\n"
	pool := "resource \"auditlb_pool\" \"p\" {\n name = \"p\"\n owner = \"edge\"\n}\n"
	port, httpsPort := acctest.FreePort(t), acctest.FreePort(t)
	listener := fmt.Sprintf("resource \"auditlb_listener\" \"l\" {\n name = \"l\"\n owner = \"edge\"\n address = \"127.0.0.1\"\n port = %d\n}\n", acctest.FreePort(t))
	tcpPool := "resource \"auditlb_pool\" \"tcp\" {\n name = \"tcp\"\n owner = \"edge\"\n protocol = \"tcp\"\n}\n"
	passthrough := fmt.Sprintf("resource \"auditlb_listener\" \"names\" {\n name = \"names\"\n owner = \"edge\"\n address = \"127.0.0.1\"\n port = %d\n protocol = \"tls_passthrough\"\n}\n", acctest.FreePort(t))
	return []configuration{
		{
			name: "pool", resource: "auditlb_pool",
			most: `
				labels       = { team = "edge", empty = "" }
				http_version = "2"
				algorithm    = "maglev"
				hash_key     = { source = "header", name = "X-User" }
				slow_start   = "60s"
				members = {
					"a.1" = { address = "10.0.0.1:80", weight = 3, backup = true, state = "drain" }
					b     = { address = "app.internal:8080" }
				}
				health_check = {
					type = "grpc", interval = "60s", timeout = "1500ms", healthy_threshold = 1, unhealthy_threshold = 2
					path = "/healthz", host = "App.Example.com", service = "shop.Cart", expected_statuses = ["404", "200-299"]
				}
				outlier_detection = { consecutive_failures = 3, ejection_time = "90s", max_ejected_percent = 25 }
				retries           = { attempts = 1, on = ["reset", "503"], per_try_timeout = "1500ms", budget_percent = 10 }
				timeouts          = { connect = "1000ms", response = "120s", idle = "60m" }
				limits            = { max_connections = 100, max_pending = 0 }
				upstream_tls = {
					server_name = "App.internal", client_certificate = auditlb_certificate.site.name, min_version = "1.3", verify = false
					ca_pem      = ` + pem(otherChain) + `
				}
				affinity = { ttl = "3600s" }`,
			others: []string{
				`
				algorithm         = "ring_hash"
				hash_key          = {}
				outlier_detection = {}
				retries           = { attempts = 0 }
				limits            = { max_pending = 5 }
				upstream_tls      = {}
				affinity          = { type = "header", name = "X-User" }
				proxy_protocol    = "v2"`,
				`affinity = { type = "source_ip" }`,
				`affinity = { type = "cookie", name = "SID" }`,
				`affinity = {}`,
			},
			leastState: map[string]knownvalue.Check{
				"protocol": knownvalue.StringExact("http"), "health_check": knownvalue.Null(), "members": knownvalue.Null(), "labels": knownvalue.Null(),
				"timeouts": knownvalue.ObjectExact(map[string]knownvalue.Check{
					"connect": knownvalue.StringExact("5s"), "response": knownvalue.StringExact("1m"), "idle": knownvalue.StringExact("5m"),
				}),
				"retries": knownvalue.ObjectExact(map[string]knownvalue.Check{
					"attempts": knownvalue.Int64Exact(2), "on": knownvalue.SetExact([]knownvalue.Check{knownvalue.StringExact("connect_failure")}),
					"per_try_timeout": knownvalue.StringExact("0s"), "budget_percent": knownvalue.Int64Exact(20),
				}),
				"hash_key": knownvalue.Null(), "outlier_detection": knownvalue.Null(), "upstream_tls": knownvalue.Null(), "affinity": knownvalue.Null(),
			},
			mostState: map[string]knownvalue.Check{
				"members": knownvalue.MapPartial(map[string]knownvalue.Check{"b": knownvalue.ObjectExact(map[string]knownvalue.Check{
					"address": knownvalue.StringExact("app.internal:8080"), "weight": knownvalue.Int64Exact(1),
					"backup": knownvalue.Bool(false), "state": knownvalue.StringExact("active"),
				})}),
				"timeouts": knownvalue.ObjectPartial(map[string]knownvalue.Check{"idle": knownvalue.StringExact("60m")}),
				"affinity": knownvalue.ObjectExact(map[string]knownvalue.Check{
					"type": knownvalue.StringExact("cookie"), "name": knownvalue.StringExact("auditlb"), "ttl": knownvalue.StringExact("3600s"),
				}),
			},
			ignoreOnImport: []string{
				"hash_key.name", "slow_start", "health_check.interval", "health_check.timeout", "health_check.host", "outlier_detection.ejection_time",
				"retries.per_try_timeout", "timeouts.connect", "timeouts.response", "timeouts.idle", "upstream_tls.server_name", "affinity.ttl",
			},
		},
		{
			name: "tcp pool", resource: "auditlb_pool",
			most: `
				protocol       = "tcp"
				algorithm      = "ring_hash"
				hash_key       = { source = "source_ip" }
				health_check   = { type = "tcp" }
				affinity       = { type = "source_ip" }
				proxy_protocol = "v1"`,
			mostState: map[string]knownvalue.Check{"affinity": knownvalue.ObjectPartial(map[string]knownvalue.Check{"name": knownvalue.StringExact("")})},
		},
		{
			name: "pool with empty parts", resource: "auditlb_pool",
			least: `
				labels       = {}
				members      = {}
				health_check = {}
				timeouts     = {}`,
			most: `
				members      = { a = { address = "[::1]:80" } }
				health_check = { host = "" }
				timeouts     = { idle = "61s" }`,
			leastState: map[string]knownvalue.Check{
				"labels":       knownvalue.MapSizeExact(0),
				"health_check": knownvalue.ObjectPartial(map[string]knownvalue.Check{"interval": knownvalue.StringExact("10s"), "host": knownvalue.Null()}),
			},
			mostState: map[string]knownvalue.Check{
				"health_check": knownvalue.ObjectPartial(map[string]knownvalue.Check{"host": knownvalue.StringExact("")}),
			},
			ignoreOnImport: []string{"labels", "members", "health_check.host", "timeouts.idle"},
		},
		{
			name: "listener", resource: "auditlb_listener",
			least: fmt.Sprintf("address = \"127.0.0.1\"\nport = %d", port),
			most: fmt.Sprintf(`
				labels              = { a = "b" }
				address             = "127.0.0.1"
				port                = %d
				protocol            = "https"
				certificates        = [auditlb_certificate.site.name]
				default_certificate = "site"
				default_pool        = auditlb_pool.p.name
				tls = {
					min_version = "1.3", alpn = ["http/1.1", "h2"], client_auth = "optional"
					client_ca_pem = %s
				}
				timeouts = { request_header = "5000ms", request_body = "60s", idle = "60s" }
				limits = {
					max_header_bytes = 2048, max_body_bytes = 1048576, max_connections = 10, max_connections_per_client = 5
					max_requests = 100, request_rate = 50, request_burst = 10
				}
				http2           = { max_concurrent_streams = 10 }
				proxy_protocol  = true
				trusted_proxies = ["10.1.2.3/8"]
				allowed_cidrs   = ["127.0.0.0/8", "2001:DB8::/32"]
				access_records  = "all"`, httpsPort, pem(otherChain)),
			others: []string{
				fmt.Sprintf(`
				address         = "127.0.0.1"
				port            = %d
				tls             = { alpn = ["http/1.1"] }
				limits          = { request_rate = 5 }
				http2           = { prior_knowledge = true }
				trusted_proxies = []
				access_records  = "off"`, port),
				fmt.Sprintf("address = \"127.0.0.1\"\nport = %d\nprotocol = \"tls_passthrough\"", port),
			},
			leastState: map[string]knownvalue.Check{
				"certificates": knownvalue.Null(), "default_pool": knownvalue.Null(), "default_certificate": knownvalue.Null(),
				"tls": knownvalue.ObjectExact(map[string]knownvalue.Check{
					"min_version": knownvalue.StringExact("1.2"), "alpn": knownvalue.SetSizeExact(2), "client_ca_pem": knownvalue.Null(), "client_auth": knownvalue.StringExact("none"),
				}),
				"http2":           knownvalue.ObjectExact(map[string]knownvalue.Check{"prior_knowledge": knownvalue.Bool(false), "max_concurrent_streams": knownvalue.Int64Exact(100)}),
				"trusted_proxies": knownvalue.Null(), "proxy_protocol": knownvalue.Bool(false),
			},
			mostState: map[string]knownvalue.Check{
				"certificates": knownvalue.SetSizeExact(1), "trusted_proxies": knownvalue.SetExact([]knownvalue.Check{knownvalue.StringExact("10.1.2.3/8")}),
			},
			ignoreOnImport: []string{"timeouts.request_header", "timeouts.request_body", "timeouts.idle", "trusted_proxies", "allowed_cidrs"},
		},
		{
			name: "route", resource: "auditlb_route",
			least: "listener = auditlb_listener.l.name\naction = { forward = { (auditlb_pool.p.name) = {} } }",
			most: `
				labels   = { a = "b" }
				listener = auditlb_listener.l.name
				priority = -7
				match = {
					hosts   = ["WWW.Example.com", "*.example.com"], path_prefix = "/api", methods = ["POST", "GET"]
					headers = { x-canary = { value = "yes" }, x-beta = { type = "absent" } }
					query   = { Page = { type = "regex", value = "[0-9]+" } }
				}
				action = {
					forward = { (auditlb_pool.p.name) = { weight = 5 } }
					rewrite = { host = "App.internal:8080", path_prefix = "/" }
					mirror  = { pool = auditlb_pool.p.name, percent = 10 }
				}
				request_headers  = { set = { x-team = "edge" }, add = { x-tag = "a" }, remove = ["X-Debug", "x-trace"] }
				response_headers = { set = { strict-transport-security = "max-age=31536000" }, remove = ["server"] }
				timeouts         = { response = "2000ms", request = "60s" }`,
			others: []string{
				`
				listener         = auditlb_listener.l.name
				match            = { path_regex = "/(?P<name>[a-z]+)/(.*)" }
				action           = { forward = { (auditlb_pool.p.name) = {} }, rewrite = { path = "/$2/$${name}" } }
				request_headers  = {}
				response_headers = { add = {} }`,
				`
				listener = auditlb_listener.l.name
				match    = { path_prefix = "/old" }
				action   = { redirect = { status = 308, scheme = "https", host = "New.example.com", port = 8443, path_prefix = "/new", strip_query = true } }`,
				`
				listener = auditlb_listener.l.name
				action   = { redirect = { port = 0, path = "/there" } }`,
				`
				listener = auditlb_listener.l.name
				action   = { fixed_response = { status = 503, content_type = "text/html", body = "<h1>Back soon</h1>\n" } }`,
				`
				listener = auditlb_listener.l.name
				action   = { fixed_response = {} }`,
			},
			leastState: map[string]knownvalue.Check{
				"match": knownvalue.Null(), "request_headers": knownvalue.Null(), "response_headers": knownvalue.Null(),
				"action": knownvalue.ObjectExact(map[string]knownvalue.Check{
					"forward":  knownvalue.MapExact(map[string]knownvalue.Check{"p": knownvalue.ObjectExact(map[string]knownvalue.Check{"weight": knownvalue.Int64Exact(1)})}),
					"redirect": knownvalue.Null(), "fixed_response": knownvalue.Null(), "rewrite": knownvalue.Null(), "mirror": knownvalue.Null(),
				}),
				"timeouts": knownvalue.ObjectExact(map[string]knownvalue.Check{"response": knownvalue.StringExact("0s"), "request": knownvalue.StringExact("0s")}),
			},
			mostState: map[string]knownvalue.Check{
				"match": knownvalue.ObjectPartial(map[string]knownvalue.Check{
					"hosts":      knownvalue.SetExact([]knownvalue.Check{knownvalue.StringExact("WWW.Example.com"), knownvalue.StringExact("*.example.com")}),
					"path_exact": knownvalue.Null(),
					"headers": knownvalue.MapPartial(map[string]knownvalue.Check{"x-beta": knownvalue.ObjectExact(map[string]knownvalue.Check{
						"type": knownvalue.StringExact("absent"), "value": knownvalue.Null(),
					})}),
				}),
			},
			ignoreOnImport: []string{"match.hosts", "action.rewrite.host", "request_headers.remove", "timeouts.response", "timeouts.request"},
		},
		{
			name: "route of names", resource: "auditlb_route",
			least:     "listener = auditlb_listener.names.name\naction = { forward = { (auditlb_pool.tcp.name) = {} } }",
			most:      "listener = auditlb_listener.names.name\nmatch = { hosts = [\"vault.example.com\"] }\naction = { forward = { (auditlb_pool.tcp.name) = { weight = 2 } } }",
			mostState: map[string]knownvalue.Check{"match": knownvalue.ObjectPartial(map[string]knownvalue.Check{"hosts": knownvalue.SetSizeExact(1)})},
		},
		{
			name: "certificate", resource: "auditlb_certificate",
			least: certificate(chain, key),
			most:  certificate(otherChain, otherKey) + "private_key_wo_version = 2\nlabels = { a = \"b\" }\n",
			leastState: map[string]knownvalue.Check{
				"dns_names":   knownvalue.SetExact([]knownvalue.Check{knownvalue.StringExact("app.example.com"), knownvalue.StringExact("www.example.com")}),
				"fingerprint": knownvalue.StringRegexp(regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)),
				"issuer":      knownvalue.StringExact("CN=app.example.com"), "private_key_wo": knownvalue.Null(), "private_key_wo_version": knownvalue.Null(),
			},
			mostState: map[string]knownvalue.Check{"private_key_wo_version": knownvalue.Int64Exact(2)},
		},
		{
			name: "freeze", resource: "auditlb_freeze_window",
			least: "reason = \"r\"\nbegin = \"2020-01-03T17:00:00Z\"\nend = \"2020-01-05T17:00:00Z\"",
			most:  weekends + "recurrence = \"FREQ=WEEKLY\"\ntime_zone = \"Europe/Berlin\"",
			others: []string{
				weekends + "recurrence = \"FREQ=WEEKLY\"",
				weekends,
				weekends + "labels = { a = \"b\" }",
			},
			leastState: map[string]knownvalue.Check{
				"addresses": knownvalue.SetExact([]knownvalue.Check{knownvalue.StringExact("*")}), "recurrence": knownvalue.Null(), "time_zone": knownvalue.StringExact("UTC"),
			},
			mostState: map[string]knownvalue.Check{
				"reason": knownvalue.StringExact("weekends are quiet"), "addresses": knownvalue.SetExact([]knownvalue.Check{knownvalue.StringExact("pool/none")}),
				"begin": knownvalue.StringExact("2026-01-02T18:00:00+01:00"), "end": knownvalue.StringExact("2026-01-05T06:00:00+01:00"),
				"recurrence": knownvalue.StringExact("FREQ=WEEKLY"), "time_zone": knownvalue.StringExact("Europe/Berlin"),
			},
			ignoreOnImport: []string{"begin", "end"}, // come back in UTC
		},
		{
			name: "policy", resource: "auditlb_policy",
			most: `
				labels          = { a = "b" }
				rules           = { pools = { when = "change.kind == 'pool'", require = "true", message = "m", on_emergency = true } }
				authority_grace = "60m"`,
			others: []string{
				`rules = { pools = { require = "true", message = "m", on_emergency = true } }`,
				`rules = { pools = { require = "true", message = "m" } }`,
				`rules = { pools = { require = "true", message = "n" } }`,
			},
			leastState: map[string]knownvalue.Check{"rules": knownvalue.Null(), "authority_grace": knownvalue.StringExact("0s")},
			mostState: map[string]knownvalue.Check{
				"rules": knownvalue.MapExact(map[string]knownvalue.Check{"pools": knownvalue.ObjectExact(map[string]knownvalue.Check{
					"when": knownvalue.StringExact("change.kind == 'pool'"), "require": knownvalue.StringExact("true"),
					"message": knownvalue.StringExact("m"), "on_emergency": knownvalue.Bool(true),
				})}),
				"authority_grace": knownvalue.StringExact("60m"),
			},
			ignoreOnImport: []string{"authority_grace"},
		},
	}, certs + pool + listener + tcpPool + passthrough
}
