package provider

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func TestEncodeListsWhatIsUnknown(t *testing.T) {
	f, err := codecOf(lb.KindPool).encode(valueOf(t, lb.KindPool, pool(map[string]any{
		"algorithm": unknown{},
		"labels":    map[string]any{"team": unknown{}},
		"members": map[string]any{
			"a/b": unknown{},
			"c":   map[string]any{"address": unknown{}, "weight": 3},
		},
		"health_check": map[string]any{"expected_statuses": []any{"200", unknown{}}},
		"retries":      map[string]any{"attempts": unknown{}, "on": []any{"reset"}},
		"upstream_tls": unknown{},
		"timeouts":     unknown{},
	})))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"/algorithm", "/health_check/expected_statuses", "/labels", "/members/a~1b", "/members/c/address", "/retries/attempts", "/timeouts", "/upstream_tls"}
	if diff := cmp.Diff(want, f.unknown); diff != "" {
		t.Error(diff)
	}
	if got, want := string(f.declared), `{"health_check":{},"members":{"c":{"weight":3}},"owner":"edge","retries":{"on":["reset"]}}`; got != want {
		t.Errorf("declared:\n got %s\nwant %s", got, want)
	}
}

func TestEncodeListsWhatIsUnknownOfARoute(t *testing.T) {
	f, err := codecOf(lb.KindRoute).encode(valueOf(t, lb.KindRoute, map[string]any{
		"owner": "edge", "listener": unknown{},
		"match": map[string]any{
			"headers": map[string]any{"x-a": map[string]any{"type": unknown{}, "value": "1"}, "x-b": unknown{}},
			"query":   unknown{},
		},
		"action": map[string]any{
			"forward":  map[string]any{"web": map[string]any{"weight": unknown{}}},
			"mirror":   map[string]any{"pool": unknown{}, "percent": 5},
			"redirect": unknown{},
		},
		"request_headers": map[string]any{"set": map[string]any{"x-a": unknown{}, "x-b": "2"}, "remove": []any{"x-c", unknown{}}},
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"/action/forward/web/weight", "/action/mirror/pool", "/action/redirect", "/listener", "/match/headers/x-a/type", "/match/headers/x-b",
		"/match/query", "/request_headers/remove", "/request_headers/set",
	}
	if diff := cmp.Diff(want, f.unknown); diff != "" {
		t.Error(diff)
	}
	if got, want := string(f.declared), `{"action":{"forward":{"web":{}},"mirror":{"percent":5}},"match":{"headers":{"x-a":{"value":"1"}}},"owner":"edge","request_headers":{}}`; got != want {
		t.Errorf("declared:\n got %s\nwant %s", got, want)
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
		"an algorithm decides on the hash key": {lb.KindPool, pool(map[string]any{"algorithm": unknown{}, "hash_key": map[string]any{}}), ""},
		"a source decides on a name": {lb.KindPool, pool(map[string]any{
			"algorithm": "maglev", "hash_key": map[string]any{"source": unknown{}, "name": "x-user"},
		}), ""},
		"a certificate of clients' authorities to come": {lb.KindListener, map[string]any{
			"name": "l", "owner": "edge", "port": 443, "protocol": "https", "certificates": []any{"site"},
			"tls": map[string]any{"client_auth": "required", "client_ca_pem": unknown{}},
		}, ""},
		"what a route does is to come": {lb.KindRoute, map[string]any{
			"name": "r", "owner": "edge", "listener": "l", "action": map[string]any{"redirect": unknown{}},
		}, ""},
		"nothing decides on a rewrite that changes nothing": {lb.KindRoute, map[string]any{
			"name": "r", "owner": "edge", "listener": unknown{},
			"action": map[string]any{"forward": map[string]any{"web": map[string]any{}}, "rewrite": map[string]any{}},
		}, "/action/rewrite"},
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
