package provider

import (
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func newPoolResource() resource.Resource {
	f := fieldsOf(lb.KindPool)
	member, check, timeouts := f.in("members.*"), f.in("health_check"), f.in("timeouts")
	return newObjectResource(codec{kind: lb.KindPool, declared: attributes{
		"protocol":  stringOr(f, "protocol", lb.DefaultPoolProtocol),
		"algorithm": stringOr(f, "algorithm", lb.DefaultAlgorithm),
		"members": f.optionalMap("members", attributes{
			"address": member.requiredString("address"),
			"weight":  member.intOr("weight", lb.DefaultWeight),
			"backup":  member.boolOr("backup", false),
			"state":   stringOr(member, "state", lb.DefaultMemberState),
		}),
		"health_check": f.optionalObject("health_check", attributes{
			"type":                stringOr(check, "type", lb.DefaultHealthCheckType),
			"interval":            check.durationOr("interval", lb.DefaultHealthInterval),
			"timeout":             check.durationOr("timeout", lb.DefaultHealthTimeout),
			"healthy_threshold":   check.intOr("healthy_threshold", lb.DefaultHealthyThreshold),
			"unhealthy_threshold": check.intOr("unhealthy_threshold", lb.DefaultUnhealthyThreshold),
			"path":                stringOr(check, "path", lb.DefaultHealthPath),
			"host":                check.optionalString("host"),
			"expected_statuses":   check.setOr("expected_statuses", lb.DefaultExpectedStatuses),
		}),
		"timeouts": f.objectOr("timeouts", attributes{
			"connect":  timeouts.durationOr("connect", lb.DefaultPoolConnectTimeout),
			"response": timeouts.durationOr("response", lb.DefaultPoolResponseTimeout),
			"idle":     timeouts.durationOr("idle", lb.DefaultPoolIdleTimeout),
		}),
	}})
}
