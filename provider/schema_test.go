package provider

import (
	"fmt"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func TestEverySchemaCoversItsObject(t *testing.T) {
	for kind := range resources {
		t.Run(string(kind), func(t *testing.T) {
			c := codecOf(kind)
			obj, err := lb.New(kind)
			if err != nil {
				t.Fatal(err)
			}
			switch obj := obj.(type) {
			case *lb.Pool:
				obj.Members = map[string]lb.Member{"*": lb.NewMember()}
				obj.HealthCheck, obj.HashKey, obj.OutlierDetection = &lb.HealthCheck{}, &lb.HashKey{}, &lb.OutlierDetection{}
				obj.UpstreamTLS, obj.Affinity = &lb.UpstreamTLS{}, &lb.Affinity{}
			case *lb.Route:
				obj.Match.Headers, obj.Match.Query = map[string]lb.ValueMatch{"*": {}}, map[string]lb.ValueMatch{"*": {}}
				obj.Action = lb.RouteAction{
					Forward: map[string]lb.ForwardTarget{"*": {}}, Redirect: &lb.Redirect{}, FixedResponse: &lb.FixedResponse{},
					Rewrite: &lb.Rewrite{}, Mirror: &lb.Mirror{},
				}
			case *lb.Policy:
				obj.Rules = map[string]lb.PolicyRule{"*": {}}
			}
			obj.Normalize()
			normal, err := normalOf(obj)
			if err != nil {
				t.Fatal(err)
			}
			declared := map[string]bool{}
			for name := range c.declared {
				declared[c.jsonName(name)] = true
			}
			delete(declared, "private_key_pem")
			for name, v := range normal {
				if !declared[name] {
					t.Errorf("%s.%s has no attribute", kind, name)
				}
				compareMembers(t, string(kind)+"."+name, c.declared[name], v)
			}
			for name := range declared {
				if _, ok := normal[name]; !ok {
					t.Errorf("attribute %s is nothing that a %s has", name, kind)
				}
			}
		})
	}
}

func compareMembers(t *testing.T, at string, a schema.Attribute, v any) {
	t.Helper()
	var of attributes
	switch a := a.(type) {
	case schema.SingleNestedAttribute:
		of = a.Attributes
	case schema.MapNestedAttribute:
		of = a.NestedObject.Attributes
		v = v.(map[string]any)["*"]
	default:
		return
	}
	members := v.(map[string]any)
	for name, member := range members {
		if of[name] == nil {
			t.Errorf("%s.%s has no attribute", at, name)
			continue
		}
		compareMembers(t, at+"."+name, of[name], member)
	}
	for name := range of {
		if _, ok := members[name]; !ok {
			t.Errorf("attribute %s.%s stands for nothing", at, name)
		}
	}
}

func TestSchemaDefaultsAreThoseOfTheObject(t *testing.T) {
	empty := map[string]any{}
	for kind, declared := range map[lb.Kind]map[string]any{
		lb.KindPool: {
			"members":  map[string]any{"*": map[string]any{"address": "a:1"}},
			"hash_key": empty, "health_check": empty, "outlier_detection": empty, "upstream_tls": empty, "affinity": empty,
		},
		lb.KindListener: {},
		lb.KindRoute: {
			"match": map[string]any{"headers": map[string]any{"*": empty}, "query": map[string]any{"*": empty}},
			"action": map[string]any{
				"forward": map[string]any{"*": empty}, "redirect": empty, "fixed_response": empty, "rewrite": empty, "mirror": map[string]any{"pool": "p"},
			},
			"request_headers": empty, "response_headers": empty,
		},
		lb.KindCertificate: {},
		lb.KindFreeze:      {},
		lb.KindPolicy:      {"rules": map[string]any{"*": empty}},
	} {
		c := codecOf(kind)
		f, err := c.encode(valueOf(t, kind, declared))
		if err != nil {
			t.Fatal(err)
		}
		compareDefaults(t, string(kind), c.declared, f.normal)
	}
}

func compareDefaults(t *testing.T, at string, of attributes, normal map[string]any) {
	t.Helper()
	for name, a := range of {
		at := at + "." + name
		switch a := a.(type) {
		case schema.SingleNestedAttribute:
			compareDefaults(t, at, a.Attributes, normal[name].(map[string]any))
			continue
		case schema.MapNestedAttribute:
			elements := normal[name].(map[string]any)
			compareDefaults(t, at, a.NestedObject.Attributes, elements["*"].(map[string]any))
			continue
		case schema.MapAttribute:
			if len(normal[name].(map[string]any)) > 0 {
				t.Errorf("%s: without a default it is %v", at, normal[name])
			}
			continue
		}
		value, err := defaultOf(name, a).ToTerraformValue(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		encoded, ok := (&encoder{}).encode(at, a, value)
		switch {
		case a.IsRequired() || a.IsWriteOnly() || (!ok && a.IsComputed()): // given, or planned by other means
		case !ok && !isEmpty(normal[name]):
			t.Errorf("%s: the schema has no default, the object's is %v", at, normal[name])
		case ok && fmt.Sprint(encoded) != fmt.Sprint(normal[name]):
			t.Errorf("%s: the schema's default is %v, the object's %v", at, encoded, normal[name])
		}
	}
}
