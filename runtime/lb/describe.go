package lb

import (
	"fmt"
	"strings"
)

// Describe returns the description of an attribute, in Markdown: what it is,
// its shape, bounds and default. Path is the attribute's JSON name below the
// kind, members of maps written "*": "members.*.weight". The provider's schema,
// the OpenAPI document and the generated docs all take their words from here.
//
// It panics for a path without a description: that is a mistake in the program.
func Describe(kind Kind, path string) string {
	if text, ok := descriptions[kind][path]; ok {
		return text
	}
	if text, ok := metaDescriptions[path]; ok {
		return text
	}
	panic(fmt.Sprintf("lb: no description for %s %s", kind, path))
}

// DescribeKind returns what objects of a kind are for.
func DescribeKind(kind Kind) string { return descriptions[kind][""] }

func choice[T ~string](allowed []T) string {
	parts := make([]string, len(allowed))
	for i, v := range allowed {
		parts[i] = "`" + string(v) + "`"
	}
	return "one of " + strings.Join(parts, ", ")
}

func between(low, high any) string { return fmt.Sprintf("between %v and %v", low, high) }

func defaultsTo(v any) string { return fmt.Sprintf("Default: `%v`.", v) }

const durationForm = "a duration such as `500ms`, `10s` or `1m30s`"

var metaDescriptions = map[string]string{
	"owner":    fmt.Sprintf("The team or person to call about this object. At most %d bytes.", MaxOwnerLength),
	"labels":   fmt.Sprintf("Free keys and values to find the object by. At most %d, with values of at most %d bytes.", MaxLabels, MaxLabelValueLength),
	"labels.*": fmt.Sprintf("The label's value, at most %d bytes.", MaxLabelValueLength),
}

