package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func newPoolResource() resource.Resource {
	f := fieldsOf(lb.KindPool)
	member, hash, outlier, retries := f.in("members.*"), f.in("hash_key"), f.in("outlier_detection"), f.in("retries")
	timeouts, limits := f.in("timeouts"), f.in("limits")
	return newObjectResource(codec{kind: lb.KindPool, declared: attributes{
		"protocol":     stringOr(f, "protocol", lb.DefaultPoolProtocol),
		"http_version": stringOr(f, "http_version", lb.DefaultHTTPVersion),
		"algorithm":    stringOr(f, "algorithm", lb.DefaultAlgorithm),
		"hash_key": f.optionalObject("hash_key", attributes{
			"source": stringOr(hash, "source", lb.DefaultHashSource),
			"name":   hash.optionalString("name"),
		}),
		"slow_start": f.durationOr("slow_start", lb.DefaultSlowStart),
		"members": f.optionalMap("members", attributes{
			"address": member.requiredString("address"),
			"weight":  member.intOr("weight", lb.DefaultWeight),
			"backup":  member.boolOr("backup", false),
			"state":   stringOr(member, "state", lb.DefaultMemberState),
		}),
		"health_check": f.optionalObject("health_check", healthCheckAttributes(f.in("health_check"))),
		"outlier_detection": f.optionalObject("outlier_detection", attributes{
			"consecutive_failures": outlier.intOr("consecutive_failures", lb.DefaultOutlierFailures),
			"ejection_time":        outlier.durationOr("ejection_time", lb.DefaultEjectionTime),
			"max_ejected_percent":  outlier.intOr("max_ejected_percent", lb.DefaultMaxEjectedPercent),
		}),
		"retries": f.objectOr("retries", attributes{
			"attempts":        retries.intOr("attempts", lb.DefaultRetryAttempts),
			"on":              setOr(retries, "on", lb.NewRetries().On...),
			"per_try_timeout": retries.durationOr("per_try_timeout", lb.DefaultPerTryTimeout),
			"budget_percent":  retries.intOr("budget_percent", lb.DefaultRetryBudgetPercent),
		}),
		"timeouts": f.objectOr("timeouts", attributes{
			"connect":  timeouts.durationOr("connect", lb.DefaultPoolConnectTimeout),
			"response": timeouts.durationOr("response", lb.DefaultPoolResponseTimeout),
			"idle":     timeouts.durationOr("idle", lb.DefaultPoolIdleTimeout),
		}),
		"limits": f.objectOr("limits", attributes{
			"max_connections": limits.intOr("max_connections", lb.DefaultMemberConnections),
			"max_pending":     limits.intOr("max_pending", lb.DefaultMaxPending),
		}),
		"upstream_tls":   f.optionalObject("upstream_tls", upstreamTLSAttributes(f.in("upstream_tls"))),
		"affinity":       f.optionalObject("affinity", affinityAttributes(f.in("affinity"))),
		"proxy_protocol": stringOr(f, "proxy_protocol", lb.DefaultProxyProtocol),
	}})
}

func healthCheckAttributes(f fields) attributes {
	return attributes{
		"type":                stringOr(f, "type", lb.DefaultHealthCheckType),
		"interval":            f.durationOr("interval", lb.DefaultHealthInterval),
		"timeout":             f.durationOr("timeout", lb.DefaultHealthTimeout),
		"healthy_threshold":   f.intOr("healthy_threshold", lb.DefaultHealthyThreshold),
		"unhealthy_threshold": f.intOr("unhealthy_threshold", lb.DefaultUnhealthyThreshold),
		"path":                stringOr(f, "path", lb.DefaultHealthPath),
		"host":                f.optionalString("host"),
		"service":             f.optionalString("service"),
		"expected_statuses":   setOr(f, "expected_statuses", lb.DefaultExpectedStatuses),
	}
}

func upstreamTLSAttributes(f fields) attributes {
	return attributes{
		"ca_pem":             f.optionalString("ca_pem"),
		"server_name":        f.optionalString("server_name"),
		"client_certificate": f.optionalString("client_certificate"),
		"min_version":        stringOr(f, "min_version", lb.DefaultUpstreamMinVersion),
		"verify":             f.boolOr("verify", lb.DefaultUpstreamVerify),
	}
}

func affinityAttributes(f fields) attributes {
	return attributes{
		"type": stringOr(f, "type", lb.DefaultAffinityType),
		"name": schema.StringAttribute{
			MarkdownDescription: f.describe("name"),
			Optional:            true,
			Computed:            true,
			PlanModifiers:       []planmodifier.String{affinityName{}},
		},
		"ttl": f.durationOr("ttl", lb.DefaultAffinityTTL),
	}
}

// affinityName plans the name of an affinity that is left out. A default can't:
// it depends on the affinity's type.
type affinityName struct{}

// Description implements [planmodifier.String].
func (affinityName) Description(context.Context) string {
	return "A cookie has a name also when none is given."
}

// MarkdownDescription implements [planmodifier.String].
func (m affinityName) MarkdownDescription(ctx context.Context) string { return m.Description(ctx) }

// PlanModifyString implements [planmodifier.String].
func (affinityName) PlanModifyString(ctx context.Context, req planmodifier.StringRequest, resp *planmodifier.StringResponse) {
	if !req.ConfigValue.IsNull() {
		return
	}
	var kind types.String
	resp.Diagnostics.Append(req.Plan.GetAttribute(ctx, req.Path.ParentPath().AtName("type"), &kind)...)
	switch {
	case kind.IsUnknown():
		resp.PlanValue = types.StringUnknown()
	case kind.ValueString() == string(lb.AffinityCookie):
		resp.PlanValue = types.StringValue(lb.DefaultAffinityCookie)
	default:
		resp.PlanValue = types.StringValue("")
	}
}
