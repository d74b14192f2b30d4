package sink_test

import (
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strings"
)

// What OCSF 1.5.0 says of the two classes and of the objects in them that we use, without
// profiles: types, what is required, enumerated values, and of which attributes at least one
// has to be there. Attributes that we don't use are left out, so an event that has another
// is a mistake of ours.

type ocsfType string

const (
	tInteger   ocsfType = "integer_t"
	tLong      ocsfType = "long_t"
	tTimestamp ocsfType = "timestamp_t"
	tString    ocsfType = "string_t"
	tIP        ocsfType = "ip_t"
	tJSON      ocsfType = "json_t"
	tObject    ocsfType = "object"
)

type ocsfAttribute struct {
	typ      ocsfType
	object   string // of another schema in ocsfSchemas
	required bool
	array    bool
	enum     []int
	strings  []string
}

type ocsfSchema struct {
	attributes map[string]ocsfAttribute
	atLeastOne []string
}

func requiredOf(a ocsfAttribute) ocsfAttribute { a.required = true; return a }
func object(name string) ocsfAttribute         { return ocsfAttribute{typ: tObject, object: name} }
func enumOf(values ...int) ocsfAttribute       { return ocsfAttribute{typ: tInteger, enum: values} }
func of(t ocsfType) ocsfAttribute              { return ocsfAttribute{typ: t} }
func listOf(a ocsfAttribute) ocsfAttribute     { a.array = true; return a }
func withAll(more map[string]ocsfAttribute) map[string]ocsfAttribute {
	out := maps.Clone(baseEvent)
	maps.Copy(out, more)
	return out
}

var baseEvent = map[string]ocsfAttribute{
	"activity_name": of(tString), "category_name": of(tString), "class_name": of(tString), "type_name": of(tString),
	"type_uid":    requiredOf(of(tLong)),
	"severity_id": requiredOf(enumOf(0, 1, 2, 3, 4, 5, 6, 99)), "severity": of(tString),
	"status_id": enumOf(0, 1, 2, 99), "status": of(tString), "status_code": of(tString), "status_detail": of(tString),
	"time": requiredOf(of(tTimestamp)), "message": of(tString),
	"metadata": requiredOf(object("metadata")), "unmapped": of(tObject),
	"http_request": object("http_request"),
}

var ocsfSchemas = map[string]ocsfSchema{
	"api_activity": {attributes: withAll(map[string]ocsfAttribute{
		"activity_id": requiredOf(enumOf(0, 1, 2, 3, 4, 99)), "category_uid": requiredOf(enumOf(6)), "class_uid": requiredOf(enumOf(6003)),
		"actor": requiredOf(object("actor")), "api": requiredOf(object("api")), "src_endpoint": requiredOf(object("network_endpoint")),
		"resources": listOf(object("resource_details")),
	})},
	"entity_management": {attributes: withAll(map[string]ocsfAttribute{
		"activity_id":  requiredOf(enumOf(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 99)),
		"category_uid": requiredOf(enumOf(3)), "class_uid": requiredOf(enumOf(3004)),
		"actor": object("actor"), "src_endpoint": object("network_endpoint"),
		"entity": requiredOf(object("managed_entity")), "entity_result": object("managed_entity"),
	})},
	"metadata": {attributes: map[string]ocsfAttribute{
		"version": requiredOf(of(tString)), "product": requiredOf(object("product")), "uid": of(tString), "sequence": of(tInteger),
		"event_code": of(tString), "correlation_uid": of(tString), "log_name": of(tString), "log_provider": of(tString),
		"original_time": of(tString), "labels": listOf(of(tString)),
	}},
	"product": {attributes: map[string]ocsfAttribute{"name": of(tString), "vendor_name": of(tString), "version": of(tString)}, atLeastOne: []string{"name", "uid"}},
	"actor": {
		attributes: map[string]ocsfAttribute{"app_name": of(tString), "user": object("user"), "session": object("session"), "idp": object("idp")},
		atLeastOne: []string{"process", "user", "invoked_by", "session", "app_name", "app_uid"},
	},
	"user": {
		attributes: map[string]ocsfAttribute{"name": of(tString), "uid": of(tString), "type_id": enumOf(0, 1, 2, 3, 99), "type": of(tString), "credential_uid": of(tString)},
		atLeastOne: []string{"account", "name", "uid"},
	},
	"session": {attributes: map[string]ocsfAttribute{"uid": of(tString), "issuer": of(tString)}},
	"idp":     {attributes: map[string]ocsfAttribute{"name": of(tString), "uid": of(tString), "issuer": of(tString)}, atLeastOne: []string{"name", "uid"}},
	"network_endpoint": {
		attributes: map[string]ocsfAttribute{"ip": of(tIP), "name": of(tString), "svc_name": of(tString)},
		atLeastOne: []string{"ip", "uid", "name", "hostname", "svc_name", "instance_uid", "interface_uid", "interface_name", "domain"},
	},
	"http_request": {attributes: map[string]ocsfAttribute{
		"uid": of(tString), "url": object("url"), "user_agent": of(tString),
		"http_method": {typ: tString, strings: []string{"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT", "TRACE"}},
	}},
	"url": {attributes: map[string]ocsfAttribute{"path": of(tString)}, atLeastOne: []string{"url_string", "path"}},
	"api": {attributes: map[string]ocsfAttribute{
		"operation": requiredOf(of(tString)), "version": of(tString), "service": object("service"), "request": object("request"), "response": object("response"),
	}},
	"service":  {attributes: map[string]ocsfAttribute{"name": of(tString)}, atLeastOne: []string{"name", "uid"}},
	"request":  {attributes: map[string]ocsfAttribute{"uid": requiredOf(of(tString))}},
	"response": {attributes: map[string]ocsfAttribute{"code": of(tInteger), "error": of(tString), "error_message": of(tString)}},
	"resource_details": {
		attributes: map[string]ocsfAttribute{"uid": of(tString), "name": of(tString), "type": of(tString), "data": of(tJSON)},
		atLeastOne: []string{"name", "uid"},
	},
	"managed_entity": {
		attributes: map[string]ocsfAttribute{
			"uid": of(tString), "name": of(tString), "type_id": enumOf(0, 1, 2, 3, 4, 5, 6, 7, 99), "type": of(tString), "version": of(tString),
			"policy": object("policy"), "data": of(tJSON),
		},
		atLeastOne: []string{"name", "uid", "device", "group", "org", "policy", "user"},
	},
	"policy": {attributes: map[string]ocsfAttribute{"uid": of(tString), "name": of(tString)}, atLeastOne: []string{"name", "uid"}},
}

