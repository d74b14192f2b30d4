package provider

import (
	"errors"
	"maps"
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

var resources = map[lb.Kind]func() resource.Resource{
	lb.KindPool: newPoolResource, lb.KindListener: newListenerResource,
	lb.KindRoute: newRouteResource, lb.KindCertificate: newCertificateResource,
}

func codecOf(kind lb.Kind) codec { return resources[kind]().(*objectResource).codec }

// unknown stands for a value that isn't known yet.
type unknown struct{}

// valueOf makes a Terraform value of a kind out of Go values. What is left out
// is null.
func valueOf(t *testing.T, kind lb.Kind, of map[string]any) tftypes.Value {
	t.Helper()
	r := resources[kind]()
	resp := &resource.SchemaResponse{}
	r.Schema(t.Context(), resource.SchemaRequest{}, resp)
	return build(t, resp.Schema.Type().TerraformType(t.Context()), of)
}

func build(t *testing.T, typ tftypes.Type, v any) tftypes.Value {
	t.Helper()
	switch v := v.(type) {
	case nil:
		return tftypes.NewValue(typ, nil)
	case unknown:
		return tftypes.NewValue(typ, tftypes.UnknownValue)
	case int:
		return tftypes.NewValue(typ, big.NewFloat(float64(v)))
	case float64:
		return tftypes.NewValue(typ, big.NewFloat(v))
	case []any:
		elements := make([]tftypes.Value, len(v))
		for i := range v {
			elements[i] = build(t, typ.(tftypes.Set).ElementType, v[i])
		}
		return tftypes.NewValue(typ, elements)
	case map[string]any:
		members := map[string]tftypes.Value{}
		switch typ := typ.(type) {
		case tftypes.Object:
			for name, attrType := range typ.AttributeTypes {
				members[name] = build(t, attrType, v[name])
			}
		case tftypes.Map:
			for key := range v {
				members[key] = build(t, typ.ElementType, v[key])
			}
		}
		return tftypes.NewValue(typ, members)
	}
	return tftypes.NewValue(typ, v)
}

func pool(change map[string]any) map[string]any {
	p := map[string]any{
		"name": "web", "owner": "edge",
		"members": map[string]any{"a": map[string]any{"address": "10.0.0.1:80"}},
	}
	maps.Copy(p, change)
	return p
}

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
				check := lb.NewHealthCheck()
				obj.HealthCheck, obj.Members = &check, map[string]lb.Member{"*": lb.NewMember()}
			case *lb.Route:
				obj.Action.Forward = map[string]lb.ForwardTarget{"*": {}}
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
	// An object with nothing but what is required encodes to what lb makes of
	// it; the schema's defaults must come to the same.
	f, err := codecOf(lb.KindPool).encode(valueOf(t, lb.KindPool, pool(map[string]any{"health_check": map[string]any{}})))
	if err != nil {
		t.Fatal(err)
	}
	c := codecOf(lb.KindPool)
	for name, nested := range map[string]attributes{
		"health_check": c.declared["health_check"].(schema.SingleNestedAttribute).Attributes,
		"timeouts":     c.declared["timeouts"].(schema.SingleNestedAttribute).Attributes,
	} {
		for attribute, a := range nested {
			if s, ok := a.(schema.StringAttribute); ok && s.Default != nil {
				if got, want := defaultsOf(attributes{attribute: s}).Attributes()[attribute].String(), f.normal[name].(map[string]any)[attribute]; got != `"`+want.(string)+`"` {
					t.Errorf("%s.%s: the schema's default is %s, the object's %s", name, attribute, got, want)
				}
			}
		}
	}
}

func TestEncodeListsWhatIsUnknown(t *testing.T) {
	f, err := codecOf(lb.KindPool).encode(valueOf(t, lb.KindPool, pool(map[string]any{
		"algorithm": unknown{},
		"labels":    map[string]any{"team": unknown{}},
		"members": map[string]any{
			"a/b": unknown{},
			"c":   map[string]any{"address": unknown{}, "weight": 3},
		},
		"health_check": map[string]any{"expected_statuses": []any{"200", unknown{}}},
		"timeouts":     unknown{},
	})))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"/algorithm", "/health_check/expected_statuses", "/labels", "/members/a~1b", "/members/c/address", "/timeouts"}
	if diff := cmp.Diff(want, f.unknown); diff != "" {
		t.Error(diff)
	}
	if got, want := string(f.declared), `{"health_check":{},"members":{"c":{"weight":3}},"owner":"edge"}`; got != want {
		t.Errorf("declared:\n got %s\nwant %s", got, want)
	}
}

