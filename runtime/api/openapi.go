package api

import (
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/invopop/jsonschema"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// OpenAPI returns the OpenAPI 3.1 document of the API, made from [Operations]
// and the types of their bodies.
var OpenAPI = sync.OnceValues(func() ([]byte, error) {
	schemas := schemaSet{defs: map[string]*jsonschema.Schema{}}
	paths := map[string]map[string]any{}
	for _, op := range Operations {
		path := strings.ReplaceAll(op.Path, "...}", "}")
		if paths[path] == nil {
			paths[path] = map[string]any{}
		}
		paths[path][strings.ToLower(op.Method)] = schemas.operation(op)
	}
	schemas.describe()
	doc := map[string]any{
		"openapi": "3.1.0",
		"info": map[string]any{
			"title":       "auditlb management API",
			"version":     "1",
			"description": "Every change names a change ticket and leaves an entry in a tamper-evident log; refusals leave one too.",
		},
		"security": []any{map[string]any{"token": []string{}}, map[string]any{"certificate": []string{}}},
		"paths":    paths,
		"components": map[string]any{
			"schemas": schemas.defs,
			"securitySchemes": map[string]any{
				"token":       map[string]any{"type": "http", "scheme": "bearer"},
				"certificate": map[string]any{"type": "mutualTLS"},
			},
		},
	}
	b, err := json.Marshal(doc, json.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		return nil, err
	}
	return []byte(strings.ReplaceAll(string(b), "#/$defs/", "#/components/schemas/")), nil
})

// schemaSet collects the schemas of all types in use, by name.
type schemaSet struct {
	defs map[string]*jsonschema.Schema
}

var pathParam = regexp.MustCompile(`\{(\w+)`)

func (s *schemaSet) operation(op Operation) map[string]any {
	var params []any
	for _, m := range pathParam.FindAllStringSubmatch(op.Path, -1) {
		params = append(params, map[string]any{"name": m[1], "in": "path", "required": true, "schema": map[string]any{"type": "string"}})
	}
	for _, p := range op.Params {
		schema := map[string]any{"type": "string"}
		if p.Integer {
			schema = map[string]any{"type": "integer", "minimum": 1, "maximum": MaxPageSize}
		}
		params = append(params, map[string]any{"name": p.Name, "in": p.In, "description": p.Description, "required": p.Required, "schema": schema})
	}
	responses := map[string]any{
		"default": map[string]any{
			"description": "A problem (RFC 9457).",
			"content":     map[string]any{ContentProblem: map[string]any{"schema": s.ref(Problem{})}},
		},
	}
	for _, status := range op.Success {
		answer := map[string]any{"description": "Success."}
		switch {
		case op.Content != "":
			answer["content"] = map[string]any{strings.Split(op.Content, ";")[0]: map[string]any{"schema": map[string]any{"type": "string"}}}
		case op.Response != nil:
			answer["content"] = map[string]any{ContentJSON: map[string]any{"schema": s.ref(op.Response)}}
		}
		responses[strconv.Itoa(status)] = answer
	}
	if op.ID == "readyz" {
		responses["503"] = map[string]any{"description": "Not ready.", "content": map[string]any{ContentJSON: map[string]any{"schema": s.ref(Readiness{})}}}
	}
	out := map[string]any{"operationId": op.ID, "summary": op.Summary, "responses": responses}
	if params != nil {
		out["parameters"] = params
	}
	if op.Request != nil {
		out["requestBody"] = map[string]any{"required": true, "content": map[string]any{ContentJSON: map[string]any{"schema": s.ref(op.Request)}}}
	}
	if op.Open {
		out["security"] = []any{}
	}
	return out
}

// ref returns a reference to the schema of v's type, adding it to the set.
func (s *schemaSet) ref(v any) any {
	t := reflect.TypeOf(v)
	if t.Kind() == reflect.Map {
		return map[string]any{"type": "object"}
	}
	r := jsonschema.Reflector{Anonymous: true, Mapper: mapType, RequiredFromJSONSchemaTags: true}
	root := r.ReflectFromType(t)
	for name, def := range root.Definitions {
		s.defs[name] = def
	}
	return map[string]any{"$ref": "#/components/schemas/" + t.Name()}
}

func enum[T ~string](values []T) *jsonschema.Schema {
	schema := &jsonschema.Schema{Type: "string"}
	for _, v := range values {
		schema.Enum = append(schema.Enum, string(v))
	}
	return schema
}

// mapType gives the schemas of types that say more than their Go kind.
func mapType(t reflect.Type) *jsonschema.Schema {
	switch t {
	case reflect.TypeFor[jsontext.Value]():
		return &jsonschema.Schema{Description: "Any JSON value."}
	case reflect.TypeFor[lb.Duration]():
		return &jsonschema.Schema{Type: "string", Examples: []any{"500ms", "10s", "1m30s"}}
	case reflect.TypeFor[Secret]():
		return &jsonschema.Schema{Type: "string", WriteOnly: true}
	case reflect.TypeFor[Code]():
		codes := make([]Code, 0, len(Statuses))
		for code := range Statuses {
			codes = append(codes, code)
		}
		slices.Sort(codes)
		return enum(codes)
	case reflect.TypeFor[lb.Kind]():
		return enum(lb.Kinds)
	case reflect.TypeFor[lb.Op]():
		return enum(lb.Ops)
	case reflect.TypeFor[lb.PoolProtocol]():
		return enum(lb.PoolProtocols)
	case reflect.TypeFor[lb.Algorithm]():
		return enum(lb.Algorithms)
	case reflect.TypeFor[lb.MemberState]():
		return enum(lb.MemberStates)
	case reflect.TypeFor[lb.HealthCheckType]():
		return enum(lb.HealthCheckTypes)
	case reflect.TypeFor[lb.HTTPVersion]():
		return enum(lb.HTTPVersions)
	case reflect.TypeFor[lb.ProxyProtocol]():
		return enum(lb.ProxyProtocols)
	case reflect.TypeFor[lb.HashSource]():
		return enum(lb.HashSources)
	case reflect.TypeFor[lb.AffinityType]():
		return enum(lb.AffinityTypes)
	case reflect.TypeFor[lb.RetryCause]():
		return enum(lb.RetryCauses)
	case reflect.TypeFor[lb.MatchType]():
		return enum(lb.MatchTypes)
	case reflect.TypeFor[lb.ClientAuth]():
		return enum(lb.ClientAuths)
	case reflect.TypeFor[lb.AccessRecords]():
		return enum(lb.AccessRecordings)
	case reflect.TypeFor[lb.ListenerProtocol]():
		return enum(lb.ListenerProtocols)
	case reflect.TypeFor[lb.TLSVersion]():
		return enum(lb.TLSVersions)
	}
	return nil
}

// describe puts the domain's descriptions on the schemas of objects.
func (s *schemaSet) describe() {
	for _, kind := range lb.Kinds {
		t := reflect.TypeOf(WriteBody(kind))
		s.describeType(kind, "", t)
		s.defs[t.Name()].Description = lb.DescribeKind(kind)
		s.defs[t.Name()].Required = []string{"owner"}
	}
}

func (s *schemaSet) describeType(kind lb.Kind, prefix string, t reflect.Type) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	def := s.defs[t.Name()]
	if def == nil || def.Properties == nil {
		return
	}
	s.describeFields(kind, prefix, t, def)
}