var descriptions = map[Kind]map[string]string{
	KindPool: {
		"":                                 "A pool is a set of interchangeable servers and how to choose among them.",
		"protocol":                         "What the members speak: " + choice(PoolProtocols) + ". " + defaultsTo(DefaultPoolProtocol),
		"algorithm":                        "How a member is chosen: " + choice(Algorithms) + ". " + defaultsTo(DefaultAlgorithm),
		"members":                          fmt.Sprintf("The servers, by a key of your choosing that history and diffs name them by. Keys are %s. At most %d.", NameRule, MaxMembers),
		"members.*":                        "One server.",
		"members.*.address":                "Where the server listens: `host:port`, with an IP address or a DNS name.",
		"members.*.weight":                 "Share of the requests compared with the other members, " + between(MinWeight, MaxWeight) + ". " + defaultsTo(DefaultWeight),
		"members.*.backup":                 "Whether the member serves only when no other member can. " + defaultsTo(false),
		"members.*.state":                  "What is wanted of the member: `active` serves, `drain` finishes what it has and gets nothing new, `disabled` gets nothing and isn't checked. " + strings.ToUpper(choice(MemberStates)[:1]) + choice(MemberStates)[1:] + ". " + defaultsTo(DefaultMemberState),
		"health_check":                     "How the pool learns which members can serve. Without it every active member is taken to be healthy.",
		"health_check.type":                "How members are probed: `http` sends a request, `tcp` opens a connection; " + choice(HealthCheckTypes) + ". " + defaultsTo(DefaultHealthCheckType),
		"health_check.interval":            "Time between probes of a member, " + durationForm + ", " + between(MinHealthInterval, MaxHealthInterval) + ". " + defaultsTo(DefaultHealthInterval),
		"health_check.timeout":             fmt.Sprintf("How long a probe may take, at least %s and at most the interval. %s", MinHealthTimeout, defaultsTo(DefaultHealthTimeout)),
		"health_check.healthy_threshold":   "Probes in a row that must succeed before a member serves again, " + between(1, MaxHealthThreshold) + ". " + defaultsTo(DefaultHealthyThreshold),
		"health_check.unhealthy_threshold": "Probes in a row that must fail before a member stops serving, " + between(1, MaxHealthThreshold) + ". " + defaultsTo(DefaultUnhealthyThreshold),
		"health_check.path":                "Path requested by `http` probes. " + defaultsTo(DefaultHealthPath),
		"health_check.host":                "`Host` header of `http` probes. Empty means the member's address.",
		"health_check.expected_statuses":   "Statuses by which an `http` probe succeeds: codes such as `204` or ranges such as `200-299`. " + defaultsTo(DefaultExpectedStatuses),
		"timeouts":                         "How long work with a member may take.",
		"timeouts.connect":                 "Time to open a connection to a member, " + durationForm + ", " + between(MinTimeout, MaxTimeout) + ". " + defaultsTo(DefaultPoolConnectTimeout),
		"timeouts.response":                "Time a member may take to begin its response, " + durationForm + ", " + between(MinTimeout, MaxTimeout) + ". " + defaultsTo(DefaultPoolResponseTimeout),
		"timeouts.idle":                    "Time a connection to a member may stay unused (http) or silent (tcp) before it is closed, " + durationForm + ", " + between(MinTimeout, MaxTimeout) + ". " + defaultsTo(DefaultPoolIdleTimeout),
	},
	KindListener: {
		"":                        "A listener is a socket that clients connect to.",
		"address":                 "IP address to bind; `0.0.0.0` is every IPv4 address, `::` every address. " + defaultsTo(DefaultListenerAddress),
		"port":                    "Port to bind, " + between(1, 65535) + ". No two listeners may share an address and port.",
		"protocol":                "What clients speak: " + choice(ListenerProtocols) + ". " + defaultsTo(DefaultListenerProtocol),
		"certificates":            fmt.Sprintf("Names of the certificates an `https` listener serves, chosen by the name the client asks for (SNI). At most %d.", MaxListenerCertificates),
		"default_certificate":     "Certificate for clients that ask for no name or an unknown one. Empty: the only certificate if there is just one, otherwise such clients are refused.",
		"default_pool":            "Pool for requests that no route matches (such requests get 404 when it is empty). Required when protocol is `tcp`.",
		"tls":                     "How an `https` listener speaks TLS.",
		"tls.min_version":         "Oldest TLS version accepted, " + choice(TLSVersions) + ". " + defaultsTo(DefaultTLSMinVersion),
		"timeouts":                "How long clients may take.",
		"timeouts.request_header": "Time a client may take to send a request's header, " + durationForm + ", " + between(MinTimeout, MaxTimeout) + ". " + defaultsTo(DefaultRequestHeaderTimeout),
		"timeouts.idle":           "Time a client's connection may stay unused between requests, " + durationForm + ", " + between(MinTimeout, MaxTimeout) + ". " + defaultsTo(DefaultListenerIdleTimeout),
		"limits":                  "What clients may use.",
		"limits.max_header_bytes": "Largest request header, " + between(MinMaxHeaderBytes, MaxMaxHeaderBytes) + " bytes; more is answered 431. " + defaultsTo(DefaultMaxHeaderBytes),
		"limits.max_connections":  "Connections open at once, " + between(1, MaxMaxConnections) + "; more wait to be accepted. " + defaultsTo(DefaultMaxConnections),
	},
	KindRoute: {
		"":                        "A route sends those requests of a listener that match to pools.",
		"listener":                "Name of the listener whose requests are routed.",
		"priority":                "Of all routes that match, the one with the highest priority wins, " + between(MinPriority, MaxPriority) + ". Equal priorities are decided by the more specific host, then path, then by methods, then by name. " + defaultsTo(DefaultPriority),
		"match":                   "Which requests the route is for. What is left out matches everything.",
		"match.hosts":             fmt.Sprintf("Host names, exact (`app.example.com`) or with a leading wildcard label (`*.example.com`, any depth). At most %d.", MaxRouteHosts),
		"match.path_exact":        "The path, exactly. Can't be combined with `path_prefix`.",
		"match.path_prefix":       "A path and all below it: `/api` matches `/api` and `/api/v1`, not `/apis`. Can't be combined with `path_exact`.",
		"match.methods":           fmt.Sprintf("Methods in capital letters, such as `GET`. At most %d.", MaxRouteMethods),
		"action":                  "What happens to requests that match.",
		"action.forward":          fmt.Sprintf("Pools that share the requests, by pool name. At most %d.", MaxRouteForwards),
		"action.forward.*":        "One pool's share.",
		"action.forward.*.weight": "Share of the requests compared with the other pools, " + between(0, MaxForwardWeight) + ". " + defaultsTo(DefaultForwardWeight),
	},
	KindCertificate: {
		"":                    "A certificate chain, with its private key, for listeners that speak TLS.",
		"chain_pem":           fmt.Sprintf("The leaf certificate, then its issuers in order, in PEM. At most %d certificates and %d bytes.", MaxChainCertificates, MaxChainBytes),
		"private_key_version": "A number of yours that stands for the private key; raise it to say that there is a new key.",
		"fingerprint":         "`sha256:` and the SHA-256 of the leaf's public key (SubjectPublicKeyInfo), in hex. It stands for the private key wherever the key itself must not appear.",
		"not_before":          "When the leaf begins to be valid, RFC 3339.",
		"not_after":           "When the leaf ends to be valid, RFC 3339.",
		"dns_names":           "Names the leaf is valid for.",
		"issuer":              "Distinguished name of the leaf's issuer.",
	},
}