func TestEncodeRefusesWhatJSONCannotSay(t *testing.T) {
	for name, tc := range map[string]struct {
		change  map[string]any
		pointer string
	}{
		"null label":        {map[string]any{"labels": map[string]any{"a": nil}}, "/labels/a"},
		"null member":       {map[string]any{"members": map[string]any{"a": nil}}, "/members/a"},
		"null status":       {map[string]any{"health_check": map[string]any{"expected_statuses": []any{nil}}}, "/health_check/expected_statuses"},
		"fraction":          {map[string]any{"members": map[string]any{"a": map[string]any{"weight": 1.5}}}, "/members/a/weight"},
		"duration, no unit": {map[string]any{"timeouts": map[string]any{"idle": "60"}}, "/timeouts/idle"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := codecOf(lb.KindPool).encode(valueOf(t, lb.KindPool, pool(tc.change)))
			var violations lb.Violations
			if !errors.As(err, &violations) || len(violations) != 1 || violations[0].Pointer != tc.pointer {
				t.Errorf("got %v, want one violation at %s", err, tc.pointer)
			}
		})
	}
}

// answer decodes what a server would answer to a declaration.
func answer(t *testing.T, kind lb.Kind, declared map[string]any) map[string]tftypes.Value {
	t.Helper()
	c, value := codecOf(kind), valueOf(t, kind, declared)
	f, err := c.encode(value)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.decode(t.Context(), f.normal, value, f.normal)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestWhatMeansTheSameKeepsItsSpelling(t *testing.T) {
	declared := pool(map[string]any{
		"labels":       map[string]any{},
		"health_check": map[string]any{"interval": "60s", "host": "App.Example.com", "expected_statuses": []any{"404", "200"}},
		"timeouts":     map[string]any{"connect": "1000ms"},
	})
	got, want := answer(t, lb.KindPool, declared), valueOf(t, lb.KindPool, declared)
	members, _ := objectOf(want)
	if !got["labels"].Equal(members["labels"]) {
		t.Errorf("labels: got %s", got["labels"])
	}
	check, _ := objectOf(got["health_check"])
	wantCheck, _ := objectOf(members["health_check"])
	for _, name := range []string{"interval", "host", "expected_statuses"} {
		if !check[name].Equal(wantCheck[name]) {
			t.Errorf("health_check.%s: got %s, want %s", name, check[name], wantCheck[name])
		}
	}
	timeouts, _ := objectOf(got["timeouts"])
	if s := stringIn(got["timeouts"], "connect"); s != "1000ms" {
		t.Errorf("timeouts.connect: got %s", s)
	}
	if s := stringIn(got["timeouts"], "idle"); s != "5m" || timeouts["idle"].IsNull() {
		t.Errorf("timeouts.idle: got %q, want the default", s)
	}
}

func TestWhatWasLeftOutAndIsEmptyStaysNull(t *testing.T) {
	route := map[string]any{
		"name": "r", "owner": "edge", "listener": "http",
		"action": map[string]any{"forward": map[string]any{"web": map[string]any{}}},
	}
	if got := answer(t, lb.KindRoute, route); !got["match"].IsNull() || !got["labels"].IsNull() {
		t.Errorf("left out: match is %s, labels %s", got["match"], got["labels"])
	}
	route["match"] = map[string]any{"path_exact": ""}
	got := answer(t, lb.KindRoute, route)
	match, _ := objectOf(got["match"])
	if got["match"].IsNull() || match["path_exact"].IsNull() || !match["hosts"].IsNull() {
		t.Errorf("given empty: got %s", got["match"])
	}
	// Imported: nothing is known of what was declared.
	c := codecOf(lb.KindRoute)
	f, err := c.encode(valueOf(t, lb.KindRoute, route))
	if err != nil {
		t.Fatal(err)
	}
	imported, err := c.decode(t.Context(), f.normal, valueOf(t, lb.KindRoute, map[string]any{"name": "r"}), nil)
	if err != nil {
		t.Fatal(err)
	}
	if !imported["match"].IsNull() || imported["action"].IsNull() {
		t.Errorf("imported: %s", imported)
	}
}

func TestADifferenceIsNotHidden(t *testing.T) {
	c := codecOf(lb.KindPool)
	state := valueOf(t, lb.KindPool, pool(map[string]any{"timeouts": map[string]any{"connect": "60s", "idle": "5m", "response": "1m"}}))
	stored, err := c.encode(state)
	if err != nil {
		t.Fatal(err)
	}
	now, err := c.encode(valueOf(t, lb.KindPool, pool(map[string]any{
		"timeouts": map[string]any{"connect": "61s", "idle": "5m", "response": "60s"},
		"members":  map[string]any{"b": map[string]any{"address": "10.0.0.2:80"}},
	})))
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.decode(t.Context(), now.normal, state, stored.normal)
	if err != nil {
		t.Fatal(err)
	}
	if connect := stringIn(got["timeouts"], "connect"); connect != "1m1s" {
		t.Errorf("connect: got %s", connect)
	}
	if response := stringIn(got["timeouts"], "response"); response != "1m" {
		t.Errorf("response: got %s, want the state's spelling", response)
	}
	if members, _ := objectOf(got["members"]); len(members) != 1 || members["b"].IsNull() {
		t.Errorf("members: got %s", got["members"])
	}
}

func TestPointersLeadToAttributes(t *testing.T) {
	for _, tc := range []struct {
		kind          lb.Kind
		pointer, want string
	}{
		{lb.KindPool, "", ""},
		{lb.KindPool, "/owner", "owner"},
		{lb.KindPool, "/nothing", ""},
		{lb.KindPool, "/members", "members"},
		{lb.KindPool, "/members/a~1b", `members["a/b"]`},
		{lb.KindPool, "/members/a/weight", `members["a"].weight`},
		{lb.KindPool, "/labels/x~0y", `labels["x~y"]`},
		{lb.KindPool, "/health_check/expected_statuses/3", "health_check.expected_statuses"},
		{lb.KindListener, "/certificates/0", "certificates"},
		{lb.KindListener, "/tls/min_version", "tls.min_version"},
		{lb.KindRoute, "/match/hosts/1", "match.hosts"},
		{lb.KindRoute, "/action/forward/web/weight", `action.forward["web"].weight`},
		{lb.KindCertificate, "/private_key_pem", "private_key_wo"},
		{lb.KindCertificate, "/private_key_version", "private_key_wo_version"},
	} {
		if got := codecOf(tc.kind).attributePath(tc.pointer).String(); got != tc.want {
			t.Errorf("%s %s: got %s, want %s", tc.kind, tc.pointer, got, tc.want)
		}
	}
}

func TestViolationsThatUnknownValuesMayCureAreDropped(t *testing.T) {
	for name, tc := range map[string]struct {
		kind     lb.Kind
		declared map[string]any
		want     string
	}{
		"protocol decides on certificates": {lb.KindListener, map[string]any{
			"name": "l", "owner": "edge", "port": 443, "protocol": unknown{}, "certificates": []any{"site"},
		}, ""},
		"nothing decides on the port": {lb.KindListener, map[string]any{
			"name": "l", "owner": "edge", "port": 0, "protocol": unknown{},
		}, "/port"},
		"a certificate may be the default": {lb.KindListener, map[string]any{
			"name": "l", "owner": "edge", "port": 1, "protocol": "https", "certificates": unknown{}, "default_certificate": "site",
		}, ""},
		"interval decides on timeout": {lb.KindPool, pool(map[string]any{
			"health_check": map[string]any{"interval": unknown{}, "timeout": "30s"},
		}), ""},
		"a weight may be above 0": {lb.KindRoute, map[string]any{
			"name": "r", "owner": "edge", "listener": "l",
			"action": map[string]any{"forward": map[string]any{"a": map[string]any{"weight": 0}, "b": map[string]any{"weight": unknown{}}}},
		}, ""},
		"a chain to come": {lb.KindCertificate, map[string]any{"name": "c", "owner": "edge", "chain_pem": unknown{}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := codecOf(tc.kind)
			f, err := c.encode(valueOf(t, tc.kind, tc.declared))
			if err != nil {
				t.Fatal(err)
			}
			var pointers []string
			for _, v := range lb.Settled(c.kind, f.object.Validate(), f.unknown) {
				pointers = append(pointers, v.Pointer)
			}
			if got := strings.Join(pointers, " "); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
