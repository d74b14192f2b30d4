package provider

import (
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func newFreezeWindowResource() resource.Resource {
	f := fieldsOf(lb.KindFreeze)
	return newObjectResource(codec{kind: lb.KindFreeze, resourceName: "freeze_window", declared: attributes{
		"reason":     f.requiredString("reason"),
		"addresses":  setOr(f, "addresses", lb.GlobEverything),
		"begin":      f.requiredString("begin"),
		"end":        f.requiredString("end"),
		"recurrence": f.optionalString("recurrence"),
		"time_zone":  stringOr(f, "time_zone", lb.DefaultFreezeZone),
	}})
}
