package lb

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

func TestWhatDependsOnUnknownValuesIsNotSettled(t *testing.T) {
	tests := []struct {
		name    string
		kind    Kind
		pointer string
		unknown []string
		settled bool
	}{
		{"nothing unknown", KindPool, "/owner", nil, true},
		{"another value", KindPool, "/owner", []string{"/protocol"}, true},
		{"the value itself", KindPool, "/owner", []string{"/owner"}, false},
		{"a value within", KindPool, "/members", []string{"/members/a/address"}, false},
		{"what it is part of", KindPool, "/members/a/address", []string{"/members/a"}, false},
		{"a name that begins alike", KindListener, "/port", []string{"/port_range"}, true},
		{"timeout while the interval is unknown", KindPool, "/health_check/timeout", []string{"/health_check/interval"}, false},
		{"interval while the timeout is unknown", KindPool, "/health_check/interval", []string{"/health_check/timeout"}, true},
		{"certificates while the protocol is unknown", KindListener, "/certificates", []string{"/protocol"}, false},
		{"one certificate while the protocol is unknown", KindListener, "/certificates/0", []string{"/protocol"}, false},
		{"default certificate while the certificates are unknown", KindListener, "/default_certificate", []string{"/certificates"}, false},
		{"default pool while the protocol is unknown", KindListener, "/default_pool", []string{"/protocol"}, false},
		{"hash key while the algorithm is unknown", KindPool, "/hash_key", []string{"/algorithm"}, false},
		{"authorities while client_auth is unknown", KindListener, "/tls/client_ca_pem", []string{"/tls/client_auth"}, false},
		{"rewrite while the pools are unknown", KindRoute, "/action/rewrite", []string{"/action/forward"}, false},
		{"pool of a route while its listener is unknown", KindRoute, "/action/forward/web", []string{"/listener"}, false},
		{"conditions of a route while its listener is unknown", KindRoute, "/match/hosts", []string{"/listener"}, true},
		{"what a route does while a redirect is unknown", KindRoute, "/action", []string{"/action/redirect"}, false},
		{"condition while its type is unknown", KindRoute, "/match/headers/x-a", []string{"/match/headers/x-a/type"}, false},
		{"condition while another is unknown", KindRoute, "/match/headers/x-a", []string{"/match/headers/x-b/type"}, true},
		{"the same names in another kind", KindPool, "/certificates", []string{"/protocol"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			vs := Settled(tt.kind, Violations{{Pointer: tt.pointer, Detail: "is wrong"}}, tt.unknown)
			if (len(vs) == 1) != tt.settled {
				t.Errorf("settled violations of %s with %q unknown: %v", tt.pointer, tt.unknown, vs)
			}
		})
	}
}

