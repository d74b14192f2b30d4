package provider

import (
	"context"
	"fmt"
	"maps"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/defaults"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64default"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/objectdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/setdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// attributes are the attributes of a resource, or of one object within it.
type attributes map[string]schema.Attribute

// fields makes attributes of one kind, each under the name it has in the JSON
// and with the description and default that lb gives it.
type fields struct {
	kind   lb.Kind
	prefix string
}

func fieldsOf(kind lb.Kind) fields { return fields{kind: kind} }

// in descends into an object: "health_check", or "members.*" for what each
// element of a map holds.
func (f fields) in(path string) fields { return fields{f.kind, f.prefix + path + "."} }

func (f fields) describe(name string) string { return lb.Describe(f.kind, f.prefix+name) }

func (f fields) requiredString(name string) schema.StringAttribute {
	return schema.StringAttribute{MarkdownDescription: f.describe(name), Required: true}
}

func (f fields) optionalString(name string) schema.StringAttribute {
	return schema.StringAttribute{MarkdownDescription: f.describe(name), Optional: true}
}

func (f fields) computedString(name string) schema.StringAttribute {
	return schema.StringAttribute{MarkdownDescription: f.describe(name), Computed: true}
}

// stringOr also serves durations: [lb.Duration] is their text, and plans keep
// the spelling ("60s" or "1m") that means the same, see [codec.keepSpelling].
func stringOr[T ~string](f fields, name string, def T) schema.StringAttribute {
	return schema.StringAttribute{MarkdownDescription: f.describe(name), Optional: true, Computed: true, Default: stringdefault.StaticString(string(def))}
}

func (f fields) durationOr(name string, def lb.Duration) schema.StringAttribute {
	return stringOr(f, name, def.String())
}

func (f fields) boolOr(name string, def bool) schema.BoolAttribute {
	return schema.BoolAttribute{MarkdownDescription: f.describe(name), Optional: true, Computed: true, Default: booldefault.StaticBool(def)}
}

func (f fields) requiredInt(name string) schema.Int64Attribute {
	return schema.Int64Attribute{MarkdownDescription: f.describe(name), Required: true}
}

func (f fields) intOr(name string, def int64) schema.Int64Attribute {
	return schema.Int64Attribute{MarkdownDescription: f.describe(name), Optional: true, Computed: true, Default: int64default.StaticInt64(def)}
}

func (f fields) optionalInt(name string) schema.Int64Attribute {
	return schema.Int64Attribute{MarkdownDescription: f.describe(name), Optional: true}
}

func (f fields) optionalStrings(name string) schema.MapAttribute {
	return schema.MapAttribute{MarkdownDescription: f.describe(name), ElementType: types.StringType, Optional: true}
}

func (f fields) optionalSet(name string) schema.SetAttribute {
	return schema.SetAttribute{MarkdownDescription: f.describe(name), ElementType: types.StringType, Optional: true}
}

func (f fields) computedSet(name string) schema.SetAttribute {
	return schema.SetAttribute{MarkdownDescription: f.describe(name), ElementType: types.StringType, Computed: true}
}

func setOr[T ~string](f fields, name string, def ...T) schema.SetAttribute {
	elements := make([]attr.Value, len(def))
	for i, v := range def {
		elements[i] = types.StringValue(string(v))
	}
	a := f.optionalSet(name)
	a.Computed, a.Default = true, setdefault.StaticValue(types.SetValueMust(types.StringType, elements))
	return a
}

func (f fields) optionalObject(name string, of attributes) schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{MarkdownDescription: f.describe(name), Attributes: of, Optional: true}
}

func (f fields) requiredObject(name string, of attributes) schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{MarkdownDescription: f.describe(name), Attributes: of, Required: true}
}

// objectOr is an object that, left out, takes the defaults of its attributes.
// Those without one are null.
func (f fields) objectOr(name string, of attributes) schema.SingleNestedAttribute {
	a := f.optionalObject(name, of)
	a.Computed, a.Default = true, objectdefault.StaticValue(defaultsOf(of))
	return a
}

