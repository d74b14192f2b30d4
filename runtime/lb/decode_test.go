package lb

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

func TestDecodeRefusesWhatItDoesNotKnowExactlyWhereItStands(t *testing.T) {
	deep := strings.Repeat("[", 20_000)
	tests := []struct {
		name, in string
		pointer  string
		says     string
	}{
		{"unknown field", `{"ovner":"x"}`, "/ovner", "not a known field"},
		{"unknown field in capitals", `{"OWNER":"x"}`, "/OWNER", "not a known field"},
		{"unknown field of a member", `{"members":{"a":{"wait":1}}}`, "/members/a/wait", "not a known field"},
		{"unknown field of a block", `{"timeouts":{"total":"1s"}}`, "/timeouts/total", "not a known field"},
		{"unknown field is escaped", `{"a/b~c":1}`, "/a~1b~0c", "not a known field"},
		{"number for a string", `{"owner":1}`, "/owner", "this number"},
		{"object for a string", `{"owner":{}}`, "/owner", "an object"},
		{"array for a map", `{"labels":[]}`, "/labels", "an array"},
		{"string for a number", `{"members":{"a":{"weight":"1"}}}`, "/members/a/weight", "a string"},
		{"fraction for a number", `{"members":{"a":{"weight":1.5}}}`, "/members/a/weight", "this number"},
		{"number out of range", `{"members":{"a":{"weight":99999999999999999999}}}`, "/members/a/weight", "this number"},
		{"number for a boolean", `{"members":{"a":{"backup":1}}}`, "/members/a/backup", "this number"},
		{"boolean for a string", `{"members":{"a":{"address":true}}}`, "/members/a/address", "a boolean"},
		{"number for a duration", `{"timeouts":{"connect":5}}`, "/timeouts/connect", "this number"},
		{"not a duration", `{"timeouts":{"connect":"soon"}}`, "/timeouts/connect", `"soon" is not a duration`},
		{"string for an array", `{"health_check":{"expected_statuses":"200"}}`, "/health_check/expected_statuses", "a string"},
		{"number in an array of strings", `{"health_check":{"expected_statuses":["200",204]}}`, "/health_check/expected_statuses/1", "this number"},
		{"array for an object", `[]`, "", "an array"},
		{"null for an object", `null`, "", "null is not allowed"},
		{"null for a string", `{"owner":null}`, "/owner", "null is not allowed"},
		{"null for a map", `{"members":null}`, "/members", "null is not allowed"},
		{"null for a block", `{"timeouts":null}`, "/timeouts", "null is not allowed"},
		{"null for a block with defaults", `{"retries":null}`, "/retries", "null is not allowed"},
		{"string for a number of a block that may be absent", `{"outlier_detection":{"ejection_time":5}}`, "/outlier_detection/ejection_time", "this number"},
		{"unknown field of a block that may be absent", `{"affinity":{"kind":"x"}}`, "/affinity/kind", "not a known field"},
		{"null for a member", `{"members":{"a":null}}`, "/members/a", "null is not allowed"},
		{"null for a number of a member", `{"members":{"a":{"weight":null}}}`, "/members/a/weight", "null is not allowed"},
		{"null for a duration", `{"health_check":{"interval":null}}`, "/health_check/interval", "null is not allowed"},
		{"null in an array", `{"health_check":{"expected_statuses":[null]}}`, "/health_check/expected_statuses/0", "null is not allowed"},
		{"null for a label", `{"labels":{"a":null}}`, "/labels/a", "null is not allowed"},
		{"repeated field", `{"owner":"a","owner":"b"}`, "/owner", "duplicate"},
		{"repeated member", `{"members":{"a":{},"a":{}}}`, "/members/a", "duplicate"},
		{"bad UTF-8 in a value", "{\"owner\":\"\xff\"}", "/owner", "UTF-8"},
		{"bad UTF-8 in a name", "{\"labels\":{\"\xff\":\"\"}}", "/labels", "UTF-8"},
		{"half a surrogate pair", `{"owner":"\ud800"}`, "/owner", "surrogate"},
		{"raw control character", "{\"owner\":\"a\x00\"}", "/owner", "invalid character"},
		{"a second value", `{}{}`, "", "after top-level value"},
		{"text after the value", `{} x`, "", "after top-level value"},
		{"nothing", ``, "", "unexpected EOF"},
		{"cut off", `{"owner":"a"`, "", "unexpected EOF"},
		{"trailing comma", `{"owner":"a",}`, "", "invalid character"},
		{"comment", `{/* hello */}`, "", "invalid character"},
		{"nested without end in a field", `{"labels":{"a":` + deep, "/labels/a" + strings.Repeat("/0", 252), "max depth"},
		{"nested without end", deep, "", "an array"},
		{"too large", `{"owner":"` + strings.Repeat("x", MaxObjectBytes) + `"}`, "", "at most 1048576"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			obj, err := Decode(KindPool, []byte(tt.in))
			if obj != nil {
				t.Fatalf("decoded to %+v", obj)
			}
			var vs Violations
			if !errors.As(err, &vs) || len(vs) != 1 {
				t.Fatalf("error is %v, want one violation", err)
			}
			if vs[0].Pointer != tt.pointer || !strings.Contains(vs[0].Detail, tt.says) {
				t.Errorf("violation %q: %q, want %q: … %q …", vs[0].Pointer, vs[0].Detail, tt.pointer, tt.says)
			}
		})
	}
}

