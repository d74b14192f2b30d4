package provider

import (
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func newListenerResource() resource.Resource {
	f := fieldsOf(lb.KindListener)
	tls, timeouts, limits, http2 := f.in("tls"), f.in("timeouts"), f.in("limits"), f.in("http2")
	return newObjectResource(codec{kind: lb.KindListener, declared: attributes{
		"address":             stringOr(f, "address", lb.DefaultListenerAddress),
		"port":                f.requiredInt("port"),
		"protocol":            stringOr(f, "protocol", lb.DefaultListenerProtocol),
		"certificates":        f.optionalSet("certificates"),
		"default_certificate": f.optionalString("default_certificate"),
		"default_pool":        f.optionalString("default_pool"),
		"tls": f.objectOr("tls", attributes{
			"min_version":   stringOr(tls, "min_version", lb.DefaultTLSMinVersion),
			"alpn":          setOr(tls, "alpn", lb.ALPNProtocols...),
			"client_ca_pem": tls.optionalString("client_ca_pem"),
			"client_auth":   stringOr(tls, "client_auth", lb.DefaultClientAuth),
		}),
		"timeouts": f.objectOr("timeouts", attributes{
			"request_header": timeouts.durationOr("request_header", lb.DefaultRequestHeaderTimeout),
			"request_body":   timeouts.durationOr("request_body", lb.DefaultRequestBodyTimeout),
			"idle":           timeouts.durationOr("idle", lb.DefaultListenerIdleTimeout),
		}),
		"limits": f.objectOr("limits", attributes{
			"max_header_bytes":           limits.intOr("max_header_bytes", lb.DefaultMaxHeaderBytes),
			"max_body_bytes":             limits.intOr("max_body_bytes", lb.DefaultMaxBodyBytes),
			"max_connections":            limits.intOr("max_connections", lb.DefaultMaxConnections),
			"max_connections_per_client": limits.intOr("max_connections_per_client", lb.DefaultClientConnections),
			"max_requests":               limits.intOr("max_requests", lb.DefaultMaxRequests),
			"request_rate":               limits.intOr("request_rate", lb.DefaultRequestRate),
			"request_burst":              limits.intOr("request_burst", lb.DefaultRequestBurst),
		}),
		"http2": f.objectOr("http2", attributes{
			"prior_knowledge":        http2.boolOr("prior_knowledge", false),
			"max_concurrent_streams": http2.intOr("max_concurrent_streams", lb.DefaultConcurrentStreams),
		}),
		"proxy_protocol":  f.boolOr("proxy_protocol", false),
		"trusted_proxies": f.optionalSet("trusted_proxies"),
		"allowed_cidrs":   f.optionalSet("allowed_cidrs"),
		"access_records":  stringOr(f, "access_records", lb.DefaultAccessRecords),
	}})
}