func (f fields) optionalMap(name string, of attributes) schema.MapNestedAttribute {
	return schema.MapNestedAttribute{MarkdownDescription: f.describe(name), NestedObject: schema.NestedAttributeObject{Attributes: of}, Optional: true}
}

// defaultsOf is the object in which every attribute has its default.
func defaultsOf(of attributes) types.Object {
	attrTypes, values := map[string]attr.Type{}, map[string]attr.Value{}
	for name, a := range of {
		attrTypes[name], values[name] = a.GetType(), defaultOf(name, a)
	}
	return types.ObjectValueMust(attrTypes, values)
}

// defaultOf is the default of an attribute, or null.
func defaultOf(name string, a schema.Attribute) attr.Value {
	ctx := context.Background()
	switch a := a.(type) {
	case schema.StringAttribute:
		resp := &defaults.StringResponse{PlanValue: types.StringNull()}
		if a.Default != nil {
			a.Default.DefaultString(ctx, defaults.StringRequest{}, resp)
		}
		return resp.PlanValue
	case schema.Int64Attribute:
		resp := &defaults.Int64Response{PlanValue: types.Int64Null()}
		if a.Default != nil {
			a.Default.DefaultInt64(ctx, defaults.Int64Request{}, resp)
		}
		return resp.PlanValue
	case schema.BoolAttribute:
		resp := &defaults.BoolResponse{PlanValue: types.BoolNull()}
		if a.Default != nil {
			a.Default.DefaultBool(ctx, defaults.BoolRequest{}, resp)
		}
		return resp.PlanValue
	case schema.SetAttribute:
		resp := &defaults.SetResponse{PlanValue: types.SetNull(a.ElementType)}
		if a.Default != nil {
			a.Default.DefaultSet(ctx, defaults.SetRequest{}, resp)
		}
		return resp.PlanValue
	}
	panic(fmt.Sprintf("provider: %s: no default of type %T", name, a))
}

// withMeta adds what every resource has: its name, owner and labels, and where
// it stands in the log.
func withMeta(kind lb.Kind, declared attributes) attributes {
	f := fieldsOf(kind)
	all := attributes{
		attrID: schema.StringAttribute{
			MarkdownDescription: fmt.Sprintf("The object's address in the log: `%s/` and its name.", kind),
			Computed:            true,
			PlanModifiers:       []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
		},
		attrName: schema.StringAttribute{
			MarkdownDescription: fmt.Sprintf("The object's name, its identity among all objects of its kind: %s. Another name is another object: changing it replaces the resource.", lb.NameRule),
			Required:            true,
			PlanModifiers:       []planmodifier.String{stringplanmodifier.RequiresReplace()},
		},
		attrRevision: schema.Int64Attribute{
			MarkdownDescription: "The revision: the number of the log entry that last changed the object.",
			Computed:            true,
		},
		attrLastChangedBy: schema.StringAttribute{
			MarkdownDescription: "Who changed the object last.",
			Computed:            true,
		},
		attrLastChangeTicket: schema.StringAttribute{
			MarkdownDescription: "The change ticket under which the object was last changed.",
			Computed:            true,
		},
		attrLastChangedAt: schema.StringAttribute{
			MarkdownDescription: "When the object was last changed, RFC 3339.",
			Computed:            true,
		},
		attrLastChangeRun: schema.StringAttribute{
			MarkdownDescription: "The run in which the object was last changed. Empty when it was changed outside of a run.",
			Computed:            true,
		},
	}
	maps.Copy(all, declared)
	all["owner"] = f.requiredString("owner")
	all["labels"] = f.optionalStrings("labels")
	return all
}

// The attributes that every resource has and that are no part of its object.
const (
	attrID               = "id"
	attrName             = "name"
	attrRevision         = "revision"
	attrLastChangedBy    = "last_changed_by"
	attrLastChangeTicket = "last_change_ticket"
	attrLastChangedAt    = "last_changed_at"
	attrLastChangeRun    = "last_change_run"
)

// loggedAttributes are those that every change gives new values.
var loggedAttributes = []string{attrRevision, attrLastChangedBy, attrLastChangeTicket, attrLastChangedAt, attrLastChangeRun}