func TestDecodeOfOtherKindsPointsAtTheField(t *testing.T) {
	tests := []struct {
		name    string
		kind    Kind
		in      string
		pointer string
		says    string
	}{
		{"listener", KindListener, `{"limits":{"max_connections":"many"}}`, "/limits/max_connections", "a string"},
		{"listener with a null list", KindListener, `{"certificates":null}`, "/certificates", "null is not allowed"},
		{"route", KindRoute, `{"match":{"hosts":["a",{}]}}`, "/match/hosts/1", "an object"},
		{"route with a null condition", KindRoute, `{"match":{"headers":{"x-a":null}}}`, "/match/headers/x-a", "null is not allowed"},
		{"route with a number for a status", KindRoute, `{"action":{"redirect":{"status":"301"}}}`, "/action/redirect/status", "a string"},
		{"route with a null target", KindRoute, `{"action":{"forward":{"web":null}}}`, "/action/forward/web", "null is not allowed"},
		{"certificate", KindCertificate, `{"private_key_version":"1"}`, "/private_key_version", "a string"},
		{"certificate with its key inside", KindCertificate, `{"private_key_pem":"x"}`, "/private_key_pem", "not a known field"},
		{"certificate with a bad time", KindCertificate, `{"not_before":"tomorrow"}`, "/not_before", "RFC 3339"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Decode(tt.kind, []byte(tt.in))
			var vs Violations
			if !errors.As(err, &vs) || len(vs) != 1 || vs[0].Pointer != tt.pointer || !strings.Contains(vs[0].Detail, tt.says) {
				t.Errorf("error is %v, want %s … %s …", err, tt.pointer, tt.says)
			}
		})
	}
	if _, err := Decode("gateway", []byte(`{}`)); err == nil || !strings.Contains(err.Error(), "certificate, pool, listener, route, freeze and policy") {
		t.Errorf("unknown kind: %v, want the kinds listed", err)
	}
}

// A secret can end up as the value of any field, or as its name.
func TestDecodeErrorsDoNotRepeatLongInput(t *testing.T) {
	secret := strings.Repeat("Sx9", 30)
	for _, in := range []string{
		`{"timeouts":{"connect":"` + secret + `"}}`,
		`{"` + secret + secret + `":1}`,
		`{"labels":{"` + secret + secret + `":1}}`,
		`{"labels":{"x\n` + secret + `":1}}`,
		`{"owner":"` + secret,
		secret,
	} {
		if _, err := Decode(KindPool, []byte(in)); err == nil || strings.Contains(err.Error(), secret[:40]) {
			t.Errorf("Decode(%.30q…): %v", in, err)
		}
	}
	if _, err := Decode(KindCertificate, []byte(`{"not_after":"`+secret+`"}`)); err == nil || strings.Contains(err.Error(), secret[:10]) {
		t.Errorf("time: %v", err)
	}
}

