package lb

import "fmt"

var listenerDescriptions = map[string]string{
	"":                    "A listener is a socket that clients connect to.",
	"address":             "IP address to bind; `0.0.0.0` is every IPv4 address, `::` every address. " + defaultsTo(DefaultListenerAddress),
	"port":                "Port to bind, " + between(1, 65535) + ". No two listeners may share an address and port.",
	"protocol":            "What clients speak: `http`, `https`, `tcp`, or `tls_passthrough`, which passes TLS on undecrypted to the pool of the route for the name the client asks for. " + defaultsTo(DefaultListenerProtocol),
	"certificates":        fmt.Sprintf("Names of the certificates an `https` listener serves, chosen by the name the client asks for (SNI). At most %d.", MaxListenerCertificates),
	"default_certificate": "Certificate for clients that ask for no name or an unknown one. Empty: the only certificate if there is just one, otherwise such clients are refused.",
	"default_pool":        "Pool for what no route matches. Empty: such requests get 404, and connections of `tls_passthrough` are closed. Required when protocol is `tcp`. Its protocol is `tcp` for `tcp` and `tls_passthrough`, otherwise `http`.",

	"tls":               "How an `https` listener speaks TLS.",
	"tls.min_version":   "Oldest TLS version accepted, " + choice(TLSVersions) + ". " + defaultsTo(DefaultTLSMinVersion),
	"tls.alpn":          "Versions of HTTP offered, any of " + listed(ALPNProtocols) + "; `h2` is preferred. Default: all.",
	"tls.client_ca_pem": fmt.Sprintf("Authorities that clients' certificates are verified by, in PEM, at most %d bytes. Required unless `client_auth` is `none`.", MaxPEMBytes),
	"tls.client_auth":   "Whether clients show a certificate: `none` is asked for, `optional` it is verified if there is one, `required` there must be one. " + defaultsTo(DefaultClientAuth),

	"timeouts":                "How long clients may take.",
	"timeouts.request_header": "Time a client may take to send a request's header, " + span(MinTimeout, MaxTimeout, DefaultRequestHeaderTimeout),
	"timeouts.request_body":   "Time in which a further part of a request's body must arrive, " + span(MinTimeout, MaxTimeout, DefaultRequestBodyTimeout),
	"timeouts.idle":           "Time a client's connection may stay unused between requests, " + span(MinTimeout, MaxTimeout, DefaultListenerIdleTimeout),

	"limits":                            "What clients may use.",
	"limits.max_header_bytes":           "Largest request header, " + between(MinMaxHeaderBytes, MaxMaxHeaderBytes) + " bytes; more is answered 431. " + defaultsTo(DefaultMaxHeaderBytes),
	"limits.max_body_bytes":             fmt.Sprintf("Largest request body in bytes, at most %d; more is answered 413. `0` is no bound. %s", MaxMaxBodyBytes, defaultsTo(DefaultMaxBodyBytes)),
	"limits.max_connections":            "Connections open at once, " + between(1, MaxMaxConnections) + "; more wait to be accepted. " + defaultsTo(DefaultMaxConnections),
	"limits.max_connections_per_client": fmt.Sprintf("Connections of one client address open at once, at most %d; more are closed. `0` is no bound. %s", MaxMaxConnections, defaultsTo(DefaultClientConnections)),
	"limits.max_requests":               "Requests under way at once, " + between(1, MaxMaxRequests) + "; more are answered 503. " + defaultsTo(DefaultMaxRequests),
	"limits.request_rate":               fmt.Sprintf("Requests a second from one client address (connections, where there are no requests), at most %d; more are answered 429. `0` is no bound. %s", MaxRequestRate, defaultsTo(DefaultRequestRate)),
	"limits.request_burst":              fmt.Sprintf("Requests from one client address at once above `request_rate`, at most %d. Needs a rate. %s", MaxRequestBurst, defaultsTo(DefaultRequestBurst)),

	"http2":                        "How HTTP/2 is spoken.",
	"http2.prior_knowledge":        "Whether an `http` listener also speaks HTTP/2 without TLS to clients that begin with it (h2c). `https` listeners offer it by `tls.alpn`. " + defaultsTo(false),
	"http2.max_concurrent_streams": "Requests of one connection under way at once, " + between(1, MaxConcurrentStreams) + ". " + defaultsTo(DefaultConcurrentStreams),

	"proxy_protocol":  "Whether connections from `trusted_proxies` begin with a PROXY protocol header, which says who the client is; connections from elsewhere are then refused. " + defaultsTo(false),
	"trusted_proxies": fmt.Sprintf("Networks, such as `10.0.0.0/8`, whose word for who the client is counts: `X-Forwarded-*` and `Forwarded` headers, and PROXY headers if `proxy_protocol` is on. At most %d.", MaxCIDRs),
	"allowed_cidrs":   fmt.Sprintf("Networks that clients may come from, such as `192.0.2.0/24`. Empty: any. At most %d.", MaxCIDRs),
	"access_records":  "Which requests leave a record of their own: `off` none, `errors` those that failed or did not go as configured at the first try, `all` every one. " + defaultsTo(DefaultAccessRecords),
}
