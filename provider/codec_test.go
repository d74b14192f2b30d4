package provider

import (
	"errors"
	"maps"
	"math/big"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

var resources = map[lb.Kind]func() resource.Resource{
	lb.KindPool: newPoolResource, lb.KindListener: newListenerResource,
	lb.KindRoute: newRouteResource, lb.KindCertificate: newCertificateResource,
	lb.KindFreeze: newFreezeWindowResource, lb.KindPolicy: newPolicyResource,
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

// An object with nothing but what is required, in every block that there is, is
// what lb makes of it; the schema's defaults must come to the same.
func TestEncodeRefusesWhatJSONCannotSay(t *testing.T) {
	for name, tc := range map[string]struct {
		change  map[string]any
		pointer string
	}{
		"null label":        {map[string]any{"labels": map[string]any{"a": nil}}, "/labels/a"},
		"null member":       {map[string]any{"members": map[string]any{"a": nil}}, "/members/a"},
		"null status":       {map[string]any{"health_check": map[string]any{"expected_statuses": []any{nil}}}, "/health_check/expected_statuses"},
		"null cause":        {map[string]any{"retries": map[string]any{"on": []any{nil}}}, "/retries/on"},
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

// What the server writes in its own way comes back as the user wrote it.
func TestEverySpellingIsKept(t *testing.T) {
	for kind, declared := range map[lb.Kind]map[string]any{
		lb.KindPool: {
			"owner":             "edge",
			"slow_start":        "60s",
			"algorithm":         "maglev",
			"hash_key":          map[string]any{"source": "header", "name": "X-User"},
			"outlier_detection": map[string]any{"ejection_time": "90s"},
			"retries":           map[string]any{"on": []any{"reset", "500"}, "per_try_timeout": "1000ms"},
			"upstream_tls":      map[string]any{"server_name": "App.Internal"},
			"affinity":          map[string]any{"type": "header", "name": "X-User"},
		},
		lb.KindListener: {
			"owner": "edge", "port": 443,
			"tls":             map[string]any{"alpn": []any{"http/1.1", "h2"}},
			"trusted_proxies": []any{"10.1.2.3/8", "2001:DB8::/32"},
			"allowed_cidrs":   []any{"::ffff:192.0.2.7/120"},
		},
		lb.KindRoute: {
			"owner": "edge", "listener": "l",
			"action": map[string]any{
				"redirect": map[string]any{"host": "App.example.com", "port": 0},
				"rewrite":  map[string]any{"host": "App.internal:8080"},
			},
			"request_headers": map[string]any{"remove": []any{"X-B", "X-A"}, "set": map[string]any{}},
			"timeouts":        map[string]any{"request": "60s"},
		},
		lb.KindFreeze: {
			"owner": "sre", "reason": "r", "begin": "2026-12-20T19:00:00+01:00", "end": "2026-12-27T18:00:00.250Z",
			"addresses": []any{"route/*", "pool/web"}, "recurrence": "RRULE:freq=yearly",
		},
		lb.KindPolicy: {"owner": "sre", "authority_grace": "60m"},
	} {
		got, want := answer(t, kind, declared), valueOf(t, kind, declared)
		members, _ := objectOf(want)
		for name := range declared {
			compareDeclared(t, string(kind)+"."+name, got[name], members[name])
		}
	}
}

// compareDeclared compares where something was declared; defaults fill the rest.
func compareDeclared(t *testing.T, at string, got, want tftypes.Value) {
	t.Helper()
	if want.IsNull() {
		return
	}
	if _, ok := want.Type().(tftypes.Object); !ok {
		if !got.Equal(want) {
			t.Errorf("%s: got %s, want %s", at, got, want)
		}
		return
	}
	gotMembers, _ := objectOf(got)
	wantMembers, _ := objectOf(want)
	for name := range wantMembers {
		compareDeclared(t, at+"."+name, gotMembers[name], wantMembers[name])
	}
}

func TestWhatWasLeftOutOfARouteStaysNull(t *testing.T) {
	got := answer(t, lb.KindRoute, map[string]any{
		"owner": "edge", "listener": "l", "action": map[string]any{"redirect": map[string]any{"scheme": "https"}}, "response_headers": map[string]any{},
	})
	action, _ := objectOf(got["action"])
	redirect, _ := objectOf(action["redirect"])
	changes, _ := objectOf(got["response_headers"])
	for name, v := range map[string]tftypes.Value{
		"request_headers": got["request_headers"], "forward": action["forward"], "fixed_response": action["fixed_response"], "rewrite": action["rewrite"],
		"mirror": action["mirror"], "redirect.port": redirect["port"], "redirect.path": redirect["path"], "response_headers.set": changes["set"],
	} {
		if !v.IsNull() {
			t.Errorf("%s: got %s", name, v)
		}
	}
	if got["response_headers"].IsNull() || stringIn(action["redirect"], "scheme") != "https" {
		t.Errorf("what was declared: %s, %s", got["response_headers"], action["redirect"])
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
		{lb.KindListener, "/tls/alpn/1", "tls.alpn"},
		{lb.KindListener, "/trusted_proxies/0", "trusted_proxies"},
		{lb.KindPool, "/upstream_tls/client_certificate", "upstream_tls.client_certificate"},
		{lb.KindPool, "/retries/on/2", "retries.on"},
		{lb.KindRoute, "/match/headers/x-a", `match.headers["x-a"]`},
		{lb.KindRoute, "/action/redirect/path_prefix", "action.redirect.path_prefix"},
		{lb.KindRoute, "/request_headers/set/x-a", `request_headers.set["x-a"]`},
		{lb.KindRoute, "/response_headers/remove/0", "response_headers.remove"},
		{lb.KindRoute, "/match/hosts/1", "match.hosts"},
		{lb.KindRoute, "/action/forward/web/weight", `action.forward["web"].weight`},
		{lb.KindCertificate, "/private_key_pem", "private_key_wo"},
		{lb.KindCertificate, "/private_key_version", "private_key_wo_version"},
		{lb.KindFreeze, "/addresses/1", "addresses"},
		{lb.KindPolicy, "/rules/two-people/when", `rules["two-people"].when`},
	} {
		if got := codecOf(tc.kind).attributePath(tc.pointer).String(); got != tc.want {
			t.Errorf("%s %s: got %s, want %s", tc.kind, tc.pointer, got, tc.want)
		}
	}
}