// validObjects are objects, in JSON, in which attributes rely on each other.
func validObjects(t *testing.T) map[Kind][]string {
	t.Helper()
	ca, err := json.Marshal(newIssued(t).chain)
	if err != nil {
		t.Fatal(err)
	}
	objects := map[Kind][]string{
		KindPool: {
			`{"owner":"x","http_version":"2","algorithm":"maglev","hash_key":{"source":"header","name":"x-user"},"slow_start":"1m","members":{"a":{"address":"a:1","weight":3}},
			  "health_check":{"type":"grpc","service":"shop.Cart","interval":"1m","timeout":"30s"},"outlier_detection":{"ejection_time":"1m"},
			  "retries":{"attempts":3,"on":["503","reset"],"per_try_timeout":"1s"},"upstream_tls":{"ca_pem":CA,"client_certificate":"c","verify":true},
			  "affinity":{"type":"cookie","name":"SID","ttl":"1h"},"limits":{"max_pending":0},"timeouts":{"idle":"1h"}}`,
			`{"owner":"x","protocol":"tcp","algorithm":"ring_hash","hash_key":{"source":"source_ip"},"health_check":{"type":"tcp"},"affinity":{"type":"source_ip"},"proxy_protocol":"v2"}`,
			`{"owner":"x","protocol":"http","http_version":"1.1","algorithm":"ring_hash","hash_key":{"source":"query","name":"q"},"affinity":{"type":"header","name":"x-user"},"proxy_protocol":"v1"}`,
		},
		KindListener: {
			`{"owner":"x","port":443,"protocol":"https","certificates":["a","b"],"default_certificate":"a","default_pool":"web",
			  "tls":{"min_version":"1.3","alpn":["h2"],"client_auth":"required","client_ca_pem":CA},"allowed_cidrs":["10.0.0.0/8"],"access_records":"all"}`,
			`{"owner":"x","port":80,"protocol":"http","http2":{"prior_knowledge":true},"proxy_protocol":true,"trusted_proxies":["10.0.0.0/8"],"limits":{"request_rate":10,"request_burst":5}}`,
			`{"owner":"x","port":80,"protocol":"tcp","default_pool":"db"}`,
			`{"owner":"x","port":80,"protocol":"tls_passthrough"}`,
		},
		KindRoute: {
			`{"owner":"x","listener":"l","match":{"hosts":["a"],"path_prefix":"/api","methods":["GET"],"headers":{"x-a":{"type":"regex","value":"a+"},"x-b":{"type":"absent"}},"query":{"q":{"type":"prefix","value":"1"}}},
			  "action":{"forward":{"web":{"weight":0},"next":{"weight":1}},"rewrite":{"host":"b:80","path_prefix":"/"},"mirror":{"pool":"m","percent":5}},
			  "request_headers":{"set":{"x-a":"1"},"remove":["x-b"]},"response_headers":{"add":{"x-c":"2"}},"timeouts":{"response":"1s","request":"2s"}}`,
			`{"owner":"x","listener":"l","match":{"path_regex":"/(\\d+)/(?P<rest>.*)"},"action":{"forward":{"web":{}},"rewrite":{"path":"/$1/${rest}"}}}`,
			`{"owner":"x","listener":"l","match":{"path_prefix":"/old"},"action":{"redirect":{"status":301,"scheme":"https","host":"a","port":8443,"path_prefix":"/new"}}}`,
			`{"owner":"x","listener":"l","match":{"path_exact":"/old","query":{"q":{"type":"present"}}},"action":{"redirect":{"strip_query":true}}}`,
			`{"owner":"x","listener":"l","action":{"fixed_response":{"status":503,"content_type":"text/html","body":"sorry"}}}`,
			`{"owner":"x","listener":"l","action":{"fixed_response":{"status":204}}}`,
		},
	}
	for _, texts := range objects {
		for i := range texts {
			texts[i] = strings.ReplaceAll(texts[i], "CA", string(ca))
		}
	}
	return objects
}

// A plan that will turn out valid is not refused for what it doesn't know yet,
// whichever two values that are.
func TestNoPlanIsRefusedForWhatItDoesNotKnow(t *testing.T) {
	violations := func(kind Kind, doc any) Violations {
		data, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		obj, err := Decode(kind, data)
		if err != nil {
			t.Fatal(err)
		}
		return obj.Validate()
	}
	for kind, texts := range validObjects(t) {
		for _, text := range texts {
			doc := parsed(t, text)
			if vs := violations(kind, doc); len(vs) > 0 {
				t.Fatalf("the %s to begin with is not valid: %v", kind, vs)
			}
			at := pointersInto(doc, "")
			for i := range at {
				for j := range i + 1 {
					unknown := []string{at[i], at[j]}
					partly := parsed(t, text)
					forget(partly, at[i])
					forget(partly, at[j])
					if vs := Settled(kind, violations(kind, partly), unknown); len(vs) > 0 {
						t.Errorf("%s without %q: %v", kind, unknown, vs)
					}
				}
			}
		}
	}
}

func parsed(t *testing.T, text string) map[string]any {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(jsontext.Value(text), &doc); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return doc
}

// pointersInto lists the pointers to all values of an object, at every depth.
func pointersInto(object map[string]any, at string) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(object)) {
		below := at + "/" + escapePointer(name)
		out = append(out, below)
		if inner, ok := object[name].(map[string]any); ok {
			out = append(out, pointersInto(inner, below)...)
		}
	}
	return out
}

// forget removes the value at a pointer, if it is still there.
func forget(object map[string]any, pointer string) {
	tokens := splitTokens(pointer)
	for _, token := range tokens[:len(tokens)-1] {
		inner, ok := object[token].(map[string]any)
		if !ok {
			return
		}
		object = inner
	}
	delete(object, tokens[len(tokens)-1])
}