// describeFields describes the fields of a struct, and of those it embeds, on
// the schema of the outer one.
func (s *schemaSet) describeFields(kind lb.Kind, prefix string, t reflect.Type, def *jsonschema.Schema) {
	for i := range t.NumField() {
		field := t.Field(i)
		if field.Anonymous {
			s.describeFields(kind, prefix, field.Type, def)
			continue
		}
		s.describeField(kind, prefix, field, def)
	}
}

func (s *schemaSet) describeField(kind lb.Kind, prefix string, field reflect.StructField, def *jsonschema.Schema) {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	property, ok := def.Properties.Get(name)
	if !ok || name == "private_key_pem" {
		return
	}
	path := prefix + name
	if field.Type.Kind() == reflect.Pointer {
		// A pointer is an attribute that may be absent: null on the wire.
		def.Properties.Set(name, &jsonschema.Schema{OneOf: []*jsonschema.Schema{property, {Type: "null"}}})
		property, _ = def.Properties.Get(name)
	}
	property.Description = lb.Describe(kind, path)
	switch t := field.Type; {
	case t.Kind() == reflect.Map && t.Elem().Kind() == reflect.Struct:
		s.describeType(kind, path+".*.", t.Elem())
	case t.Kind() == reflect.Struct || t.Kind() == reflect.Pointer:
		s.describeType(kind, path+".", t)
	}
}