// captions are the names of enumerated values, which stand beside them.
var captions = map[string]map[int]string{
	"activity_id":  {1: "Create", 3: "Update", 4: "Delete"},
	"severity_id":  {1: "Informational", 3: "Medium", 4: "High"},
	"status_id":    {1: "Success", 2: "Failure"},
	"category_uid": {3: "Identity & Access Management", 6: "Application Activity"},
	"class_uid":    {3004: "Entity Management", 6003: "API Activity"},
	"type_id":      {1: "User", 2: "Admin", 3: "System", 5: "Policy"},
}

// validate returns what is wrong with an event of a class, or with an object.
func validate(name, at string, value map[string]any) (problems []string) {
	schema, ok := ocsfSchemas[name]
	if !ok {
		return []string{at + ": no schema " + name}
	}
	wrong := func(key, what string) { problems = append(problems, at+"."+key+": "+what) }
	for key, a := range schema.attributes {
		if _, there := value[key]; a.required && !there {
			wrong(key, "is required")
		}
	}
	if len(schema.atLeastOne) > 0 && !slices.ContainsFunc(schema.atLeastOne, func(key string) bool { _, there := value[key]; return there }) {
		wrong("", fmt.Sprintf("needs one of %q", schema.atLeastOne))
	}
	for key, v := range value {
		a, known := schema.attributes[key]
		if !known {
			wrong(key, "is no attribute")
			continue
		}
		list := []any{v}
		if a.array {
			if list, ok = v.([]any); !ok || len(list) == 0 {
				wrong(key, "is no list, or an empty one")
			}
		}
		for i, v := range list {
			problems = append(problems, a.validate(fmt.Sprintf("%s.%s[%d]", at, key, i), v)...)
		}
		if caption, ok := captions[key]; ok {
			sibling := strings.TrimSuffix(strings.TrimSuffix(key, "_id"), "_uid")
			if beside := value[sibling+"_name"]; beside != nil {
				sibling += "_name"
			}
			if want, ok := caption[int(v.(float64))]; ok && value[sibling] != want {
				wrong(sibling, fmt.Sprintf("is %v beside %v, want %q", value[sibling], v, want))
			}
		}
	}
	return problems
}

func (a ocsfAttribute) validate(at string, v any) []string {
	ok, what := true, ""
	switch a.typ {
	case tInteger, tLong, tTimestamp:
		n, number := v.(float64)
		ok = number && n == math.Trunc(n) && (len(a.enum) == 0 || slices.Contains(a.enum, int(n)))
		if a.typ == tTimestamp {
			ok = ok && n > 1.5e12 && n < 1e13 // milliseconds, and of our days
		}
	case tString:
		s, text := v.(string)
		ok = text && s != "" && (len(a.strings) == 0 || slices.Contains(a.strings, s))
	case tIP:
		s, text := v.(string)
		_, err := netip.ParseAddr(s)
		ok = text && err == nil && len(s) <= 40
	case tObject:
		m, isObject := v.(map[string]any)
		if ok = isObject; ok && a.object != "" {
			return validate(a.object, at, m)
		}
	case tJSON:
	default:
		ok, what = false, "no such type"
	}
	if ok {
		return nil
	}
	return []string{fmt.Sprintf("%s: %v is no %s %s", at, v, a.typ, what)}
}
