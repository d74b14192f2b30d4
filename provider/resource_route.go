package provider

import (
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func newRouteResource() resource.Resource {
	f := fieldsOf(lb.KindRoute)
	match, action, target := f.in("match"), f.in("action"), f.in("action.forward.*")
	return newObjectResource(codec{kind: lb.KindRoute, declared: attributes{
		"listener": f.requiredString("listener"),
		"priority": f.intOr("priority", lb.DefaultPriority),
		"match": f.optionalObject("match", attributes{
			"hosts":       match.optionalSet("hosts"),
			"path_exact":  match.optionalString("path_exact"),
			"path_prefix": match.optionalString("path_prefix"),
			"methods":     match.optionalSet("methods"),
		}),
		"action": f.requiredObject("action", attributes{
			"forward": action.requiredMap("forward", attributes{
				"weight": target.intOr("weight", lb.DefaultForwardWeight),
			}),
		}),
	}})
}
