package provider

import (
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func newListenerResource() resource.Resource {
	f := fieldsOf(lb.KindListener)
	tls, timeouts, limits := f.in("tls"), f.in("timeouts"), f.in("limits")
	return newObjectResource(codec{kind: lb.KindListener, declared: attributes{
		"address":             stringOr(f, "address", lb.DefaultListenerAddress),
		"port":                f.requiredInt("port"),
		"protocol":            stringOr(f, "protocol", lb.DefaultListenerProtocol),
		"certificates":        f.optionalSet("certificates"),
		"default_certificate": f.optionalString("default_certificate"),
		"default_pool":        f.optionalString("default_pool"),
		"tls": f.objectOr("tls", attributes{
			"min_version": stringOr(tls, "min_version", lb.DefaultTLSMinVersion),
		}),
		"timeouts": f.objectOr("timeouts", attributes{
			"request_header": timeouts.durationOr("request_header", lb.DefaultRequestHeaderTimeout),
			"idle":           timeouts.durationOr("idle", lb.DefaultListenerIdleTimeout),
		}),
		"limits": f.objectOr("limits", attributes{
			"max_header_bytes": limits.intOr("max_header_bytes", lb.DefaultMaxHeaderBytes),
			"max_connections":  limits.intOr("max_connections", lb.DefaultMaxConnections),
		}),
	}})
}