func TestAbsentFieldsTakeTheirDefaults(t *testing.T) {
	tests := []struct {
		name string
		kind Kind
		in   string
		// at is the attribute that is looked at; "" is the object.
		at, want string
	}{
		{"pool", KindPool, `{}`, "", `{"affinity":null,"algorithm":"round_robin","hash_key":null,"health_check":null,"http_version":"1.1","labels":{},` +
			`"limits":{"max_connections":10000,"max_pending":1024},"members":{},"outlier_detection":null,"owner":"","protocol":"http","proxy_protocol":"off",` +
			`"retries":{"attempts":2,"budget_percent":20,"on":["connect_failure"],"per_try_timeout":"0s"},"slow_start":"0s",` +
			`"timeouts":{"connect":"5s","idle":"5m","response":"1m"},"upstream_tls":null}`},
		{"listener", KindListener, `{}`, "", `{"access_records":"errors","address":"0.0.0.0","allowed_cidrs":[],"certificates":[],"default_certificate":"","default_pool":"",` +
			`"http2":{"max_concurrent_streams":100,"prior_knowledge":false},"labels":{},` +
			`"limits":{"max_body_bytes":0,"max_connections":50000,"max_connections_per_client":0,"max_header_bytes":65536,"max_requests":100000,"request_burst":0,"request_rate":0},` +
			`"owner":"","port":0,"protocol":"http","proxy_protocol":false,"timeouts":{"idle":"1m","request_body":"30s","request_header":"10s"},` +
			`"tls":{"alpn":["h2","http/1.1"],"client_auth":"none","client_ca_pem":"","min_version":"1.2"},"trusted_proxies":[]}`},
		{"route", KindRoute, `{}`, "", `{"action":{"fixed_response":null,"forward":{},"mirror":null,"redirect":null,"rewrite":null},"labels":{},"listener":"",` +
			`"match":{"headers":{},"hosts":[],"methods":[],"path_exact":"","path_prefix":"","path_regex":"","query":{}},"owner":"","priority":0,` +
			`"request_headers":{"add":{},"remove":[],"set":{}},"response_headers":{"add":{},"remove":[],"set":{}},"timeouts":{"request":"0s","response":"0s"}}`},
		{
			"certificate", KindCertificate, `{"fingerprint":"mine","issuer":"me","dns_names":["a"],"not_after":"2030-01-01T00:00:00Z"}`, "",
			`{"chain_pem":"","dns_names":[],"fingerprint":"","issuer":"","labels":{},"not_after":"0001-01-01T00:00:00Z","not_before":"0001-01-01T00:00:00Z","owner":"","private_key_version":0}`,
		},
		{"member", KindPool, `{"members":{"a":{}}}`, "members", `{"a":{"address":"","backup":false,"state":"active","weight":1}}`},
		{
			"health check", KindPool, `{"health_check":{}}`, "health_check",
			`{"expected_statuses":["200-399"],"healthy_threshold":2,"host":"","interval":"10s","path":"/","service":"","timeout":"2s","type":"http","unhealthy_threshold":3}`,
		},
		{
			"expected statuses that are empty", KindPool, `{"health_check":{"type":"tcp","expected_statuses":[]}}`, "health_check",
			`{"expected_statuses":[],"healthy_threshold":2,"host":"","interval":"10s","path":"/","service":"","timeout":"2s","type":"tcp","unhealthy_threshold":3}`,
		},
		{"one timeout of three", KindPool, `{"timeouts":{"idle":"1h"}}`, "timeouts", `{"connect":"5s","idle":"1h","response":"1m"}`},
		{"hash key", KindPool, `{"hash_key":{}}`, "hash_key", `{"name":"","source":"source_ip"}`},
		{"outlier detection", KindPool, `{"outlier_detection":{}}`, "outlier_detection", `{"consecutive_failures":5,"ejection_time":"30s","max_ejected_percent":50}`},
		{"retries with other causes", KindPool, `{"retries":{"on":["reset"]}}`, "retries", `{"attempts":2,"budget_percent":20,"on":["reset"],"per_try_timeout":"0s"}`},
		{"limits", KindPool, `{"limits":{"max_pending":0}}`, "limits", `{"max_connections":10000,"max_pending":0}`},
		{"TLS to members", KindPool, `{"upstream_tls":{}}`, "upstream_tls", `{"ca_pem":"","client_certificate":"","min_version":"1.2","server_name":"","verify":true}`},
		{"affinity", KindPool, `{"affinity":{}}`, "affinity", `{"name":"auditlb","ttl":"0s","type":"cookie"}`},
		{"affinity by another cookie", KindPool, `{"affinity":{"name":"SID","ttl":"1h"}}`, "affinity", `{"name":"SID","ttl":"1h","type":"cookie"}`},
		{"affinity without a cookie", KindPool, `{"affinity":{"type":"source_ip"}}`, "affinity", `{"name":"","ttl":"0s","type":"source_ip"}`},
		{"TLS of a listener", KindListener, `{"tls":{"min_version":"1.3"}}`, "tls", `{"alpn":["h2","http/1.1"],"client_auth":"none","client_ca_pem":"","min_version":"1.3"}`},
		{"HTTP/2 of a listener", KindListener, `{"http2":{"prior_knowledge":true}}`, "http2", `{"max_concurrent_streams":100,"prior_knowledge":true}`},
		{
			"conditions", KindRoute, `{"match":{"headers":{"x-a":{"value":"1"}},"query":{"q":{}}}}`, "match",
			`{"headers":{"x-a":{"type":"exact","value":"1"}},"hosts":[],"methods":[],"path_exact":"","path_prefix":"","path_regex":"","query":{"q":{"type":"exact","value":""}}}`,
		},
		{
			"forward and mirror", KindRoute, `{"action":{"forward":{"web":{}},"mirror":{"pool":"next"},"rewrite":{}}}`, "action",
			`{"fixed_response":null,"forward":{"web":{"weight":1}},"mirror":{"percent":100,"pool":"next"},"redirect":null,"rewrite":{"host":"","path":"","path_prefix":""}}`,
		},
		{
			"redirect", KindRoute, `{"action":{"redirect":{}}}`, "action",
			`{"fixed_response":null,"forward":{},"mirror":null,"redirect":{"host":"","path":"","path_prefix":"","port":0,"scheme":"","status":302,"strip_query":false},"rewrite":null}`,
		},
		{
			"fixed response", KindRoute, `{"action":{"fixed_response":{}}}`, "action",
			`{"fixed_response":{"body":"","content_type":"text/plain; charset=utf-8","status":200},"forward":{},"mirror":null,"redirect":null,"rewrite":null}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			obj, err := Decode(tt.kind, []byte(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			got, err := Encode(obj)
			if err != nil {
				t.Fatal(err)
			}
			if tt.at != "" {
				var attributes map[string]jsontext.Value
				if err := json.Unmarshal(got, &attributes); err != nil {
					t.Fatal(err)
				}
				got = attributes[tt.at]
			}
			if string(got) != tt.want {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
		})
	}
}

// Defaults are made anew for every object: what is decoded into one must not
// turn up in another.
func TestDecodingLeavesTheDefaultsAlone(t *testing.T) {
	for kind, in := range map[Kind]string{
		KindPool:     `{"retries":{"on":["500","502"]},"health_check":{"expected_statuses":["500"]}}`,
		KindListener: `{"tls":{"alpn":["http/1.1"]}}`,
	} {
		fresh := func() string {
			obj, err := Decode(kind, []byte(`{}`))
			if err != nil {
				t.Fatal(err)
			}
			b, err := Encode(obj)
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		before := fresh()
		if _, err := Decode(kind, []byte(in)); err != nil {
			t.Fatal(err)
		}
		if after := fresh(); after != before {
			t.Errorf("%s: the defaults were\n%s\nand are\n%s", kind, before, after)
		}
	}
	if got := NewHealthCheck().ExpectedStatuses; len(got) != 1 || got[0] != DefaultExpectedStatuses {
		t.Errorf("expected statuses: %q", got)
	}
}
