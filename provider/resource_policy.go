package provider

import (
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func newPolicyResource() resource.Resource {
	f := fieldsOf(lb.KindPolicy)
	rule := f.in("rules.*")
	return newObjectResource(codec{kind: lb.KindPolicy, declared: attributes{
		"rules": f.optionalMap("rules", attributes{
			"when":         stringOr(rule, "when", lb.DefaultRuleWhen),
			"require":      rule.requiredString("require"),
			"message":      rule.requiredString("message"),
			"on_emergency": rule.boolOr("on_emergency", lb.DefaultOnEmergency),
		}),
		"authority_grace": f.durationOr("authority_grace", lb.DefaultGrace),
	}})
}
