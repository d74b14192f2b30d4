package provider

import (
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func newRouteResource() resource.Resource {
	f := fieldsOf(lb.KindRoute)
	match, timeouts := f.in("match"), f.in("timeouts")
	return newObjectResource(codec{kind: lb.KindRoute, declared: attributes{
		"listener": f.requiredString("listener"),
		"priority": f.intOr("priority", lb.DefaultPriority),
		"match": f.optionalObject("match", attributes{
			"hosts":       match.optionalSet("hosts"),
			"path_exact":  match.optionalString("path_exact"),
			"path_prefix": match.optionalString("path_prefix"),
			"path_regex":  match.optionalString("path_regex"),
			"methods":     match.optionalSet("methods"),
			"headers":     match.optionalMap("headers", valueMatchAttributes(match.in("headers.*"))),
			"query":       match.optionalMap("query", valueMatchAttributes(match.in("query.*"))),
		}),
		"action":           f.requiredObject("action", actionAttributes(f.in("action"))),
		"request_headers":  f.optionalObject("request_headers", headerChangesAttributes(f.in("request_headers"))),
		"response_headers": f.optionalObject("response_headers", headerChangesAttributes(f.in("response_headers"))),
		"timeouts": f.objectOr("timeouts", attributes{
			"response": timeouts.durationOr("response", lb.DefaultRouteTimeout),
			"request":  timeouts.durationOr("request", lb.DefaultRouteTimeout),
		}),
	}})
}

func valueMatchAttributes(f fields) attributes {
	return attributes{
		"type":  stringOr(f, "type", lb.DefaultMatchType),
		"value": f.optionalString("value"),
	}
}

func actionAttributes(f fields) attributes {
	target, redirect, fixed := f.in("forward.*"), f.in("redirect"), f.in("fixed_response")
	rewrite, mirror := f.in("rewrite"), f.in("mirror")
	return attributes{
		"forward": f.optionalMap("forward", attributes{
			"weight": target.intOr("weight", lb.DefaultForwardWeight),
		}),
		"redirect": f.optionalObject("redirect", attributes{
			"status":      redirect.intOr("status", lb.DefaultRedirectStatus),
			"scheme":      redirect.optionalString("scheme"),
			"host":        redirect.optionalString("host"),
			"port":        redirect.optionalInt("port"),
			"path":        redirect.optionalString("path"),
			"path_prefix": redirect.optionalString("path_prefix"),
			"strip_query": redirect.boolOr("strip_query", false),
		}),
		"fixed_response": f.optionalObject("fixed_response", attributes{
			"status":       fixed.intOr("status", lb.DefaultFixedStatus),
			"content_type": stringOr(fixed, "content_type", lb.DefaultContentType),
			"body":         fixed.optionalString("body"),
		}),
		"rewrite": f.optionalObject("rewrite", attributes{
			"host":        rewrite.optionalString("host"),
			"path":        rewrite.optionalString("path"),
			"path_prefix": rewrite.optionalString("path_prefix"),
		}),
		"mirror": f.optionalObject("mirror", attributes{
			"pool":    mirror.requiredString("pool"),
			"percent": mirror.intOr("percent", lb.DefaultMirrorPercent),
		}),
	}
}

func headerChangesAttributes(f fields) attributes {
	return attributes{
		"set":    f.optionalStrings("set"),
		"add":    f.optionalStrings("add"),
		"remove": f.optionalSet("remove"),
	}
}
